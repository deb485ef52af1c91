package directory

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// encoding/json takes "NAME" for "name", keeps the last of two equal keys and
// turns bad UTF-8 into U+FFFD. In a file that people write each of the three
// is a slip, so objects are read here key by key.

// decodeObject reads one JSON object. Each of its keys must be one of fields,
// spelled exactly so, and may occur once; its value is decoded into what the
// field points to. A key that is missing, and one whose value is null, leaves
// its field as it is.
func decodeObject(data []byte, fields map[string]any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	if err := expectDelim(decoder, '{'); err != nil {
		return err
	}
	seen := make(map[string]bool, len(fields))
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return plainJSONError(err)
		}
		key := token.(string) // the decoder takes nothing else for a key
		target, known := fields[key]
		if !known {
			return fmt.Errorf("unknown key %s; known keys: %s", quoted(key), strings.Join(slices.Sorted(maps.Keys(fields)), ", "))
		}
		if seen[key] {
			return fmt.Errorf("key %q occurs twice", key)
		}
		seen[key] = true
		if err := decoder.Decode(target); err != nil {
			return fmt.Errorf("key %q: %w", key, plainJSONError(err))
		}
	}
	return expectDelim(decoder, '}')
}

// decodeDocument is decodeObject for a whole file: UTF-8, with or without a
// byte order mark, and nothing after the object.
func decodeDocument(data []byte, fields map[string]any) error {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if !utf8.Valid(data) {
		return errors.New("the file is not UTF-8 text")
	}
	// Whole syntax first: it gives one kind of message, with a line number,
	// wherever the mistake is, and rules out text after the object.
	var document json.RawMessage
	if err := json.Unmarshal(data, &document); err != nil {
		return atLine(data, err)
	}
	return decodeObject(document, fields)
}

func expectDelim(decoder *json.Decoder, want json.Delim) error {
	token, err := decoder.Token()
	if err != nil {
		return plainJSONError(err)
	}
	if token != want {
		return errors.New("wants a JSON object")
	}
	return nil
}

// plainJSONError says in the terms of the file what the decoder says in the
// terms of Go.
func plainJSONError(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the JSON text ends too early")
	}
	var mismatch *json.UnmarshalTypeError
	if errors.As(err, &mismatch) {
		return fmt.Errorf("wants %s, has %s", jsonTypeName(mismatch.Type.Kind().String()), mismatch.Value)
	}
	return err
}

func jsonTypeName(goKind string) string {
	switch goKind {
	case "int64":
		return "an integer"
	case "float64":
		return "a number"
	case "slice":
		return "a list"
	default:
		return "a " + goKind
	}
}

func atLine(data []byte, err error) error {
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return err
	}
	end := min(int(syntax.Offset), len(data))
	return fmt.Errorf("not JSON: line %d: %w", 1+bytes.Count(data[:end], []byte("\n")), err)
}

// quoted shows text from the file in an error, on one line and not too long.
func quoted(text string) string {
	const most = 60
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most]) + "…"
	}
	return fmt.Sprintf("%q", text)
}
