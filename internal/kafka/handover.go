package kafka

import (
	"strconv"
	"strings"
)

// Progress is how far a group has come in a partition. It is the metadata of every
// offset that this program commits:
//
//	vibe-bridge/1 ended=42
//	vibe-bridge/1 ended=42 reset
//	vibe-bridge/1 ended=42 clean=7
type Progress struct {
	// Ended is how many records the group has ended.
	Ended uint64
	// Reset says that an offset was once set by hand and accepted. Ended has counted
	// from there on, and nobody knows what it was before.
	Reset bool
	// Clean is the epoch of an owner that left in order: no record from this offset on
	// was being processed, by it or by anybody before it. 0 says nothing.
	Clean int32
}

const (
	commitPrefix = "vibe-bridge/1 ended="
	resetMark    = "reset"
	cleanMark    = "clean="
)

func (p Progress) metadata() string {
	text := commitPrefix + strconv.FormatUint(p.Ended, 10)
	if p.Reset {
		text += " " + resetMark
	}
	if p.Clean != 0 {
		text += " " + cleanMark + strconv.FormatInt(int64(p.Clean), 10)
	}
	return text
}

// ProgressOf reads a committed offset's metadata. ours is false for an offset that
// this program did not commit.
func ProgressOf(c Commit) (p Progress, ours bool) {
	if c.Offset < 0 {
		return Progress{}, true
	}
	text, ours := strings.CutPrefix(c.Metadata, commitPrefix)
	if !ours {
		return Progress{}, false
	}
	ended, marks, _ := strings.Cut(text, " ")
	p.Ended, _ = strconv.ParseUint(ended, 10, 64)
	for mark := range strings.FieldsSeq(marks) {
		if epoch, is := strings.CutPrefix(mark, cleanMark); is {
			n, _ := strconv.ParseInt(epoch, 10, 32) // what is no number marks nothing
			p.Clean = int32(n)
		}
		p.Reset = p.Reset || mark == resetMark
	}
	return p, true
}

// Inherited tells whether an instance that had the partition before may have been
// processing the record when the present session began: it was in the topic, no
// further behind the committed offset than a window reaches, and that instance did not
// leave in order.
func (t *Tracker) Inherited(topic string, partition int32, offset int64) bool {
	s := t.session.Load()
	if s == nil {
		return true
	}
	return offset < t.inheritedEnd(s, topic, partition)
}

// inheritedEnd is the offset from which on nobody has processed anything before the session.
//
// A clean mark counts only if it is that of the owner just before this one. Another one is left over from an owner
// after whom somebody came who has not committed anything yet. Every owner announces its epoch
// before it processes the first record, so that none can be overlooked.
func (t *Tracker) inheritedEnd(s *trackedSession, topic string, partition int32) int64 {
	c := s.commits[topic][partition]
	from := c.Offset
	if from < 0 {
		from = c.Start
	}
	if p, _ := ProgressOf(c); p.Clean != 0 && p.Clean == t.epoch(partition)-1 {
		return from
	}
	return min(c.End, from+int64(t.opts.Window))
}

func (t *Tracker) epoch(partition int32) int32 {
	if t.opts.Epoch == nil {
		return 0
	}
	return t.opts.Epoch(partition)
}

// handOver marks the offsets of a session that ends in order, when all that was begun is acknowledged. They are
// committed right after, in the name of the session's generation: the coordinator refuses that of an instance which
// it has replaced. A session that was itself still behind in what it has inherited marks nothing there: of the
// records that remain it cannot speak for the owner before.
func (t *Tracker) handOver(s *trackedSession) {
	if t.failed() != nil {
		return
	}
	for _, partitions := range s.windows {
		for _, w := range partitions {
			if _, _, touched := w.left(); touched {
				return
			}
		}
	}
	for topic, partitions := range s.windows {
		for p, w := range partitions {
			mark, ended, _ := w.left()
			epoch := t.epoch(p)
			if mark < 0 || epoch == 0 || mark < t.inheritedEnd(s, topic, p) {
				continue
			}
			// To the same offset: a mark would not count.
			s.ConsumerGroupSession.ResetOffset(topic, p, mark, Progress{Ended: ended, Reset: w.reset, Clean: epoch}.metadata())
		}
	}
}
