package live

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/ticketscloud/vibe-bridge/compare"
	"github.com/ticketscloud/vibe-bridge/internal/kafka"
)

// Side is one of the two that are compared.
type Side struct {
	Label   string // what people call it
	Legacy  bool   // legacy streams; else slim topics
	Edition string
	Format  string
	Cluster kafka.Cluster
	// Topics by stream; a slim side has no partners.
	Topics map[compare.Stream]string
	// Reader of its records, safe for concurrent use.
	Reader compare.Reader
}

// TopicSettings are what the comparison's own topics are created with.
type TopicSettings struct {
	Partitions  int32
	Replication int16
	MinInsync   int16
	Retention   time.Duration // of what groups tell each other; it has to outlast any stop
	MaxBytes    int           // of a record
}

// Config is what an instance needs. All instances of a comparison have equal ones, but
// for StateDir and Log.
type Config struct {
	Name        string // of the deployment; topics and groups begin with it
	Left, Right Side   // Right is slim
	State       kafka.Cluster
	Settings    TopicSettings
	// Quarantine is the bridge's quarantine topic on the state cluster; "": there is none to
	// ask, and what cannot be mapped counts as quarantined.
	Quarantine string
	// LegacyTopics are those that the bridge reads, by which the quarantine topic names records. They are
	// wanted with Quarantine, also where the left side is slim: the verdict has what is in quarantine in any case.
	LegacyTopics map[compare.Stream]string

	Form      compare.Form
	Expected  *compare.Expected // nil: none
	Noise     *compare.Noise    // nil: every field is stable in its source
	Directory func(path, category, venue string, start int64) string

	// Grace is for how long a difference has to have been there before it counts.
	Grace time.Duration
	// AuditInterval is how long to wait between two walks.
	AuditInterval time.Duration
	// LateAfter is how long an entity may take; 0: whatever it takes.
	LateAfter time.Duration
	// Cutover are the thresholds of the verdict.
	Cutover compare.Cutover
	// Samples of each stream, category and field.
	Samples int

	StateDir       string
	SessionTimeout time.Duration // 0: the client profile's
	StopTimeout    time.Duration // 0: DefaultStopTimeout
	Log            *slog.Logger  // nil: discard
}

// Defaults.
const (
	DefaultGrace         = 2 * time.Minute
	DefaultAuditInterval = time.Minute
	DefaultSamples       = 5
	DefaultStopTimeout   = 30 * time.Second
)

// WithDefaults has every unset field at its default.
func (c Config) WithDefaults() Config {
	if c.AuditInterval == 0 {
		c.AuditInterval = DefaultAuditInterval
	}
	if c.StopTimeout == 0 {
		c.StopTimeout = DefaultStopTimeout
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Validate names the field, the value and what is wanted.
func (c Config) Validate() error {
	switch {
	case c.Name == "":
		return errors.New("name is empty")
	case c.Settings.Partitions < 1:
		return fmt.Errorf("partitions: %d: want 1 or more", c.Settings.Partitions)
	case c.Grace < 0:
		return fmt.Errorf("compare.grace: %s: want 0s or more", c.Grace)
	case c.AuditInterval < 0:
		return fmt.Errorf("compare.audit_interval: %s: want more than 0s", c.AuditInterval)
	case c.Right.Legacy:
		return errors.New("the right side is legacy: it has to be slim")
	case c.Quarantine != "" && len(c.LegacyTopics) == 0:
		return errors.New("the quarantine topic cannot be read without the names of the legacy topics")
	}
	own := map[string]bool{}
	for _, t := range c.topics().own() {
		own[t] = true
	}
	for _, s := range c.sides() {
		for stream := range compare.Streams {
			topic := s.side.Topics[stream]
			switch {
			case topic == "" && (stream != compare.Partners || s.side.Legacy):
				return fmt.Errorf("the %s side has no topic of %s", s.name, stream)
			case own[topic]:
				return fmt.Errorf("topic %s of the %s side is one of the comparison's own", topic, s.name)
			}
		}
	}
	return nil
}

// named is a side with its name in group names.
type named struct {
	name  string
	right bool
	side  Side
}

func (c Config) sides() [2]named {
	return [2]named{{"left", false, c.Left}, {"right", true, c.Right}}
}
