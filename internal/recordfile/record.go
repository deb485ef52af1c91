package recordfile

import (
	"errors"
	"fmt"
)

// Record is one Kafka record.
type Record struct {
	Topic     string
	Partition int32
	Offset    int64
	Timestamp int64 // Unix milliseconds; -1: none
	Key       []byte
	Headers   []Header // in their order
	Value     []byte
	// A nil Key, Value or Header.Value is null, and differs from an empty one.
}

// Header is one header of a record.
type Header struct {
	Key   string // any bytes
	Value []byte
}

// MaxLineBytes is the longest line, without its line end, that is read or
// written. It leaves room for a value of 47 MiB.
const MaxLineBytes = 64 << 20

// maxTopicBytes is Kafka's bound on the length of a topic name.
const maxTopicBytes = 249

// check is the gateway of both directions: what it refuses is neither read nor
// written.
func (r *Record) check() error {
	if !isTopicName(r.Topic) {
		return fmt.Errorf(`"topic" is not a Kafka topic name (1 to %d of a-z, A-Z, 0-9, ".", "_" and "-")`, maxTopicBytes)
	}
	if r.Partition < 0 {
		return errors.New(`"partition" is below 0`)
	}
	if r.Offset < 0 {
		return errors.New(`"offset" is below 0`)
	}
	if r.Timestamp < -1 {
		return errors.New(`"timestamp" is below -1`)
	}
	return nil
}

func isTopicName(name string) bool {
	if name == "" || name == "." || name == ".." || len(name) > maxTopicBytes {
		return false
	}
	for i := range len(name) {
		c := name[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-' {
			return false
		}
	}
	return true
}
