package mapping

import (
	"strconv"

	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
	"github.com/ticketscloud/vibe-bridge/slim"
)

// Headers of a quarantine record, named as Kafka Connect names those of its dead letter queue.
const (
	HeaderErrorTopic     = "__connect.errors.topic"
	HeaderErrorPartition = "__connect.errors.partition"
	HeaderErrorOffset    = "__connect.errors.offset"
	HeaderErrorStage     = "__connect.errors.stage"
	HeaderErrorClass     = "__connect.errors.class.name" // the Reason
	HeaderErrorMessage   = "__connect.errors.exception.message"
)

// HeaderOmitted is on a quarantine record that is only a reference: the legacy
// record is larger than the quarantine topic takes, so its key, value and headers
// were left out. The other headers say where it is; this one, how many bytes it has.
const HeaderOmitted = "vibe-bridge.omitted.bytes"

// HeaderSourceTime is the time of the legacy record, in Unix milliseconds: a quarantine
// record has a time of its own, and between partitions the time decides which record is newer.
const HeaderSourceTime = "vibe-bridge.source.timestamp"

// Headers of a marker, a record without key and value that says that a quarantine
// record was replayed. It stands behind that record in the same partition, and has
// also the headers that say which legacy record it is, at which stage, and why.
const (
	// HeaderReplayed is the offset of the quarantine record. Earlier ones in the
	// partition that say the same of the same legacy record are marked with it.
	HeaderReplayed = "vibe-bridge.replayed.offset"
	// HeaderReplayedTime is when, in Unix milliseconds.
	HeaderReplayedTime = "vibe-bridge.replayed.timestamp"
	// HeaderReplayedOutcome is what intake made of it: sent, or skipped and why.
	HeaderReplayedOutcome = "vibe-bridge.replayed.outcome"
)

// Stages at which a record may be quarantined.
const (
	StageIntake = "intake"
	StageGate   = "gate"
)

// QuarantineHeaders are the headers that quarantine adds to a record's own. The
// position and time are those of the legacy record.
func QuarantineHeaders(topic string, src *statepb.Source, stage string, reason Reason) []slim.Header {
	return []slim.Header{
		{Key: HeaderErrorTopic, Value: []byte(topic)},
		{Key: HeaderErrorPartition, Value: strconv.AppendInt(nil, int64(src.GetPartition()), 10)},
		{Key: HeaderErrorOffset, Value: strconv.AppendInt(nil, src.GetOffset(), 10)},
		{Key: HeaderErrorStage, Value: []byte(stage)},
		{Key: HeaderErrorClass, Value: []byte(reason)},
		{Key: HeaderErrorMessage, Value: []byte(Explanation(reason))},
		{Key: HeaderSourceTime, Value: strconv.AppendInt(nil, src.GetTime(), 10)},
	}
}

// Explanation says in a sentence what a quarantine reason means. It never holds
// anything of the record.
func Explanation(reason Reason) string {
	switch reason {
	case ReasonUndecodable:
		return "the value is not a protobuf message of this topic's type"
	case ReasonInvalidUTF8:
		return "a string field holds bytes that are not UTF-8"
	case ReasonTooLarge:
		return "the record is larger than the target's limit"
	case ReasonInvalidPhone:
		return "settings.customer.phone is not a possible phone number"
	case ReasonPartnerWithoutID, ReasonEventWithoutID, ReasonOrderWithoutID, ReasonRefundWithoutID:
		return "the field id is empty"
	case ReasonEventWithoutName:
		return "the field name is empty"
	case ReasonEventWithoutDates:
		return "lifetime has neither start nor finish"
	case ReasonOrderWithoutEvent, ReasonRefundWithoutEvent:
		return "the field event is empty"
	case ReasonTicketWithoutID:
		return "a ticket's id is empty"
	case ReasonRefundWithoutOrder:
		return "the field order is empty"
	case ReasonRefundWithoutTickets:
		return "no ticket with an id"
	}
	return "see the mapping rules"
}
