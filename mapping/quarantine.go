package mapping

import (
	"strconv"

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

// Stages at which a record may be quarantined.
const (
	StageIntake = "intake"
	StageGate   = "gate"
)

// QuarantineHeaders are the headers that quarantine adds to a record's own.
func QuarantineHeaders(topic string, partition int32, offset int64, stage string, reason Reason) []slim.Header {
	return []slim.Header{
		{Key: HeaderErrorTopic, Value: []byte(topic)},
		{Key: HeaderErrorPartition, Value: strconv.AppendInt(nil, int64(partition), 10)},
		{Key: HeaderErrorOffset, Value: strconv.AppendInt(nil, offset, 10)},
		{Key: HeaderErrorStage, Value: []byte(stage)},
		{Key: HeaderErrorClass, Value: []byte(reason)},
		{Key: HeaderErrorMessage, Value: []byte(Explanation(reason))},
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
