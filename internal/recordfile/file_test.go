package recordfile

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
)

func writeFile(t *testing.T, path string, records ...Record) {
	t.Helper()
	w, err := Create(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Discard()
	for _, r := range records {
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func readFile(path string) ([]Record, error) {
	r, err := Open(path, nil)
	if err != nil {
		return nil, err
	}
	var records []Record
	for record, err := range r.All() {
		if err != nil {
			return records, errors.Join(err, r.Close())
		}
		records = append(records, record)
	}
	return records, r.Close()
}

func names(t *testing.T, folder string) string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, entry := range entries {
		all = append(all, entry.Name())
	}
	return strings.Join(all, " ")
}

func TestFiles(t *testing.T) {
	for _, name := range []string{"a.ndjson", "a.ndjson.gz"} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			path := filepath.Join(folder, name)
			writeFile(t, path, goldenRecords...)
			if got := names(t, folder); got != name {
				t.Errorf("the folder holds %s", got)
			}
			got, err := readFile(path)
			if err != nil || !reflect.DeepEqual(got, goldenRecords) {
				t.Errorf("read %+v, %v", got, err)
			}
			first, _ := os.ReadFile(path)
			writeFile(t, path, goldenRecords...)
			if second, _ := os.ReadFile(path); !bytes.Equal(first, second) {
				t.Error("the same records give other bytes the second time")
			}
			if zipped := bytes.HasPrefix(first, []byte{0x1f, 0x8b}); zipped != strings.HasSuffix(name, ".gz") {
				t.Errorf("gzip is %t", zipped)
			}
			info, err := os.Stat(path)
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("mode is %v, %v", info.Mode(), err)
			}
		})
	}
}

func TestNoRecords(t *testing.T) {
	for _, name := range []string{"a.ndjson", "a.ndjson.gz"} {
		path := filepath.Join(t.TempDir(), name)
		writeFile(t, path)
		if got, err := readFile(path); len(got) != 0 || err != nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

// The file that was there stays until the new one is whole.
func TestUnfinishedFileIsNeverThere(t *testing.T) {
	whole := goldenRecords[0]
	tests := []struct {
		name string
		end  func(*Writer) error
	}{
		{"discarded", func(w *Writer) error { w.Discard(); return w.Close() }},
		{"a record is refused", func(w *Writer) error { _ = w.Write(Record{}); return w.Close() }},
		{"the disk is full", func(w *Writer) error { _ = w.file.Close(); return w.Close() }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			folder := t.TempDir()
			path := filepath.Join(folder, "a.ndjson")
			writeFile(t, path, whole)
			w, err := Create(path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Write(goldenRecords[1]); err != nil {
				t.Fatal(err)
			}
			if got, err := readFile(path); err != nil || len(got) != 1 || !reflect.DeepEqual(got[0], whole) {
				t.Errorf("while writing: %+v, %v", got, err)
			}
			if err := tt.end(w); err == nil {
				t.Error("Close says that all is well")
			}
			if got, err := readFile(path); err != nil || len(got) != 1 || !reflect.DeepEqual(got[0], whole) {
				t.Errorf("afterwards: %+v, %v", got, err)
			}
			if got := names(t, folder); got != "a.ndjson" {
				t.Errorf("the folder holds %s", got)
			}
			if err := w.Write(whole); err == nil {
				t.Error("can still be written to")
			}
		})
	}
}

func TestDiscardAfterCloseChangesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.ndjson")
	w, err := Create(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	w.Discard()
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

func TestCreateThroughLink(t *testing.T) {
	target := filepath.Join(t.TempDir(), "target.ndjson")
	link := filepath.Join(t.TempDir(), "link.ndjson")
	writeFile(t, target)
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	writeFile(t, link, goldenRecords[0])
	if got, err := readFile(target); len(got) != 1 || err != nil {
		t.Errorf("the target holds %v, %v", got, err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link is now %v, %v", info.Mode(), err)
	}
}

// Renaming onto a device would replace it.
func TestCreateWritesToWhatIsNoFile(t *testing.T) {
	pipe, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer pipe.Close()
	defer out.Close()
	if runtime.GOOS != "linux" {
		t.Log("the path of an open pipe is known on Linux only; trying the null device alone")
	} else {
		path := filepath.Join("/proc/self/fd", itoa(out.Fd()))
		writeFile(t, path, goldenRecords[0])
		if err := out.Close(); err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(pipe)
		if err != nil || len(decode(t, string(text))) != 1 {
			t.Errorf("the pipe got %q, %v", text, err)
		}
	}
	writeFile(t, os.DevNull, goldenRecords[0])
	if info, err := os.Stat(os.DevNull); err != nil || info.Mode().IsRegular() {
		t.Fatalf("%s is now %v, %v", os.DevNull, info.Mode(), err)
	}
}

func itoa(fd uintptr) string {
	if fd < 10 {
		return string(rune('0' + fd))
	}
	return itoa(fd/10) + string(rune('0'+fd%10))
}

func TestCreateErrors(t *testing.T) {
	folder := t.TempDir()
	for _, path := range []string{folder, filepath.Join(folder, "none", "a.ndjson")} {
		if _, err := Create(path, nil); err == nil || !strings.HasPrefix(err.Error(), "write records: ") {
			t.Errorf("Create(%q): %v", path, err)
		}
	}
}

func TestStandardStreams(t *testing.T) {
	var out bytes.Buffer
	w, err := Create("-", &out)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(goldenRecords[0]); err != nil || w.Count() != 1 {
		t.Fatal(w.Count(), err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for _, input := range []io.Reader{bytes.NewReader(out.Bytes()), bytes.NewReader(zipped(t, out.Bytes()))} {
		r, err := Open("-", input)
		if err != nil {
			t.Fatal(err)
		}
		record, err := r.Next()
		if err != nil || !reflect.DeepEqual(record, goldenRecords[0]) || r.Line() != 1 {
			t.Errorf("read %+v, %v at line %d", record, err, r.Line())
		}
		if _, err := r.Next(); err != io.EOF {
			t.Errorf("at the end: %v", err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestFlush(t *testing.T) {
	for _, name := range []string{"a.ndjson", "a.ndjson.gz"} {
		w, err := Create(filepath.Join(t.TempDir(), name), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Discard()
		if err := errors.Join(w.Write(goldenRecords[0]), w.Flush()); err != nil {
			t.Fatal(err)
		}
		if got, err := readFile(w.file.Name()); len(got) != 1 || name == "a.ndjson" && err != nil {
			t.Errorf("%s: after Flush the file holds %v, %v", name, got, err)
		}
		if err := errors.Join(w.Write(goldenRecords[1]), w.Close()); err != nil {
			t.Fatal(err)
		}
		if got, err := readFile(w.final); !reflect.DeepEqual(got, goldenRecords[:2]) || err != nil {
			t.Errorf("%s: after Close the file holds %v, %v", name, got, err)
		}
	}
}

func zipped(t testing.TB, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	if _, err := zip.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestOpenRefuses(t *testing.T) {
	text := []byte(encode(t, goldenRecords...))
	zip := zipped(t, text)
	spoilt := bytes.Clone(zip)
	spoilt[len(spoilt)-8] ^= 1 // the checksum
	tests := []struct {
		name, file string
		content    []byte
		want       string
	}{
		{"not gzip", "a.gz", text, "the name ends in .gz, but the content is not gzip"},
		{"empty gzip", "a.gz", nil, "the name ends in .gz, but the content is not gzip"},
		{"cut gzip header", "a.gz", zip[:5], "gzip"},
		{"cut gzip", "a.gz", zip[:len(zip)-20], "the gzip stream is cut off here; the file is not whole"},
		{"cut gzip trailer", "a.gz", zip[:len(zip)-2], "the gzip stream is cut off here; the file is not whole"},
		{"spoilt gzip", "a.gz", spoilt, "line 7: gzip: invalid checksum"},
		{"cut text", "a.ndjson", text[:len(text)-3], "line 6: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), tt.file)
			if err := os.WriteFile(path, tt.content, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := readFile(path)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "read records: "+path) {
				t.Errorf("error is %v, want in it %q", err, tt.want)
			}
		})
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none"), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

// endless gives the same byte for ever.
type endless byte

func (e endless) Read(p []byte) (int, error) {
	return copy(p, bytes.Repeat([]byte{byte(e)}, len(p))), nil
}

func TestLineWithoutEndIsRefusedInBoundedMemory(t *testing.T) {
	r, err := NewReader("x", endless('a'))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(); err == nil || err.Error() != "read records: x: line 1: longer than 64 MiB" {
		t.Errorf("error is %v", err)
	}
	if cap(r.line) > 2*MaxLineBytes {
		t.Errorf("holds %d bytes", cap(r.line))
	}
}

func TestLongestLine(t *testing.T) {
	big := Record{Topic: "t", Value: make([]byte, MaxLineBytes/4*3-128)}
	small := Record{Topic: "t", Value: []byte{}}
	r, err := NewReader("x", strings.NewReader(encode(t, big, small)))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []Record{big, small} {
		if got, err := r.Next(); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("a value of %d bytes: %v", len(want.Value), err)
		}
	}
	if cap(r.line) > 2*readBufferBytes {
		t.Errorf("still holds %d bytes after an ordinary line", cap(r.line))
	}
}

func BenchmarkNext(b *testing.B) {
	record := Record{Topic: "orders_done", Offset: 1, Timestamp: 1735689600000, Key: []byte("5a0000000000000000000001"), Value: bytes.Repeat([]byte{0xa5}, 1000)}
	line := []byte(encode(b, record))
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decodeRecord(line); err != nil {
			b.Fatal(err)
		}
	}
}
