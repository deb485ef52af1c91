package slim_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/ticketscloud/vibe-bridge/slim"
)

var (
	json1     = slim.Encoding{Edition: slim.Edition1, Format: slim.JSON}
	json2     = slim.Encoding{Edition: slim.Edition2, Format: slim.JSON}
	protobuf1 = slim.Encoding{Edition: slim.Edition1, Format: slim.Protobuf}

	allEncodings  = []slim.Encoding{json1, json2, protobuf1}
	jsonEncodings = []slim.Encoding{json1, json2}
)

// encodingName names subtests: json-1.0.
func encodingName(enc slim.Encoding) string {
	return enc.Format.String() + "-" + enc.Edition.String()
}

func TestEditionAndFormatAreReadAsTheyArePrinted(t *testing.T) {
	for _, name := range []string{"1.0", "2.0"} {
		edition, err := slim.ParseEdition(name)
		if err != nil || edition.String() != name {
			t.Errorf("ParseEdition(%q) = %v, %v", name, edition, err)
		}
	}
	for _, name := range []string{"json", "protobuf"} {
		format, err := slim.ParseFormat(name)
		if err != nil || format.String() != name {
			t.Errorf("ParseFormat(%q) = %v, %v", name, format, err)
		}
	}
}

func TestUnknownEditionAndFormatAreRefused(t *testing.T) {
	for _, name := range []string{"", "1", "2", "3.0", "1.0 ", "edition(0)"} {
		if _, err := slim.ParseEdition(name); err == nil || !strings.Contains(err.Error(), `use "1.0" or "2.0"`) {
			t.Errorf("ParseEdition(%q): error %v, want one that names the choices", name, err)
		}
	}
	for _, name := range []string{"", "JSON", "proto", "avro"} {
		if _, err := slim.ParseFormat(name); err == nil || !strings.Contains(err.Error(), `use "json" or "protobuf"`) {
			t.Errorf("ParseFormat(%q): error %v, want one that names the choices", name, err)
		}
	}
}

func TestEncoding(t *testing.T) {
	tests := []struct {
		enc           slim.Encoding
		contentType   string
		schemaVersion string
		wantErr       string
	}{
		{json1, "application/json", "1.0", ""},
		{json2, "application/json", "2.0", ""},
		{protobuf1, "application/x-protobuf", "1.0", ""},
		{slim.Encoding{Edition: slim.Edition2, Format: slim.Protobuf}, "application/x-protobuf", "2.0",
			`format "protobuf" is defined for edition "1.0" only`},
		{slim.Encoding{}, "", "edition(0)", "unknown edition(0)"},
		{slim.Encoding{Edition: slim.Edition1}, "", "1.0", "unknown format(0)"},
		{slim.Encoding{Edition: 9, Format: slim.JSON}, "application/json", "edition(9)", "unknown edition(9)"},
	}
	for _, tt := range tests {
		t.Run(encodingName(tt.enc), func(t *testing.T) {
			if got := tt.enc.ContentType(); got != tt.contentType {
				t.Errorf("ContentType() = %q, want %q", got, tt.contentType)
			}
			if got := tt.enc.SchemaVersion(); got != tt.schemaVersion {
				t.Errorf("SchemaVersion() = %q, want %q", got, tt.schemaVersion)
			}
			err := tt.enc.Validate()
			if tt.wantErr == "" && err != nil {
				t.Errorf("Validate() = %v", err)
			}
			if tt.wantErr != "" && (err == nil || !strings.Contains(err.Error(), tt.wantErr)) {
				t.Errorf("Validate() = %v, want an error with %q", err, tt.wantErr)
			}
		})
	}
}

// No bytes would be a tombstone, which deletes a record of a compacted topic.
func TestAnEncodingThatWasNotValidatedStopsTheEncoder(t *testing.T) {
	appends := map[string]func(slim.Encoding){
		"event":  func(enc slim.Encoding) { slim.AppendEvent(nil, enc, new(slim.Event)) },
		"order":  func(enc slim.Encoding) { slim.AppendOrder(nil, enc, new(slim.Order)) },
		"refund": func(enc slim.Encoding) { slim.AppendRefund(nil, enc, new(slim.Refund)) },
	}
	for name, appendTo := range appends {
		for _, enc := range []slim.Encoding{{}, {Edition: slim.Edition2, Format: slim.Protobuf}} {
			if !panics(func() { appendTo(enc) }) {
				t.Errorf("%s: encoded in %s", name, encodingName(enc))
			}
		}
	}
}

func panics(f func()) (panicked bool) {
	defer func() { panicked = recover() != nil }()
	f()
	return false
}

func TestAnInvalidEncodingIsAnErrorOfReadersAndChecks(t *testing.T) {
	enc := slim.Encoding{Edition: slim.Edition2, Format: slim.Protobuf}
	event, order, refund := new(slim.Event), new(slim.Order), new(slim.Refund)
	_, parseEvent := slim.ParseEvent(enc, nil)
	_, parseOrder := slim.ParseOrder(enc, nil)
	_, parseRefund := slim.ParseRefund(enc, nil)
	for name, err := range map[string]error{
		"ParseEvent": parseEvent, "ParseOrder": parseOrder, "ParseRefund": parseRefund,
		"Event.Validate": event.Validate(enc), "Order.Validate": order.Validate(enc), "Refund.Validate": refund.Validate(enc),
	} {
		if err == nil || !strings.Contains(err.Error(), "is defined for edition") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// The vocabularies as the slim contract has them.
func TestVocabularies(t *testing.T) {
	categories := map[slim.Edition]string{
		slim.Edition1: "ballet business concert develpoment excursion exhibition festival health kids movie museum party " +
			"show sport test theater other",
		slim.Edition2: "ballet business concert excursion exhibition festival health kids movie museum party " +
			"show sport test theater other circus development games musical standup workshop",
	}
	for edition, want := range categories {
		if got := edition.Categories(); !reflect.DeepEqual(got, strings.Fields(want)) {
			t.Errorf("edition %v: categories %q, want %q", edition, got, want)
		}
		for _, category := range strings.Fields(want) {
			if !edition.IsCategory(category) {
				t.Errorf("edition %v: %q is no category", edition, category)
			}
		}
	}
	if slim.Edition1.IsCategory("development") || slim.Edition2.IsCategory("develpoment") {
		t.Error("a category of one edition is taken for one of the other")
	}
	if slim.Edition(0).Categories() != nil {
		t.Error("an unknown edition has categories")
	}
	checkVocabulary(t, "status", slim.IsStatus, "active paused finished cancelled", "ACTIVE canceled public")
	checkVocabulary(t, "legal type", slim.IsLegalType, "ru_lp ru_ltd en_ltd", "RU_LP en_lp ltd")
	checkVocabulary(t, "currency", slim.IsCurrency, "USD EUR RUB GBP CNY", "rub KZT RUR")
}

func checkVocabulary(t *testing.T, name string, has func(string) bool, in, out string) {
	t.Helper()
	for _, word := range strings.Fields(in) {
		if !has(word) {
			t.Errorf("%s: %q is not known", name, word)
		}
	}
	for _, word := range append(strings.Fields(out), "") {
		if has(word) {
			t.Errorf("%s: %q is known", name, word)
		}
	}
}

func TestCategoriesBelongToTheCaller(t *testing.T) {
	slim.Edition1.Categories()[0] = "changed"
	if !slim.Edition1.IsCategory("ballet") {
		t.Error("a caller has changed the vocabulary")
	}
}
