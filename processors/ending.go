package processors

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
)

// DefaultStopTimeout is Config.StopTimeout where it is not set.
const DefaultStopTimeout = 30 * time.Second

// ending is how an instance comes to its end. It begins when the caller asks for
// it or with the first failure of anything, and then everything has the stop
// timeout to flush, to commit and to leave; after that the wire is cut, and
// clients that wait for a cluster that is away give up.
//
//	runs ──(asked, or first failure)──▶ ends ──(all parts ended)──▶ over
//	                                     └──(stop timeout)──▶ cut ──▶ over
type ending struct {
	wire    *kafka.Wire
	timeout time.Duration
	lease   time.Duration // the longest pause of the process after which it may still write
	log     *slog.Logger
	topics  Topics

	ctx   context.Context // of everything that runs
	begin context.CancelFunc

	mu      sync.Mutex
	failure error // the first
	parts   map[string]*part
	cut     *StopError // what was left when the wire was cut; nil when it was not
}

// part is something that runs and has to end.
type part struct {
	owes     string          // what is open as long as it has not ended
	producer *kafka.Producer // nil: none, or none yet
}

func newEnding(cfg Config) *ending {
	e := &ending{wire: kafka.NewWire(), timeout: cfg.StopTimeout, lease: leaseOf(cfg), log: cfg.Log, topics: cfg.Topics, parts: map[string]*part{}}
	if e.timeout == 0 {
		e.timeout = DefaultStopTimeout
	}
	return e
}

// leaseOf is well inside the session timeout, less the heartbeat that may have been due.
func leaseOf(cfg Config) time.Duration { return sessionTimeoutOf(cfg) / 2 }

func sessionTimeoutOf(cfg Config) time.Duration {
	return kafka.ConsumerOptions{SessionTimeout: cfg.SessionTimeout}.WithDefaults().SessionTimeout
}

// run runs all until it returns. Only an end that was asked for, and in which all
// that was begun was also acknowledged, has no error.
func (e *ending) run(ctx context.Context, all func(context.Context) error) error {
	e.ctx, e.begin = context.WithCancel(ctx)
	defer e.begin()
	over := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() { e.watch(over) })
	leased, release := context.WithCancel(context.Background()) // to the last write
	stopped := e.wire.KeepLease(leased, e.lease, func(pause time.Duration) { e.fault(&PausedError{pause, e.lease}) })
	err := all(e.ctx)
	close(over)
	watching.Wait()
	release()
	stopped()
	e.fail(err)
	return e.result()
}

// watch cuts the wire when the end takes too long.
func (e *ending) watch(over <-chan struct{}) {
	select {
	case <-e.ctx.Done():
	case <-over:
		return
	}
	e.log.Info("instance ends", "within", e.timeout.String())
	limit := time.NewTimer(e.timeout)
	defer limit.Stop()
	select {
	case <-limit.C:
	case <-over:
		return
	}
	e.mu.Lock()
	e.cut = e.left()
	e.mu.Unlock()
	e.log.Warn("connections are cut", "reason", e.cut.Error())
	e.wire.Cut()
}

// fail notes what has failed and begins the end. What fails because the instance
// ends is no failure of its own.
func (e *ending) fail(err error) {
	if err == nil || e.wire.IsCut() || e.ctx.Err() != nil && interrupted(err) {
		return
	}
	e.fault(err)
}

// fault is fail for what has cut the wire, or is about to.
func (e *ending) fault(err error) {
	e.mu.Lock()
	if e.failure == nil {
		e.failure = err
	}
	e.mu.Unlock()
	e.begin()
}

// overdue ends an instance that had to give partitions up and could not do it in
// time: the group may go on without it from now on, so nothing more may be written.
func (e *ending) overdue(group string, limit time.Duration) {
	e.fault(&OverdueError{group, limit})
	e.wire.Cut()
}

// PausedError says that the process stood still for so long that it may have lost
// its partitions without knowing (guard G3).
type PausedError struct{ Pause, Allowed time.Duration }

func (e *PausedError) Error() string {
	return fmt.Sprintf("this instance stood still for %s, and more than %s is too long: it may have lost its partitions, so its connections were cut before it wrote anything more; nothing is lost, start it again; and look for what stopped it: a paused container or machine, swapping, no CPU",
		e.Pause.Round(time.Millisecond), e.Allowed)
}

// OverdueError says that a group could not finish what it had begun before it had
// to give its partitions up (guard G4).
type OverdueError struct {
	Group string
	Limit time.Duration
}

func (e *OverdueError) Error() string {
	return fmt.Sprintf("group %s had to give its partitions up and could not have everything acknowledged in time, which is %s from a rebalance on and a minute at most; as others may own them soon, its connections were cut; nothing is lost: what was not acknowledged is done again by the next owner; check that the brokers answer",
		e.Group, e.Limit)
}

// interrupted tells whether an error says no more than that it was asked to end.
// Goka keeps the text of some errors only.
func interrupted(err error) bool {
	var several []error
	switch err := err.(type) {
	case interface{ WrappedErrors() []error }: // Goka's way to join errors
		several = err.WrappedErrors()
	case interface{ Unwrap() []error }:
		several = err.Unwrap()
	case interface{ Unwrap() error }:
		if inner := err.Unwrap(); inner != nil {
			return interrupted(inner)
		}
	}
	if len(several) > 0 {
		return !slices.ContainsFunc(several, func(err error) bool { return !interrupted(err) })
	}
	text := err.Error()
	if strings.Contains(text, kafka.ErrProducerClosed.Error()) {
		return true // what a session that is over had still wanted to begin
	}
	return errors.Is(err, context.Canceled) || strings.Contains(text, "context canceled") || strings.Contains(text, "context closed while waiting")
}

func (e *ending) result() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.cut == nil:
		return e.failure
	case e.failure == nil:
		return e.cut
	}
	return fmt.Errorf("%w; and then %w", e.failure, e.cut)
}

// started notes a part that has to end; owes says what is open until then.
func (e *ending) started(name, owes string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.parts[name] = &part{owes: owes}
}

// producing notes the producer of a part.
func (e *ending) producing(name string, p *kafka.Producer) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if part := e.parts[name]; part != nil {
		part.producer = p
	}
}

func (e *ending) ended(name string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.parts, name)
}

// left says what is open at this moment. The caller holds the lock.
func (e *ending) left() *StopError {
	s := &StopError{Timeout: e.timeout}
	records := map[string]int64{}
	for _, name := range slices.Sorted(maps.Keys(e.parts)) {
		p := e.parts[name]
		var unacked map[string]int64
		if p.producer != nil {
			unacked = p.producer.Unacknowledged()
		}
		if len(unacked) == 0 {
			s.Owed = append(s.Owed, p.owes)
		}
		for topic, n := range unacked {
			records[fmt.Sprintf("topic %s on the %s cluster", topic, e.topics.clusterOf(topic))] += n
		}
	}
	s.Records = records
	return s
}

// StopError says that an instance had to end before everything was acknowledged.
type StopError struct {
	Timeout time.Duration
	Records map[string]int64 // not acknowledged, by topic with its cluster
	Owed    []string         // what else was open
}

func (e *StopError) Error() string {
	var open []string
	for _, topic := range slices.Sorted(maps.Keys(e.Records)) {
		open = append(open, fmt.Sprintf("%d records to %s", e.Records[topic], topic))
	}
	open = append(open, e.Owed...)
	if len(open) == 0 {
		open = []string{"the connections to the clusters"}
	}
	return fmt.Sprintf("the instance ended before everything was acknowledged, since stop_timeout (%s) was over; still open: %s; nothing is lost: what was not acknowledged is done again at the next start; check that the brokers of these topics and groups answer",
		e.Timeout, strings.Join(open, ", "))
}
