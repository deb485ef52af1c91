package processors

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
	"pgregory.net/rapid"

	"github.com/ticketscloud/vibe-bridge/internal/console"
	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
	"github.com/ticketscloud/vibe-bridge/slim"
)

// fillTexts gives every text of a message a value that can be known again, and returns those.
func fillTexts(m protoreflect.Message) (filled []string) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		switch value := "canary of " + string(f.FullName()); {
		case f.IsList() && f.Message() != nil:
			filled = append(filled, fillTexts(m.Mutable(f).List().AppendMutable().Message())...)
		case f.Message() != nil:
			filled = append(filled, fillTexts(m.Mutable(f).Message())...)
		case f.Kind() != protoreflect.StringKind:
		case f.IsList():
			m.Mutable(f).List().Append(protoreflect.ValueOfString(value))
			filled = append(filled, value)
		default:
			m.Set(f, protoreflect.ValueOfString(value))
			filled = append(filled, value)
		}
	}
	return filled
}

// Every text of the facts that the gate keeps is personal, or is one that is known not to be: a new one is personal
// until somebody says otherwise.
func TestFactsArePersonalUnlessTheyAreNot(t *testing.T) {
	event, order, refund := &statepb.EventState{Facts: &statepb.EventFacts{}, Organizer: &statepb.Answer{Organizer: &statepb.OrganizerFacts{}}},
		&statepb.OrderState{Facts: &statepb.OrderFacts{}}, &statepb.RefundState{Facts: &statepb.RefundFacts{}}
	for _, c := range []struct {
		row    *statepb.Row
		filled []string
		shown  string
	}{
		{&statepb.Row{State: &statepb.Row_Event{Event: event}}, append(fillTexts(event.Facts.ProtoReflect()), fillTexts(event.Organizer.Organizer.ProtoReflect())...),
			"id group_id name category venue org sets[0].id sets[0].name organizer.id organizer.currency"},
		{&statepb.Row{State: &statepb.Row_Order{Order: order}}, fillTexts(order.Facts.ProtoReflect()),
			"id event org tickets[0].id tickets[0].row tickets[0].seat tickets[0].set"},
		{&statepb.Row{State: &statepb.Row_Refund{Refund: refund}}, fillTexts(refund.Facts.ProtoReflect()), "id order event ticket_ids[0]"},
	} {
		var shown []string
		found := 0
		for _, f := range factFields(c.row) {
			if !strings.HasPrefix(f.Value, "canary of ") {
				continue
			}
			found++
			if !f.Personal {
				shown = append(shown, f.Name)
			}
		}
		if strings.Join(shown, " ") != c.shown || found != len(c.filled) {
			t.Errorf("not personal: %q, want %q; %d of %d texts", strings.Join(shown, " "), c.shown, found, len(c.filled))
		}
	}
	for _, row := range []*statepb.Row{nil, {}, {State: &statepb.Row_Event{Event: &statepb.EventState{}}}, {State: &statepb.Row_Ledger{}}} {
		if fields := factFields(row); fields == nil || len(fields) != 0 {
			t.Errorf("of nothing: %v", fields)
		}
	}
}

// Of all that members say only what is a URL of a console is believed.
func TestReadMember(t *testing.T) {
	at := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	b := &Bridge{cfg: Config{ConsoleURL: "http://a:9477", Version: "1.2.3", self: identity{"x", at}}}
	if got := readMember(b.memberData()); got != (memberData{"x", "http://a:9477", "1.2.3", at}) {
		t.Errorf("what an instance says is read as %+v", got)
	}
	said := func(url string) []byte { data, _ := json.Marshal(memberData{URL: url}); return data }
	for _, data := range [][]byte{nil, {}, []byte("x"), []byte(`"x"`), []byte(`{"url":1}`), said("file:///etc/passwd"), said("ftp://a"), said("http://"), said("http://user:password@a"), said("a:9477"), said("http://a?x=1"), said("http://" + strings.Repeat("a", mostMemberData))} {
		if got := readMember(data); got.URL != "" {
			t.Errorf("%.60s gives %q", data, got.URL)
		}
	}
}

func FuzzReadMember(f *testing.F) {
	f.Add([]byte(`{"instance":"x","url":"http://a:9477","version":"1","started":"2026-05-01T12:00:00Z"}`))
	f.Add([]byte(`{"started":"9999-12-31T23:59:59Z"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m := readMember(data)
		if _, err := json.Marshal(console.Instance{URL: m.URL, Version: m.Version, Started: &m.Started}); err != nil {
			t.Errorf("%q cannot be shown: %v", data, err)
		}
	})
}

func testConsole(members ...seenMember) *Console {
	cfg := Config{
		Topics: NewTopics("bridge", [4]string{"partners", "events", "orders_done", "refund_requests"}, "events", "orders", "refunds"),
		Rules:  &mapping.Rules{Encoding: slim.Encoding{Edition: slim.Edition1}}, ConsoleURL: "http://a:9477", Version: "2", self: identity{"own", time.Unix(1, 0)},
		Settings: TopicSettings{Partitions: 4},
	}
	c := newConsole(newMetrics(), nil, func() Config { return cfg }, func() (*Bridge, string) { return nil, "is built anew in 5s" })
	c.members.members, c.members.at = members, time.Now()
	return c
}

// A member that says nothing, as one of an older version, is shown as out of reach, and asked nothing. So it goes while
// the instance itself is between two builds.
func TestMembersOfOtherVersions(t *testing.T) {
	c := testConsole(
		seenMember{id: "m1", partitions: []int32{0}}, seenMember{memberData: memberData{Instance: "own", URL: "http://a:9477"}, id: "m2"},
		seenMember{memberData: memberData{Instance: "next", URL: "http://b:9477", Version: "3"}, id: "m3", partitions: []int32{1, 2}},
		seenMember{memberData: memberData{Instance: "elsewhere", URL: "http://a:9477"}, id: "m4"})
	o, err := c.Overview(t.Context())
	if err != nil || len(o.Instances) != 4 {
		t.Fatalf("%+v, %v", o.Instances, err)
	}
	self, silent, next := o.Instances[0], o.Instances[1], o.Instances[2]
	if self.ID != "m2" || !self.Self || !self.Reachable || self.Ready || fmt.Sprint(self.Reasons) != "[is built anew in 5s]" {
		t.Errorf("this one is %+v", self)
	}
	if silent.ID != "m1" || silent.Reachable || !strings.Contains(fmt.Sprint(silent.Reasons), "older version") || silent.Started != nil {
		t.Errorf("the silent one is %+v", silent)
	}
	if next.ID != "m3" || next.URL != "http://b:9477" || next.Version != "3" {
		t.Errorf("the next one is %+v", next)
	}
	if alike := o.Instances[3]; alike.ID != "m4" || alike.Self || alike.Reachable || !strings.Contains(fmt.Sprint(alike.Reasons), "set http.advertise there") {
		t.Errorf("the one at the same address is %+v", alike)
	}
	peers, err := c.Peers(t.Context())
	if err != nil || len(peers) != 3 || peers[0].URL != "" || peers[0].Why == "" || peers[1].URL != "http://b:9477" || !slices.Equal(peers[1].Partitions, []int32{1, 2}) || peers[2].URL != "" {
		t.Errorf("peers %+v, %v", peers, err)
	}
	if text, err := json.Marshal(o); err != nil || strings.Contains(strings.ReplaceAll(string(text), `"started":null`, ""), "null") && !strings.Contains(string(text), `"compare":null`) {
		t.Errorf("a list is null: %s, %v", text, err)
	}
	if o.Accounts.Known {
		t.Error("the accounts of nothing are known")
	}
}

func TestUnassigned(t *testing.T) {
	state := func(stable bool, has ...int32) kafka.GroupState {
		return kafka.GroupState{Stable: stable, Members: []kafka.GroupMember{{Assigned: map[string][]int32{"a": has, "b": has}}}}
	}
	for _, c := range []struct {
		state kafka.GroupState
		want  []int32
	}{
		{state(true, 0, 1, 2), nil}, {state(true, 1), []int32{0, 2}}, {state(true), []int32{0, 1, 2}}, {state(false), nil},
	} {
		list := appendUnassigned(nil, "g", 3, c.state)
		if len(list) != min(len(c.want), 1) || len(list) == 1 && !slices.Equal(list[0].Partitions, c.want) {
			t.Errorf("%+v: %v, want %v", c.state, list, c.want)
		}
	}
}

// Rates are made of two looks. What came or went between them says nothing.
func TestRates(t *testing.T) {
	at := time.Unix(1000, 0)
	before := sample{at: at, read: map[place]int64{{"g t", 0}: 100, {"g t", 1}: 5, {"g t", 2}: -1, {"g u", 0}: 50}, written: map[string]float64{"slim events": 7}}
	now := sample{at: at.Add(4 * time.Second), read: map[place]int64{{"g t", 0}: 140, {"g t", 2}: 1000, {"g t", 3}: 9000, {"g u", 0}: 20}, written: map[string]float64{"slim events": 27}}
	moved := now.since(before)
	if moved["g t"] != 10 || moved["g u"] != 0 || moved["slim events"] != 5 {
		t.Errorf("moved %v", moved)
	}
	if same := now.since(now); len(same) != 0 {
		t.Errorf("in no time: %v", same)
	}
	// The first look is two; later ones are compared with what is some seconds older.
	r, looks := rates{}, int64(0)
	take := func() sample {
		looks += 100
		return sample{at: time.Now(), read: map[place]int64{{"g t", 0}: looks}}
	}
	if moved, _, err := r.look(t.Context(), take); err != nil || moved["g t"] < 1 {
		t.Errorf("at first: %v, %v", moved, err)
	}
	if len(r.samples) != 2 {
		t.Errorf("%d looks", len(r.samples))
	}
}

func TestPercentile(t *testing.T) {
	of := func(counts ...uint64) (list []bucket) {
		bounds := []float64{1, 2, 4, math.Inf(1)}
		for i, n := range counts {
			list = append(list, bucket{bounds[i], n})
		}
		return list
	}
	for _, c := range []struct {
		buckets []bucket
		share   float64
		want    float64
	}{
		{of(0, 0, 0, 0), 0.5, 0}, {of(10, 10, 10, 10), 0.5, 0.5}, {of(0, 10, 10, 10), 0.5, 1.5}, {of(5, 10, 10, 10), 0.99, 1.98},
		{of(0, 0, 0, 10), 0.5, 4}, {of(0, 0, 4, 4), 1, 4}, {of(1, 1, 2, 2), 0.75, 3},
	} {
		if got := percentile(c.buckets, c.share); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%v of %v: %v, want %v", c.share, c.buckets, got, c.want)
		}
	}
}

// Those that have waited longest are kept, whatever comes in which order.
func TestOldestAreKept(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sinces := rapid.SliceOfN(rapid.Int64Range(0, 50), 0, 40).Draw(t, "since")
		o := oldest{most: rapid.IntRange(1, 10).Draw(t, "most")}
		for _, since := range sinces {
			o.add(waitingKey{since: since})
		}
		slices.Sort(sinces)
		var got []int64
		for _, w := range o.sorted() {
			got = append(got, w.since)
		}
		if want := sinces[:min(len(sinces), o.most)]; !slices.Equal(got, want) {
			t.Errorf("kept %v, want %v", got, want)
		}
	})
}

// The nodes of every edge are there, and no two edges are found in the same figures.
func TestTopology(t *testing.T) {
	topics := testConsole().config().Topics
	known, places := map[string]bool{}, map[string]bool{}
	for _, n := range nodesOf(topics) {
		if known[n.ID] || !strings.HasPrefix(n.ID, n.Kind+":") || n.Label == "" {
			t.Errorf("node %+v", n)
		}
		known[n.ID] = true
	}
	for _, e := range topics.edges() {
		if !known[e.from] || !known[e.to] || places[e.at] {
			t.Errorf("edge %+v", e)
		}
		places[e.at] = true
	}
	for _, s := range mapping.Streams {
		if !places[string(topics.intakeGroup(s))+" "+topics.Legacy[s]] {
			t.Errorf("nobody reads %s", topics.Legacy[s])
		}
	}
}
