package verify

import (
	"bytes"
	"reflect"
	"regexp"
	"slices"
	"testing"

	"github.com/ticketscloud/vibe-bridge/slim"
)

// textValue is a string in JSON that is a field's value.
var textValue = regexp.MustCompile(`:"[^"\\]*"`)

// FuzzSlimAgree holds the two readers of slim records against each other: package
// slim's and the plain one here. For any bytes: neither panics, and a value with
// which the plain reader finds no fault is read and valid there too. Both write it to
// the same bytes, with which nobody finds a fault, and which read as the same value.
// (The other way round it does not hold: the plain reader asks for more, as that
// ticket numbers are decimal, and that ids which are there twice agree.)
func FuzzSlimAgree(f *testing.F) {
	for i, e := range encodings {
		scene := seasonScene(f, 15, 0.1, e.edition, e.format)
		seen := map[Stream]int{}
		for _, r := range scene.written {
			if s, ok := slimStreams[r.Topic]; ok && seen[s] < 12 && len(r.Value) < 3<<10 {
				seen[s]++
				f.Add(uint8(i), uint8(s-1), r.Value)
				if seen[s] > 2 {
					continue
				}
				for _, at := range textValue.FindAllIndex(r.Value, -1) { // each string in turn is empty
					f.Add(uint8(i), uint8(s-1), slices.Replace(slices.Clone(r.Value), at[0], at[1], []byte(`:""`)...))
				}
			}
		}
	}
	f.Add(uint8(0), uint8(0), []byte(`{"id":"e","name":"n","category":"show","start_at":1e2,"finish_at":2}`))
	f.Add(uint8(2), uint8(1), []byte(`{"id":"\ud800","number":"01","customer":{"email":"","phone":"+79001234567"},"tickets":[]}`))
	f.Fuzz(func(t *testing.T, encoding, stream uint8, value []byte) {
		n := int(encoding) % len(encodings)
		rules := &rules{v2: encodings[n].edition == "2.0", protobuf: encodings[n].format == "protobuf"}
		enc := bridgeRules(encodings[n].edition, encodings[n].format).Encoding
		switch stream % 3 {
		case 0:
			agree(t, enc, value, rules.parseEvent, rules.encodeEvent, slim.ParseEvent, slim.AppendEvent)
		case 1:
			agree(t, enc, value, rules.parseOrder, rules.encodeOrder, slim.ParseOrder, slim.AppendOrder)
		case 2:
			agree(t, enc, value, rules.parseRefund, rules.encodeRefund, slim.ParseRefund, slim.AppendRefund)
		}
	})
}

// validated is a slim value as package slim reads it.
type validated interface{ Validate(slim.Encoding) error }

func agree[P, V any](
	t *testing.T, enc slim.Encoding, value []byte,
	plain func([]byte) (*P, string), encode func(*P) []byte,
	parse func(slim.Encoding, []byte) (*V, error),
	appendTo func([]byte, slim.Encoding, *V) []byte,
) {
	t.Helper()
	read, fault := plain(value)
	record, err := parse(enc, value)
	if err == nil {
		err = any(record).(validated).Validate(enc)
	}
	switch {
	case fault != "":
		return
	case read == nil || err != nil:
		t.Fatalf("no fault, but the value is %v, and package slim says: %v", read, err)
	}
	written := appendTo(nil, enc, record)
	again, fault := plain(written)
	if fault != "" {
		t.Fatalf("package slim wrote %q, which has the fault: %s", written, fault)
	}
	if plainly := encode(again); !bytes.Equal(plainly, written) {
		t.Fatalf("package slim wrote %q, the plain rules %q", written, plainly)
	}
	if second, _ := plain(encode(again)); !reflect.DeepEqual(second, again) {
		t.Errorf("%+v, written and read, is %+v", again, second)
	}
}
