package live

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ticketscloud/vibe-bridge/compare"
	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/internal/store"
)

// Instance is one instance of the comparison. What fails and may pass ends everything in
// it, and after a back-off all of it is built anew in the same process.
type Instance struct {
	cfg    Config
	topics topics
	log    *slog.Logger
	folder compare.Folder

	results *results
	samples *samples
	horizon atomic.Int64 // Unix milliseconds; 0: none yet
	round   atomic.Int64 // how long the last round of walks took, in nanoseconds

	mu      sync.Mutex
	present *session // nil while waiting
	reason  string   // why present is nil
}

// New checks the configuration. Nothing is connected yet.
func New(cfg Config) (*Instance, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.WithDefaults()
	return &Instance{
		cfg: cfg, topics: cfg.topics(), log: cfg.Log, folder: compare.Folder{Form: cfg.Form}, results: newResults(cfg.Settings.Partitions), samples: newSamples(), reason: "starting",
	}, nil
}

// The back-off.
const (
	firstWait = time.Second
	mostWait  = time.Minute
	healthy   = 10 * time.Minute // what ran for so long begins with the first again
)

// Run runs the instance until ctx ends, and returns nil when all that was begun was
// acknowledged; or until something fails that waiting does not mend, and returns that.
func (i *Instance) Run(ctx context.Context) error {
	wait := time.Duration(0)
	ran := false
	for {
		began := time.Now()
		s := &session{Instance: i, wire: kafka.NewWire()}
		err := s.run(ctx)
		ran = ran || s.started.Load()
		if err == nil || ctx.Err() != nil || permanent(err) || !ran && !kafka.Unreachable(err) {
			return err
		}
		if wait = min(2*wait, mostWait); wait == 0 || time.Since(began) > healthy {
			wait = firstWait
		}
		i.log.Error("comparison failed, and is built anew", "error", kafka.Explain(err), "in", wait.String())
		i.use(nil, fmt.Sprintf("built anew in %s: %s", wait, kafka.Explain(err)))
		if !sleep(ctx, wait) {
			return err
		}
	}
}

func (i *Instance) use(s *session, reason string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.present, i.reason = s, reason
}

func (i *Instance) session() (s *session, reason string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.present, i.reason
}

func sleep(ctx context.Context, d time.Duration) (slept bool) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// permanent tells whether an operator has to do something first.
func permanent(err error) bool {
	var missing *MissingTopicsError
	var mismatch *kafka.MismatchError
	var foreign *kafka.ForeignOffsetError
	var lost *kafka.LostOffsetError
	var consume *kafka.ConsumeError
	return errors.As(err, &missing) || errors.As(err, &mismatch) || errors.As(err, &foreign) || errors.As(err, &lost) || errors.As(err, &consume)
}

// MissingTopicsError says that the comparison's own topics are not all there.
type MissingTopicsError struct{ Topics []kafka.TopicSpec }

func (e *MissingTopicsError) Error() string {
	return fmt.Sprintf("%d of the comparison's topics are missing on the state cluster, %s among them: run `vibe-bridge topics create --compare`, or `compare run --create-topics` once", len(e.Topics), e.Topics[0].Name)
}

// EnsureTopics creates those of the comparison's own topics that are missing, or, without
// create, says so. Topics that are there and wrong are an error.
func EnsureTopics(ctx context.Context, cfg Config, create bool) error {
	wire := kafka.NewWire()
	defer context.AfterFunc(ctx, wire.Cut)()
	admin, err := kafka.NewAdminOver(wire, cfg.State)
	if err != nil {
		return err
	}
	defer admin.Close()
	return ensure(ctx, admin, cfg, create)
}

func ensure(ctx context.Context, state *kafka.Admin, cfg Config, create bool) error {
	plan, err := state.Plan(cfg.Specs())
	if err != nil {
		return err
	}
	if err := plan.Mismatch(); err != nil {
		return err
	}
	missing := plan.Missing()
	switch {
	case len(missing) == 0:
		return nil
	case !create:
		return &MissingTopicsError{missing}
	}
	_, err = state.Create(ctx, plan)
	return err
}

// session is one build of an instance.
type session struct {
	*Instance
	wire    *kafka.Wire
	started atomic.Bool
	stores  *store.Registry
	state   *kafka.Admin
	sides   [2]*kafka.Admin // left, right
	facts   facts

	intakes  []*intake
	partners *group
	joins    *group
	events   *group

	partnerRows *partnerRows
	quarantine  *quarantine
	tails       struct{ partners, quarantine *tail }

	ctx   context.Context // of everything that runs
	end   context.CancelFunc
	once  sync.Once
	cause error // the first failure
}

// fail ends the session. What fails because the session ends is no failure of its own.
func (s *session) fail(err error) {
	if err == nil || s.ctx.Err() != nil {
		return
	}
	s.once.Do(func() {
		s.cause = err
		s.end()
	})
}

// StoppedError says that an instance ended before everything was acknowledged.
type StoppedError struct{ After time.Duration }

func (e *StoppedError) Error() string {
	return fmt.Sprintf("the comparison ended before everything was acknowledged, as stop_timeout (%s) was over; nothing is lost: what was not acknowledged is done again", e.After)
}

func (s *session) run(ctx context.Context) (err error) {
	s.ctx, s.end = context.WithCancel(ctx)
	over := make(chan struct{})
	var watching sync.WaitGroup
	cut := false
	watching.Go(func() { cut = s.cutLate(over) })
	err = s.all()
	s.end()
	close(over)
	watching.Wait()
	switch {
	case s.cause != nil:
		return s.cause
	case err == nil && cut:
		return &StoppedError{s.cfg.StopTimeout}
	}
	return err
}

// cutLate cuts the connections when the end takes too long.
func (s *session) cutLate(over <-chan struct{}) (cut bool) {
	select {
	case <-s.ctx.Done():
	case <-over:
		return false
	}
	limit := time.NewTimer(s.cfg.StopTimeout)
	defer limit.Stop()
	select {
	case <-limit.C:
		s.wire.Cut()
		<-over
		return true
	case <-over:
		return false
	}
}

func (s *session) all() error {
	closeAdmins, err := s.connect()
	if err != nil {
		return err
	}
	defer closeAdmins()
	if err := ensure(s.ctx, s.state, s.cfg, false); err != nil {
		return err
	}
	if s.facts, err = s.readFacts(); err != nil {
		return err
	}
	s.stores, err = store.NewRegistry(store.Options{Dir: s.cfg.StateFolder(), Logger: s.log})
	if err != nil {
		return err
	}
	defer func() {
		if err := s.stores.Close(); err != nil {
			s.log.Warn("local state was not closed in order: the next start reads more of its changelogs", "error", err)
		}
	}()
	return s.runParts()
}

// StateFolder is where the state of an instance is.
func (cfg Config) StateFolder() string { return filepath.Join(cfg.StateDir, cfg.Name+"-compare") }

func (s *session) connect() (closeAll func(), err error) {
	var open []*kafka.Admin
	closeAll = func() {
		for _, a := range open {
			a.Close()
		}
	}
	for _, c := range []struct {
		name    string
		cluster kafka.Cluster
		into    **kafka.Admin
	}{{"state", s.cfg.State, &s.state}, {"left", s.cfg.Left.Cluster, &s.sides[0]}, {"right", s.cfg.Right.Cluster, &s.sides[1]}} {
		admin, err := kafka.NewAdminOver(s.wire, c.cluster)
		if err != nil {
			closeAll()
			return nil, fmt.Errorf("%s cluster: %w", c.name, err)
		}
		open = append(open, admin)
		*c.into = admin
	}
	return closeAll, nil
}

// runParts runs everything; the first failure ends it all.
func (s *session) runParts() error {
	var running sync.WaitGroup
	defer running.Wait()
	defer func() {
		if s.ctx.Err() == nil {
			s.end() // what could not be started ends what was
		}
	}()
	start := func(name string, run func(context.Context) error) {
		running.Go(func() {
			if err := run(s.ctx); err != nil {
				s.fail(fmt.Errorf("%s: %w", name, err))
			}
		})
	}
	s.startTails(start)
	if err := s.startGroups(start); err != nil {
		return err
	}
	start("horizon", s.watchHorizon)
	start("audit", s.audit)
	s.use(s, "")
	s.started.Store(true)
	<-s.ctx.Done()
	s.use(nil, "ends")
	return nil
}

func (s *session) startTails(start func(string, func(context.Context) error)) {
	s.partnerRows = &partnerRows{rows: map[string][]byte{}}
	s.tails.partners = newTail(s.cfg.State, tableOf(s.topics.partnersGroup()), s.partnerRows.take)
	start("partners", s.tails.partners.run)
	totals := newTail(s.cfg.State, s.topics.totals(), s.results.take)
	start("totals", totals.run)
	if s.cfg.Quarantine == "" {
		return
	}
	s.quarantine = newQuarantine(s.cfg.LegacyTopics)
	s.tails.quarantine = newTail(s.cfg.State, s.cfg.Quarantine, s.quarantine.take)
	start("quarantine", s.tails.quarantine.run)
}

func (s *session) startGroups(start func(string, func(context.Context) error)) error {
	run := func(g *group) error {
		p, err := g.processor()
		if err != nil {
			return err
		}
		start(g.name, func(ctx context.Context) error { return withoutKeys(p.Run(ctx)) })
		return nil
	}
	for n, side := range s.cfg.sides() {
		for stream := range compare.Streams {
			if side.side.Topics[stream] == "" {
				continue
			}
			in := newIntake(s, side, stream, s.sides[n])
			s.intakes = append(s.intakes, in)
			if err := run(in.group); err != nil {
				return err
			}
		}
	}
	s.partners, s.joins, s.events = newPartners(s), newJoins(s), newEvents(s)
	for _, g := range []*group{s.partners, s.joins, s.events} {
		if err := run(g); err != nil {
			return err
		}
	}
	return nil
}

// NotReady says why the instance is not ready, a reason a line; nothing when it is.
func (i *Instance) NotReady() []string {
	s, reason := i.session()
	if s == nil {
		return []string{reason}
	}
	var reasons []string
	for _, g := range s.groups() {
		if !g.tracker.Joined() {
			reasons = append(reasons, "group "+g.name+" has not joined")
		}
	}
	if i.horizon.Load() == 0 {
		reasons = append(reasons, "reading up: nothing is judged before everything that there was has been read once")
	}
	return reasons
}

func (s *session) groups() []*group {
	all := []*group{s.partners, s.joins, s.events}
	for _, in := range s.intakes {
		all = append(all, in.group)
	}
	return all
}

// TopicExists tells whether a cluster has a topic.
func TopicExists(ctx context.Context, c kafka.Cluster, topic string) (bool, error) {
	wire := kafka.NewWire()
	defer context.AfterFunc(ctx, wire.Cut)()
	admin, err := kafka.NewAdminOver(wire, c)
	if err != nil {
		return false, err
	}
	defer admin.Close()
	infos, err := admin.Describe([]string{topic})
	return infos[topic].Exists, err
}
