package recordfile

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// The records of testdata/records.ndjson.
var goldenRecords = []Record{
	{Topic: "orders_done", Partition: 3, Offset: 17, Timestamp: 1735689600123, Key: []byte("abc"), Value: []byte("\n\x011")},
	{Topic: "orders_done", Offset: 1<<63 - 1, Timestamp: -1},
	{Topic: "events", Key: []byte{}, Value: []byte{}},
	{Topic: "events", Offset: 1, Key: []byte("Шоу \"<&>\" \\ \x00\n\x1f 😀"), Value: []byte{0xfb, 0xff}},
	{
		Topic: "events", Offset: 2, Key: []byte{0xff, 0}, Value: []byte{0},
		Headers: []Header{{"b", []byte("2")}, {"a", nil}, {"c", []byte{0x80}}, {"", []byte{}}},
	},
	{
		Topic: "events", Offset: 3, Value: []byte{0},
		Headers: []Header{{"\xff", []byte("not UTF-8")}, {"base64:", []byte("named like the mark")}},
	},
}

func TestGoldenFile(t *testing.T) {
	golden, err := os.ReadFile("testdata/records.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	if got := encode(t, goldenRecords...); got != string(golden) {
		t.Errorf("written:\n%s\nwant:\n%s", got, golden)
	}
	if got := decode(t, string(golden)); !reflect.DeepEqual(got, goldenRecords) {
		t.Errorf("read:\n%+v\nwant:\n%+v", got, goldenRecords)
	}
}

func encode(t testing.TB, records ...Record) string {
	t.Helper()
	var out bytes.Buffer
	w := NewWriter(&out)
	for _, r := range records {
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func decode(t testing.TB, text string) []Record {
	t.Helper()
	r, err := NewReader("test", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	var records []Record
	for record, err := range r.All() {
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, record)
	}
	return records
}

// What the Reader takes beyond what the Writer writes.
func TestReaderAccepts(t *testing.T) {
	base := Record{Topic: "t", Offset: 1, Timestamp: 2, Value: []byte("\xff\xff\xff")}
	keyed := base
	keyed.Key = []byte("k/😀")
	tests := []struct {
		name, line string
		want       Record
	}{
		{"no key and headers", `{"topic":"t","partition":0,"offset":1,"timestamp":2,"value":"////"}`, base},
		{"any order and white space", " { \"value\" : \"////\",\t\"timestamp\":2,\"offset\":1,\"partition\":0,\"topic\":\"t\" } \r", base},
		{"null headers", `{"topic":"t","partition":0,"offset":1,"timestamp":2,"headers":null,"value":"////"}`, base},
		{"escaped slashes", `{"topic":"t","partition":0,"offset":1,"timestamp":2,"value":"\/\/\/\/"}`, base},
		{"escapes", `{"topic":"\u0074","partition":-0,"offset":1,"timestamp":2,"key":"k\/\ud83d\uDE00","value":"////"}`, keyed},
		{"bytes that are UTF-8", `{"topic":"t","partition":0,"offset":1,"timestamp":2,"key":{"base64":"ay/wn5iA"},"value":"////"}`, keyed},
		{"byte order mark", "\ufeff" + `{"topic":"t","partition":0,"offset":1,"timestamp":2,"value":"////"}`, base},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, text := range []string{tt.line, tt.line + "\n", tt.line + "\r\n\n \n"} {
				if got := decode(t, text); len(got) != 1 || !reflect.DeepEqual(got[0], tt.want) {
					t.Errorf("%q: read %+v, want %+v", text, got, tt.want)
				}
			}
		})
	}
}

func TestReaderRefuses(t *testing.T) {
	const ok = `{"topic":"t","partition":0,"offset":1,"timestamp":2,"key":"k","headers":{},"value":"AAAA"}`
	tests := []struct{ name, old, new, want string }{
		{"no object", ok, `[]`, `column 1: want an object`},
		{"cut in a string", `"AAAA"}`, `"AA`, `"value": column 85: the string has no end`},
		{"cut in an escape", `"AAAA"}`, `"AA\`, `the string has no end`},
		{"cut in a hexadecimal escape", `"AAAA"}`, `"AA\u00`, `the string has no end`},
		{"cut before the end", `"AAAA"}`, `"AAAA"`, `want "," or "}"`},
		{"two records", ok, ok + ok, `something follows the record`},
		{"unknown field", `"key"`, `"KEY"`, `there is an unknown field; known: topic, partition, offset, timestamp, key, headers, value`},
		{"field twice", `"key":"k"`, `"key":"k","key":"k"`, `field "key" occurs twice`},
		{"no topic", `"topic":"t",`, ``, `field "topic" is missing`},
		{"no partition", `"partition":0,`, ``, `field "partition" is missing`},
		{"no offset", `"offset":1,`, ``, `field "offset" is missing`},
		{"no timestamp", `"timestamp":2,`, ``, `field "timestamp" is missing`},
		{"no value", `,"value":"AAAA"`, ``, `field "value" is missing`},
		{"null topic", `"t"`, `null`, `"topic": column 10: want a string`},
		{"topic that Kafka refuses", `"t"`, `"t t"`, `"topic" is not a Kafka topic name`},
		{"topic of dots", `"t"`, `".."`, `"topic" is not a Kafka topic name`},
		{"partition below 0", `"partition":0`, `"partition":-1`, `"partition" is below 0`},
		{"partition too large", `"partition":0`, `"partition":2147483648`, `"partition": column 26: want an integer of 32 bits`},
		{"offset below 0", `"offset":1`, `"offset":-1`, `"offset" is below 0`},
		{"offset too large", `"offset":1`, `"offset":9223372036854775808`, `"offset": column 37: want an integer of 64 bits`},
		{"timestamp as text", `"timestamp":2`, `"timestamp":"2"`, `"timestamp": column 51: want an integer`},
		{"timestamp as a fraction", `"timestamp":2`, `"timestamp":2.5`, `want an integer`},
		{"timestamp with an exponent", `"timestamp":2`, `"timestamp":2e3`, `want an integer`},
		{"leading zero", `"timestamp":2`, `"timestamp":02`, `want an integer`},
		{"timestamp below -1", `"timestamp":2`, `"timestamp":-2`, `"timestamp" is below -1`},
		{"key of another type", `"k"`, `7`, `"key": column 59: want a string`},
		{"key with a control character", `"k"`, "\"k\x01\"", `"key": column 61: a control character must be escaped`},
		{"key that is not UTF-8", `"k"`, "\"\xff\"", `"key": column 60: the string is not UTF-8`},
		{"half a pair", `"k"`, `"\ud83d"`, `half of a surrogate pair`},
		{"half a pair and text", `"k"`, `"\ud83d\u0041"`, `half of a surrogate pair`},
		{"second half alone", `"k"`, `"\ude00"`, `half of a surrogate pair`},
		{"no such escape", `"k"`, `"\x"`, `no such escape`},
		{"bad hexadecimal", `"k"`, `"\u00g0"`, `want four hexadecimal digits`},
		{"signed hexadecimal", `"k"`, `"\u+041"`, `want four hexadecimal digits`},
		{"empty object", `"k"`, `{}`, `an object here must be {"base64":"…"}`},
		{"another object", `"k"`, `{"hex":"00"}`, `an object here must be {"base64":"…"}`},
		{"bytes twice", `"k"`, `{"base64":"","base64":""}`, `an object here must be {"base64":"…"}`},
		{"bytes of null", `"k"`, `{"base64":null}`, `want a string`},
		{"headers as a list", `{},`, `[],`, `"headers": column 73: want an object`},
		{"header of another type", `{},`, `{"a":"","b":1},`, `"headers": header 2: column 85: want a string`},
		{"header twice", `{},`, `{"a":"","a":""},`, `a header occurs twice`},
		{"header twice in two spellings", `{},`, `{"a":"","base64:YQ==":""},`, `a header occurs twice`},
		{"header name", `{},`, `{"base64:!":""},`, `goes on with something else than base64`},
		{"value in another alphabet", `"AAAA"`, `"__-A"`, `"value": not base64`},
		{"value without padding", `"AAAA"`, `"AA"`, `"value": not base64`},
		{"value with stray bits", `"AAAA"`, `"AB=="`, `"value": not base64`},
		{"value of another type", `"AAAA"`, `{"base64":"AAAA"}`, `"value": column 84: want a string`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if !strings.Contains(ok, tt.old) {
				t.Fatalf("no %s in the line", tt.old)
			}
			text := ok + "\n\n" + strings.Replace(ok, tt.old, tt.new, 1) + "\n" + ok + "\n"
			r, err := NewReader("a.ndjson", strings.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := r.Next(); err != nil {
				t.Fatal(err)
			}
			got, err := r.Next()
			if err == nil {
				t.Fatalf("read %+v", got)
			}
			if !strings.HasPrefix(err.Error(), "read records: a.ndjson: line 3: ") || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is %q, want in it %q", err, tt.want)
			}
			if _, again := r.Next(); again != err {
				t.Errorf("Next went on after an error: %v", again)
			}
		})
	}
}

// Captures hold personal data, and errors end up in logs.
func TestErrorsShowNoContent(t *testing.T) {
	const secret = "+79001234567"
	line := `{"topic":"t","partition":0,"offset":1,"timestamp":2,"key":"+79001234567","headers":{"+79001234567":"+79001234567"},"value":"AAAA"}`
	check := func(t *rapid.T, text string) {
		r, err := NewReader("x", strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		for _, err := range r.All() {
			if err != nil && (strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "9001")) {
				t.Fatalf("the error shows content: %v", err)
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		at := rapid.IntRange(0, len(line)).Draw(t, "at")
		end := rapid.IntRange(at, min(len(line), at+6)).Draw(t, "end")
		insert := rapid.SampledFrom([]string{"", `"`, secret, `"` + secret + `"`, "{", "}", ":", ",", "\\", "7", secret[1:]}).Draw(t, "insert")
		check(t, line[:at]+insert+line[end:])
	})
}

func TestWriterRefuses(t *testing.T) {
	tests := []struct {
		name   string
		record Record
		want   string
	}{
		{"no topic", Record{}, `"topic" is not a Kafka topic name`},
		{"long topic", Record{Topic: strings.Repeat("t", 250)}, `"topic" is not a Kafka topic name`},
		{"partition", Record{Topic: "t", Partition: -1}, `"partition" is below 0`},
		{"offset", Record{Topic: "t", Offset: -1}, `"offset" is below 0`},
		{"timestamp", Record{Topic: "t", Timestamp: -2}, `"timestamp" is below -1`},
		{"size", Record{Topic: "t", Offset: 7, Value: make([]byte, MaxLineBytes/4*3)}, `record 2 (t/0/7) takes`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := NewWriter(io.Discard)
			if err := w.Write(Record{Topic: strings.Repeat("t", 249)}); err != nil {
				t.Fatal(err)
			}
			err := w.Write(tt.record)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "write records: record 2") {
				t.Errorf("error is %v, want in it %q", err, tt.want)
			}
			if again := w.Close(); again != err {
				t.Errorf("Close says %v", again)
			}
		})
	}
}

func TestRepeatedHeadersKeepTheLast(t *testing.T) {
	r := Record{Topic: "t", Headers: []Header{{"a", []byte("1")}, {"b", nil}, {"a", []byte("2")}, {"a", []byte("3")}}}
	want := []Header{{"a", []byte("3")}, {"b", nil}}
	if got := decode(t, encode(t, r)); !reflect.DeepEqual(got[0].Headers, want) {
		t.Errorf("headers are %v, want %v", got[0].Headers, want)
	}
	if string(r.Headers[0].Value) != "1" {
		t.Error("Write changed the record")
	}
}

// Quadratic work on the headers of one record would take longer than a test may.
func TestManyHeaders(t *testing.T) {
	r := Record{Topic: "t", Value: []byte{}, Headers: make([]Header, 1<<19)}
	for i := range r.Headers {
		r.Headers[i].Key = strconv.Itoa(i)
	}
	got := decode(t, encode(t, r))[0].Headers
	if !slices.EqualFunc(got, r.Headers, func(a, b Header) bool { return a.Key == b.Key && a.Value == nil && b.Value == nil }) {
		t.Error("the headers came back changed")
	}
}

func recordGen() *rapid.Generator[Record] {
	maybeBytes := rapid.OneOf(
		rapid.Just([]byte(nil)),
		rapid.SliceOf(rapid.Byte()),
		rapid.Map(rapid.String(), func(s string) []byte { return []byte(s) }),
	)
	name := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }),
		rapid.Map(rapid.String(), func(s string) string { return namePrefix + s }))
	header := rapid.Custom(func(t *rapid.T) Header {
		return Header{Key: name.Draw(t, "name"), Value: maybeBytes.Draw(t, "value")}
	})
	return rapid.Custom(func(t *rapid.T) Record {
		headers := rapid.SliceOfNDistinct(header, 0, 6, func(h Header) string { return h.Key }).Draw(t, "headers")
		if len(headers) == 0 {
			headers = nil
		}
		return Record{
			Topic:     rapid.StringMatching(`[a-zA-Z0-9_-][a-zA-Z0-9._-]{0,20}`).Draw(t, "topic"),
			Partition: rapid.Int32Min(0).Draw(t, "partition"),
			Offset:    rapid.Int64Min(0).Draw(t, "offset"),
			Timestamp: rapid.Int64Min(-1).Draw(t, "timestamp"),
			Key:       maybeBytes.Draw(t, "key"),
			Headers:   headers,
			Value:     maybeBytes.Draw(t, "value"),
		}
	})
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		records := rapid.SliceOfN(recordGen(), 1, 5).Draw(rt, "records")
		text := encode(t, records...)
		if lines := strings.Count(text, "\n"); lines != len(records) {
			rt.Fatalf("%d records on %d lines", len(records), lines)
		}
		if !utf8.ValidString(text) {
			rt.Fatal("the file is not UTF-8")
		}
		if got := decode(t, text); !reflect.DeepEqual(got, records) {
			rt.Fatalf("read %+v", got)
		}
		if again := encode(t, records...); again != text {
			rt.Fatal("written twice, two texts")
		}
	})
}

// FuzzDecode holds the decoder against encoding/json, which is lenient where
// this one is strict: what is accepted here is JSON and means the same there,
// and is read back as it was after writing.
func FuzzDecode(f *testing.F) {
	golden, err := os.ReadFile("testdata/records.ndjson")
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(golden)) {
		f.Add([]byte(strings.TrimSuffix(line, "\n")))
	}
	f.Add([]byte(` {"key":"\ud83d\ude00\/\b","topic":"t","partition":-0,"offset":1,"timestamp":2,"headers":null,"value":"\u0041AAA"}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		record, err := decodeRecord(line)
		if err != nil {
			return
		}
		compareWithJSON(t, line, record)
		again, err := decodeRecord(appendRecord(nil, &record))
		if err != nil {
			t.Fatalf("cannot read what was written: %v", err)
		}
		if !reflect.DeepEqual(again, record) {
			t.Errorf("read %+v, wrote and read %+v", record, again)
		}
	})
}

func compareWithJSON(t *testing.T, line []byte, got Record) {
	t.Helper()
	var want struct {
		Topic     string
		Partition int32
		Offset    int64
		Timestamp int64
		Key       any
		Headers   map[string]any
		Value     *string
	}
	if err := json.Unmarshal(line, &want); err != nil {
		t.Fatalf("accepted what is not JSON: %v", err)
	}
	if got.Topic != want.Topic || got.Partition != want.Partition || got.Offset != want.Offset || got.Timestamp != want.Timestamp {
		t.Errorf("read %+v, JSON says %+v", got, want)
	}
	compareText(t, "key", got.Key, want.Key)
	var value any
	if want.Value != nil {
		value = map[string]any{"base64": *want.Value}
	}
	compareText(t, "value", got.Value, value)
	if len(got.Headers) != len(want.Headers) {
		t.Errorf("%d headers, JSON says %d", len(got.Headers), len(want.Headers))
	}
	for _, header := range got.Headers {
		name := header.Key
		if _, plain := want.Headers[name]; !plain || strings.HasPrefix(name, namePrefix) {
			name = namePrefix + base64.StdEncoding.EncodeToString([]byte(header.Key))
		}
		value, ok := want.Headers[name]
		if !ok {
			t.Errorf("JSON has no header %q", header.Key)
		}
		compareText(t, "header", header.Value, value)
	}
}

func compareText(t *testing.T, what string, got []byte, want any) {
	t.Helper()
	switch want := want.(type) {
	case nil:
		if got != nil {
			t.Errorf("%s is %q, JSON says null", what, got)
		}
	case string:
		if got == nil || string(got) != want {
			t.Errorf("%s is %q, JSON says %q", what, got, want)
		}
	case map[string]any:
		data, err := base64.StdEncoding.DecodeString(want["base64"].(string))
		if err != nil || got == nil || !bytes.Equal(got, data) {
			t.Errorf("%s is %q, JSON says %q (%v)", what, got, data, err)
		}
	default:
		t.Errorf("%s is %q, JSON says %v", what, got, want)
	}
}
