package slim

import (
	"errors"
	"fmt"
)

// Edition is a version of the slim contract.
type Edition uint8

const (
	Edition1 Edition = iota + 1 // 1.0: JSON and Protobuf
	Edition2                    // 2.0: JSON only
)

// ParseEdition reads "1.0" or "2.0".
func ParseEdition(s string) (Edition, error) {
	switch s {
	case "1.0":
		return Edition1, nil
	case "2.0":
		return Edition2, nil
	}
	return 0, fmt.Errorf(`unknown edition %q: use "1.0" or "2.0"`, s)
}

// String returns what [ParseEdition] reads.
func (e Edition) String() string {
	switch e {
	case Edition1:
		return "1.0"
	case Edition2:
		return "2.0"
	}
	return fmt.Sprintf("edition(%d)", uint8(e))
}

// Format is how the value of a record is written.
type Format uint8

const (
	JSON Format = iota + 1
	Protobuf
)

// ParseFormat reads "json" or "protobuf".
func ParseFormat(s string) (Format, error) {
	switch s {
	case "json":
		return JSON, nil
	case "protobuf":
		return Protobuf, nil
	}
	return 0, fmt.Errorf(`unknown format %q: use "json" or "protobuf"`, s)
}

// String returns what [ParseFormat] reads.
func (f Format) String() string {
	switch f {
	case JSON:
		return "json"
	case Protobuf:
		return "protobuf"
	}
	return fmt.Sprintf("format(%d)", uint8(f))
}

// Encoding is what a deployment writes: one edition in one format.
type Encoding struct {
	Edition Edition
	Format  Format
}

var errProtobufEdition2 = errors.New(
	`format "protobuf" is defined for edition "1.0" only: set the format to "json" or the edition to "1.0"`)

// Validate refuses what the contract does not define: an edition or a format
// that is not set, and Protobuf for edition 2.0. An Encoding is checked once,
// where the configuration is read; the encoders rely on it.
func (e Encoding) Validate() error {
	if e.Edition != Edition1 && e.Edition != Edition2 {
		return fmt.Errorf(`unknown %v: use edition "1.0" or "2.0"`, e.Edition)
	}
	if e.Format != JSON && e.Format != Protobuf {
		return fmt.Errorf(`unknown %v: use format "json" or "protobuf"`, e.Format)
	}
	if e.Edition == Edition2 && e.Format == Protobuf {
		return errProtobufEdition2
	}
	return nil
}

// mustBeValid stops a program that skipped Validate. To return no bytes
// instead would delete records: on a compacted topic an empty value is a
// tombstone.
func (e Encoding) mustBeValid() {
	if err := e.Validate(); err != nil {
		panic("slim: the encoding was not validated: " + err.Error())
	}
}

// ContentType is the value of the content-type header, "" for an unknown
// format.
func (e Encoding) ContentType() string {
	switch e.Format {
	case JSON:
		return "application/json"
	case Protobuf:
		return "application/x-protobuf"
	}
	return ""
}

// SchemaVersion is the value of the schema-version header: the edition's
// version.
func (e Encoding) SchemaVersion() string {
	return e.Edition.String()
}
