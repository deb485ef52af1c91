package processors

import (
	"context"
	"sync"

	"github.com/lovoo/goka/storage"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/mapping"
)

// partitionAccounts add up how the legacy records ended that one partition of a table accounts
// for. What the rows held when the session began is read behind its back, from a view of that
// moment; what changes since then is added as it happens.
type partitionAccounts struct {
	mu    sync.Mutex
	ends  [len(mapping.Streams)]mapping.Ends
	known bool // the rows have been read
}

// changed takes what a step changed.
func (a *partitionAccounts) changed(s mapping.Stream, e mapping.Ends) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ends[s] = a.ends[s].Plus(e)
}

// read takes what the rows held.
func (a *partitionAccounts) read(ends [len(mapping.Streams)]mapping.Ends) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for s := range ends {
		a.ends[s] = a.ends[s].Plus(ends[s])
	}
	a.known = true
}

func (a *partitionAccounts) sum() (ends [len(mapping.Streams)]mapping.Ends, known bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.ends, a.known
}

// ended notes what a step changed in the accounts of its partition. It comes after the row is written.
func (g *group) ended(partition int32, key string, out mapping.Outcome) {
	if out.Ended == (mapping.Ends{}) {
		return
	}
	if f := g.fence(partition); f != nil {
		if s, ok := mapping.AccountOf(key, g.isOrganizers()); ok {
			f.accounts.changed(s, out.Ended)
		}
	}
}

func (g *group) isOrganizers() bool { return g.name == g.b.topics.organizersGroup() }

// readAccounts adds the rows up that the store holds now, before anything is processed. One partition is
// read at a time: it takes a core. It ends with the session.
func (f *fence) readAccounts() error {
	rows, err := f.Store.Iterator()
	if err != nil {
		return err
	}
	f.reading.Go(func() {
		defer rows.Release()
		select {
		case f.g.b.adding <- struct{}{}:
			defer func() { <-f.g.b.adding }()
		case <-f.session.Done():
			return
		}
		if ends, complete := endsOfRows(f.session, rows, f.g.isOrganizers()); complete {
			f.accounts.read(ends)
		}
	})
	return nil
}

// endsOfRows adds up. What cannot be read is found by whoever needs it; the accounts stay unknown then.
func endsOfRows(ctx context.Context, rows storage.Iterator, organizers bool) (ends [len(mapping.Streams)]mapping.Ends, complete bool) {
	for rows.Next() {
		value, err := rows.Value()
		if err != nil || ctx.Err() != nil {
			return ends, false
		}
		s, ok := mapping.AccountOf(string(rows.Key()), organizers)
		if !ok {
			continue
		}
		e, err := mapping.EndsIn(value)
		if err != nil {
			return ends, false
		}
		ends[s] = ends[s].Plus(e)
	}
	return ends, rows.Err() == nil
}

// accountsGathered are the accounts of one instance.
type accountsGathered struct {
	ends     [len(mapping.Streams)]mapping.Ends
	consumed [len(mapping.Streams)]int64
	reset    [len(mapping.Streams)]bool
}

// add tells whether the accounts of a partition are known.
func (a *accountsGathered) add(p *partitionAccounts) bool {
	ends, known := p.sum()
	if !known {
		return false
	}
	for s := range ends {
		a.ends[s] = a.ends[s].Plus(ends[s])
	}
	return true
}

func (a *accountsGathered) consume(s mapping.Stream, p kafka.Position) {
	a.consumed[s] += int64(p.Ended)
	a.reset[s] = a.reset[s] || p.Reset
}

func (a *accountsGathered) collect(to sink) {
	for _, s := range mapping.Streams {
		e, topic := a.ends[s], s.String()
		for end, n := range map[string]int64{
			"emitted": e.Emitted, "unchanged": e.Unchanged, "skipped": e.Skipped, "parked": e.Parked,
			"quarantined": e.Quarantined, "tombstone": e.Tombstone, "superseded": e.Superseded,
		} {
			to.gauge(mAccounted, float64(n), topic, end)
		}
		to.gauge(mBalance, float64(a.consumed[s]-e.All()), topic)
		to.gauge(mAccountsReset, oneIf(a.reset[s]), topic)
	}
}
