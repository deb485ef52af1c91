package verify

import (
	"fmt"
	"time"
)

// Config is the deployment under check, as far as it shows in its topics.
type Config struct {
	Edition       string // "1.0" or "2.0"
	Format        string // "json", or "protobuf" with edition 1.0
	ApplicationID string // wanted in the header application-id
	SourceHeader  bool   // whether records must carry bridge-source
	Directory     *Directory
	Zone          *time.Location // of events whose venue's zone is not known
	Topics        Topics
	Layout        Layout
	Examples      int // how many findings of a kind are told one by one
}

// Topics are names, by [Stream]. Slim has none for Partners.
type Topics struct {
	Legacy     [streams]string
	Slim       [streams]string
	Quarantine string
}

// Stream is one of the four legacy topics, or the slim topic that goes with it.
type Stream int

// The streams, in the order in which they depend on each other.
const (
	Partners Stream = iota
	Events
	Orders
	Refunds
	streams
)

var streamNames = [streams]string{"partners", "events", "orders", "refunds"}

func (s Stream) String() string { return streamNames[s] }

// Layout is what the settings of topics allow to conclude from records.
type Layout struct {
	// Partitions of the slim topics.
	Partitions [streams]int32
	// Comparable: the slim topics have one partition each, their records the time
	// at which one and the same broker appended them (LogAppendTime). Only then does
	// the time of two records in two topics say which was produced first.
	Comparable bool
	// Why positions are not comparable; "" when they are.
	Why string
	// LegacyGone and SlimGone: records at the start have been deleted, or may have
	// been compacted away anywhere. What is missing there proves nothing.
	LegacyGone, SlimGone [streams]bool
	QuarantineGone       bool
	// SlimCompacted: a gap in the offsets may be an older record of a key.
	SlimCompacted [streams]bool
}

// Record is a Kafka record.
type Record struct {
	Partition  int32
	Offset     int64
	Time       int64 // Unix milliseconds
	AppendTime bool  // Time is the broker's, not the producer's
	Key, Value []byte
	Headers    []Header
}

// Header of a record.
type Header struct {
	Key   string
	Value []byte
}

// New returns a Checker that has seen nothing. An error names a value that the
// contract does not have.
func New(c Config) (*Checker, error) {
	switch {
	case c.Edition != "1.0" && c.Edition != "2.0":
		return nil, fmt.Errorf("verify: edition %q: want 1.0 or 2.0", c.Edition)
	case c.Format != "json" && (c.Format != "protobuf" || c.Edition != "1.0"):
		return nil, fmt.Errorf("verify: format %q with edition %s: want json, or protobuf with 1.0", c.Format, c.Edition)
	case c.Directory == nil || c.Zone == nil:
		return nil, fmt.Errorf("verify: no directory or no zone given")
	}
	return &Checker{
		cfg:      c,
		rules:    &rules{v2: c.Edition == "2.0", protobuf: c.Format == "protobuf", directory: c.Directory, zone: c.Zone},
		partners: map[string]*partner{}, events: map[string]*event{}, orders: map[string]*order{}, refunds: map[string]*refund{},
		refundAt:    map[sourceRef]string{},
		quarantined: map[spot]*note{}, owed: map[spot]string{},
		found: map[Kind]*tally{}, doubts: map[string]int{}, pending: map[finding]time.Time{}, next: map[slimPartition]int64{},
	}, nil
}
