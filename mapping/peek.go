package mapping

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
)

// What is looked up in encoded inputs and rows without decoding the rest of them.

// Fields of the messages in statepb.
const (
	inputSource       = 1
	inputReplay       = 8
	sourceTime        = 3
	stateEntity       = 1 // of every state that has an entity; the others have nothing there that looks like one
	rowMember         = 5 // has no entity
	rowSession        = 7 // likewise
	entityWait        = 4
	entityDisposition = 6
	entityTallies     = 8
	entityResendAt    = 13
	waitReason        = 1
	waitSince         = 2
	waitDeadline      = 3
)

// LegacyTime finds the time of the legacy record in an encoded statepb.Input, Unix milliseconds, without decoding
// the rest; 0 when there is none, or when the record comes from quarantine: it is not on its way since then.
func LegacyTime(input []byte) int64 {
	var at int64
	replayed := false
	fields(input, func(n protowire.Number, value []byte, _ uint64) {
		switch n {
		case inputReplay:
			replayed = true
		case inputSource:
			fields(value, func(n protowire.Number, _ []byte, v uint64) {
				if n == sourceTime {
					at = int64(v)
				}
			})
		}
	})
	if replayed {
		return 0
	}
	return at
}

// EndsIn is EndsOf for an encoded row.
func EndsIn(row []byte) (Ends, error) {
	var parked bool
	var tallies []byte
	fields(row, func(_ protowire.Number, state []byte, _ uint64) {
		fields(state, func(n protowire.Number, entity []byte, _ uint64) {
			if n != stateEntity {
				return
			}
			fields(entity, func(n protowire.Number, value []byte, v uint64) {
				switch n {
				case entityDisposition:
					parked = statepb.Disposition(v) == statepb.Disposition_PARKED
				case entityTallies:
					tallies = value
				}
			})
		})
	})
	t := &statepb.Tallies{}
	if err := t.UnmarshalVTUnsafe(tallies); err != nil {
		return Ends{}, fmt.Errorf("decode state: %w", err)
	}
	return endsFrom(t, parked), nil
}

// WaitingIn is WaitingOf for an encoded row. Of one that cannot be decoded it may say anything.
func WaitingIn(row []byte) (reason WaitReason, since, deadline int64, ok bool) {
	var resend int64
	fields(row, func(kind protowire.Number, state []byte, _ uint64) {
		if kind == rowMember || kind == rowSession {
			return
		}
		fields(state, func(n protowire.Number, entity []byte, _ uint64) {
			if n != stateEntity {
				return
			}
			fields(entity, func(n protowire.Number, value []byte, v uint64) {
				switch {
				case n == entityResendAt:
					resend = int64(v)
				case n == entityWait && value != nil:
					ok = true
					fields(value, func(n protowire.Number, _ []byte, v uint64) {
						switch n {
						case waitReason:
							reason = WaitReason(int32(v))
						case waitSince:
							since = int64(v)
						case waitDeadline:
							deadline = int64(v)
						}
					})
				}
			})
		})
	})
	if ok {
		return reason, since, deadline, true
	}
	return WaitRepeat, resend, resend, resend != 0
}

// fields visits the top-level fields of a message that have bytes or a varint, up to where it cannot be read.
func fields(message []byte, visit func(n protowire.Number, value []byte, v uint64)) {
	for len(message) > 0 {
		n, kind, size := protowire.ConsumeTag(message)
		if size < 0 {
			return
		}
		message = message[size:]
		var value []byte
		var v uint64
		switch kind {
		case protowire.BytesType:
			value, size = protowire.ConsumeBytes(message)
		case protowire.VarintType:
			v, size = protowire.ConsumeVarint(message)
		default:
			size = protowire.ConsumeFieldValue(n, kind, message)
		}
		if size < 0 {
			return
		}
		visit(n, value, v)
		message = message[size:]
	}
}
