package verify

import (
	"encoding/json"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Records that are read by several goroutines, slim ones also while legacy ones are taken, give the same report as those
// that are given one by one.
func TestReadAtOnce(t *testing.T) {
	for _, e := range encodings {
		t.Run(e.edition+" "+e.format, func(t *testing.T) {
			s := seasonScene(t, 1000, 0.2, e.edition, e.format)
			slices.Reverse(s.written) // orders before their events, and older versions last
			s.clock()
			want, err := json.Marshal(s.report())
			if err != nil {
				t.Fatal(err)
			}
			r := s.atOnce().Evaluate(time.Unix(0, 0), 0)
			got, err := json.Marshal(r)
			if err != nil || r.Total() < 100 {
				t.Fatalf("%v, %d findings", err, r.Total())
			}
			if string(got) != string(want) {
				t.Errorf("read at once: %s\none by one: %s", got, want)
			}
		})
	}
}

// atOnce is checker, with everything read by goroutines.
func (s *scene) atOnce() *Checker {
	s.t.Helper()
	c, reads := s.reads()
	takes := make([]chan func(), len(reads))
	for i := range takes {
		takes[i] = make(chan func(), 1)
	}
	var next atomic.Int64
	var readers sync.WaitGroup
	defer readers.Wait()
	for range max(2, runtime.GOMAXPROCS(0)) {
		readers.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(reads); i = int(next.Add(1)) - 1 {
				takes[i] <- reads[i]()
			}
		})
	}
	for _, take := range takes {
		(<-take)()
	}
	return c
}
