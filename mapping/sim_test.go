package mapping

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
)

// A model of everything around the steps that can go wrong: topics with one
// partition each, groups that process their inputs in any interleaving,
// acknowledgements that come late and topic by topic, contiguous commits that
// lag, crashes that lose what was not acknowledged or only the knowledge that
// it was, local stores that survive ahead of their changelog or are wiped.

// chooser makes the choices of a run: rapid in the property test, a seeded
// source where many runs look for a planted bug.
type chooser interface {
	// Intn gives 0 ≤ n < limit.
	Intn(what string, limit int) int
}

type simMessage struct {
	key  string
	body proto.Message // of internal topics
	data []byte        // of slim topics and changelogs; nil: a deletion
}

// Input topics of the gate and the organizers by number; 0 is nobody's.
const (
	simEvents = iota + 1
	simOrders
	simRefunds
	simAnswers
	simGateLoop
	simPartners
	simMemberships
	simOrgLoop
	simLegacy        // + stream: four legacy topics
	simGateTable     = simLegacy + int(streamCount)
	simOrgTable      = simGateTable + 1
	simSlim          = simOrgTable + 1 // + stream
	simTopics        = simSlim + int(streamCount)
	simInternalFirst = simEvents
)

// internalOf is the internal topic that intake writes for a stream.
var internalOf = [streamCount]int{simPartners, simEvents, simOrders, simRefunds}

type sim struct {
	c       chooser
	rules   *Rules
	now     int64
	logs    [simTopics][]simMessage
	groups  []*simGroup
	failure error

	stockCommit bool // a planted fault: commit the highest acknowledged offset, as stock Goka does
}

// simGroup is one processor group with one partition.
type simGroup struct {
	name      string
	s         *sim
	inputs    []int
	table     int // changelog topic; 0: stateless
	run       func(g *simGroup, topic int, offset int64, m simMessage) ([]simSend, error)
	committed map[int]int64
	// of the present session
	initial  map[int]int64
	end      map[int]int64 // of the input topics when the session began
	position map[int]int64
	slots    map[int][]*simSlot // per input topic, from initial on
	buffers  map[int][]simSend  // unsent, per target topic
	store    map[string][]byte
}

type simSlot struct{ pending int }

type simSend struct {
	topic int
	m     simMessage
	slot  *simSlot
}

var errSimAbort = errors.New("session over")

func newSim(c chooser, rules *Rules) *sim {
	s := &sim{c: c, rules: rules, now: 1}
	for _, stream := range Streams {
		s.add(stream.String(), 0, runSimIntake, simLegacy+int(stream))
	}
	s.add("organizers", simOrgTable, runSimGroup, simPartners, simMemberships, simOrgLoop)
	s.add("gate", simGateTable, runSimGroup, simEvents, simOrders, simRefunds, simAnswers, simGateLoop)
	return s
}

func (s *sim) add(name string, table int, run func(*simGroup, int, int64, simMessage) ([]simSend, error), inputs ...int) {
	g := &simGroup{name: name, s: s, inputs: inputs, table: table, run: run, committed: map[int]int64{}}
	g.store = map[string][]byte{}
	g.start()
	s.groups = append(s.groups, g)
}

func (g *simGroup) start() {
	g.initial, g.position = maps.Clone(g.committed), maps.Clone(g.committed)
	g.slots, g.buffers = map[int][]*simSlot{}, map[int][]simSend{}
	g.end = map[int]int64{}
	for _, topic := range g.inputs {
		g.end[topic] = int64(len(g.s.logs[topic]))
	}
}

// crash ends the session. Of what was on its way to each topic, any leading
// part has arrived.
func (g *simGroup) crash(wipe bool) {
	for _, topic := range slices.Sorted(maps.Keys(g.buffers)) {
		arrived := g.s.c.Intn("arrived", len(g.buffers[topic])+1)
		for _, send := range g.buffers[topic][:arrived] {
			g.s.logs[topic] = append(g.s.logs[topic], send.m)
		}
	}
	if wipe {
		g.recover()
	}
	g.start()
}

func (g *simGroup) recover() {
	g.store = map[string][]byte{}
	if g.table == 0 {
		return
	}
	for _, m := range g.s.logs[g.table] {
		if m.data == nil {
			delete(g.store, m.key)
			continue
		}
		g.store[m.key] = m.data
	}
}

func (g *simGroup) status(c Cause) Status {
	topic := int(c.Topic)
	if c.Offset < g.initial[topic] {
		return Committed
	}
	i := int(c.Offset - g.initial[topic])
	switch {
	case i >= len(g.slots[topic]):
		return Unseen
	case g.slots[topic][i].pending == 0:
		return Acked
	}
	return InFlight
}

// settle waits for a cause by having everything that is on its way arrive. Now
// and then the session ends instead.
func (g *simGroup) settle(c Cause) (Status, error) {
	if g.status(c) == InFlight {
		if g.s.c.Intn("abort", 8) == 0 {
			return 0, errSimAbort
		}
		g.flush()
	}
	return g.status(c), nil
}

func (g *simGroup) flush() {
	for _, topic := range slices.Sorted(maps.Keys(g.buffers)) {
		for len(g.buffers[topic]) > 0 {
			g.arrive(topic)
		}
	}
}

func (g *simGroup) arrive(topic int) {
	send := g.buffers[topic][0]
	g.buffers[topic] = g.buffers[topic][1:]
	if len(g.buffers[topic]) == 0 {
		delete(g.buffers, topic)
	}
	g.s.logs[topic] = append(g.s.logs[topic], send.m)
	send.slot.pending--
}

// commit stores the contiguous acknowledged offset of one input.
func (g *simGroup) commit(topic int) {
	n := g.initial[topic]
	for i, slot := range g.slots[topic] {
		switch {
		case slot.pending > 0 && !g.s.stockCommit:
			g.committed[topic] = n
			return
		case slot.pending == 0:
			n = g.initial[topic] + int64(i) + 1
		}
	}
	g.committed[topic] = n
}

// process runs the step of the next record of an input. It is false when there is none.
func (g *simGroup) process(topic int) bool {
	offset := g.position[topic]
	if offset >= int64(len(g.s.logs[topic])) {
		return false
	}
	slot := &simSlot{pending: 1} // begun
	g.slots[topic] = append(g.slots[topic], slot)
	g.position[topic]++
	sends, err := g.run(g, topic, offset, g.s.logs[topic][offset])
	if errors.Is(err, errSimAbort) {
		g.crash(g.s.c.Intn("wipe", 2) == 0)
		return true
	}
	if err != nil {
		g.s.fail("%s: %w", g.name, err)
		return true
	}
	for _, send := range sends {
		send.slot = slot
		slot.pending++
		g.buffers[send.topic] = append(g.buffers[send.topic], send)
	}
	slot.pending--
	return true
}

func (s *sim) fail(format string, args ...any) {
	if s.failure == nil {
		s.failure = fmt.Errorf(format, args...)
	}
}

func runSimIntake(g *simGroup, topic int, _ int64, m simMessage) ([]simSend, error) {
	return []simSend{{topic: internalOf[topic-simLegacy], m: m}}, nil
}

func runSimGroup(g *simGroup, topic int, offset int64, m simMessage) ([]simSend, error) {
	env := &Env{
		Now: g.s.now, Self: Cause{Topic: int32(topic), Offset: offset},
		Replay: offset < g.end[topic], Status: g.status, Settle: g.settle,
		Waiting: func(prefix string) bool { return len(g.keys(prefix, true)) > 0 },
	}
	step, loop := g.s.rules.Gate, simGateLoop
	if g.table == simOrgTable {
		step, loop = g.s.rules.Organizers, simOrgLoop
	}
	read := func(key string) ([]byte, error) { return g.store[key], nil }
	out, err := step(env, m.key, read, proto.Clone(m.body))
	if err != nil {
		return nil, err
	}
	var sends []simSend
	send := func(topic int, key string, body proto.Message, data []byte) {
		sends = append(sends, simSend{topic: topic, m: simMessage{key: key, body: body, data: data}})
	}
	switch {
	case out.Delete:
		delete(g.store, m.key)
		send(g.table, m.key, nil, nil)
	case out.Value != nil:
		g.store[m.key] = out.Value
		send(g.table, m.key, nil, out.Value)
	}
	for _, e := range out.Emits {
		g.s.checkOrder(e, g.store[m.key])
		send(simSlim+int(e.Stream), e.Key, nil, e.Value)
	}
	for _, l := range out.Loops {
		send(loop, l.Key, l.Command, nil)
	}
	for _, c := range out.Memberships {
		send(simMemberships, MemberKey(c.Org, c.Event), &statepb.Membership{Event: c.Event, Leave: c.Leave}, nil)
	}
	if out.Answer != nil && out.Scan == nil {
		send(simAnswers, MemberEvent(m.key), out.Answer, nil)
	}
	if out.Scan != nil {
		for _, key := range g.scan(out.Scan) {
			if out.Answer != nil {
				send(simAnswers, MemberEvent(key), out.Answer, nil)
			} else {
				send(loop, key, Recheck(key).Command, nil)
			}
		}
	}
	return sends, nil
}

func (g *simGroup) keys(prefix string, waiting bool) []string {
	var keys []string
	for _, key := range slices.Sorted(maps.Keys(g.store)) {
		if strings.HasPrefix(key, prefix) && (!waiting || g.wait(key) != nil) {
			keys = append(keys, key)
		}
	}
	return keys
}

func (g *simGroup) wait(key string) *statepb.Wait {
	row, err := DecodeRow(g.store[key])
	if err != nil {
		panic(err)
	}
	return EntityOf(row).GetWait()
}

func (g *simGroup) scan(s *Scan) []string {
	var keys []string
	for _, key := range g.keys(s.Prefix, s.Waiting) {
		if s.Wanted(key, WaitReason(g.wait(key).GetReason())) {
			keys = append(keys, key)
		}
	}
	return keys
}

// checkOrder holds a slim record that is about to be produced against what the
// brokers have acknowledged.
func (s *sim) checkOrder(e Emit, value []byte) {
	row, err := DecodeRow(value)
	if err != nil {
		s.fail("state beside an emission: %w", err)
		return
	}
	switch e.Stream {
	case Orders:
		if !s.has(Events, row.GetOrder().GetFacts().GetEvent()) {
			s.fail("order %s is produced before its event", e.Key)
		}
	case Refunds:
		if !s.has(Orders, row.GetRefund().GetFacts().GetOrder()) {
			s.fail("refund %s is produced before its order", e.Key)
		}
	}
}

func (s *sim) has(stream Stream, key string) bool {
	return slices.ContainsFunc(s.logs[simSlim+int(stream)], func(m simMessage) bool { return m.key == key })
}

// sweep sends a recheck to everything whose hold is over.
func (s *sim) sweep() bool {
	gate := s.groups[len(s.groups)-1]
	found := false
	for _, key := range slices.Sorted(maps.Keys(gate.store)) {
		if d := gate.wait(key).GetDeadline(); d != 0 && d <= s.now {
			s.logs[simGateLoop] = append(s.logs[simGateLoop], simMessage{key: key, body: Recheck(key).Command})
			found = true
		}
	}
	return found
}

// act does one random thing.
func (s *sim) act() {
	g := s.groups[s.c.Intn("group", len(s.groups))]
	switch kind := s.c.Intn("action", 20); {
	case kind < 10:
		g.process(g.inputs[s.c.Intn("input", len(g.inputs))])
	case kind < 16:
		if topics := slices.Sorted(maps.Keys(g.buffers)); len(topics) > 0 {
			g.arrive(topics[s.c.Intn("buffer", len(topics))])
		}
	case kind < 18:
		g.commit(g.inputs[s.c.Intn("input", len(g.inputs))])
	case kind < 19:
		g.crash(s.c.Intn("wipe", 2) == 0)
	default:
		s.now += int64(s.c.Intn("time", int(s.rules.SetHold.Milliseconds())))
		s.sweep()
	}
}

// drain lets everything happen that can, with no further faults but those that
// the chooser brings up, and lets all holds run out.
func (s *sim) drain() {
	for range 10_000 {
		busy := false
		for _, g := range s.groups {
			for _, topic := range g.inputs {
				for g.process(topic) {
					busy = true
				}
			}
			busy = busy || len(g.buffers) > 0
			g.flush()
			for _, topic := range g.inputs {
				g.commit(topic)
			}
		}
		if busy {
			continue
		}
		s.now += (s.rules.OrganizerHold + s.rules.SetHold).Milliseconds()
		if !s.sweep() {
			return
		}
	}
	s.fail("no end after 10000 rounds")
}
