package processors

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ticketscloud/vibe-bridge/mapping"
)

// BreakerConfig says when a legacy topic is paused: when more than MaxShare of
// its records in the last Window, and of MinRecords at least, went to quarantine at
// intake, by the count of one instance.
type BreakerConfig struct {
	MaxShare   float64 // 0, or 1 and more: never
	Window     time.Duration
	MinRecords int
}

func (c BreakerConfig) enabled() bool { return c.MaxShare > 0 && c.MaxShare < 1 }

func (c BreakerConfig) validate() error {
	if c.enabled() && (c.Window < breakerSlots || c.MinRecords < 1) {
		return fmt.Errorf("the breaker has a window of %s and counts from %d records on: want more of both", c.Window, c.MinRecords)
	}
	return nil
}

// Pause says that a legacy topic is not read, and why. It is a record of the
// control topic: the key is the legacy topic, the value this as JSON, and a
// tombstone ends it.
type Pause struct {
	Since   time.Time      `json:"since"`
	Share   float64        `json:"share"`   // of bad records, above which it was paused: 0 to 1
	Bad     int            `json:"bad"`     // of Records, those that went to quarantine
	Records int            `json:"records"` // in the window
	Window  string         `json:"window"`
	Reasons map[string]int `json:"reasons"` // of Bad, see mapping.Reason
	Version string         `json:"version"` // of the instance that paused it
}

// String is said to people.
func (p Pause) String() string {
	if p.Records == 0 {
		return "by a record of the control topic that cannot be read"
	}
	var reasons []string
	for _, r := range slices.Sorted(maps.Keys(p.Reasons)) {
		reasons = append(reasons, fmt.Sprintf("%s %d", r, p.Reasons[r]))
	}
	return fmt.Sprintf("since %s: %d of %d records within %s went to quarantine (%s)",
		p.Since.UTC().Format(time.RFC3339), p.Bad, p.Records, p.Window, strings.Join(reasons, ", "))
}

// breaker pauses a topic that floods the quarantine, for all instances: a pause is
// a record in the control topic, which all of them follow. Its order is what counts:
//
//	reads ──(too many bad records here)──▶ paused here ──(written)──▶ paused everywhere
//	  ▲                                                                    │
//	  └──(tombstone: the resume command, the start of another version,─────┘
//	      or an instance that runs with the breaker off)
//
// A pause that is written while another instance resumes stands if it comes behind
// the tombstone in the topic, and otherwise not; then the topic is read, and
// paused again if it is still as bad.
type breaker struct {
	cfg       BreakerConfig
	version   string
	admission *admission
	streams   map[string]mapping.Stream // by legacy topic
	log       *slog.Logger
	metrics   func() *Metrics
	began     time.Time
	// write sends a pause to the control topic, and calls written with its offset once it is
	// acknowledged; resume sends the end of one. Set before intake runs.
	write  func(topic string, p Pause, written func(offset int64))
	resume func(topic string)

	mu      sync.Mutex
	windows map[string]*outcomes // by legacy topic
	control map[string]Pause     // what the control topic says, by legacy topic
	next    int64                // offset of the control topic from which on it is not known
	own     map[string]*ownPause // pauses of this instance that the control topic has not shown yet
	trouble string               // why the control topic is not followed at present; "": it is
}

type ownPause struct {
	pause  Pause
	offset int64 // negative: not acknowledged yet
}

func newBreaker(cfg Config, a *admission, log *slog.Logger, metrics func() *Metrics) *breaker {
	b := &breaker{
		cfg: cfg.Breaker, version: cfg.Version, admission: a, log: log, metrics: metrics, began: time.Now(),
		streams: map[string]mapping.Stream{}, windows: map[string]*outcomes{}, control: map[string]Pause{}, own: map[string]*ownPause{},
	}
	for _, s := range mapping.Streams {
		b.streams[cfg.Topics.Legacy[s]] = s
		b.windows[cfg.Topics.Legacy[s]] = newOutcomes(cfg.Breaker.Window)
	}
	return b
}

// count takes how intake ended a record; reason is empty unless it went to quarantine.
// The record after which there are too many is the last that is admitted.
func (b *breaker) count(topic string, reason mapping.Reason) {
	if !b.cfg.enabled() {
		return
	}
	if own := b.trip(topic, reason); own != nil {
		b.write(topic, own.pause, func(offset int64) { b.written(topic, own, offset) })
	}
}

// trip counts a record and gives the pause that it causes, nil mostly.
func (b *breaker) trip(topic string, reason mapping.Reason) *ownPause {
	b.mu.Lock()
	defer b.mu.Unlock()
	w := b.windows[topic]
	w.add(time.Since(b.began), reason)
	if reason == "" || !w.above(b.cfg.MaxShare, b.cfg.MinRecords) || b.pausedLocked(topic) {
		return nil
	}
	p := Pause{
		Since: time.Now().UTC().Truncate(time.Millisecond), Share: b.cfg.MaxShare, Bad: w.total.bad, Records: w.total.records,
		Window: b.cfg.Window.String(), Reasons: map[string]int{}, Version: b.version,
	}
	for r, n := range w.total.reasons {
		p.Reasons[string(r)] = n
	}
	own := &ownPause{p, -1}
	b.own[topic] = own
	b.settle(topic)
	return own
}

// written notes that a pause of this instance is acknowledged. The control topic may
// have shown it already.
func (b *breaker) written(topic string, own *ownPause, offset int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	own.offset = offset
	b.forgetShown(topic)
	b.settle(topic)
}

// forgetShown leaves a pause of this instance to the control topic from there on where it is known.
func (b *breaker) forgetShown(topic string) {
	if own := b.own[topic]; own != nil && own.offset >= 0 && own.offset < b.next {
		delete(b.own, topic)
	}
}

// loaded takes all that the control topic says, and where it ends.
func (b *breaker) loaded(control map[string]Pause, next int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.control, b.next, b.trouble = control, next, ""
	for topic := range b.streams {
		b.forgetShown(topic)
		b.settle(topic)
	}
}

// lost notes that the control topic is not followed.
func (b *breaker) lost(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.trouble = err.Error()
}

// knownUpTo is the offset of the control topic from which on it is not known.
func (b *breaker) knownUpTo() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.next
}

// shown takes one record of the control topic; nil resumes.
func (b *breaker) shown(topic string, p *Pause, offset int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.next = offset + 1
	if p == nil {
		delete(b.control, topic)
	} else {
		b.control[topic] = *p
	}
	for t := range b.own {
		b.forgetShown(t)
		b.settle(t)
	}
	b.settle(topic)
}

// settle makes what is admitted agree with what is paused. The caller holds the lock.
func (b *breaker) settle(topic string) {
	stream, known := b.streams[topic]
	if !known {
		return // of an earlier configuration
	}
	paused := b.pausedLocked(topic)
	b.metrics().paused(stream, paused)
	if paused == b.admission.has(hold{topic, byBreaker}) {
		return
	}
	b.admission.set(hold{topic, byBreaker}, paused)
	if paused {
		p := b.pauseOf(topic)
		b.log.Error("topic is paused: too many of its records went to quarantine; it is read again when another version of the bridge starts, or with vibe-bridge quarantine resume",
			"topic", topic, "since", p.Since, "bad", p.Bad, "records", p.Records, "window", p.Window, "reasons", p.Reasons, "version", p.Version)
		return
	}
	b.windows[topic] = newOutcomes(b.cfg.Window)
	b.log.Info("topic is resumed", "topic", topic)
}

func (b *breaker) pausedLocked(topic string) bool {
	_, paused := b.control[topic]
	return paused || b.own[topic] != nil
}

func (b *breaker) pauseOf(topic string) Pause {
	if own := b.own[topic]; own != nil {
		return own.pause
	}
	return b.control[topic]
}

// isPaused tells whether a legacy topic is paused.
func (b *breaker) isPaused(topic string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.pausedLocked(topic)
}

// reasons say what is paused, a line for each topic.
func (b *breaker) reasons() (lines []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, topic := range slices.Sorted(maps.Keys(b.streams)) {
		if b.pausedLocked(topic) {
			lines = append(lines, fmt.Sprintf("paused: %s %s; see vibe-bridge quarantine resume", topic, b.pauseOf(topic)))
		}
	}
	if b.trouble != "" {
		lines = append(lines, "the control topic is not followed, and what is paused or resumed is not seen: "+b.trouble)
	}
	return lines
}

// breakerSlots is how many parts a window moves on by.
const breakerSlots = 60

// outcomes are how the records of a topic ended in the last window. Times are on one
// clock that does not go back.
type outcomes struct {
	width time.Duration // of a slot
	slots [breakerSlots]endings
	at    int64 // number of the newest slot, since the clock's beginning
	total endings
}

// endings count records.
type endings struct {
	records, bad int
	reasons      map[mapping.Reason]int // of bad
}

func newOutcomes(window time.Duration) *outcomes {
	return &outcomes{width: max(window/breakerSlots, 1), total: endings{reasons: map[mapping.Reason]int{}}}
}

// add counts a record; reason is empty for a good one.
func (o *outcomes) add(now time.Duration, reason mapping.Reason) {
	o.advance(int64(now / o.width))
	s := &o.slots[o.at%breakerSlots]
	s.records++
	o.total.records++
	if reason == "" {
		return
	}
	if s.reasons == nil {
		s.reasons = map[mapping.Reason]int{}
	}
	s.bad++
	s.reasons[reason]++
	o.total.bad++
	o.total.reasons[reason]++
}

// advance leaves out what is older than the window.
func (o *outcomes) advance(to int64) {
	for n := min(to-o.at, breakerSlots); n > 0; n-- {
		s := &o.slots[(to-n+1)%breakerSlots]
		o.total.records -= s.records
		o.total.bad -= s.bad
		for r, n := range s.reasons {
			if o.total.reasons[r] -= n; o.total.reasons[r] == 0 {
				delete(o.total.reasons, r)
			}
		}
		*s = endings{}
	}
	o.at = max(o.at, to)
}

// above tells whether more than share of the records are bad, and there are at least so many.
func (o *outcomes) above(share float64, least int) bool {
	return o.total.records >= least && float64(o.total.bad) > share*float64(o.total.records)
}
