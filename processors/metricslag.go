package processors

import (
	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/mapping"
)

// inputsOf names the cluster that a group reads from.
func (t Topics) inputsOf(g goka.Group) string {
	if t.stageOf(string(g)) == "intake" {
		return kafka.SourceCluster
	}
	return kafka.StateCluster
}

// appended tells since when a record is on its way: facts of a legacy record since that was appended, so that
// the lag of the stages behind intake is that of the legacy topic.
func (t Topics) appended() func(*sarama.ConsumerMessage) int64 {
	facts := map[string]bool{}
	for _, s := range mapping.Streams {
		facts[string(t.internal(s))] = true
	}
	return func(m *sarama.ConsumerMessage) int64 {
		if facts[m.Topic] {
			if at := legacyTime(m.Value); at > 0 {
				return at
			}
		}
		return m.Timestamp.UnixMilli()
	}
}

// Fields of statepb.Input and statepb.Source.
const (
	inputSource = 1
	inputReplay = 8
	sourceTime  = 3
)

// legacyTime finds the time of the legacy record in an encoded statepb.Input, Unix milliseconds, without decoding
// the rest; 0 when there is none, or when the record comes from quarantine: it is not on its way since then.
func legacyTime(input []byte) int64 {
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
