package once

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/ticketscloud/vibe-bridge/compare"
	"github.com/ticketscloud/vibe-bridge/compare/rowpb"
)

// Headers of a quarantine record, as Kafka Connect names them.
const (
	headerTopic     = "__connect.errors.topic"
	headerPartition = "__connect.errors.partition"
	headerOffset    = "__connect.errors.offset"
	headerStage     = "__connect.errors.stage"
	headerReason    = "__connect.errors.class.name"
	// headerReplayed makes it a marker: the record at this offset of the partition was
	// replayed, and those before it that name the same legacy record.
	headerReplayed = "vibe-bridge.replayed.offset"
)

// note is the last record of a partition of the quarantine topic that names a legacy
// record for a reason at a stage.
type note struct {
	offset   int64
	time     int64 // Unix milliseconds
	replayed bool
}

const noteBytes = 17

func (n note) encode() []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(n.offset))
	b = binary.BigEndian.AppendUint64(b, uint64(n.time))
	if n.replayed {
		return append(b, 1)
	}
	return append(b, 0)
}

func decodeNote(b []byte) (note, error) {
	if len(b) != noteBytes {
		return note{}, fmt.Errorf("%d bytes are no note of a quarantine record", len(b))
	}
	return note{int64(binary.BigEndian.Uint64(b)), int64(binary.BigEndian.Uint64(b[8:])), b[16] != 0}, nil
}

// TakeQuarantine takes a record of the quarantine topic. Those of a partition have to
// come in their order, and may come again.
func (e *Engine) TakeQuarantine(topic string, r *compare.Record) error {
	if !e.progress.advance(Quarantine, topic, r) {
		return nil
	}
	headers := quarantineHeaders(r.Headers)
	key, ok := e.quarantineKey(r.Partition, headers)
	if !ok {
		e.progress.Strange++
		return e.commitFull()
	}
	n, there, err := e.store.note(key)
	if err != nil {
		return err
	}
	marked := headers[headerReplayed]
	if marked == "" {
		e.store.noted[string(key)] = note{offset: r.Offset, time: r.Time}
		return e.commitFull()
	}
	offset, err := strconv.ParseInt(marked, 10, 64)
	if err != nil || !there || offset >= r.Offset {
		e.progress.Strange++
		return e.commitFull()
	}
	n.replayed = n.replayed || n.offset <= offset // else it was quarantined again meanwhile
	e.store.noted[string(key)] = n
	return e.commitFull()
}

// quarantineHeaders are those that stand behind the legacy record's own, which may have
// any names: from the last that names the topic on.
func quarantineHeaders(all []compare.Header) map[string]string {
	for i, h := range slices.Backward(all) {
		if h.Key == headerTopic {
			all = all[i:]
			break
		}
	}
	found := map[string]string{}
	for _, h := range all {
		found[h.Key] = string(h.Value)
	}
	return found
}

// mostReason bounds what a reason adds to a key.
const mostReason = 100

func (e *Engine) quarantineKey(partition int32, headers map[string]string) ([]byte, bool) {
	s := slices.Index(e.options.LegacyTopics[:], headers[headerTopic])
	at, err1 := strconv.ParseInt(headers[headerPartition], 10, 32)
	offset, err2 := strconv.ParseInt(headers[headerOffset], 10, 64)
	if s < 0 || err1 != nil || err2 != nil || at < 0 || offset < 0 {
		return nil, false
	}
	key := placeKey(compare.Stream(s), int32(at), offset)
	key = binary.BigEndian.AppendUint32(key, uint32(partition))
	key = append(append(key, headers[headerStage]...), 0)
	reason := headers[headerReason]
	return append(key, reason[:min(len(reason), mostReason)]...), true
}

func placeKey(s compare.Stream, partition int32, offset int64) []byte {
	key := binary.BigEndian.AppendUint32([]byte{quarantineSpace, byte(s)}, uint32(partition))
	return binary.BigEndian.AppendUint64(key, uint64(offset))
}

func (s *store) note(key []byte) (n note, there bool, err error) {
	if n, ok := s.noted[string(key)]; ok {
		return n, true, nil
	}
	value, closer, err := s.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return note{}, false, nil
	}
	if err != nil {
		return note{}, false, fmt.Errorf("read a note: %w", err)
	}
	n, err = decodeNote(value)
	return n, true, errors.Join(err, closer.Close())
}

// eachNote visits what lies between the keys.
func (s *store) eachNote(lower, upper []byte, visit func(key []byte, n note)) error {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return fmt.Errorf("read notes: %w", err)
	}
	for it.First(); it.Valid(); it.Next() {
		n, bad := decodeNote(it.Value())
		if bad != nil {
			err = bad
			break
		}
		visit(it.Key(), n)
	}
	return errors.Join(err, it.Error(), it.Close())
}

// quarantined tells whether the quarantine topic names the legacy record, and not all
// that it says was replayed since.
func (s *store) quarantined(stream compare.Stream, at *rowpb.Place) (reason string, named bool, err error) {
	lower := placeKey(stream, at.GetPartition(), at.GetOffset())
	upper := placeKey(stream, at.GetPartition(), at.GetOffset()+1)
	err = s.eachNote(lower, upper, func(key []byte, n note) {
		if n.replayed || named {
			return
		}
		named = true
		rest := key[len(lower)+4:] // stage, 0, reason
		if i := slices.Index(rest, 0); i >= 0 {
			reason = string(rest[i+1:])
		}
	})
	return reason, named, err
}

// quarantineFacts are those of all records that were not replayed.
func (s *store) quarantineFacts() (f compare.QuarantineFacts, err error) {
	err = s.eachNote([]byte{quarantineSpace}, []byte{quarantineSpace + 1}, func(_ []byte, n note) {
		if n.replayed {
			return
		}
		f.Records++
		if at := time.UnixMilli(n.time).UTC(); f.Oldest.IsZero() || at.Before(f.Oldest) {
			f.Oldest = at
		}
	})
	return f, err
}
