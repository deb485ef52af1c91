package mapping

import (
	"testing"

	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
)

// The ends of all rows are what the accounts say, and what the steps changed adds up to them.
func TestEndsAreTheAccounts(t *testing.T) {
	entity := func(d statepb.Disposition, t *statepb.Tallies) *statepb.Entity {
		return &statepb.Entity{Disposition: d, Tallies: t}
	}
	rows := map[string]*statepb.Row{
		"e": {State: &statepb.Row_Event{Event: &statepb.EventState{Entity: entity(statepb.Disposition_EMITTED, &statepb.Tallies{Emitted: 2, Unchanged: 3})}}},
		"e/o": {State: &statepb.Row_Order{Order: &statepb.OrderState{Entity: entity(statepb.Disposition_PARKED, &statepb.Tallies{
			Superseded: 1, Skipped: []*statepb.Tally{{Reason: "no_phone", Count: 2}, {Reason: "status_expired", Count: 1}},
			Withdrawn: []*statepb.Tally{{Reason: "too_large", Count: 1}}})}}},
		"e/o/r":                {State: &statepb.Row_Refund{Refund: &statepb.RefundState{Entity: entity(statepb.Disposition_SKIPPED, &statepb.Tallies{Skipped: []*statepb.Tally{{Reason: "order_not_published", Count: 1}}})}}},
		LedgerKey(Orders, 3):   {State: &statepb.Row_Ledger{Ledger: &statepb.LedgerState{Entity: entity(0, &statepb.Tallies{Tombstone: 4, Quarantined: []*statepb.Tally{{Reason: "too_large", Count: 5}}})}}},
		LedgerKey(Partners, 3): {State: &statepb.Row_Ledger{Ledger: &statepb.LedgerState{Entity: entity(0, &statepb.Tallies{Tombstone: 1})}}},
		SessionKey:             {State: &statepb.Row_Session{Session: &statepb.SessionState{Generation: 7}}},
	}
	accounts := NewAccounts()
	var ends [streamCount]Ends
	for key, row := range rows {
		accounts.AddRow(key, row)
		if s, ok := AccountOf(key, false); ok {
			ends[s] = ends[s].Plus(EndsOf(row))
		} else if key != SessionKey {
			t.Errorf("%s belongs to no account", key)
		}
	}
	for _, s := range Streams {
		if got, want := ends[s].All(), int64(accounts[s].Ended()); got != want {
			t.Errorf("%s: %d records with an end, want %d", s, got, want)
		}
	}
	if want := (Ends{Parked: 1, Superseded: 1, Skipped: 3, Tombstone: 4, Quarantined: 4}); ends[Orders] != want {
		t.Errorf("orders %+v, want %+v", ends[Orders], want)
	}
	if s, ok := AccountOf("org", true); !ok || s != Partners {
		t.Errorf("an organizer's row belongs to %s", s)
	}
	if _, ok := AccountOf("org/e", true); ok {
		t.Error("a member's row has an account")
	}
}
