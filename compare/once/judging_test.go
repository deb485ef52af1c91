package once

import (
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/compare/rowpb"
)

// Decoded rows are kept up to a number of bytes, however large some are.
func TestRememberedRowsAreBounded(t *testing.T) {
	for _, facts := range []int{0, 10, 10_000, 500_000} {
		var m memory
		read := 0
		get := func(id string) {
			if _, err := m.get(id, func() (*rowpb.Row, error) {
				read++
				row := &rowpb.Row{Left: &rowpb.Side{Facts: make([]*rowpb.Fact, facts)}}
				for i := range row.Left.Facts {
					row.Left.Facts[i] = &rowpb.Fact{Key: 1, Digest: 1}
				}
				return row, nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		kept := func() (n, bytes int) {
			for _, rows := range []map[string]*rowpb.Row{m.young, m.old} {
				for _, row := range rows {
					n, bytes = n+1, bytes+proto.Size(row)
				}
			}
			return n, bytes
		}
		largest := 1 + 20*facts
		for i := range 3 * min(mostRemembered, 1+mostRememberedBytes/largest) {
			get(fmt.Sprint(i))
			get(fmt.Sprint(i)) // it is there
		}
		n, bytes := kept()
		if most := 2 * max(mostRememberedBytes, largest); bytes > most || n > 2*mostRemembered || n < 1 {
			t.Errorf("%d facts a row: %d rows of %d bytes are kept, at most %d and %d may be", facts, n, bytes, 2*mostRemembered, most)
		}
		if n > 0 && n < min(mostRemembered, mostRememberedBytes/max(1, bytes/n)) {
			t.Errorf("%d facts a row: only %d rows of %d bytes are kept", facts, n, bytes)
		}
		if want := 3 * min(mostRemembered, 1+mostRememberedBytes/largest); read != want {
			t.Errorf("%d facts a row: read %d times, want %d", facts, read, want)
		}
	}
}
