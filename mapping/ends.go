package mapping

import "github.com/ticketscloud/vibe-bridge/mapping/statepb"

// Ends count legacy records by their end, parked ones included. Those of all rows of
// both tables make up the Accounts, without the reasons.
type Ends struct {
	Emitted, Unchanged, Skipped, Parked, Quarantined, Tombstone, Superseded int64
}

// EndsOf are those that one row counts. Records that another row counts as quarantined
// and that ended here after a replay are taken off: alone, the row may have less than 0.
func EndsOf(row *statepb.Row) Ends {
	e := EntityOf(row)
	if e == nil {
		return Ends{}
	}
	return endsFrom(e.GetTallies(), e.GetDisposition() == statepb.Disposition_PARKED)
}

func endsFrom(t *statepb.Tallies, parked bool) Ends {
	n := Ends{
		Emitted: int64(t.GetEmitted()), Unchanged: int64(t.GetUnchanged()), Tombstone: int64(t.GetTombstone()), Superseded: int64(t.GetSuperseded()),
		Skipped: sumOf(t.GetSkipped()), Quarantined: sumOf(t.GetQuarantined()) - sumOf(t.GetWithdrawn()),
	}
	if parked {
		n.Parked = 1
	}
	return n
}

func sumOf(list []*statepb.Tally) (n int64) {
	for _, t := range list {
		n += int64(t.GetCount())
	}
	return n
}

// Plus is the sum of both.
func (e Ends) Plus(o Ends) Ends {
	return Ends{
		e.Emitted + o.Emitted, e.Unchanged + o.Unchanged, e.Skipped + o.Skipped, e.Parked + o.Parked,
		e.Quarantined + o.Quarantined, e.Tombstone + o.Tombstone, e.Superseded + o.Superseded,
	}
}

// Minus is what e has more than o.
func (e Ends) Minus(o Ends) Ends {
	return e.Plus(Ends{-o.Emitted, -o.Unchanged, -o.Skipped, -o.Parked, -o.Quarantined, -o.Tombstone, -o.Superseded})
}

// All is how many records that are.
func (e Ends) All() int64 {
	return e.Emitted + e.Unchanged + e.Skipped + e.Parked + e.Quarantined + e.Tombstone + e.Superseded
}

// AccountOf tells to which stream's account the row of a key belongs, in the organizers' table or in the gate's; false
// for a row that counts nothing.
func AccountOf(key string, organizers bool) (Stream, bool) {
	switch {
	case KindOf(key) == LedgerKind:
		return ledgerStream(key)
	case organizers:
		return Partners, KindOf(key) == EventKind
	}
	return StreamOf(key)
}
