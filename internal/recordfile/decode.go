package recordfile

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// encoding/json is not used for the lines: its errors show content, it takes
// "TOPIC" for "topic", keeps the last of repeated fields and forgets the order
// of headers. The tests hold this decoder against it.

// decodeRecord reads one line. The record shares no memory with it.
func decodeRecord(line []byte) (Record, error) {
	var r Record
	var seen [fieldCount]bool
	s := scanner{data: line}
	err := s.object(func(name []byte) error {
		f := fieldOf(name)
		if f < 0 {
			return errUnknownField
		}
		if seen[f] {
			return fmt.Errorf("field %q occurs twice", name)
		}
		seen[f] = true
		if err := r.decodeField(&s, f); err != nil {
			return fmt.Errorf("%q: %w", name, err)
		}
		return nil
	})
	if err != nil {
		return Record{}, err
	}
	if err := s.end(); err != nil {
		return Record{}, err
	}
	for f, name := range fieldNames {
		if !seen[f] && field(f) != fieldKey && field(f) != fieldHeaders {
			return Record{}, fmt.Errorf("field %q is missing", name)
		}
	}
	if err := r.check(); err != nil {
		return Record{}, err
	}
	return r, nil
}

type field int

const (
	fieldTopic field = iota
	fieldPartition
	fieldOffset
	fieldTimestamp
	fieldKey
	fieldHeaders
	fieldValue
	fieldCount
)

var fieldNames = [fieldCount]string{"topic", "partition", "offset", "timestamp", "key", "headers", "value"}

// The name is not shown: in a file that is no record file it may be content.
var errUnknownField = errors.New("there is an unknown field; known: " + strings.Join(fieldNames[:], ", "))

// fieldOf returns -1 for an unknown name.
func fieldOf(name []byte) field {
	for f, known := range fieldNames {
		if string(name) == known {
			return field(f)
		}
	}
	return -1
}

func (r *Record) decodeField(s *scanner, f field) (err error) {
	switch f {
	case fieldTopic:
		var topic []byte
		topic, err = s.stringValue()
		r.Topic = string(topic)
	case fieldPartition:
		var partition int64
		partition, err = s.integer(32)
		r.Partition = int32(partition)
	case fieldOffset:
		r.Offset, err = s.integer(64)
	case fieldTimestamp:
		r.Timestamp, err = s.integer(64)
	case fieldKey:
		r.Key, err = s.text()
	case fieldHeaders:
		r.Headers, err = s.headers()
	case fieldValue:
		r.Value, err = s.base64OrNull()
	}
	return err
}

func (s *scanner) headers() ([]Header, error) {
	if s.null() {
		return nil, nil
	}
	var headers []Header
	seen := make(map[string]bool)
	err := s.object(func(name []byte) error {
		key, err := headerKey(name)
		if err != nil {
			return err
		}
		if seen[key] {
			return errors.New("a header occurs twice")
		}
		seen[key] = true
		value, err := s.text()
		if err != nil {
			return fmt.Errorf("header %d: %w", len(headers)+1, err)
		}
		headers = append(headers, Header{Key: key, Value: value})
		return nil
	})
	return headers, err
}

func headerKey(name []byte) (string, error) {
	encoded, ok := bytes.CutPrefix(name, []byte(namePrefix))
	if !ok {
		return string(name), nil
	}
	key, err := decodeBase64(encoded)
	if err != nil {
		return "", errors.New(`a header name begins with "` + namePrefix + `" and goes on with something else than base64`)
	}
	return string(key), nil
}

// text reads what appendText writes.
func (s *scanner) text() ([]byte, error) {
	if s.null() {
		return nil, nil
	}
	if s.peek() != '{' {
		text, err := s.stringValue()
		if err != nil {
			return nil, err
		}
		return append([]byte{}, text...), nil
	}
	var data []byte
	err := s.object(func(name []byte) error {
		if string(name) != "base64" || data != nil {
			return errBytesObject
		}
		var err error
		data, err = s.base64Value()
		return err
	})
	if err != nil {
		return nil, err
	}
	if data == nil {
		return nil, errBytesObject
	}
	return data, nil
}

var errBytesObject = errors.New(`an object here must be {"base64":"…"}`)

func (s *scanner) base64OrNull() ([]byte, error) {
	if s.null() {
		return nil, nil
	}
	return s.base64Value()
}

// base64Value reads a base64 string; the result is not nil without an error.
func (s *scanner) base64Value() ([]byte, error) {
	encoded, err := s.stringValue()
	if err != nil {
		return nil, err
	}
	return decodeBase64(encoded)
}

func decodeBase64(encoded []byte) ([]byte, error) {
	data := make([]byte, base64.StdEncoding.DecodedLen(len(encoded)))
	n, err := base64.StdEncoding.Strict().Decode(data, encoded)
	if err != nil {
		return nil, errors.New("not base64 (standard alphabet, padded)")
	}
	return data[:n], nil
}
