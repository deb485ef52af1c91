package season

import (
	"container/heap"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// generator makes one season. It advances in steps; a step makes one new order
// and whatever else happens at the time.
//
// Order and refund records that come later than the step they belong to wait
// in a queue. Invariant: none waits longer than maxDelay steps (and one more
// stage, for a copy of what waited), so the queue is bounded.
type generator struct {
	cfg     Config
	yield   func(Record) bool
	stopped bool

	random rng
	ids    idSource
	clock  time.Time
	pace   time.Duration // mean time between two orders
	step   int
	queue  queue

	partners []partner
	events   []event
	venues   []venue
	opened   int // events[:opened] are on sale or were
	finished int // events[:finished] are over
	peak     peak

	partnerTrouble, partnerUpdateTrouble *trouble
	eventTrouble, eventUpdateTrouble     *trouble
	orderTrouble, refundTrouble          *trouble

	totals Totals
}

// maxDelay is the number of steps after which everything about an order is out.
const maxDelay = 3000

func newGenerator(cfg Config, yield func(Record) bool) *generator {
	cfg = cfg.normalized()
	g := &generator{
		cfg:      cfg,
		yield:    yield,
		random:   *newRNG(cfg.Seed),
		ids:      idSource{seed: cfg.Seed},
		clock:    cfg.Start,
		pace:     meanPace(cfg.Orders),
		partners: make([]partner, cfg.Partners),
		events:   make([]event, cfg.Events),
		venues:   makeVenues(cfg),
		totals: Totals{
			Records: map[string]int{}, Bytes: map[string]int64{}, Entities: map[string]int{}, Hostile: map[Kind]int{},
		},

		partnerTrouble:       newTrouble(partnerDoses, cfg.Hostile, 1),
		partnerUpdateTrouble: newTrouble(partnerUpdateDoses, cfg.Hostile, 1),
		eventTrouble:         newTrouble(eventDoses, cfg.Hostile, 1),
		eventUpdateTrouble:   newTrouble(eventUpdateDoses, cfg.Hostile, 0.5),
		orderTrouble:         newTrouble(orderDoses, cfg.Hostile, 0.5),
		refundTrouble:        newTrouble(refundDoses, cfg.Hostile, 0.5),
	}
	for _, topic := range []string{TopicPartners, TopicEvents, TopicOrders, TopicRefunds} {
		g.totals.Records[topic], g.totals.Bytes[topic], g.totals.Entities[topic] = 0, 0, 0
	}
	return g
}

// meanPace lets the steps of a season add up to its length, of which a fifth
// are peaks and take hardly any time.
func meanPace(orders int) time.Duration {
	return seasonLength / 81 * 100 / time.Duration(max(orders, 1))
}

func (g *generator) run() {
	for ; g.step < g.cfg.Orders && !g.stopped; g.step++ {
		g.openEvents(g.openingsUntil(g.step))
		g.publishDue()
		g.sell()
		g.disturb()
	}
	g.openEvents(len(g.events))
	g.publishLateEvents()
	g.drain()
}

// openingsUntil returns how many events have gone on sale by a step. The last
// tenth of the season opens none, so that every event has time to sell.
func (g *generator) openingsUntil(step int) int {
	opening := max(g.cfg.Orders*9/10, 1)
	return min(step*len(g.events)/opening+1, len(g.events))
}

// disturb makes what happens beside the sale of an order.
func (g *generator) disturb() {
	if g.random.chance(eventUpdatesPerOrder) {
		g.updateSomeEvent()
	}
	if g.random.chance(partnerUpdatesPerOrder) {
		g.updatePartner(g.random.intn(len(g.partners)))
	}
	g.finishEvents()
}

// advance moves the clock on by about the usual pace, or by a fraction of it.
func (g *generator) advance(speed int) {
	step := g.pace / time.Duration(speed)
	g.clock = g.clock.Add(time.Duration(g.random.unit() * 2 * float64(step)).Truncate(time.Millisecond))
}

func (g *generator) timestamp() *timestamppb.Timestamp { return timestamppb.New(g.clock) }

func (g *generator) newID(kind int) string { return g.ids.next(kind, g.clock.Unix()) }

// marshal encodes a message, the same way every time.
func marshal(m proto.Message) []byte {
	value, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		panic("season: encode a made-up message: " + err.Error()) // only for invalid UTF-8 in the word lists
	}
	return value
}

// publish hands a record to the consumer.
func (g *generator) publish(topic, key string, value []byte) {
	if g.stopped {
		return
	}
	g.totals.Records[topic]++
	g.totals.Bytes[topic] += int64(len(value))
	record := Record{Topic: topic, Key: []byte(key), Value: value, Time: g.clock}
	if g.totals.Records[topic]%64 == 0 {
		record.Headers = map[string][]byte{"publisher": []byte("backoffice")}
	}
	g.stopped = !g.yield(record)
}

// later publishes a record after 1 to within steps, fewer in short seasons.
func (g *generator) later(within int, action func()) {
	within = min(within, maxDelay, g.cfg.Orders/4)
	heap.Push(&g.queue, delayed{due: g.step + 1 + g.random.intn(max(within, 1)), number: g.queue.count, action: action})
	g.queue.count++
}

// publishLater publishes a copy of the value later.
func (g *generator) publishLater(within int, topic, key string, value []byte) {
	value = append([]byte(nil), value...)
	g.later(within, func() { g.publish(topic, key, value) })
}

func (g *generator) publishDue() {
	for g.queue.Len() > 0 && g.queue.items[0].due <= g.step && !g.stopped {
		heap.Pop(&g.queue).(delayed).action()
	}
}

// drain empties the queue at the end of the season.
func (g *generator) drain() {
	for g.queue.Len() > 0 && !g.stopped {
		next := heap.Pop(&g.queue).(delayed)
		g.step = max(g.step, next.due)
		g.advance(1)
		next.action()
	}
}

// delayed is something that happens in a later step. The number keeps those of
// one step in the order of their making.
type delayed struct {
	due, number int
	action      func()
}

// queue is a heap of what is to happen, the earliest first.
type queue struct {
	items []delayed
	count int
}

func (q *queue) Len() int { return len(q.items) }

func (q *queue) Less(i, j int) bool {
	a, b := q.items[i], q.items[j]
	if a.due != b.due {
		return a.due < b.due
	}
	return a.number < b.number
}

func (q *queue) Swap(i, j int) { q.items[i], q.items[j] = q.items[j], q.items[i] }

func (q *queue) Push(x any) { q.items = append(q.items, x.(delayed)) }

func (q *queue) Pop() any {
	last := len(q.items) - 1
	item := q.items[last]
	q.items[last] = delayed{}
	q.items = q.items[:last]
	return item
}
