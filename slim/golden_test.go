package slim_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/ticketscloud/vibe-bridge/slim"
)

var update = flag.Bool("update", false, "rewrite the golden files; with KAFKA_CLIENT_CLASSPATH also the vectors of murmur2")

// A golden file is named after the kind of its record: event_full.txtar. Its
// first line says why it is there. For every edition it has the record as the
// Go struct (EDITION/record) and what becomes of it: EDITION/json, and for 1.0
// a hex dump, 1.0/protobuf.
func TestGolden(t *testing.T) {
	paths, err := filepath.Glob("testdata/golden/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) != 6 {
		t.Fatalf("%d golden files, want a full and a minimal one of three kinds: %q", len(paths), paths)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			checkGolden(t, path)
		})
	}
}

func checkGolden(t *testing.T, path string) {
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	kind, _, _ := strings.Cut(filepath.Base(path), "_")
	var want []txtar.File
	for _, enc := range allEncodings {
		edition := enc.Edition.String()
		if enc.Format == slim.JSON {
			want = append(want, txtar.File{Name: edition + "/record", Data: section(t, archive, edition+"/record")})
		}
		value := appendRecord(t, kind, enc, section(t, archive, edition+"/record"))
		want = append(want, txtar.File{Name: edition + "/" + enc.Format.String(), Data: printable(enc, value)})
	}
	if *update {
		updated := txtar.Format(&txtar.Archive{Comment: archive.Comment, Files: want})
		if err := os.WriteFile(path, updated, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if len(archive.Files) != len(want) {
		t.Errorf("%s has %d sections, want %d", path, len(archive.Files), len(want))
	}
	for _, file := range want {
		if golden := section(t, archive, file.Name); !bytes.Equal(golden, file.Data) {
			t.Errorf("%s has changed:\ngot  %s\nwant %s", file.Name, file.Data, golden)
		}
	}
}

func section(t *testing.T, archive *txtar.Archive, name string) []byte {
	t.Helper()
	for _, file := range archive.Files {
		if file.Name == name {
			return file.Data
		}
	}
	if !*update || strings.HasSuffix(name, "/record") {
		t.Errorf("there is no section %s", name)
	}
	return nil
}

// appendRecord encodes a record that is valid, and reads back what it wrote.
func appendRecord(t *testing.T, kind string, enc slim.Encoding, record []byte) []byte {
	t.Helper()
	switch kind {
	case "event":
		e := new(slim.Event)
		unmarshalRecord(t, record, e)
		check(t, e.Validate(enc))
		value := slim.AppendEvent(nil, enc, e)
		_, err := slim.ParseEvent(enc, value)
		check(t, err)
		return value
	case "order":
		o := new(slim.Order)
		unmarshalRecord(t, record, o)
		check(t, o.Validate(enc))
		value := slim.AppendOrder(nil, enc, o)
		_, err := slim.ParseOrder(enc, value)
		check(t, err)
		return value
	case "refund":
		r := new(slim.Refund)
		unmarshalRecord(t, record, r)
		check(t, r.Validate(enc))
		value := slim.AppendRefund(nil, enc, r)
		_, err := slim.ParseRefund(enc, value)
		check(t, err)
		return value
	}
	t.Fatalf("unknown kind of record %q", kind)
	return nil
}

func unmarshalRecord(t *testing.T, b []byte, v any) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(b))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(v); err != nil {
		t.Fatalf("read the record: %v", err)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

func printable(enc slim.Encoding, value []byte) []byte {
	if enc.Format == slim.Protobuf {
		return []byte(hex.Dump(value))
	}
	return append(value, '\n') // txtar ends every section with one
}
