package console

import (
	"context"
	"encoding/json"
	"time"
)

// The JSON of the API (docs/http.md). Times are RFC 3339 in UTC, durations seconds, ids texts. A list is never null.

// Overview is how a deployment does: of one instance when an instance asks, otherwise of all of them.
type Overview struct {
	Deployment string       `json:"deployment"`
	Edition    string       `json:"edition"`
	Format     string       `json:"format"`
	Version    string       `json:"version"`
	Time       time.Time    `json:"time"`
	Rights     []Right      `json:"rights"` // of the viewer
	Instances  []Instance   `json:"instances"`
	Unassigned []Partitions `json:"unassigned"`
	Nodes      []Node       `json:"nodes"`
	Edges      []Edge       `json:"edges"`
	Parked     []ParkedSum  `json:"parked"`
	Quarantine []BadSum     `json:"quarantine"` // since the instances started
	Paused     []Paused     `json:"paused"`
	Accounts   Accounts     `json:"accounts"`
	Latency    Latency      `json:"latency"`
	Compare    *Verdict     `json:"compare"` // null: there is no comparison
}

// Instance is a member of the gate's consumer group. ID is its member id. URL is "" when it did not say one.
type Instance struct {
	ID        string     `json:"id"`
	URL       string     `json:"url"`
	Self      bool       `json:"self"`
	Version   string     `json:"version"`
	Started   *time.Time `json:"started"` // null: not known
	Ready     bool       `json:"ready"`
	Reasons   []string   `json:"reasons"` // why not ready, or not reachable
	Reachable bool       `json:"reachable"`
	Groups    []Group    `json:"groups"`
}

// Group is what an instance has of a consumer group.
type Group struct {
	Group      string      `json:"group"`
	Partitions []Partition `json:"partitions"`
}

// States of a partition.
const (
	Connecting = "connecting"
	Recovering = "recovering"
	Running    = "running"
)

// Partition is how far the table of a partition is restored, in records. Both are 0 where there is none.
type Partition struct {
	Partition int32  `json:"partition"`
	State     string `json:"state"`
	Restored  int64  `json:"restored"`
	Total     int64  `json:"total"`
}

// Partitions are those of a group that no instance has.
type Partitions struct {
	Group      string  `json:"group"`
	Partitions []int32 `json:"partitions"`
}

// Node is a part of the topology. ID is KIND:NAME, for example legacy:orders_done, intake:orders_done, group:gate,
// slim:orders and quarantine:quarantine. Label is what to show: the name of a topic or a group.
type Node struct {
	ID    string `json:"id"`
	Kind  string `json:"kind"`
	Label string `json:"label"`
}

// Edge is a topic on its way. Lag is of the reader To: its records that are not read yet, and the age of the oldest.
type Edge struct {
	From             string  `json:"from"`
	To               string  `json:"to"`
	Topic            string  `json:"topic"`
	RecordsPerSecond float64 `json:"records_per_second"`
	LagRecords       int64   `json:"lag_records"`
	LagSeconds       float64 `json:"lag_seconds"`
}

// ParkedSum counts what waits for the same kind of thing.
type ParkedSum struct {
	Reason        string  `json:"reason"`
	Count         int64   `json:"count"`
	OldestSeconds float64 `json:"oldest_seconds"`
}

// BadSum counts what went to quarantine.
type BadSum struct {
	Topic  string `json:"topic"`
	Reason string `json:"reason"`
	Count  int64  `json:"count"`
}

// Paused is a legacy topic that is not read because too many of its records were bad.
type Paused struct {
	Topic string    `json:"topic"`
	Since time.Time `json:"since"`
	Why   string    `json:"why"`
}

// Accounts are even when Balance is 0 once nothing is on its way: every legacy record has ended in one way, and is
// counted as such.
type Accounts struct {
	Balance int64            `json:"balance"` // of all topics, each taken as positive
	Topics  map[string]int64 `json:"topics"`  // consumed records less those with an end, by legacy stream
	Known   bool             `json:"known"`   // false: an instance does not answer, or has not added up yet
}

// Latency is from the append of a legacy record to the acknowledgement of its slim one, in seconds, over the last
// minute, of the slowest instance; 0 when there was none.
type Latency struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
}

// Verdict is the newest of compare run.
type Verdict struct {
	Go          bool      `json:"go"`
	Time        time.Time `json:"time"`
	Reasons     []string  `json:"reasons"`
	Coverage    float64   `json:"coverage"`
	Unexplained float64   `json:"unexplained_rate"`
	Violations  int64     `json:"violations"`
	Report      string    `json:"report"` // path of its page
}

// ParkedQuery selects parked records. Zero fields select nothing out.
type ParkedQuery struct {
	Reason    string
	Event     string
	OlderThan time.Duration
	Limit     int
}

// ParkedList has the oldest first. Total counts all that were selected. Missing says which partitions or instances
// are not in it.
type ParkedList struct {
	Records   []ParkedRecord `json:"records"`
	Total     int64          `json:"total"`
	Truncated bool           `json:"truncated"`
	Missing   []string       `json:"missing"`
}

// ParkedRecord waits. Cause is the place of its legacy record, TOPIC/PARTITION/OFFSET.
type ParkedRecord struct {
	Kind     string    `json:"kind"`
	ID       string    `json:"id"`
	Event    string    `json:"event"`
	Order    string    `json:"order"`
	Reason   string    `json:"reason"`
	WaitsFor string    `json:"waits_for"`
	Since    time.Time `json:"since"`
	Seconds  float64   `json:"seconds"`
	Cause    string    `json:"cause"`
}

// Kinds of entities.
const (
	KindEvent  = "event"
	KindOrder  = "order"
	KindRefund = "refund"
)

// StoryQuery names an entity. Event and Order are "" when whoever asks does not know them.
type StoryQuery struct {
	Kind  string
	ID    string
	Event string
	Order string
}

// Story is all that is known of an entity.
type Story struct {
	Kind      string   `json:"kind"`
	ID        string   `json:"id"`
	Found     bool     `json:"found"`
	Instance  string   `json:"instance"` // URL of the one that has it
	Partition int32    `json:"partition"`
	Key       string   `json:"key"` // of its table row
	Story     []Step   `json:"story"`
	Fields    []Field  `json:"fields"`
	Parents   []Entity `json:"parents"`
	Children  []Entity `json:"children"`
}

// Step is one sentence of a story. What is seen, decided, emitted, waits, quarantined or skipped.
type Step struct {
	What  string     `json:"what"`
	Text  string     `json:"text"`
	Time  *time.Time `json:"time"`
	Place *string    `json:"place"` // TOPIC/PARTITION/OFFSET
}

// Field is one value. Invariant: a personal one is masked unless the viewer has the right Personal; Source gives it
// as it is, and one place masks it.
type Field struct {
	Name     string `json:"name"`
	Value    string `json:"value"`
	Personal bool   `json:"personal"`
	Masked   bool   `json:"masked"`
}

// Entity is a relative of another one. State is parked, emitted, skipped or seen.
type Entity struct {
	Kind  string `json:"kind"`
	ID    string `json:"id"`
	State string `json:"state,omitempty"`
}

// BadQuery selects records of the quarantine topic. Zero fields select nothing out.
type BadQuery struct {
	Reason   string
	Topic    string
	Since    time.Time
	Until    time.Time
	ID       string
	Replayed bool // those that were replayed as well
	Limit    int
}

// BadList has the newest first. Reasons counts all that were selected.
type BadList struct {
	Records   []BadRecord      `json:"records"`
	Reasons   map[string]int64 `json:"reasons"`
	Truncated bool             `json:"truncated"`
}

// BadRecord lies in quarantine. Position is PARTITION/OFFSET there, Source the place of its legacy record.
type BadRecord struct {
	Position string     `json:"position"`
	Time     time.Time  `json:"time"`
	Topic    string     `json:"topic"`
	Source   string     `json:"source"`
	Stage    string     `json:"stage"`
	Reason   string     `json:"reason"`
	Message  string     `json:"message"`
	ID       string     `json:"id"`
	Replayed *time.Time `json:"replayed"`
}

// BadDetail is one of them with what is in it.
type BadDetail struct {
	BadRecord
	Headers []Field `json:"headers"`
	Fields  []Field `json:"fields"`
}

// ResyncOrder wants things emitted again. One of the first three is set.
type ResyncOrder struct {
	Event  string `json:"event,omitempty"`
	Order  string `json:"order,omitempty"`
	Since  string `json:"since,omitempty"` // a duration such as 2h, or a time
	DryRun bool   `json:"dry_run,omitempty"`
}

// Resynced tells what was asked of the partitions.
// Events, Orders and Refunds are emitted again by that; Waiting of them are held back, and go out later.
type Resynced struct {
	Commands int `json:"commands"`
	Sent     int `json:"sent"`
	Events   int `json:"events"`
	Orders   int `json:"orders"`
	Refunds  int `json:"refunds"`
	Waiting  int `json:"waiting"`
}

// Resumed tells since when a topic had been paused.
type Resumed struct {
	Resumed     bool       `json:"resumed"`
	PausedSince *time.Time `json:"paused_since"`
}

// ReplayOrder wants records of the quarantine tried again: those at Positions, or all that Reason and Topic select.
type ReplayOrder struct {
	Reason    string   `json:"reason,omitempty"`
	Topic     string   `json:"topic,omitempty"`
	Positions []string `json:"positions,omitempty"`
	DryRun    bool     `json:"dry_run,omitempty"`
}

// Replayed counts outcomes.
type Replayed struct {
	Records  int            `json:"records"`
	Outcomes map[string]int `json:"outcomes"`
}

// Readiness answers /readyz. Restored is the part of its table that each group has restored, in percent.
type Readiness struct {
	Ready    bool               `json:"ready"`
	Reasons  []string           `json:"reasons,omitempty"`
	Restored map[string]float64 `json:"restored,omitempty"`
}

// Failure is the answer to what could not be done: one line that says what is wrong and what to do. Quarantine is the position of
// a record there, when an entity was asked for that is known by it alone.
type Failure struct {
	Error      string `json:"error"`
	Quarantine string `json:"quarantine,omitempty"`
}

// Source is what the console needs of an instance. Everything is of this instance alone, but for what lies in Kafka.
// It returns *NotFoundError, *UnavailableError and *RefusedError where these say it; other errors are internal ones.
// Methods are called from many goroutines, and end when ctx does.
type Source interface {
	Ready() Readiness
	// Overview leaves Rights to the caller.
	Overview(ctx context.Context) (Overview, error)
	// Peers are all other instances.
	Peers(ctx context.Context) ([]Peer, error)
	// Owner is the gate's partition of an event.
	Owner(event string) (partition int32)

	Parked(ctx context.Context, q ParkedQuery) (ParkedList, error)
	Story(ctx context.Context, q StoryQuery) (Story, error)
	Quarantine(ctx context.Context, q BadQuery) (BadList, error)
	// QuarantineRecord is also found where it was before one that says the same stood for it.
	QuarantineRecord(ctx context.Context, partition int32, offset int64) (BadDetail, error)
	// InQuarantine is the newest record of an entity there that was not replayed; nil: none that could be told.
	InQuarantine(ctx context.Context, kind, id string) (*BadRecord, error)

	// Report is the newest of compare run, as JSON and as a page.
	Report(ctx context.Context) (json.RawMessage, error)
	ReportPage(ctx context.Context) ([]byte, error)

	Resync(ctx context.Context, o ResyncOrder) (Resynced, error)
	Resume(ctx context.Context, topic string) (Resumed, error)
	Replay(ctx context.Context, o ReplayOrder) (Replayed, error)
}

// Peer is another instance, with the gate's partitions that it has. Without a URL it cannot be asked, and Why says why.
type Peer struct {
	ID         string
	URL, Why   string
	Partitions []int32
}

// NotFoundError says that this instance does not have what was asked for.
type NotFoundError struct{ Text string }

func (e *NotFoundError) Error() string { return e.Text }

// InQuarantineError says, after Text, that an entity is known by a record in quarantine alone.
type InQuarantineError struct {
	Text string
	BadRecord
}

func (e *InQuarantineError) Error() string {
	return e.Text + "; it is in quarantine, " + e.Position + ", because " + e.Reason + ": " + e.Message
}

// UnavailableError says that what was asked for cannot be told now, such as while a partition is restored.
type UnavailableError struct{ Text string }

func (e *UnavailableError) Error() string { return e.Text }

// RefusedError says what is wrong with what was asked.
type RefusedError struct{ Text string }

func (e *RefusedError) Error() string { return e.Text }
