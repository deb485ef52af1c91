package recordfile

import (
	"bytes"
	"io"
	"os"
	"reflect"
	"regexp"
	"testing"
)

// readerErrors are all that reading may say, apart from numbers: nothing of it stands in the file.
var readerErrors = regexp.MustCompile(`^read records: fuzz: (gzip: [a-zA-Z :]+|line N: (column N: |field |"(topic|partition|offset|timestamp|key|headers|value)": |"(topic|partition|offset|timestamp|key|headers|value)" |header N: )*(` +
	`(occurs twice|is missing|is below -?N|is not a Kafka topic name .*)|` +
	`(there is an unknown field; known: .*|something follows the record|half of a surrogate pair|no such escape|longer than N MiB)|` +
	`want (an object|a string|":"|"," or "}"|an integer of N bits|four hexadecimal digits)|` +
	`(the string has no end|the string is not UTF-N|a control character must be escaped)|` +
	`(a header occurs twice|a header name begins with "baseN:" and goes on with something else than baseN)|` +
	`(an object here must be {"baseN":"…"}|not baseN \(standard alphabet, padded\))|` +
	`(the gzip stream is cut off here; the file is not whole|(gzip|flate): [a-z ]+( N)?)))$`)

var digits = regexp.MustCompile(`[0-9]+`)

// FuzzReader reads any bytes as a file, plain or gzip. It gives records, and
// then the end or one error, which stays, names the file and mostly the line, and
// shows no content. The records, written and read again, are the same.
func FuzzReader(f *testing.F) {
	golden, err := os.ReadFile("testdata/records.ndjson")
	if err != nil {
		f.Fatal(err)
	}
	packed := zipped(f, golden)
	f.Add(golden)
	f.Add(packed)
	f.Add(packed[:len(packed)-9])
	f.Add(append(packed[:len(packed):len(packed)], packed...))
	f.Add([]byte("\ufeff\r\n\n" + `{"topic":"t","partition":0,"offset":0,"timestamp":-1,"value":null}` + "\r\n{"))
	f.Add([]byte{0x1f, 0x8b})
	for _, wrong := range []string{`"value":"not base64"`, `"value":"AA==","name":"x"`, `"value":"AA==","key":{"base64":"!"}`, `"value":"AA==","headers":{"base64:!":""}`, `"value":"\q"`} {
		f.Add([]byte(`{"topic":"t","partition":0,"offset":0,"timestamp":1,` + wrong + `}`))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		r, err := NewReader("fuzz", bytes.NewReader(file))
		if err != nil {
			checkReaderError(t, err)
			return
		}
		var records []Record
		for record, err := range r.All() {
			if err != nil {
				checkReaderError(t, err)
				break
			}
			records = append(records, record)
		}
		_, first := r.Next()
		if _, again := r.Next(); first == nil || again != first {
			t.Errorf("at the end %v, and then %v", first, again)
		}
		if first != io.EOF {
			checkReaderError(t, first)
		}
		if got := decode(t, encode(t, records...)); len(records) > 0 && !reflect.DeepEqual(got, records) {
			t.Errorf("read %+v, wrote and read %+v", records, got)
		}
	})
}

func checkReaderError(t *testing.T, err error) {
	t.Helper()
	if !readerErrors.MatchString(digits.ReplaceAllString(err.Error(), "N")) {
		t.Errorf("the error is %q", err)
	}
}
