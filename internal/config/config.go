// Package config is the configuration of a deployment: one struct, its
// defaults, where its values come from, and the bounds they must keep.
//
// A value is taken from the first of these that has it: a command line flag, an
// environment variable, the YAML file, the default. One table (keys.go) names
// every key; the flag and the variable of a key follow from its path:
//
//	holds:
//	  organizer: 10m                  in the file
//	VIBE_BRIDGE_HOLDS_ORGANIZER=10m   in the environment
//	--holds-organizer 10m             on the command line
//
// What belongs here: reading and checking these values. What does not: acting on
// them, connecting to anything, and deciding which command needs which of them
// (cmd). Nothing here reads the process's environment or arguments by itself.
package config

import (
	"cmp"
	"reflect"
	"strings"
	"time"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/slim"
)

// Config is what `run` and `topics` work with.
//
// Invariant: a Config that Load returned without an error satisfies Validate,
// its clusters are complete (State is there even where the file has none), and
// nothing changes it afterwards.
type Config struct {
	// Name of the deployment: the prefix of its groups, internal topics and
	// state. Deployments with different names do not touch each other.
	Name          string
	Edition       string // of the slim contract: "1.0" or "2.0"
	Format        string // "json" or "protobuf"
	ApplicationID string // value of the application-id header
	SourceHeader  bool   // whether slim records carry bridge-source

	// DefaultTimezone is the IANA name of the zone of events without a venue.
	DefaultTimezone string
	DirectoryFile   string // "": no directory
	CategoriesFile  string // "": the built-in table
	StateDir        string

	// Partitions of the internal topics and group tables. It cannot be changed
	// for a deployment that has state.
	Partitions int32
	Holds      Holds
	// StallAfter is how long a partition that has records may acknowledge none before
	// the instance is not ready.
	StallAfter time.Duration
	// TakeoverRepeat is when an instance that took a partition over sends again what
	// the former owner may still have on its way (guard G5). 0: never.
	TakeoverRepeat time.Duration
	// Priming: whether orders and refunds wait, at the start of an instance, until
	// partners and events have caught up.
	Priming       bool
	Quarantine    Quarantine
	SweepInterval time.Duration // how often long-parked records are looked at

	// MaxMessageBytes is the largest slim record; what is larger goes to
	// quarantine as too_large. Internal topics take larger ones.
	MaxMessageBytes int
	// Replication and MinInsync of the topics that the bridge creates.
	Replication int16
	MinInsync   int16
	// InternalRetention is how long internal topics keep their records. It has
	// to outlast any stop of the bridge (protocol rule R8).
	InternalRetention time.Duration
	SessionTimeout    time.Duration
	// StopTimeout is how long an instance that has to end may take to flush and
	// commit before its connections are cut.
	StopTimeout time.Duration

	Encryption Encryption

	HTTP    HTTP
	Log     Log
	Topics  Topics
	Slim    Slim
	Compare Compare
	Cutover Cutover

	Source kafka.Cluster // the legacy streams; only read
	Target kafka.Cluster // the slim streams
	State  kafka.Cluster // internal topics and group tables; Target when nothing of it is set
}

// Holds are how long a record waits for what would complete it before it goes
// out without (the mapping contract, organizer_hold and set_hold).
type Holds struct {
	Organizer time.Duration
	Set       time.Duration
}

// Quarantine says when a legacy topic is paused instead of flooding the quarantine
// topic: when more than MaxShare of its records in the last Window, and of MinRecords
// at least, went there.
type Quarantine struct {
	MaxShare   float64 // 0 or 1: never
	Window     time.Duration
	MinRecords int
}

// Encryption is that of personal texts in internal topics, tables and local state.
type Encryption struct {
	// KeysFile has the keys, see internal/seal. "": they rest as they are.
	KeysFile string
}

// HTTP is the listener of health, metrics and the console.
type HTTP struct {
	Listen string // host:port; "": off
	// Advertise is the URL under which other instances reach this one; "": that of Listen.
	Advertise string
	// TLSCertFile and TLSKeyFile make it HTTPS. ClientCAFile gives the right to view to client certificates of its authorities.
	TLSCertFile, TLSKeyFile, ClientCAFile string
	// Files with a token alone, for the right to view, to act, to see personal data, and to read metrics; "": nobody
	// gets it by a token, and metrics are open.
	ViewTokenFile, ActTokenFile, PersonalTokenFile, MetricsTokenFile string
	PprofListen                                                      string // loopback host:port; "": off
}

// Log is what is logged and how.
type Log struct {
	Level  string // debug, info, warn, error
	Format string // auto (text on a terminal, otherwise JSON), text, json
}

// Topics are the names of the legacy topics on the source cluster.
type Topics struct {
	Partners, Events, Orders, Refunds string
}

// Slim are the slim topics on the target cluster.
type Slim struct {
	Events, Orders, Refunds string // without prefix and suffix
	Prefix, Suffix          string
	Partitions              int32 // of the topics that the bridge creates
}

// Names are the full names of the slim topics.
func (s Slim) Names() (events, orders, refunds string) {
	return s.Prefix + s.Events + s.Suffix, s.Prefix + s.Orders + s.Suffix, s.Prefix + s.Refunds + s.Suffix
}

// Compare says with what the slim topics are compared, and how.
type Compare struct {
	Against      string // AgainstLegacy or AgainstSlim
	Other        Other
	Baseline     Baseline
	ExpectedFile string // "": no difference is expected
	// NoiseFile is a report of `compare once`, whose noise `compare run` subtracts. "": none is.
	NoiseFile string
	// Grace is how long a record may be on its way before it is told missing.
	Grace time.Duration
	// AuditInterval is how long `compare run` waits between two looks at everything.
	AuditInterval time.Duration
	// LateAfter is how long after all it needs a slim record may come. 0: whatever it takes.
	LateAfter time.Duration
	Samples   int // of each stream, category and field
}

// What the slim topics are compared with.
const (
	AgainstLegacy = "legacy"
	AgainstSlim   = "slim"
)

// Other are the slim topics on the left side where Against is AgainstSlim. Edition, Format and
// ApplicationID that are "" are those of the deployment.
type Other struct {
	Cluster                        string // of kafka.SourceCluster and so on
	Edition, Format, ApplicationID string
	Events, Orders, Refunds        string
}

// Topics are events, orders and refunds.
func (o Other) Topics() []string { return []string{o.Events, o.Orders, o.Refunds} }

// Baseline are the topics of a replay of one side, in the encoding of that side. A stream without a topic is
// left out.
type Baseline struct {
	Of      string // BaselineLeft or BaselineRight
	Cluster string
	// Partners are there only of the legacy streams.
	Partners, Events, Orders, Refunds string
}

// The sides that a baseline may be a replay of.
const (
	BaselineLeft  = "left"
	BaselineRight = "right"
)

// Topics are partners, events, orders and refunds; "" for none.
func (b Baseline) Topics() []string { return []string{b.Partners, b.Events, b.Orders, b.Refunds} }

// Given tells whether there is one.
func (b Baseline) Given() bool { return b.Partners+b.Events+b.Orders+b.Refunds != "" }

// BaselineLegacy tells whether the baseline is a replay of legacy streams.
func (c Compare) BaselineLegacy() bool {
	return c.Against == AgainstLegacy && c.Baseline.Of == BaselineLeft
}

// Cutover are the thresholds of the verdict; see compare.Cutover.
type Cutover struct {
	MinCoverage        float64
	MaxUnexplainedRate float64
	MaxViolations      int
	MaxQuarantineAge   time.Duration
	DaysClean          float64
	MinEntities        int
	MaxBehind          time.Duration // 0: not looked at
	// What cutover-check looks at beside a report; see compare.RunningLimits.
	MaxReportAge time.Duration
	MaxLag       int
	MaxParkedAge time.Duration
	MaxParked    int // that are older than MaxParkedAge
}

// OtherEncoding is that of the other slim topics. Both must be valid.
func (c Config) OtherEncoding() slim.Encoding {
	return c.withOther().Encoding()
}

// OtherApplicationID is what the header application-id of the other slim topics says.
func (c Config) OtherApplicationID() string { return c.withOther().ApplicationID }

func (c Config) withOther() Config {
	c.Edition, c.Format = cmp.Or(c.Compare.Other.Edition, c.Edition), cmp.Or(c.Compare.Other.Format, c.Format)
	c.ApplicationID = cmp.Or(c.Compare.Other.ApplicationID, c.ApplicationID)
	return c
}

// Encoding is Edition and Format as package slim takes them. Both must be valid.
func (c Config) Encoding() slim.Encoding {
	edition, _ := slim.ParseEdition(c.Edition)
	format, _ := slim.ParseFormat(c.Format)
	return slim.Encoding{Edition: edition, Format: format}
}

// Default is the configuration without any file, variable or flag. It lacks the
// brokers of the source and the target, which have no default.
func Default() Config {
	return Config{
		Name:              "vibe-bridge",
		Edition:           slim.Edition1.String(),
		Format:            slim.JSON.String(),
		ApplicationID:     "ticketscloud",
		SourceHeader:      true,
		DefaultTimezone:   "Europe/Moscow",
		StateDir:          "/var/lib/vibe-bridge",
		Partitions:        12,
		Holds:             Holds{Organizer: 10 * time.Minute, Set: 10 * time.Minute},
		StallAfter:        2 * time.Minute,
		TakeoverRepeat:    2 * time.Minute,
		Priming:           true,
		Quarantine:        Quarantine{MaxShare: 0.5, Window: time.Minute, MinRecords: 100},
		SweepInterval:     5 * time.Second,
		MaxMessageBytes:   1 << 20,
		Replication:       3,
		MinInsync:         2,
		InternalRetention: 7 * 24 * time.Hour,
		SessionTimeout:    15 * time.Second,
		StopTimeout:       30 * time.Second,
		HTTP:              HTTP{Listen: "127.0.0.1:9477"},
		Log:               Log{Level: "info", Format: "auto"},
		Topics:            Topics{Partners: "partners", Events: "events", Orders: "orders_done", Refunds: "refund_requests"},
		Slim:              Slim{Events: "events", Orders: "orders", Refunds: "refunds", Partitions: 12},
		Compare: Compare{
			Against: AgainstLegacy, Other: Other{Cluster: kafka.TargetCluster},
			Baseline: Baseline{Of: BaselineLeft, Cluster: kafka.SourceCluster}, Grace: time.Minute, AuditInterval: time.Minute, Samples: 3,
		},
		Cutover: Cutover{
			MinCoverage: 0.999, MaxUnexplainedRate: 0.0001, MaxQuarantineAge: 24 * time.Hour, MinEntities: 1,
			MaxReportAge: 24 * time.Hour, MaxLag: 1000, MaxParkedAge: 24 * time.Hour,
		},
	}
}

// Complete gives the clusters what follows from other keys: State is Target when
// nothing of it is set, limits and replication are those of the deployment, and
// what is still unset has its default. Load does it; only a Config that is made
// by hand needs it.
func (c *Config) Complete() {
	if reflect.DeepEqual(c.State, kafka.Cluster{}) {
		c.State = c.Target
	}
	for _, cluster := range []*kafka.Cluster{&c.Source, &c.Target, &c.State} {
		if cluster.ClientID == "" && nameRule.MatchString(c.Name) { // a bad name is one problem, not four
			cluster.ClientID = c.Name
		}
		cluster.MaxMessageBytes = c.MaxMessageBytes
		cluster.Replication = c.Replication
		cluster.MinInsync = c.MinInsync
		*cluster = cluster.WithDefaults()
	}
}

// Overlap says which of the three clusters are one and the same.
type Overlap struct {
	SourceTarget, SourceState, TargetState bool
}

// Overlap as far as the configuration shows it: two clusters with a broker
// address in common are one. Who can ask the clusters for their ids knows more,
// and passes that to CheckTopics.
func (c Config) Overlap() Overlap {
	return Overlap{
		SourceTarget: shareBroker(c.Source, c.Target),
		SourceState:  shareBroker(c.Source, c.State),
		TargetState:  shareBroker(c.Target, c.State),
	}
}

func shareBroker(a, b kafka.Cluster) bool {
	for _, address := range a.Brokers {
		for _, other := range b.Brokers {
			if strings.EqualFold(address, other) {
				return true
			}
		}
	}
	return false
}

// LeastInternalBytes is the least limit on a record of an internal topic.
const LeastInternalBytes = 8 << 20

// InternalBytes is the limit on a record of an internal topic: facts and rows may be larger than the slim records
// made of them.
func (c Config) InternalBytes() int { return max(LeastInternalBytes, internalFactor*c.MaxMessageBytes) }

const internalFactor = 6

// MessageBytesFor is the least MaxMessageBytes with which internal topics take records of so many bytes, 0 when none
// does.
func MessageBytesFor(record int) int {
	if least := (record + internalFactor - 1) / internalFactor; least <= maxMessageBytes {
		return least
	}
	return 0
}
