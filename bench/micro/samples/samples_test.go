package samples_test

import (
	"strings"
	"testing"

	"github.com/ticketscloud/vibe-bridge/bench/micro/samples"
)

// The samples are of the size that the benchmarks are about.
func TestSizes(t *testing.T) {
	for _, tickets := range []int{1, 5} {
		rows, event, order, slim := samples.Rows(tickets)
		t.Logf("%d tickets: legacy order %d bytes, row %d, slim order %d; legacy event %d bytes, row %d",
			tickets, len(samples.Order(tickets)), len(rows[order]), len(slim), len(samples.Event(event)), len(rows[event]))
		if n := strings.Count(string(slim), `"barcode"`); n != tickets || !strings.HasPrefix(string(slim), `{"id":"`) {
			t.Errorf("%d tickets in %s, want %d", n, slim, tickets)
		}
	}
}
