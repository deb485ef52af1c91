package once

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/compare"
	"github.com/ticketscloud/vibe-bridge/compare/rowpb"
)

// Judging says how rows are judged.
type Judging struct {
	// Judge with all but Form, Legacy, Rows and RightBegan, which are the Engine's own.
	Judge compare.Judge
	// QuarantineKnown: the quarantine topic was read from its first record on.
	QuarantineKnown bool
	Expected        *compare.Expected // nil for none
	Now             time.Time         // at which rules may have expired
	Samples         int
	// Progress is told how many entities have been judged; nil for nobody.
	Progress func(entities int64)
}

// Result of judging.
type Result struct {
	Totals     compare.Totals
	Noise      *compare.Noise // nil without a baseline
	Quarantine compare.QuarantineFacts
}

// Judge commits, and judges all rows. It changes nothing and may be called again.
func (e *Engine) Judge(ctx context.Context, j Judging) (Result, error) {
	if err := e.Commit(); err != nil {
		return Result{}, err
	}
	var r Result
	var err error
	if e.options.Readers[Baseline] != nil {
		if r.Noise, err = e.noise(ctx, &j); err != nil {
			return Result{}, err
		}
	}
	if r.Totals, err = e.totals(ctx, &j, r.Noise); err != nil {
		return Result{}, err
	}
	r.Quarantine, err = e.store.quarantineFacts()
	r.Quarantine.Known = j.QuarantineKnown
	return r, err
}

func (e *Engine) totals(ctx context.Context, j *Judging, noise *compare.Noise) (compare.Totals, error) {
	judge := j.Judge
	judge.Form, judge.Legacy, judge.RightBegan = e.options.Form, e.options.Legacy, e.progress.Began
	judge.Rows = &rows{store: e.store, of: func(s *[sides]*rowpb.Side) *rowpb.Row { return rowOf(s[Left], s[Right]) }, known: j.QuarantineKnown}
	tally := compare.Tally{Expected: j.Expected, Now: j.Now, Noisy: noise.Noisy, Samples: j.Samples}
	err := e.each(ctx, j, func(s compare.Stream, id string, sides *[sides]*rowpb.Side) error {
		row := rowOf(sides[Left], sides[Right])
		if row == nil {
			return nil
		}
		finding, err := judge.Entity(s, row)
		if err != nil {
			return err
		}
		tally.Add(s, id, row, finding)
		return nil
	})
	return tally.Totals(), err
}

// noise holds a side against its replay: the entities that both have, by what they say
// when all that they borrow is filled in, each from its own side.
func (e *Engine) noise(ctx context.Context, j *Judging) (*compare.Noise, error) {
	of := e.options.BaselineOf
	legacy := of == Left && e.options.Legacy
	resolver := func(side Side) *compare.Judge {
		own := j.Judge
		own.Form, own.Legacy = e.options.Form, true
		own.Rows = &rows{store: e.store, of: func(s *[sides]*rowpb.Side) *rowpb.Row { return rowOf(s[side], nil) }}
		return &own
	}
	resolvers := [2]*compare.Judge{resolver(of), resolver(Baseline)}
	young := j.Judge.Young
	judge := compare.Judge{
		Form: e.options.Form, Rows: nothing{},
		Young: func(left bool, s compare.Stream, side *rowpb.Side) bool { return left && young(of == Left, s, side) },
		// Whether what an order needs is there is not asked here.
		RightGone: [compare.Streams]bool{true, true, true, true},
	}
	tally := compare.Tally{Now: j.Now}
	noise := &compare.Noise{Of: of.String()}
	for s, has := range e.options.BaselineHas {
		noise.Replays[s].Given = has
	}
	err := e.each(ctx, j, func(s compare.Stream, id string, sides *[sides]*rowpb.Side) error {
		pair := [2]*rowpb.Side{sides[of], sides[Baseline]}
		replay := &noise.Replays[s]
		for i, n := range []*int64{&replay.Side, &replay.Again} {
			if pair[i] != nil {
				*n++
			}
		}
		if pair[0] != nil && pair[1] != nil {
			replay.Both++
		}
		if !pair[0].GetPresent() || !pair[1].GetPresent() {
			return nil
		}
		for i := range pair {
			var err error
			if !legacy {
				continue
			}
			if pair[i], err = resolvers[i].Resolved(s, pair[i]); err != nil {
				return err
			}
		}
		row := rowOf(pair[0], pair[1])
		finding, err := judge.Entity(s, row)
		if err != nil {
			return err
		}
		tally.Add(s, id, row, finding)
		return nil
	})
	noise.Totals = tally.Totals()
	return noise, err
}

// each visits the entities of all streams but partners, which only lend.
func (e *Engine) each(ctx context.Context, j *Judging, visit func(compare.Stream, string, *[sides]*rowpb.Side) error) error {
	n := int64(0)
	for s := compare.Events; s < compare.Streams; s++ {
		err := e.store.eachRow(s, func(id string, row *[sides]*rowpb.Side) error {
			const often = 1024
			if n++; n%often == 0 {
				if j.Progress != nil {
					j.Progress(n)
				}
				if ctx.Err() != nil {
					return ctx.Err()
				}
			}
			return visit(s, id, row)
		})
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

func rowOf(left, right *rowpb.Side) *rowpb.Row {
	if left == nil && right == nil {
		return nil
	}
	return &rowpb.Row{Left: left, Right: right}
}

// How much of decoded rows of partners, and of events, is kept, twice at the most: so many,
// about 2 kB each, and not more of them than take so many bytes on disk, as some have
// thousands of facts. In memory a row takes about five times as much.
const (
	mostRemembered      = 10_000
	mostRememberedBytes = 8 << 20
)

// rows gives a Judge what entities refer to.
type rows struct {
	store *store
	of    func(*[sides]*rowpb.Side) *rowpb.Row
	known bool

	partners, events memory
}

func (r *rows) Partner(id string) (*rowpb.Row, error) {
	return r.partners.get(id, func() (*rowpb.Row, error) { return r.read(compare.Partners, id) })
}

func (r *rows) Event(id string) (*rowpb.Row, error) {
	return r.events.get(id, func() (*rowpb.Row, error) { return r.read(compare.Events, id) })
}

func (r *rows) Order(_, id string) (*rowpb.Row, error) { return r.read(compare.Orders, id) }

func (r *rows) Quarantined(s compare.Stream, at *rowpb.Place) (reason string, named, known bool, err error) {
	if !r.known {
		return "", false, false, nil
	}
	reason, named, err = r.store.quarantined(s, at)
	return reason, named, true, err
}

func (r *rows) read(s compare.Stream, id string) (*rowpb.Row, error) {
	var found [sides]*rowpb.Side
	key := append(rowPrefix(nil, s, id), 0)
	for side := range found {
		var err error
		key[len(key)-1] = byte(side)
		if found[side], err = r.store.side(key); err != nil {
			return nil, err
		}
	}
	return r.of(&found), nil
}

// memory keeps the rows that were used last: those of the younger map, and of the older
// one until the younger is full.
type memory struct {
	young, old map[string]*rowpb.Row
	bytes      int // of the younger, as on disk
}

func (m *memory) get(id string, read func() (*rowpb.Row, error)) (*rowpb.Row, error) {
	if row, ok := m.young[id]; ok {
		return row, nil
	}
	row, ok := m.old[id]
	if !ok {
		var err error
		if row, err = read(); err != nil {
			return nil, err
		}
	}
	size := proto.Size(row)
	if m.young == nil || len(m.young) >= mostRemembered || m.bytes+size > mostRememberedBytes {
		m.young, m.old, m.bytes = make(map[string]*rowpb.Row), m.young, 0
	}
	m.young[id] = row
	m.bytes += size
	return row, nil
}

// nothing is for a Judge that needs no other row.
type nothing struct{}

func (nothing) Partner(string) (*rowpb.Row, error)       { return nil, nil }
func (nothing) Event(string) (*rowpb.Row, error)         { return nil, nil }
func (nothing) Order(string, string) (*rowpb.Row, error) { return nil, nil }
func (nothing) Quarantined(compare.Stream, *rowpb.Place) (string, bool, bool, error) {
	return "", false, false, nil
}
