package verify

// position holds the first record of an entity against the first of what it needs
// (the slim contract's ordering promise). need is nil when legacy records do not
// even say what that is.
//
// What can be concluded:
//
//   - A record whose parent has no record at all came first: slim topics are read
//     up to ends that were taken in the order refunds, orders, events.
//   - Times of append tell an order between topics only within one broker's clock
//     (Layout.Comparable), and only when they differ: it counts in milliseconds.
//   - The first record that is left of a compacted topic need not be the first
//     that was written. Below the first gap nothing has gone.
func (e *evaluation) position(k Kind, s Stream, id string, mine *slimState, needs Stream, need *slimState) {
	l := &e.c.cfg.Layout
	e.report.Ordering.Checked++
	violation := func(reason string) {
		e.add(k, Example{ID: id, Topic: e.c.cfg.Topics.Slim[s], Partition: mine.partition, Offset: mine.firstOffset, Reason: reason})
	}
	switch {
	case need == nil || !need.published:
		if l.SlimGone[needs] || l.LegacyGone[s] || l.LegacyGone[needs] {
			e.doubt("order: what the record needs is gone")
			return
		}
		violation("what it needs has no record")
	case !l.Comparable:
		if mine.firstTime < need.firstTime {
			e.report.Ordering.Earlier++
		}
	case !mine.appendTime || !need.appendTime:
		e.doubt("order: a record has the time of its producer")
	case e.c.mayHaveLostFirst(needs, need) && mine.firstTime <= need.firstTime:
		e.doubt("order: an earlier record of what it needs may have been compacted")
	case e.c.mayHaveLostFirst(s, mine) && mine.firstTime >= need.firstTime:
		e.doubt("order: an earlier record of it may have been compacted")
	case mine.firstTime < need.firstTime:
		violation("appended before the first record of what it needs")
	case mine.firstTime == need.firstTime:
		e.doubt("order: appended in the same millisecond")
	}
}

func (c *Checker) mayHaveLostFirst(s Stream, state *slimState) bool {
	if c.cfg.Layout.SlimGone[s] {
		return true
	}
	gap := c.firstGap[s]
	return gap > 0 && state.firstOffset >= gap
}
