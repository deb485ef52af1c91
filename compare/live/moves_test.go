package live

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/ticketscloud/vibe-bridge/compare"
	"github.com/ticketscloud/vibe-bridge/compare/live/livepb"
	"github.com/ticketscloud/vibe-bridge/compare/rowpb"
)

// halves are those of a few orders, one behind the other as in a partition: orders change their events, and go.
func halves(t *rapid.T) []*livepb.Record {
	events := []string{"A", "B", "C"}
	n := rapid.IntRange(1, 12).Draw(t, "halves")
	all := make([]*livepb.Record, n)
	for i := range all {
		event := rapid.SampledFrom(events).Draw(t, "event")
		side := &rowpb.Side{Newest: &rowpb.Place{Offset: int64(i), Time: int64(i)}, Seen: int64(i)}
		switch rapid.SampledFrom([]string{"present", "present", "deleted", "skipped"}).Draw(t, "kind") {
		case "present":
			side.Present, side.Event, side.Content = true, event, uint64(i)
		case "skipped":
			side.Outcome = uint32(compare.Skipped)
		default:
			event = ""
		}
		all[i] = &livepb.Record{
			Stream: uint32(compare.Orders), Id: rapid.SampledFrom([]string{"x", "y"}).Draw(t, "id"), Right: rapid.Bool().Draw(t, "right"), Event: event, Side: side,
		}
	}
	return all
}

// joinsModel is the group joins on brokers: what is acknowledged of its table and of what it sent, and what is
// committed.
type joinsModel struct {
	s         *session
	table     map[string][]byte
	sent      map[string][]letter // by event, which is by partition
	committed int
}

func newJoinsModel() *joinsModel {
	return &joinsModel{s: &session{Instance: &Instance{}}, table: map[string][]byte{}, sent: map[string][]letter{}}
}

// write is something that a half has caused: in the table, or, with a letter, in the partition of an event.
type write struct {
	half   int
	to     string // id or event
	row    []byte
	letter *letter
}

// run goes through halves from what is committed up to end. Then the instance is killed: of what is written to each
// partition, what is in front is acknowledged, at least what lies before acked, which grows as ack says.
func (m *joinsModel) run(all []*livepb.Record, end int, ack func() bool, cut func(partition string, n int) int) {
	state := maps.Clone(m.table)
	var writes []write
	settled := m.committed
	for at := m.committed; at < end; at++ {
		if ack() {
			settled = at
		}
		r := proto.Clone(all[at]).(*livepb.Record)
		e := &livepb.Entity{}
		if proto.Unmarshal(state[r.Id], e) != nil {
			panic("a row")
		}
		for _, l := range m.s.joined(e, r, int64(at), int64(settled)) {
			event := l.key[:1]
			l.row = proto.Clone(l.row).(*livepb.Entity)
			writes = append(writes, write{at, event, nil, &l})
		}
		state[r.Id] = marshal(e)
		writes = append(writes, write{at, r.Id, state[r.Id], nil})
	}
	partitions := map[string][]write{}
	for _, w := range writes {
		name := "table"
		if w.letter != nil {
			name = w.to
		}
		partitions[name] = append(partitions[name], w)
	}
	first := end // half of which something is not acknowledged
	for _, name := range slices.Sorted(maps.Keys(partitions)) {
		of := partitions[name]
		n := cut(name, len(of))
		for n < len(of) && of[n].half < settled {
			n++
		}
		if n < len(of) {
			first = min(first, of[n].half)
		}
		for _, w := range of[:n] {
			if w.letter != nil {
				m.sent[w.to] = append(m.sent[w.to], *w.letter)
			} else {
				m.table[w.to] = w.row
			}
		}
	}
	m.committed = max(m.committed, first-cut("commits", 2))
}

// placedAll is what the group of events has of what it was sent, some of it twice.
func (m *joinsModel) placedAll(again func(n int) int) map[string]*livepb.Entity {
	rows := map[string]*livepb.Entity{}
	for _, event := range slices.Sorted(maps.Keys(m.sent)) {
		letters := m.sent[event]
		put := func(l letter) {
			if now := placed(rows[l.key], proto.Clone(l.row).(*livepb.Entity)); now != nil {
				rows[l.key] = now
			} else {
				delete(rows, l.key)
			}
		}
		for i, l := range letters {
			put(l)
			for _, l := range letters[i+1-again(i+1) : i+1] {
				put(l)
			}
		}
	}
	return rows
}

// Wherever instances are killed, and whatever comes again, every entity is in the end where it is judged, as it is, and
// nowhere else; and whoever judges what was judged elsewhere says anew what it finds.
func TestMovesSurviveKills(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := halves(t)
		want := newJoinsModel()
		want.run(all, len(all), func() bool { return true }, func(_ string, n int) int { return n })
		wantRows := want.placedAll(func(int) int { return 0 })

		m := newJoinsModel()
		for range rapid.IntRange(0, 4).Draw(t, "kills") {
			end := rapid.IntRange(m.committed, len(all)).Draw(t, "end")
			m.run(all, end, func() bool { return rapid.Bool().Draw(t, "ack") }, func(p string, n int) int { return rapid.IntRange(0, n).Draw(t, p) })
		}
		m.run(all, len(all), func() bool { return rapid.Bool().Draw(t, "ack") }, func(_ string, n int) int { return n })
		rows := m.placedAll(func(n int) int { return rapid.IntRange(0, n).Draw(t, "again") })

		said := func(rows map[string]*livepb.Entity) string {
			text := ""
			for _, key := range slices.Sorted(maps.Keys(rows)) {
				text += fmt.Sprintln(key, rows[key].GetVersion(), rows[key].GetRow())
			}
			return text
		}
		if got, want := said(rows), said(wantRows); got != want {
			t.Fatalf("got\n%swant\n%s", got, want)
		}
		for _, letters := range want.sent {
			for _, l := range letters {
				for key, row := range rows {
					if l.row.GetGone() && l.row.GetId() == row.GetId() && row.GetPublished() != unsaid {
						t.Fatalf("%s does not say anew what may have been said at %s", key, l.key)
					}
				}
			}
		}
	})
}
