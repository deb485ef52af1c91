package processors

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ticketscloud/vibe-bridge/mapping"
)

func TestRulebook(t *testing.T) {
	var b rulebook
	first, second := &mapping.Rules{MaxRecordBytes: 1}, &mapping.Rules{MaxRecordBytes: 2}
	settled := func(want *mapping.Rules, wantOK bool) {
		t.Helper()
		if e, ok := b.settled(); e.Rules != want || ok != wantOK {
			t.Errorf("settled with %d, %t; want %d, %t", e.MaxRecordBytes, ok, want.MaxRecordBytes, wantOK)
		}
	}
	b.publish(first)
	settled(first, true)
	old := b.open()
	settled(first, true) // its own users do not matter
	b.publish(second)
	settled(second, false)
	present := b.open()
	if old.Rules != first || present.Rules != second || b.current() != second {
		t.Error("the rules are not those at the time of opening")
	}
	old.close()
	settled(second, true)
	b.publish(first) // the same rules again are another edition
	settled(first, false)
	present.close()
	settled(first, true)
}

// While rules are replaced and opened at the same time, settled never overlooks a
// callback that works by earlier ones.
func TestRulebookUnderLoad(t *testing.T) {
	const editions, callbacks = 20_000, 4
	var b rulebook
	var settled atomic.Int64 // no edition before this one is in use
	b.publish(&mapping.Rules{})
	var all sync.WaitGroup
	stop := make(chan struct{})
	for range callbacks {
		all.Go(func() {
			for !over(stop) {
				e := b.open()
				if n := settled.Load(); int64(e.MaxRecordBytes) < n {
					t.Errorf("edition %d is in use when edition %d has settled", e.MaxRecordBytes, n)
				}
				e.close()
			}
		})
	}
	for n := range editions {
		b.publish(&mapping.Rules{MaxRecordBytes: n})
		for ok := false; !ok; {
			_, ok = b.settled()
		}
		settled.Store(int64(n))
	}
	close(stop)
	all.Wait()
}

func over(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
