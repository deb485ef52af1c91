package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
)

// Status is what is known about an input record as a cause (protocol rule R3).
type Status int

// The states of a cause.
const (
	// Unseen: not handed to a callback in this session. A replay will come.
	Unseen Status = iota
	// InFlight: its callback has begun, and not all that it wrote is
	// acknowledged. Merely delivered is not in flight: the goroutine that would
	// begin it may be the one that asks, and would wait for itself.
	InFlight
	// Acked: done in this session.
	Acked
	// Committed: below the committed offset at the session's start.
	Committed
)

// ErrSessionOver is returned by Wait when the session ended first. The record at
// hand must be abandoned.
var ErrSessionOver = errors.New("consumer group session is over")

// DefaultWindow is how many records of one topic-partition may be unacknowledged.
const DefaultWindow = 8192

// TrackerOptions configure a Tracker.
type TrackerOptions struct {
	Group  string
	Window int // records per topic-partition; 0: DefaultWindow
	// KeepRecords keeps every record until it is done, for Record.
	KeepRecords bool
	// Commits reads what the group committed, and where its topics end.
	Commits func(topics map[string][]int32) (map[string]map[int32]Commit, error)
	// Epoch, if not nil, is the number of the present ownership of a partition: one more than that of the owner
	// before, and announced to the next before anything is processed; 0 when there is none. See Handover.
	Epoch func(partition int32) int32
	// AcceptForeignOffsets takes over offsets that this program did not commit.
	AcceptForeignOffsets bool
	// Heartbeat, if not nil, tells the group's coordinator that the member is alive, and returns what it answers; see
	// pulse. SessionTimeout is that of the group.
	Heartbeat      func(member string, generation int32) error
	SessionTimeout time.Duration
	// CleanupTimeout is how long a session may take, once it is over, to have everything acknowledged that it had
	// begun; 0: for ever. It has to be well inside the rebalance timeout, after which others own the partitions
	// (guard G4). Overdue is called when it took longer, and when it was given up before, and must keep the instance
	// from writing anything more. With Heartbeat the time runs only from when a rebalance may have begun.
	CleanupTimeout time.Duration
	Overdue        func()
	// Ending, if not nil, is called when a session ends, after its last callback. What is written because of records that
	// are kept back is to be acknowledged or refused when it returns. In order is false when the processor has failed:
	// then nothing more is to be written.
	Ending func(inOrder bool)
	// Flushed, if not nil, tells whether all that the group has sent is acknowledged or refused. What a session leaves
	// unfinished may be refused, and then nothing of it is written any more.
	Flushed func() bool
	// Failed, if not nil, hears of the first failure at once, where Goka's Run would
	// return it only after everything on its way has been acknowledged or refused.
	Failed func(error)
	// Log, if not nil, has what the group meets with and tries again.
	Log *slog.Logger
	// Appended, if not nil, tells since when a record is on its way, Unix milliseconds, where that is not its timestamp.
	Appended func(*sarama.ConsumerMessage) int64
	// Lost, if not nil, hears that a session is over, and Regained, after which time records are read again: since the
	// end of the session before or, for the first, since the group was to be joined.
	Lost     func()
	Regained func(after time.Duration)
}

// Commit is a committed offset, negative when there is none, and the beginning
// and the end of the partition at that moment.
type Commit struct {
	Offset   int64
	Metadata string
	Start    int64
	End      int64
}

// Tracker wraps a sarama consumer group for Goka. It passes on marks only up to
// the contiguous acknowledged offset, where stock Goka marks every record by
// itself and sarama keeps the maximum, and it answers whether a cause is
// acknowledged (protocol rules R2 and R3). One tracker serves one processor.
//
// Every commit carries the number of records that the group has ended in the
// partition so far. An offset without it was set by somebody else, and records
// may have been jumped over: the session is refused (protocol rule R8).
type Tracker struct {
	opts    TrackerOptions
	session atomic.Pointer[trackedSession]
	away    atomic.Int64 // since when there is no session in which records are read, Unix nanoseconds; 0: there is one, or none was asked for
	met     metErrors

	failure struct {
		sync.Mutex
		err  error
		done chan struct{}
	}
}

// NewTracker returns a tracker for one processor of the group.
func NewTracker(opts TrackerOptions) *Tracker {
	if opts.Window == 0 {
		opts.Window = DefaultWindow
	}
	t := &Tracker{opts: opts}
	t.failure.done = make(chan struct{})
	return t
}

// Builder wraps a consumer group builder, for goka.WithConsumerGroupBuilder.
func (t *Tracker) Builder(build goka.ConsumerGroupBuilder) goka.ConsumerGroupBuilder {
	return func(brokers []string, group, clientID string) (sarama.ConsumerGroup, error) {
		cg, err := build(brokers, group, clientID)
		if err != nil {
			return nil, err
		}
		return &trackedGroup{ConsumerGroup: cg, t: t, errors: make(chan error, 16)}, nil
	}
}

// Fail wakes every waiter: an emit was refused, so an acknowledgement that is
// waited for may never come, and Goka looks at emit errors only between
// callbacks (hole H5b).
func (t *Tracker) Fail(err error) {
	if t.fail(err) && t.opts.Failed != nil {
		t.opts.Failed(err)
	}
}

func (t *Tracker) fail(err error) (first bool) {
	t.failure.Lock()
	defer t.failure.Unlock()
	if t.failure.err != nil {
		return false
	}
	t.failure.err = err
	close(t.failure.done)
	return true
}

func (t *Tracker) failed() error {
	t.failure.Lock()
	defer t.failure.Unlock()
	return t.failure.err
}

// Session is done when the present session ends; before the first there is none.
func (t *Tracker) Session() context.Context {
	if s := t.session.Load(); s != nil {
		return s.Context()
	}
	return context.Background()
}

// Joined tells whether a session lasts: the member is in the group, with or without partitions.
func (t *Tracker) Joined() bool {
	s := t.session.Load()
	return s != nil && s.Context().Err() == nil
}

// HasJoined tells whether there has been a session: its committed offsets were such that the group can go on.
func (t *Tracker) HasJoined() bool { return t.session.Load() != nil }

// Begin says that the callback of a record has started. It is the first thing
// every callback does.
func (t *Tracker) Begin(topic string, partition int32, offset int64) {
	if w := t.window(topic, partition); w != nil {
		w.set(offset, begun)
	}
}

// Abandon says that the callback of a record gave up: the record is replayed in
// the next session, whatever Goka marks now (hole H5a).
func (t *Tracker) Abandon(topic string, partition int32, offset int64) {
	if w := t.window(topic, partition); w != nil {
		w.set(offset, abandoned)
	}
}

// Status tells about a record of this processor's inputs.
func (t *Tracker) Status(topic string, partition int32, offset int64) Status {
	if w := t.window(topic, partition); w != nil {
		return w.status(offset)
	}
	return Unseen
}

// MayReplay tells whether a record may have been processed before, in a session
// that ended: it was in the topic when the present session began.
func (t *Tracker) MayReplay(topic string, partition int32, offset int64) bool {
	s := t.session.Load()
	return s == nil || offset < s.commits[topic][partition].End
}

// Position is how far the present session is with one partition.
type Position struct {
	Topic        string
	Partition    int32
	Acknowledged int64 // everything below this offset is acknowledged, or was deleted
	Pending      int   // records delivered and not acknowledged
	End          int64 // of the partition, when it was last read from

	Ended uint64 // records that the group has ended since it began
	Reset bool   // Ended compares with nothing: somebody has once set the offset by hand
	// Oldest is when the oldest pending record was appended, and Delivered when it was delivered; zero when nothing is
	// pending. Unread is since when there has been a session in which nothing was delivered yet; zero when something was.
	Oldest, Delivered, Unread time.Time
}

// Positions of all partitions of the present session that have begun.
func (t *Tracker) Positions() []Position {
	s := t.session.Load()
	if s == nil {
		return nil
	}
	var all []Position
	for _, c := range s.begun() {
		all = append(all, s.position(c.Topic(), c.Partition(), c.HighWaterMarkOffset()))
	}
	return all
}

// Assigned are the positions of all partitions of the present session, those included in which nothing is read yet
// because the state is restored. None are, when the session is over.
func (t *Tracker) Assigned() []Position {
	s := t.session.Load()
	if s == nil || s.Context().Err() != nil {
		return nil
	}
	type partition struct {
		topic  string
		number int32
	}
	ends := map[partition]int64{}
	for _, c := range s.begun() {
		ends[partition{c.Topic(), c.Partition()}] = c.HighWaterMarkOffset()
	}
	var all []Position
	for topic, partitions := range s.windows {
		for p := range partitions {
			end, begun := ends[partition{topic, p}]
			if !begun {
				end = s.commits[topic][p].End
			}
			at := s.position(topic, p, end)
			if !begun {
				at.Acknowledged = max(at.Acknowledged, s.commits[topic][p].Offset)
			}
			all = append(all, at)
		}
	}
	return all
}

func (s *trackedSession) begun() []sarama.ConsumerGroupClaim {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.claims)
}

func (s *trackedSession) position(topic string, partition int32, end int64) Position {
	w, c := s.windows[topic][partition], s.commits[topic][partition]
	p := Position{Topic: topic, Partition: partition, Pending: w.pending(), Acknowledged: max(w.settled(), c.Start), End: end}
	p.Ended, p.Reset = w.ended()
	appended, delivered, found, untouched := w.oldest()
	switch {
	case found:
		p.Oldest, p.Delivered = time.UnixMilli(appended), time.UnixMilli(delivered)
	case untouched:
		p.Unread = s.since
	}
	return p
}

// Settled is the offset below which everything of a partition is acknowledged,
// and negative when that is nothing.
func (t *Tracker) Settled(topic string, partition int32) int64 {
	if w := t.window(topic, partition); w != nil {
		return w.settled()
	}
	return -1
}

// Quiet tells whether everything that was delivered of a partition, in all topics,
// is acknowledged.
func (t *Tracker) Quiet(partition int32) bool {
	s := t.session.Load()
	if s == nil {
		return true
	}
	for _, partitions := range s.windows {
		if w := partitions[partition]; w != nil && w.pending() > 0 {
			return false
		}
	}
	return true
}

// Wait waits until a record that is in flight is acknowledged. It returns
// ErrSessionOver, or the error of a refused emit.
func (t *Tracker) Wait(ctx context.Context, topic string, partition int32, offset int64) error {
	w := t.window(topic, partition)
	if w == nil {
		return ErrSessionOver
	}
	acked := w.wait(offset)
	if acked == nil {
		return nil
	}
	select {
	case <-acked:
		return nil
	case <-ctx.Done():
		return ErrSessionOver
	case <-t.failure.done:
		return t.failed()
	}
}

// Record is the record as it was consumed, while it is not done and with
// KeepRecords; nil otherwise.
func (t *Tracker) Record(topic string, partition int32, offset int64) *sarama.ConsumerMessage {
	if w := t.window(topic, partition); w != nil {
		return w.record(offset)
	}
	return nil
}

// Pending is the number of records delivered and not contiguously acknowledged
// in the present session.
func (t *Tracker) Pending() int {
	s := t.session.Load()
	if s == nil {
		return 0
	}
	n := 0
	for _, partitions := range s.windows {
		for _, w := range partitions {
			n += w.pending()
		}
	}
	return n
}

func (t *Tracker) window(topic string, partition int32) *window {
	s := t.session.Load()
	if s == nil {
		return nil
	}
	return s.windows[topic][partition]
}

type trackedGroup struct {
	sarama.ConsumerGroup
	t *Tracker

	listen sync.Once
	errors chan error    // the group's, as Goka sees them
	heard  chan struct{} // closed when all of them were heard; nil when nobody listens
}

// trackedHandler serves one session.
type trackedHandler struct {
	h     sarama.ConsumerGroupHandler
	t     *Tracker
	s     *trackedSession
	begun bool // Goka has been told of the session

	refused atomic.Bool // Goka returned an error
}

// returned is what Goka has returned to the group.
func (h *trackedHandler) returned(err error) error {
	if err == nil {
		return nil
	}
	h.refused.Store(true)
	return handlerError{err}
}

// trackedSession is what Goka sees as the session. Acknowledgements that come
// after its end still reach its own windows, never those of the next.
type trackedSession struct {
	sarama.ConsumerGroupSession
	since   time.Time // it began
	windows map[string]map[int32]*window
	commits map[string]map[int32]Commit

	cleaned chan struct{} // closed when the session has been cleaned up
	pulse   *pulse        // nil: none

	mu      sync.Mutex
	claims  []sarama.ConsumerGroupClaim // those that have begun
	missing int                         // claims that have not reported their initial offset
	ready   chan struct{}               // closed when none is missing
	regain  func()                      // called when none is missing
}

func (h *trackedHandler) Setup(s sarama.ConsumerGroupSession) error {
	ts := &trackedSession{ConsumerGroupSession: s, since: time.Now(), windows: map[string]map[int32]*window{}, ready: make(chan struct{}), cleaned: make(chan struct{}), regain: h.t.regained}
	for topic, partitions := range s.Claims() {
		ts.windows[topic] = map[int32]*window{}
		for _, p := range partitions {
			ts.windows[topic][p] = newWindow(h.t.opts.Window)
			ts.windows[topic][p].appended = h.t.opts.Appended
			ts.missing++
		}
	}
	if h.t.opts.Heartbeat != nil {
		ts.pulse = newPulse(h.t.opts.SessionTimeout)
	}
	if err := h.t.readCommits(ts); err != nil {
		return err
	}
	h.s = ts
	h.t.session.Store(ts)
	if h.t.opts.Heartbeat != nil {
		go h.t.beat(ts)
	}
	if h.t.opts.CleanupTimeout > 0 {
		go h.t.watchCleanup(ts)
	}
	h.begun = true
	context.AfterFunc(s.Context(), func() { h.t.lost(ts) })
	if err := h.h.Setup(ts); err != nil {
		return err
	}
	if len(ts.windows) == 0 {
		h.t.regained()
	}
	return nil
}

// lost notes that a session is over.
func (t *Tracker) lost(s *trackedSession) {
	if t.session.Load() == s {
		t.away.CompareAndSwap(0, time.Now().UnixNano())
	}
	if t.opts.Lost != nil {
		t.opts.Lost()
	}
}

// regained notes that records are read again.
func (t *Tracker) regained() {
	if away := t.away.Swap(0); away != 0 && t.opts.Regained != nil {
		t.opts.Regained(time.Since(time.Unix(0, away)))
	}
}

// watchCleanup ends with the session.
func (t *Tracker) watchCleanup(s *trackedSession) {
	<-s.Context().Done()
	began := time.Now()
	for {
		left, changed := s.cleanupLeft(began, t.opts.CleanupTimeout)
		if left <= 0 {
			t.opts.Overdue()
			return
		}
		limit := time.NewTimer(left)
		select {
		case <-s.cleaned:
		case <-limit.C:
		case <-changed:
		}
		limit.Stop()
		if over(s.cleaned) {
			return
		}
	}
}

func (s *trackedSession) cleanupLeft(began time.Time, limit time.Duration) (time.Duration, <-chan struct{}) {
	if s.pulse == nil {
		return limit - time.Since(began), nil
	}
	return s.pulse.overdue(began, limit)
}

// unfinished tells whether a callback has begun with a record that is not done.
func (s *trackedSession) unfinished() bool {
	for _, partitions := range s.windows {
		for _, w := range partitions {
			if _, _, touched := w.left(); touched {
				return true
			}
		}
	}
	return false
}

func (h *trackedHandler) Cleanup(sarama.ConsumerGroupSession) error {
	if h.s == nil {
		return nil // Setup refused the session
	}
	defer close(h.s.cleaned)
	err := h.returned(h.h.Cleanup(h.s))
	if h.t.opts.Ending != nil {
		h.t.opts.Ending(err == nil)
	}
	if h.t.opts.Overdue != nil && h.t.opts.Flushed != nil && h.s.unfinished() && !h.t.opts.Flushed() {
		h.t.opts.Overdue() // Goka has waited for a minute only, and the member leaves now
	}
	if err == nil {
		h.t.handOver(h.s)
	}
	return err
}

func (h *trackedHandler) ConsumeClaim(_ sarama.ConsumerGroupSession, c sarama.ConsumerGroupClaim) error {
	s := h.s
	w := s.windows[c.Topic()][c.Partition()]
	progress, _ := ProgressOf(s.commits[c.Topic()][c.Partition()])
	w.startFrom(c.InitialOffset(), progress)
	s.report(c)

	claim := &trackedClaim{ConsumerGroupClaim: c, messages: make(chan *sarama.ConsumerMessage)}
	stop := make(chan struct{})
	var forwarding sync.WaitGroup
	forwarding.Add(1)
	go func() {
		defer forwarding.Done()
		defer close(claim.messages)
		h.forward(s, w, c, claim.messages, stop)
	}()
	defer forwarding.Wait()
	defer close(stop)
	return h.returned(h.h.ConsumeClaim(s, claim))
}

// report counts a claim whose initial offset is known.
func (s *trackedSession) report(c sarama.ConsumerGroupClaim) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.claims = append(s.claims, c)
	s.missing--
	if s.missing == 0 {
		close(s.ready)
		s.regain()
	}
}

// forward hands a claim's records on. The first goes out only when every claim
// of the session has reported its initial offset: before that, causes of other
// topics would look unseen though they are acknowledged, and nothing would ever
// replay them (hole H2).
func (h *trackedHandler) forward(s *trackedSession, w *window, c sarama.ConsumerGroupClaim, to chan<- *sarama.ConsumerMessage, stop <-chan struct{}) {
	select {
	case <-s.ready:
	case <-stop:
		return
	}
	for {
		var m *sarama.ConsumerMessage
		select {
		case m = <-c.Messages():
		case <-stop:
			return
		}
		if m == nil {
			return
		}
		for full := w.deliver(m, h.t.opts.KeepRecords); full != nil; full = w.deliver(m, h.t.opts.KeepRecords) {
			select {
			case <-full:
			case <-stop:
				return
			}
		}
		select {
		case to <- m:
		case <-stop:
			return
		}
		plantedBug(s, m)
	}
}

type trackedClaim struct {
	sarama.ConsumerGroupClaim
	messages chan *sarama.ConsumerMessage
}

func (c *trackedClaim) Messages() <-chan *sarama.ConsumerMessage { return c.messages }

// MarkOffset takes Goka's mark of one record, whose offset is one below, and
// passes on the contiguous acknowledged offset when that advances.
func (s *trackedSession) MarkOffset(topic string, partition int32, offset int64, _ string) {
	w := s.windows[topic][partition]
	if w == nil {
		return
	}
	if next, ended, ok := w.finish(offset - 1); ok {
		s.ConsumerGroupSession.MarkOffset(topic, partition, next, Progress{Ended: ended, Reset: w.reset}.metadata())
	}
}

func (s *trackedSession) MarkMessage(m *sarama.ConsumerMessage, metadata string) {
	s.MarkOffset(m.Topic, m.Partition, m.Offset+1, metadata)
}

// readCommits loads the committed offsets' metadata and refuses those from which
// the group cannot go on without a loss.
func (t *Tracker) readCommits(s *trackedSession) error {
	if t.opts.Commits == nil || len(s.windows) == 0 {
		return nil
	}
	commits, err := t.opts.Commits(s.Claims())
	if err != nil {
		return fmt.Errorf("read committed offsets of group %s: %w", t.opts.Group, err)
	}
	s.commits = commits
	for topic, partitions := range commits {
		for p, c := range partitions {
			if err := t.checkCommit(topic, p, c); err != nil {
				return err
			}
			if w := s.windows[topic][p]; w != nil {
				progress, _ := ProgressOf(c) // known before the claim begins, which may take a while
				w.startFrom(-1, progress)
			}
		}
	}
	s.takeOver()
	return nil
}

// takeOver commits the offsets that somebody else has set, and that are accepted,
// as this program's own. It does so at once: where no record comes, nothing else
// would ever commit them, and the next start would refuse them again.
func (s *trackedSession) takeOver() {
	foreign := false
	for topic, partitions := range s.commits {
		for p, c := range partitions {
			if _, ours := ProgressOf(c); ours {
				continue
			}
			foreign = true
			c.Metadata = Progress{Reset: true}.metadata()
			partitions[p] = c
			s.ConsumerGroupSession.ResetOffset(topic, p, c.Offset, c.Metadata) // to the same offset: a mark would not count
		}
	}
	if foreign {
		s.Commit()
	}
}

func (t *Tracker) checkCommit(topic string, partition int32, c Commit) error {
	if _, ours := ProgressOf(c); !ours && !t.opts.AcceptForeignOffsets {
		return &ForeignOffsetError{Group: t.opts.Group, Topic: topic, Partition: partition, Offset: c.Offset}
	}
	// sarama refuses such a claim as well, but only to a channel of errors that Goka
	// logs: the group would join and give up again for ever.
	if c.Offset >= 0 && (c.Offset < c.Start || c.Offset > c.End) {
		return &LostOffsetError{Group: t.opts.Group, Topic: topic, Partition: partition, Commit: c}
	}
	return nil
}

// ForeignOffsetError says that a committed offset was not set by this program,
// so records may have been jumped over.
type ForeignOffsetError struct {
	Group     string
	Topic     string
	Partition int32
	Offset    int64
}

func (e *ForeignOffsetError) Error() string {
	return fmt.Sprintf("group %s: offset %d of %s/%d was not committed by vibe-bridge: it was reset by hand or by another program, and records may have been jumped over; see that it is not too far, set it back if it is, and start once with --accept-reset-offsets to go on from there",
		e.Group, e.Offset, e.Topic, e.Partition)
}

// LostOffsetError says that the records at a committed offset are not in the
// topic: retention or somebody else deleted them unread, or the topic lost its end.
type LostOffsetError struct {
	Group     string
	Topic     string
	Partition int32
	Commit    Commit
}

func (e *LostOffsetError) Error() string {
	what := fmt.Sprintf("the partition ends at %d: it was truncated or created anew", e.Commit.End)
	if e.Commit.Offset < e.Commit.Start {
		what = fmt.Sprintf("the partition begins at %d: %d records were deleted before they were read", e.Commit.Start, e.Commit.Start-e.Commit.Offset)
	}
	return fmt.Sprintf("group %s: offset %d of %s/%d is not there any more, %s; restore the topic or, to go on without those records, reset the offset of this partition to its beginning with Kafka's tools and start once with --accept-reset-offsets",
		e.Group, e.Commit.Offset, e.Topic, e.Partition, what)
}
