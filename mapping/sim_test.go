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

// A model of everything around the steps that can go wrong: groups that process
// their inputs in any interleaving, acknowledgements that come late and topic by
// topic, contiguous commits that lag, crashes that lose what was not acknowledged
// or only the knowledge that it was, and records that are refused while later ones
// get through. A group moves between two machines, whose disks keep what was
// written there, ahead of the changelog and behind it, lose the end of it, or all.
//
// A machine may be paused for longer than its session: what it had on its way then
// arrives later, between the records of its successor. It sends nothing new and
// commits nothing: the guards of the wire and the group coordinator see to that.
//
// Legacy topics have two partitions, over which an entity's records are spread,
// with timestamps that run backwards too. The rest has one.

// chooser makes the choices of a run: rapid in the property test, a seeded
// source where many runs look for a planted bug.
type chooser interface {
	// Intn gives 0 ≤ n < limit.
	Intn(what string, limit int) int
}

type simMessage struct {
	key  string
	body proto.Message // of internal topics
	data []byte        // of slim topics and changelogs
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
	simLegacy        // + stream + partition * streamCount
	simGateTable     = simLegacy + simPartitions*int(streamCount)
	simOrgTable      = simGateTable + 1
	simSlim          = simOrgTable + 1 // + stream
	simQuarantine    = simSlim + int(streamCount)
	simTopics        = simQuarantine + 1
	simInternalFirst = simEvents
)

// simPartitions is the number of partitions of a legacy topic.
const simPartitions = 2

// legacyTopic is the number of one partition of a legacy topic.
func legacyTopic(stream Stream, partition int) int {
	return simLegacy + int(stream) + partition*int(streamCount)
}

// internalOf is the internal topic that intake writes for a stream.
var internalOf = [streamCount]int{simPartners, simEvents, simOrders, simRefunds}

type sim struct {
	c       chooser
	rules   *Rules
	now     int64
	logs    [simTopics][]simMessage
	groups  []*simGroup
	failure error
	late    int64 // how long after its session a paused machine's records arrive
	page    int   // keys that a command visits at a time

	noGenerations, noGaps bool // planted faults: without the guards G2 and G1
	calm                  bool // no session ends
	stockCommit           bool // a planted fault: commit the highest acknowledged offset, as stock Goka does
	parkedInMemory        bool // a planted fault: what waits is remembered by the session that parked it alone

	quarantine *simLimits // nil: nothing is too large
	sealing    *simKeys   // nil: personal texts rest as they are
	gathers    bool       // intake keeps versions back that repeat one before
	repeats    int        // records that were kept back
	rashly     bool       // a planted fault: also those of which the one before is not acknowledged
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
	initial    map[int]int64
	end        map[int]int64 // of the input topics when the session began
	position   map[int]int64
	touched    map[int]int64      // how far earlier sessions came, further than was committed
	slots      map[int][]*simSlot // per input topic, from initial on
	buffers    map[int][]simSend  // unsent, per target topic
	store      map[string][]byte
	offset     int64 // of the changelog, up to which the store knows it
	known      int64 // up to which the session knows it
	held       bool  // offset stays: a record behind it is not the session's own, or overruled
	disk       *simDisk
	disks      [2]simDisk
	session    int32
	highest    int32           // generation in the store
	restarting bool            // a gap was seen
	overruled  map[string]bool // keys whose newest changelog record is of an older generation
	written    map[string]bool // keys that this session wrote

	gatherers map[int]*Gatherer // per input topic, of the present session

	zombies []*simZombie
}

// simZombie is what a paused machine had on its way, per target topic.
type simZombie struct {
	sends map[int][]simSend
	until int64 // it has arrived by then, or never will
}

// simDisk is what a machine's disk holds of the group's table: writes in their
// order, each with the changelog offset that was known by then.
type simDisk struct {
	writes []simWrite
	synced int // writes that a loss of power does not undo
}

type simWrite struct {
	key    string
	value  []byte
	offset int64
}

type simSlot struct{ pending int }

type simSend struct {
	topic int
	m     simMessage
	slots []*simSlot // of what it was sent for; nil: the record being processed
}

var errSimAbort = errors.New("session over")

func newSim(c chooser, rules *Rules) *sim {
	s := &sim{c: c, rules: rules, now: 1, late: rules.RepeatAfter.Milliseconds(), page: 1 + c.Intn("page", 3)}
	for _, stream := range Streams {
		s.add(stream.String(), 0, runSimIntake, legacyTopic(stream, 0), legacyTopic(stream, 1))
	}
	s.add("organizers", simOrgTable, runSimGroup, simPartners, simMemberships, simOrgLoop)
	s.add("gate", simGateTable, runSimGroup, simEvents, simOrders, simRefunds, simAnswers, simGateLoop)
	return s
}

func (s *sim) add(name string, table int, run func(*simGroup, int, int64, simMessage) ([]simSend, error), inputs ...int) {
	g := &simGroup{name: name, s: s, inputs: inputs, table: table, run: run, committed: map[int]int64{}}
	g.disk = &g.disks[0]
	g.start()
	s.groups = append(s.groups, g)
}

func (g *simGroup) start() {
	if g.touched == nil {
		g.touched = map[int]int64{}
	}
	for topic, at := range g.position {
		g.touched[topic] = max(g.touched[topic], at)
	}
	g.initial, g.position = maps.Clone(g.committed), maps.Clone(g.committed)
	g.slots, g.buffers = map[int][]*simSlot{}, map[int][]simSend{}
	g.gatherers = map[int]*Gatherer{}
	g.end = map[int]int64{}
	for _, topic := range g.inputs {
		g.end[topic] = int64(len(g.s.logs[topic]))
	}
	if g.table != 0 {
		g.load()
		g.recover()
		g.written = map[string]bool{}
		g.open()
	}
}

// open begins the session: it is the next generation from now on, and says so.
func (g *simGroup) open() {
	g.session = g.highest + 1
	row, err := SessionRow(g.session)
	if err != nil {
		panic(err)
	}
	g.s.logs[g.table] = append(g.s.logs[g.table], simMessage{key: SessionKey, data: row})
	if g.known++; !g.held {
		g.offset = g.known
	}
	g.write(SessionKey, row)
	for _, key := range slices.Sorted(maps.Keys(g.overruled)) {
		loop := g.loopTopic()
		g.s.logs[loop] = append(g.s.logs[loop], simMessage{key: key, body: Resend(key, false).Command})
	}
}

func (g *simGroup) loopTopic() int {
	if g.table == simOrgTable {
		return simOrgLoop
	}
	return simGateLoop
}

// load reads the disk.
func (g *simGroup) load() {
	g.store, g.offset, g.held = map[string][]byte{}, -1, false
	for _, w := range g.disk.writes {
		g.store[w.key] = w.value
		g.offset = w.offset
	}
}

// recover brings the store up to the end of the changelog. A row never replaces
// one of a later generation: it was written by an instance that had lost the
// partition. The key's own row has to be written again, and until it is the offset
// stays, so that the next session sees the same.
func (g *simGroup) recover() {
	g.overruled = map[string]bool{}
	log := g.s.logs[g.table]
	for offset := g.offset + 1; offset < int64(len(log)); offset++ {
		m := log[offset]
		if generationIn(g.store[m.key]) > generationIn(m.data) && !g.s.noGenerations {
			g.overruled[m.key], g.held = true, true
			continue
		}
		delete(g.overruled, m.key)
		if !g.held {
			g.offset = offset
		}
		g.write(m.key, m.data)
	}
	if len(g.overruled) == 0 {
		g.held, g.offset = false, max(g.offset, int64(len(log))-1)
	}
	g.known, g.restarting, g.highest = int64(len(log))-1, false, 0
	for _, value := range g.store {
		g.highest = max(g.highest, generationIn(value))
	}
}

func generationIn(value []byte) int32 {
	row, err := DecodeRow(value)
	if err != nil {
		panic(err)
	}
	return Generation(row)
}

func (g *simGroup) write(key string, value []byte) {
	g.store[key] = value
	if g.written != nil {
		g.written[key] = true
	}
	g.disk.writes = append(g.disk.writes, simWrite{key, value, g.offset})
}

// end of a session: how it comes about, and on which machine the next one runs.
func (g *simGroup) restart() {
	switch g.s.c.Intn("restart", 5) {
	case 0: // in an orderly way
		g.sendHeld()
		g.flush()
		for _, topic := range g.inputs {
			g.commit(topic)
		}
		g.disk.synced = len(g.disk.writes)
	case 1: // the process is killed
		g.interrupt()
	case 2: // the machine loses its power
		g.interrupt()
		kept := g.disk.synced + g.s.c.Intn("kept", len(g.disk.writes)-g.disk.synced+1)
		g.disk.writes = g.disk.writes[:kept]
	case 3: // the disk is lost
		g.interrupt()
		*g.disk = simDisk{}
	case 4: // it is paused for longer than its session
		g.zombies = append(g.zombies, &simZombie{sends: g.buffers, until: g.s.now + g.s.late - 1})
	}
	g.disk = &g.disks[g.s.c.Intn("machine", len(g.disks))]
	g.start()
}

// interrupt ends everything that is on its way. Of that to each topic, any
// leading part has arrived, but for a record that the brokers refused.
func (g *simGroup) interrupt() {
	for _, topic := range slices.Sorted(maps.Keys(g.buffers)) {
		arrived := g.s.c.Intn("arrived", len(g.buffers[topic])+1)
		refused := -1
		if g.s.c.Intn("refusal", 4) == 0 {
			refused = g.s.c.Intn("refused", arrived+1)
		}
		for i, send := range g.buffers[topic][:arrived] {
			if i != refused {
				g.s.logs[topic] = append(g.s.logs[topic], send.m)
			}
		}
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
	for _, slot := range send.slots {
		slot.pending--
	}
	if topic == g.table {
		g.acknowledged(int64(len(g.s.logs[topic])) - 1)
	}
}

// acknowledged takes the offset of a changelog record of this session. One that
// does not follow the last means that somebody else has written: the session
// ends, and the next reads what it was.
func (g *simGroup) acknowledged(offset int64) {
	if offset != g.known+1 && !g.s.noGaps {
		g.held, g.restarting = true, true
	}
	if g.known = offset; !g.held {
		g.offset = offset
	}
}

// lookForForeign is what an idle session does now and then: with nothing on its
// way the changelog has to end where it left it.
func (g *simGroup) lookForForeign() {
	if g.table != 0 && len(g.buffers) == 0 && g.known+1 != int64(len(g.s.logs[g.table])) && !g.s.noGaps {
		g.held, g.restarting = true, true
	}
}

// endForeign ends a session that found somebody else's record in its changelog.
func (g *simGroup) endForeign() bool {
	if !g.restarting {
		return false
	}
	g.restarting = false
	g.interrupt()
	g.start()
	return true
}

// wake lets the oldest record of a paused machine arrive on one topic.
func (g *simGroup) wake() {
	if len(g.zombies) == 0 {
		return
	}
	z := g.zombies[g.s.c.Intn("zombie", len(g.zombies))]
	topics := slices.Sorted(maps.Keys(z.sends))
	if len(topics) == 0 || g.s.now > z.until {
		g.zombies = slices.DeleteFunc(g.zombies, func(o *simZombie) bool { return o == z })
		return
	}
	topic := topics[g.s.c.Intn("late", len(topics))]
	g.s.logs[topic] = append(g.s.logs[topic], z.sends[topic][0].m)
	if z.sends[topic] = z.sends[topic][1:]; len(z.sends[topic]) == 0 {
		delete(z.sends, topic)
	}
}

// commit stores the contiguous acknowledged offset of one input.
func (g *simGroup) commit(topic int) {
	if !g.s.stockCommit {
		g.committed[topic] = g.settled(topic)
		return
	}
	for i, slot := range g.slots[topic] {
		if slot.pending == 0 {
			g.committed[topic] = g.initial[topic] + int64(i) + 1
		}
	}
}

// settled is the offset below which everything of an input is acknowledged.
func (g *simGroup) settled(topic int) int64 {
	n := g.initial[topic]
	for _, slot := range g.slots[topic] {
		if slot.pending > 0 {
			break
		}
		n++
	}
	return n
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
		g.restart()
		return true
	}
	if err != nil {
		g.s.fail("%s: %w", g.name, err)
		return true
	}
	for _, send := range sends {
		if send.slots == nil {
			send.slots = []*simSlot{slot}
			slot.pending++
		}
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
	in := proto.CloneOf(m.body.(*statepb.Input))
	in.Settled = g.settled(topic)
	stream := Stream((topic - simLegacy) % int(streamCount))
	if g.s.quarantine.rejects(stream, in) {
		return g.s.rejectAtIntake(stream, in), nil
	}
	if err := g.s.sealing.seal(m.key, in.GetOrder()); err != nil {
		return nil, err
	}
	own := simSend{topic: internalOf[stream], m: simMessage{key: m.key, body: in}}
	if !g.s.gathers || stream != Events {
		return []simSend{own}, nil
	}
	due, kept := g.gatherer(topic).Take(Intake{Key: m.key, Input: in}, g.s.now)
	sends := g.batches(topic, due)
	if kept {
		g.slots[topic][len(g.slots[topic])-1].pending++
		g.s.repeats++
		return sends, nil
	}
	return append(sends, own), nil
}

func runSimGroup(g *simGroup, topic int, offset int64, m simMessage) ([]simSend, error) {
	env := &Env{
		Now: g.s.now, Self: Cause{Topic: int32(topic), Offset: offset}, Generation: g.session,
		Replay: offset < g.end[topic], Inherited: offset < g.touched[topic], Status: g.status, Settle: g.settle,
		Waiting: func(prefix string) bool { return len(g.keys(prefix, true)) > 0 },
	}
	if g.s.sealing != nil {
		env.Personal = g.s.sealing.current()
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
	if out.Value != nil {
		g.write(m.key, out.Value)
		send(g.table, m.key, nil, out.Value)
	}
	for _, e := range out.Emits {
		g.s.checkOrder(e, g.store[m.key])
		send(simSlim+int(e.Stream), e.Key, nil, e.Value)
	}
	for _, r := range out.Rejections {
		sends = append(sends, quarantineRecord(r.Stream, r.Source, StageGate, r.Reason))
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
		keys, next := g.scan(out.Scan)
		if next != nil {
			send(loop, next.Key, next.Command, nil)
		}
		for _, key := range keys {
			if out.Answer != nil {
				send(simAnswers, MemberEvent(key), out.Answer, nil)
			} else {
				send(loop, key, out.Scan.Command(key).Command, nil)
			}
		}
	}
	return sends, nil
}

func (g *simGroup) keys(prefix string, waiting bool) []string {
	var keys []string
	for _, key := range slices.Sorted(maps.Keys(g.store)) {
		if strings.HasPrefix(key, prefix) && (!waiting || g.waits(key)) {
			keys = append(keys, key)
		}
	}
	return keys
}

func (g *simGroup) waits(key string) bool {
	return g.wait(key) != nil && (g.written[key] || !g.s.parkedInMemory)
}

func (g *simGroup) wait(key string) *statepb.Wait {
	row, err := DecodeRow(g.store[key])
	if err != nil {
		panic(err)
	}
	return EntityOf(row).GetWait()
}

// scan visits one page of the keys that a command concerns.
func (g *simGroup) scan(s *Scan) (wanted []string, next *Loop) {
	seen := 0
	for _, key := range g.keys(s.Prefix, s.Waiting) {
		if key <= s.After {
			continue
		}
		if s.Waiting && s.Wanted(key, WaitReason(g.wait(key).GetReason())) || !s.Waiting && s.WantedRow(key, g.store[key]) {
			wanted = append(wanted, key)
		}
		if seen++; seen == g.s.page {
			more := s.Next(key)
			return wanted, &more
		}
	}
	return wanted, nil
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
		row, err := DecodeRow(gate.store[key])
		if err != nil {
			panic(err)
		}
		if _, _, d, _ := WaitingOf(row); d != 0 && d <= s.now {
			s.logs[simGateLoop] = append(s.logs[simGateLoop], simMessage{key: key, body: Recheck(key).Command})
			found = true
		}
	}
	return found
}

// act does one random thing.
func (s *sim) act() {
	g := s.groups[s.c.Intn("group", len(s.groups))]
	g.endForeign()
	s.actOnQuarantine()
	if s.gathers && s.c.Intn("idle", 8) == 0 {
		g.sendHeld()
	}
	switch kind := s.c.Intn("action", 22); {
	case kind < 10:
		g.process(g.inputs[s.c.Intn("input", len(g.inputs))])
	case kind < 16:
		if topics := slices.Sorted(maps.Keys(g.buffers)); len(topics) > 0 {
			g.arrive(topics[s.c.Intn("buffer", len(topics))])
		}
	case kind < 18:
		g.commit(g.inputs[s.c.Intn("input", len(g.inputs))])
	case kind < 21 && s.calm:
	case kind < 19:
		g.restart()
	case kind < 21:
		g.wake()
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
			for len(g.zombies) > 0 {
				g.wake()
				busy = true
			}
			for _, topic := range g.inputs {
				for g.process(topic) {
					busy = true
				}
			}
			g.sendHeld()
			busy = busy || len(g.buffers) > 0
			g.flush()
			g.lookForForeign()
			busy = g.endForeign() || busy
			for _, topic := range g.inputs {
				g.commit(topic)
			}
		}
		if busy {
			continue
		}
		s.now += (s.rules.OrganizerHold + s.rules.SetHold + s.rules.RepeatAfter).Milliseconds()
		if !s.sweep() {
			return
		}
	}
	s.fail("no end after 10000 rounds")
}
