package processors

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"

	"github.com/ticketscloud/vibe-bridge/directory"
	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/internal/logging"
	"github.com/ticketscloud/vibe-bridge/internal/seal"
	"github.com/ticketscloud/vibe-bridge/internal/store"
	"github.com/ticketscloud/vibe-bridge/mapping"
)

// Config is what an instance needs. All instances of a deployment have equal
// ones, but for StateDir and Log.
type Config struct {
	Topics        Topics
	Settings      TopicSettings
	Rules         *mapping.Rules
	ApplicationID string // header application-id
	SourceHeader  bool   // whether slim records carry bridge-source
	// Personal seals personal texts in internal topics and tables; nil: they rest as they are.
	Personal *seal.Keys

	Source kafka.Cluster // legacy streams
	State  kafka.Cluster // internal topics and tables
	Target kafka.Cluster // slim streams

	StateDir       string
	SweepInterval  time.Duration
	SessionTimeout time.Duration
	// StopTimeout bounds the end of an instance, from its beginning on; 0 is DefaultStopTimeout.
	StopTimeout time.Duration
	// StallAfter is for how long a partition with records may acknowledge none before it
	// counts as stalled; 0 is DefaultStallAfter.
	StallAfter time.Duration
	// Priming keeps orders and refunds from being read, at the start, until partners and
	// events have caught up.
	Priming bool
	// Breaker says when a legacy topic is paused that floods the quarantine.
	Breaker BreakerConfig
	// Version of the program: a pause is over when another one starts.
	Version string
	// ConsoleURL is where other instances reach the console of this one; "": nowhere.
	ConsoleURL string
	// AcceptForeignOffsets goes on from committed offsets that this program did not commit.
	AcceptForeignOffsets bool

	Log      *slog.Logger
	Observer kafka.Observer // nil: none

	self identity // of the process, over all its builds
}

// Bridge is one instance.
type Bridge struct {
	cfg     Config
	topics  Topics
	log     *slog.Logger
	rules   rulebook
	metrics *Metrics
	clients clients
	adding  chan struct{} // held by whoever adds up the accounts of a partition
	stores  *store.Registry
	end     *ending
	gate    atomic.Pointer[group]
	// organizers, like gate, are the group that runs at present.
	organizers atomic.Pointer[group]

	admission *admission
	breaker   *breaker
	rebuilt   bool                   // an instance of this process has run before
	notPrimed atomic.Pointer[string] // why orders and refunds are not read; nil: they are

	started atomic.Bool              // all groups run
	stalled atomic.Pointer[[]string] // what watchStalls found last
	away    atomic.Pointer[[]string] // what watchClusters found last

	mu  sync.Mutex
	all []*group // that run
}

// New checks the configuration. Nothing is connected yet.
func New(cfg Config) (*Bridge, error) {
	if err := cfg.Rules.Validate(); err != nil {
		return nil, err
	}
	if err := cfg.Topics.Validate(); err != nil {
		return nil, err
	}
	if limit, want := cfg.maxInternalBytes(), cfg.Rules.InternalBytes(); limit < want {
		return nil, fmt.Errorf("internal topics take records of %d bytes: slim records of %d bytes want at least %d, of topics and of the state cluster's producer", limit, cfg.Rules.MaxRecordBytes, want)
	}
	if err := cfg.Breaker.validate(); err != nil {
		return nil, err
	}
	if cfg.StallAfter == 0 {
		cfg.StallAfter = DefaultStallAfter
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.self == (identity{}) {
		cfg.self = newIdentity()
	}
	b := &Bridge{cfg: cfg, topics: cfg.Topics, log: cfg.Log, metrics: newMetrics(), adding: make(chan struct{}, 1), end: newEnding(cfg), admission: newAdmission()}
	b.breaker = newBreaker(cfg, b.admission, b.log, b.Metrics)
	b.rules.publish(cfg.Rules)
	return b, nil
}

// Metrics of this instance.
func (b *Bridge) Metrics() *Metrics { return b.metrics }

// SetDirectory puts another directory to use. Events that it touches are emitted
// again by the next sweep.
func (b *Bridge) SetDirectory(d *directory.Directory) {
	rules := *b.rules.current()
	rules.Directory = d
	b.rules.publish(&rules)
}

// Run runs the instance until ctx ends or something fails, and returns when
// everything has ended, which takes StopTimeout and some seconds at most. It
// returns nil when ctx has ended and all that was begun was acknowledged. A Bridge
// runs once.
func (b *Bridge) Run(ctx context.Context) error { return b.end.run(ctx, b.run) }

func (b *Bridge) run(ctx context.Context) error {
	admins, closeAdmins, err := openAdmins(b.end.wire, b.cfg.Source, b.cfg.State, b.cfg.Target)
	if err != nil {
		return err
	}
	defer closeAdmins()
	if err := b.checkTopics(ctx, admins); err != nil {
		return err
	}
	b.stores, err = store.NewRegistry(store.Options{
		Dir: b.cfg.StateFolder(), Indexer: waiting, IndexVersion: waitingVersion, Logger: b.log,
		CacheBytes: store.CacheBytes(b.cfg.Settings.Partitions),
	})
	if err != nil {
		return err
	}
	defer func() {
		if err := b.stores.Close(); err != nil {
			b.log.Warn("local state was not closed in order: the next start reads more of its changelogs", "error", err)
		}
	}()
	if err := b.cfg.claimFolder(admins[kafka.StateCluster]); err != nil {
		return err
	}
	defer b.metrics.instance.show(b)()
	stopBreaker, err := b.startBreaker(ctx)
	if err != nil {
		return err
	}
	defer stopBreaker()
	return b.runGroups(ctx, admins)
}

// runGroups runs all processors and the sweeper; the first failure ends them all.
func (b *Bridge) runGroups(ctx context.Context, admins kafka.Admins) error {
	var running sync.WaitGroup
	defer running.Wait()
	start := func(name, owes string, run func(context.Context) error) {
		b.end.started(name, owes)
		running.Go(func() {
			defer b.end.ended(name)
			if err := run(ctx); err != nil {
				b.end.fail(fmt.Errorf("%s: %w", name, withoutKeys(err)))
			}
		})
	}
	b.startHolding(admins, start)
	for _, s := range mapping.Streams {
		p, err := b.intakeProcessor(admins, s)
		if err != nil {
			b.end.fail(err) // before the others are waited for
			return nil
		}
		name := string(b.topics.intakeGroup(s))
		start(name, offsetsOf(name, kafka.SourceCluster), p.Run)
	}
	if err := b.startTables(admins, start); err != nil {
		b.end.fail(err)
		return nil
	}
	b.started.Store(true)
	b.log.Info("instance runs")
	start("watch", "nothing", b.watchStalls)
	start("reach", "nothing", b.watchClusters)
	return nil
}

// startHolding runs what holds intake back. It comes before intake.
func (b *Bridge) startHolding(admins kafka.Admins, start func(name, owes string, run func(context.Context) error)) {
	start("breaker", "nothing", b.followControl)
	if !b.cfg.Priming {
		return
	}
	b.holdPrimed(true)
	b.primingAt(primingProgress{}, nil)
	start("priming", "nothing", func(ctx context.Context) error { return b.prime(ctx, admins) })
}

// groups are those that run.
func (b *Bridge) groups() []*group {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.all)
}

// offsetsOf is what a group owes until it has ended.
func offsetsOf(group, cluster string) string {
	return fmt.Sprintf("the offsets of group %s on the %s cluster", group, cluster)
}

func (b *Bridge) startTables(admins kafka.Admins, start func(name, owes string, run func(context.Context) error)) error {
	org := &organizers{b.newGroup(b.topics.organizersGroup(), admins[kafka.StateCluster], false)}
	orgProcessor, err := b.processor(org.group, org.graph(), b.cfg.State)
	if err != nil {
		return err
	}
	g := &gate{group: b.newGroup(b.topics.gateGroup(), admins[kafka.StateCluster], false)}
	gateProcessor, err := b.processor(g.group, g.graph(), b.cfg.State)
	if err != nil {
		return err
	}
	b.organizers.Store(org.group)
	b.gate.Store(g.group)
	start(string(org.name), offsetsOf(string(org.name), kafka.StateCluster), orgProcessor.Run)
	start(string(g.name), offsetsOf(string(g.name), kafka.StateCluster), gateProcessor.Run)
	start("sweep", "commands of the sweep to topic "+loopOf(g.name), b.sweep)
	return nil
}

func (b *Bridge) intakeProcessor(admins kafka.Admins, s mapping.Stream) (*goka.Processor, error) {
	const keepRecords = true // for quarantine
	in := &intake{group: b.newGroup(b.topics.intakeGroup(s), admins[kafka.SourceCluster], keepRecords), stream: s}
	if s == mapping.Events {
		in.gathers = newGathering(in)
		in.ending = in.gathers.finish
	}
	in.heldBack = func() bool { held, _ := b.admission.held(b.topics.Legacy[s]); return held }
	return b.processor(in.group, in.graph(), b.cfg.Source)
}

// cleanupTimeout is well inside the rebalance timeout of the client profile (guard G4).
const cleanupTimeout = kafka.DefaultRebalanceTimeout / 2

// newGroup prepares a group whose inputs are on the cluster of admin.
func (b *Bridge) newGroup(name goka.Group, admin *kafka.Admin, keepRecords bool) *group {
	session := sessionTimeoutOf(b.cfg)
	var g *group
	tracker := kafka.NewTracker(kafka.TrackerOptions{
		Group: string(name), KeepRecords: keepRecords,
		AcceptForeignOffsets: b.cfg.AcceptForeignOffsets,
		Epoch:                func(partition int32) int32 { return g.epoch(partition) },
		Commits: func(topics map[string][]int32) (map[string]map[int32]kafka.Commit, error) {
			return admin.GroupCommits(string(name), topics)
		},
		Heartbeat: func(member string, generation int32) error {
			return admin.Heartbeat(session, string(name), member, generation)
		},
		SessionTimeout: session,
		Log:            b.log.With("group", string(name)),
		Failed:         func(err error) { b.end.fail(fmt.Errorf("%s: %w", name, err)) },
		CleanupTimeout: cleanupTimeout,
		Overdue:        func() { b.end.overdue(string(name), cleanupTimeout) },
		Appended:       b.topics.appended(),
		Lost:           b.metrics.lost.WithLabelValues(b.topics.groupLabel(string(name))).Inc,
		Regained: func(after time.Duration) {
			b.metrics.rebalance.WithLabelValues(b.topics.groupLabel(string(name))).Observe(after.Seconds())
		},
		Ending: func(inOrder bool) {
			if g.ending != nil {
				g.ending(inOrder)
			}
		},
		Flushed: func() bool { return len(g.producer.Unacknowledged()) == 0 },
	})
	g = newGroup(b, name, tracker, b.stores)
	g.admin = admin
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all = append(b.all, g)
	return g
}

// processor builds the Goka processor of a group whose inputs and table are on one cluster.
func (b *Bridge) processor(g *group, graph *goka.GroupGraph, inputs kafka.Cluster) (*goka.Processor, error) {
	wired := kafka.ClientOptions{Wire: b.end.wire}
	wired.Made = func(cfg *sarama.Config) { b.clients.add(b.topics.inputsOf(g.name), consumerClient, cfg) }
	consumer := kafka.ConsumerOptions{ClientOptions: wired, SessionTimeout: b.cfg.SessionTimeout}
	wired.Made = nil // of an admin client there is nothing to show
	if g.name == b.topics.gateGroup() {
		consumer.MemberData = b.memberData()
	}
	p, err := goka.NewProcessor(inputs.Brokers, graph,
		goka.WithClientID(inputs.ClientID),
		goka.WithHasher(kafka.NewPrefixHasher),
		goka.WithNilHandling(goka.NilProcess),
		goka.WithLogger(logging.Lines{Log: b.log.With("group", string(g.name)), From: "goka", Clean: withoutKeys}),
		goka.WithStorageBuilder(g.fenced(b.stores.Builder())),
		goka.WithUpdateCallback(g.recoverRow),
		goka.WithConsumerGroupBuilder(g.tracker.Builder(func(_ []string, group, _ string) (sarama.ConsumerGroup, error) {
			return inputs.NewConsumerGroup(group, consumer)
		})),
		goka.WithConsumerSaramaBuilder(func(brokers []string, _ string) (sarama.Consumer, error) {
			cfg, err := inputs.ConsumerConfig(consumer)
			if err != nil {
				return nil, err
			}
			return sarama.NewConsumer(brokers, cfg)
		}),
		goka.WithTopicManagerBuilder(func(brokers []string) (goka.TopicManager, error) {
			cfg, err := inputs.AdminConfig(wired)
			if err != nil {
				return nil, err
			}
			never := goka.NewTopicManagerConfig()
			never.NoCreate = true // topics are planned and created by `vibe-bridge topics`
			return goka.NewTopicManager(brokers, cfg, never)
		}),
		goka.WithProducerBuilder(g.buildProducer),
	)
	if err != nil {
		return nil, fmt.Errorf("group %s: %w", g.name, err)
	}
	return p, nil
}

// checkTopics refuses to run on topics that are missing, wrong, or not those
// that the state was built from.
func (b *Bridge) checkTopics(ctx context.Context, admins kafka.Admins) error {
	if err := CheckTopics(admins, b.topics, b.cfg.Settings); err != nil {
		return err
	}
	legacy, err := admins[kafka.SourceCluster].LegacyIdentity(b.topics.legacyByStream())
	if err != nil {
		return fmt.Errorf("%s cluster: %w", kafka.SourceCluster, err)
	}
	if unknown := len(legacy) - len(legacy.Known()); unknown > 0 {
		b.log.Warn("the brokers of the source cluster are older than Kafka 2.8 and give topics no ids: should a legacy topic be deleted and created again, the bridge cannot tell, and its state will not fit it; build it anew then",
			"topics", unknown)
	}
	return kafka.CheckIdentity(ctx, admins[kafka.StateCluster], b.topics.Identity(), b.topics.StateTopics(), legacy)
}

// CheckTopics reports topics that are missing or wrong, in one error.
func CheckTopics(admins kafka.Admins, t Topics, s TopicSettings) error {
	plan, err := admins.Plan(t.Specs(s))
	if err != nil {
		return err
	}
	if err := plan.Mismatch(); err != nil {
		return err
	}
	if missing := plan.Missing(); len(missing) > 0 {
		return &MissingTopicsError{Topics: missing}
	}
	return nil
}

// MissingTopicsError says which topics `vibe-bridge topics create` would create.
type MissingTopicsError struct{ Topics []kafka.TopicSpec }

func (e *MissingTopicsError) Error() string {
	first := e.Topics[0]
	const remedy = "run `vibe-bridge topics create` with the same configuration"
	if len(e.Topics) == 1 {
		return fmt.Sprintf("topic %s is missing on the %s cluster: %s", first.Name, first.Cluster, remedy)
	}
	return fmt.Sprintf("%d topics are missing, %s on the %s cluster among them: %s", len(e.Topics), first.Name, first.Cluster, remedy)
}

// OpenAdmins connects to the three clusters. Clusters that are configured alike share a client.
func OpenAdmins(source, state, target kafka.Cluster) (kafka.Admins, func(), error) {
	return openAdmins(nil, source, state, target)
}

// OpenAdminsFor is OpenAdmins for as long as ctx lasts: what is on its way ends with it.
func OpenAdminsFor(ctx context.Context, source, state, target kafka.Cluster) (kafka.Admins, func(), error) {
	wire := kafka.NewWire()
	stop := context.AfterFunc(ctx, wire.Cut)
	admins, closeAll, err := openAdmins(wire, source, state, target)
	if err != nil {
		stop()
		return nil, nil, err
	}
	return admins, func() { stop(); closeAll() }, nil
}

func openAdmins(w *kafka.Wire, source, state, target kafka.Cluster) (kafka.Admins, func(), error) {
	admins := kafka.Admins{}
	closeAll := func() {
		closed := map[*kafka.Admin]bool{}
		for _, a := range admins {
			if !closed[a] {
				a.Close()
			}
			closed[a] = true
		}
	}
	for _, c := range []struct {
		name    string
		cluster kafka.Cluster
	}{{kafka.SourceCluster, source}, {kafka.TargetCluster, target}, {kafka.StateCluster, state}} {
		a, err := kafka.NewAdminOver(w, c.cluster)
		if err != nil {
			closeAll()
			return nil, nil, fmt.Errorf("%s cluster: %w", c.name, err)
		}
		admins[c.name] = a
	}
	return admins, closeAll, nil
}
