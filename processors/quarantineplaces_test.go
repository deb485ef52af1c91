package processors

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/internal/console"
	"github.com/ticketscloud/vibe-bridge/legacyproto"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
)

// consoleOver is a console that has just read these records of partition 3 of the quarantine topic: of orders, by offset.
func consoleOver(t *testing.T, orders map[int64]string) *Console {
	t.Helper()
	topics := testTopics()
	q := quarantineReader{topics: topics, found: map[quarantinedID]*Quarantined{}}
	for _, offset := range slices.Sorted(maps.Keys(orders)) {
		value, err := proto.Marshal(&legacyproto.Order{Id: orders[offset], Event: "e"})
		if err != nil {
			t.Fatal(err)
		}
		r := &kgo.Record{Partition: 3, Offset: offset, Value: value, Timestamp: time.UnixMilli(1000 + offset)}
		src := &statepb.Source{Partition: 1, Offset: int64(orders[offset][0])}
		for _, h := range mapping.QuarantineHeaders(topics.Legacy[mapping.Orders], src, mapping.StageIntake, mapping.ReasonInvalidPhone) {
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		}
		q.add(r)
	}
	c := &Console{config: func() Config { return Config{Topics: topics} }}
	c.bad.list.Records, c.bad.until = slices.SortedFunc(maps.Values(q.found), inLegacyOrder), time.Now().Add(time.Hour)
	return c
}

// A place leads to the record that stands for it now, however often the same was said, and to no other.
func TestPlacesInQuarantineStay(t *testing.T) {
	c := consoleOver(t, map[int64]string{9: "a", 20: "b", 40: "a", 133: "a"})
	for _, tt := range []struct {
		places []string
		want   []int64 // offsets; nil: refused
	}{
		{[]string{"3/9"}, []int64{133}},
		{[]string{"3/40"}, []int64{133}},
		{[]string{"3/133"}, []int64{133}},
		{[]string{"3/20"}, []int64{20}},
		{[]string{"3/9", "3/133", "3/20"}, []int64{133, 20}},
		{[]string{"3/10"}, nil},
		{[]string{"2/9"}, nil},
		{[]string{"3/9", "3/10"}, nil},
	} {
		found, err := c.atPositions(t.Context(), tt.places)
		var got []int64
		for _, e := range found {
			got = append(got, e.Offset)
		}
		var missing *console.NotFoundError
		if !slices.Equal(got, tt.want) || tt.want == nil != errors.As(err, &missing) {
			t.Errorf("%q: %v, %v; want %v", tt.places, got, err, tt.want)
		}
	}
}

// An order is found in quarantine by its id, as the newest record says it; what was replayed, and what is of another kind, is not.
func TestInQuarantineByItsID(t *testing.T) {
	c := consoleOver(t, map[int64]string{9: "a", 20: "b", 133: "a"})
	c.bad.list.Records[1].Replayed = time.UnixMilli(1)
	for _, tt := range []struct{ kind, id, want string }{
		{console.KindOrder, "a", "3/133"}, {console.KindOrder, "b", ""}, {console.KindOrder, "e", ""}, {console.KindEvent, "e", ""}, {console.KindEvent, "a", ""},
	} {
		found, err := c.InQuarantine(t.Context(), tt.kind, tt.id)
		if err != nil || (found == nil) != (tt.want == "") || found != nil && (found.Position != tt.want || !strings.Contains(found.Message, "phone")) {
			t.Errorf("%s %s: %+v, %v; want %q", tt.kind, tt.id, found, err, tt.want)
		}
	}
}
