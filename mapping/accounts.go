package mapping

import (
	"maps"
	"slices"
	"strings"

	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
)

// Account is the accounting of one legacy topic (mapping contract, Accounting).
//
// Invariant once everything consumed has been decided: Balance is 0.
type Account struct {
	Consumed    uint64            `json:"consumed"`
	Emitted     uint64            `json:"emitted"`
	Unchanged   uint64            `json:"unchanged"`
	Skipped     map[string]uint64 `json:"skipped"`
	Parked      uint64            `json:"parked"`
	Quarantined map[string]uint64 `json:"quarantined"`
	Tombstone   uint64            `json:"tombstone"`
	Superseded  uint64            `json:"superseded"`

	owed uint64 // withdrawn, and counted as quarantined nowhere yet
}

// Ended is the number of records whose end is known, parked ones included.
func (a *Account) Ended() uint64 {
	n := a.Emitted + a.Unchanged + a.Parked + a.Tombstone + a.Superseded
	for v := range maps.Values(a.Skipped) {
		n += v
	}
	for v := range maps.Values(a.Quarantined) {
		n += v
	}
	return n - a.owed
}

// Balance is consumed minus ended: above 0 while records are on their way.
func (a *Account) Balance() int64 { return int64(a.Consumed) - int64(a.Ended()) }

func (a *Account) add(e *statepb.Entity) {
	t := e.GetTallies()
	a.Emitted += t.GetEmitted()
	a.Unchanged += t.GetUnchanged()
	a.Superseded += t.GetSuperseded()
	a.Tombstone += t.GetTombstone()
	a.Skipped = addTallies(a.Skipped, t.GetSkipped())
	a.Quarantined = addTallies(a.Quarantined, t.GetQuarantined())
	a.withdraw(t.GetWithdrawn())
	if e.GetDisposition() == statepb.Disposition_PARKED {
		a.Parked++
	}
}

// withdraw takes replayed records from the quarantined ones. Another row counts
// them as such, which may come later: until then, or Settle, a count wraps below 0.
func (a *Account) withdraw(list []*statepb.Tally) {
	for _, t := range list {
		a.Quarantined[t.GetReason()] -= t.GetCount()
	}
	maps.DeleteFunc(a.Quarantined, func(_ string, n uint64) bool { return n == 0 })
}

// settle sets reasons that have less than was withdrawn off against the others. A
// record may be in quarantine for two reasons; it is counted for the first, and
// withdrawn for the one that was replayed.
func (a *Account) settle() {
	for reason, n := range a.Quarantined {
		if int64(n) < 0 {
			a.owed -= n
			delete(a.Quarantined, reason)
		}
	}
	for _, reason := range slices.Sorted(maps.Keys(a.Quarantined)) {
		paid := min(a.owed, a.Quarantined[reason])
		a.owed -= paid
		if a.Quarantined[reason] -= paid; a.Quarantined[reason] == 0 {
			delete(a.Quarantined, reason)
		}
	}
}

func addTallies(m map[string]uint64, list []*statepb.Tally) map[string]uint64 {
	if m == nil {
		m = map[string]uint64{}
	}
	for _, t := range list {
		m[t.GetReason()] += t.GetCount()
		if m[t.GetReason()] == 0 { // withdrawn
			delete(m, t.GetReason())
		}
	}
	return m
}

// Accounts holds the account of every legacy stream.
type Accounts [streamCount]Account

// NewAccounts returns empty accounts.
func NewAccounts() *Accounts {
	var a Accounts
	for i := range a {
		a[i].Skipped, a[i].Quarantined = map[string]uint64{}, map[string]uint64{}
	}
	return &a
}

// AddRow adds one row of the gate's or the organizers' table.
func (a *Accounts) AddRow(key string, row *statepb.Row) {
	switch st := row.GetState().(type) {
	case *statepb.Row_Event:
		a[Events].add(st.Event.GetEntity())
	case *statepb.Row_Order:
		a[Orders].add(st.Order.GetEntity())
	case *statepb.Row_Refund:
		a[Refunds].add(st.Refund.GetEntity())
	case *statepb.Row_Organizer:
		a[Partners].add(st.Organizer.GetEntity())
	case *statepb.Row_Ledger:
		if s, ok := ledgerStream(key); ok {
			a[s].add(st.Ledger.GetEntity())
		}
	}
}

// Settle makes the accounts fit to be shown, when all rows are added: no reason has
// less than 0 records. Balances stay as they are.
func (a *Accounts) Settle() {
	for i := range a {
		a[i].settle()
	}
}

// Merge adds another instance's or partition's accounts.
func (a *Accounts) Merge(b *Accounts) {
	for i := range a {
		x, y := &a[i], &b[i]
		x.Consumed += y.Consumed
		x.Emitted += y.Emitted
		x.Unchanged += y.Unchanged
		x.Parked += y.Parked
		x.Tombstone += y.Tombstone
		x.Superseded += y.Superseded
		x.owed += y.owed
		for k, v := range y.Skipped {
			x.Skipped[k] += v
		}
		for k, v := range y.Quarantined {
			if x.Quarantined[k] += v; x.Quarantined[k] == 0 {
				delete(x.Quarantined, k)
			}
		}
	}
}

// Balanced tells whether every account balances.
func (a *Accounts) Balanced() bool {
	return !slices.ContainsFunc(a[:], func(x Account) bool { return x.Balance() != 0 })
}

// ByTopic gives the accounts under the default names of the legacy topics.
func (a *Accounts) ByTopic() map[string]*Account {
	m := make(map[string]*Account, len(a))
	for _, s := range Streams {
		m[s.String()] = &a[s]
	}
	return m
}

func ledgerStream(key string) (Stream, bool) {
	name, _, _ := strings.Cut(strings.TrimPrefix(key, "%"), ":")
	for _, s := range Streams {
		if s.String() == name {
			return s, true
		}
	}
	return 0, false
}
