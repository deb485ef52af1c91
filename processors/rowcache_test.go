package processors

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/ticketscloud/vibe-bridge/internal/store"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
)

// Whatever was read and written before, the cache gives what the store has.
func TestRowCache(t *testing.T) {
	st := newTestStore(t)
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		c := rowCache{limit: 300}
		n++
		prefix := fmt.Sprintf("%d-", n)
		key := rapid.Map(rapid.IntRange(0, 7), func(k int) string { return fmt.Sprint(prefix, k/2, []string{"", "/o"}[k%2]) })
		rt.Repeat(map[string]func(*rapid.T){
			"write": func(rt *rapid.T) {
				row := &statepb.Row{State: &statepb.Row_Event{Event: &statepb.EventState{
					Facts: &statepb.EventFacts{Name: rapid.String().Draw(rt, "name"), Description: string(make([]byte, rapid.SampledFrom([]int{0, 100, 600}).Draw(rt, "size")))},
				}}}
				if rapid.Bool().Draw(rt, "waits") {
					row.GetEvent().Entity = &statepb.Entity{Wait: &statepb.Wait{Since: 1}}
				}
				k := key.Draw(rt, "key")
				if rapid.Bool().Draw(rt, "read before") {
					if _, err := c.read(st, k, k); err != nil {
						rt.Fatal(err)
					}
				}
				if err := c.write(st, k, marshal(row)); err != nil {
					rt.Fatal(err)
				}
			},
			"read": func(rt *rapid.T) {
				k := key.Draw(rt, "key")
				want, err := st.Get(k)
				if err != nil {
					rt.Fatal(err)
				}
				if got, err := c.read(st, key.Draw(rt, "about"), k); err != nil || !bytes.Equal(got, want) || (got == nil) != (want == nil) {
					rt.Fatalf("%s: got %x (%v), want %x", k, got, err, want)
				}
			},
			"event": func(rt *rapid.T) {
				k := key.Draw(rt, "key")
				value, err := st.Get(k)
				if err != nil {
					rt.Fatal(err)
				}
				want, err := mapping.DecodeRow(value)
				if err != nil {
					rt.Fatal(err)
				}
				want, err = mapping.DecodeRow(mapping.OrderView(want))
				if err != nil {
					rt.Fatal(err)
				}
				if got, err := c.event(st, k); err != nil || !proto.Equal(got, want) {
					rt.Fatalf("%s: got %v (%v), want %v", k, got, err, want)
				}
			},
			"": func(*rapid.T) {
				if c.size > c.limit && len(c.young) > 1 {
					rt.Fatalf("%d rows with %d bytes", len(c.young), c.size)
				}
				var want, got []string
				err := st.Scan(prefix, "", math.MaxInt, func(key string, value []byte) bool {
					if _, waits := waiting(key, value); waits {
						want = append(want, key)
					}
					return true
				})
				listed := st.ScanWaiting(prefix, "", math.MaxInt, func(key string, _ store.Waiting) bool { got = append(got, key); return true })
				if err != nil || listed != nil || !slices.Equal(got, want) {
					rt.Fatalf("%q are said to wait, %q do (%v, %v)", got, want, err, listed)
				}
			},
		})
	})
}

// The event's row is read once for many orders, and again when it was written.
func TestRowCacheSparesReading(t *testing.T) {
	c := rowCache{limit: eventCacheBytes}
	st := newTestStore(t)
	row := marshal(&statepb.Row{State: &statepb.Row_Event{Event: &statepb.EventState{MemberOf: "g"}}})
	if err := c.write(st, "e", bytes.Clone(row)); err != nil {
		t.Fatal(err)
	}
	first, err := c.event(st, "e")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := c.event(st, "e"); err != nil || again != first {
		t.Errorf("it was read twice (%v)", err)
	}
	if err := c.write(st, "e", row); err != nil {
		t.Fatal(err)
	}
	if written, err := c.event(st, "e"); err != nil || written == first {
		t.Errorf("it is the row from before it was written (%v)", err)
	}
}

// However many events orders ask for, few are kept decoded.
func TestRowCacheDecodesFew(t *testing.T) {
	c := rowCache{limit: eventCacheBytes}
	st := newTestStore(t)
	for i := range 2*decodedEvents + 1 {
		key, org := fmt.Sprint("e", i), fmt.Sprint("g", i)
		if err := c.write(st, key, marshal(&statepb.Row{State: &statepb.Row_Event{Event: &statepb.EventState{Facts: &statepb.EventFacts{Org: org}}}})); err != nil {
			t.Fatal(err)
		}
		if row, err := c.event(st, key); err != nil || row.GetEvent().GetFacts().GetOrg() != org {
			t.Fatalf("%s: %v, %v", key, row, err)
		}
		if len(c.decoded) > decodedEvents {
			t.Fatalf("%d events are kept decoded, want at most %d", len(c.decoded), decodedEvents)
		}
	}
}

func newTestStore(t *testing.T) *store.Store {
	t.Helper()
	st, err := newTestStores(t).Builder()("table", 0)
	if err != nil {
		t.Fatal(err)
	}
	return st.(*store.Store)
}
