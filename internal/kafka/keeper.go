package kafka

import "context"

// Keeper keeps records of one topic-partition and of the present session back: they are not done when Goka marks them,
// but when Done says so, which may be much later than Goka wants to remember them. What is not done when the session
// ends is replayed in the next.
type Keeper struct {
	s         *trackedSession
	w         *window
	topic     string
	partition int32
}

// Keeper returns one for the present session; nil where that does not have the partition.
func (t *Tracker) Keeper(topic string, partition int32) *Keeper {
	s := t.session.Load()
	if s == nil || s.windows[topic][partition] == nil {
		return nil
	}
	return &Keeper{s, s.windows[topic][partition], topic, partition}
}

// Session is done when the keeper's session ends.
func (k *Keeper) Session() context.Context { return k.s.Context() }

// Current tells whether the keeper's session is the present one.
func (k *Keeper) Current(t *Tracker) bool { return k.s == t.session.Load() }

// Acked tells whether a record of the partition is done.
func (k *Keeper) Acked(offset int64) bool { return k.w.status(offset) >= Acked }

// Settled is Tracker.Settled of the keeper's session.
func (k *Keeper) Settled() int64 { return k.w.settled() }

// Keep says, within the record's callback, that it is not done with it. The record itself is not kept.
func (k *Keeper) Keep(offset int64) { k.w.keep(offset) }

// Done says that all that was written because of records that are kept back is acknowledged.
func (k *Keeper) Done(offsets []int64) {
	for _, offset := range offsets {
		k.w.release(offset)
		k.s.MarkOffset(k.topic, k.partition, offset+1, "")
	}
}
