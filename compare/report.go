package compare

import "time"

// Category of a difference: a stable word, in reports, metrics and the file of
// expected differences.
type Category string

// Categories. The last four are not differences: they are why an entity is not compared,
// or what is said beside a difference.
const (
	Absent          Category = "missing"         // the left side has the entity, the right one not
	Extra           Category = "extra"           // the right side has it, the left one not
	Value           Category = "value"           // a field differs
	WrongValueType  Category = "type"            // a field is not of its type
	Duplicate       Category = "duplicate"       // the same said again with other bytes
	OrderViolation  Category = "order_violation" // an order before its event's first record, or without any
	RefundViolation Category = "refund_violation"
	Stale           Category = "stale" // the right side's newest says what the left side said before
	Late            Category = "late"  // it came later than the window; not counted as unexplained
	InQuarantine    Category = "quarantined"
	ByPolicy        Category = "skipped"
	Pending         Category = "pending"     // too young to be missing, or waits for what it needs
	Undecidable     Category = "undecidable" // what it would be compared with may have been deleted
)

// Categories in the order of a report.
func Categories() []Category {
	return []Category{Absent, Extra, Value, WrongValueType, Duplicate, OrderViolation, RefundViolation, Stale, Late}
}

// Report is the outcome of a comparison. Everything but Run follows from the topics up
// to the marks and from the configuration: the same marks give the same report.
type Report struct {
	Version    int    `json:"version"` // of this form: 1
	Deployment string `json:"deployment"`
	Left       Party  `json:"left"`
	Right      Party  `json:"right"`

	Verdict Verdict `json:"verdict"`

	Streams []StreamCount `json:"streams"` // events, orders, refunds
	Counts  []FieldCount  `json:"counts"`  // where a count is not 0, by stream, category, field
	Samples []Sample      `json:"samples"`

	Expected []ExpectedCount `json:"expected"`
	Noise    *NoiseCount     `json:"noise,omitempty"`

	Quarantine QuarantineFacts `json:"quarantine"`

	Marks []Mark   `json:"marks"`
	Notes []string `json:"notes,omitempty"` // what the topics did not allow to check

	// Trend are earlier results, the oldest first, and this one at last.
	Trend []TrendPoint `json:"trend,omitempty"`

	// Digest is of all of the above but the trend, what the verdict makes of it, and the
	// texts of samples, whose records may be gone the next time.
	Digest string `json:"digest"`

	Run Run `json:"run"`
}

// Party is one side.
type Party struct {
	Label   string   `json:"label"` // what people call it: "legacy", "slim"
	Kind    string   `json:"kind"`  // "legacy" or "slim"
	Edition string   `json:"edition,omitempty"`
	Format  string   `json:"format,omitempty"`
	Topics  []string `json:"topics"`
	Records int64    `json:"records"`
	// Newest is the time of its newest record, Unix milliseconds; 0 without any.
	Newest int64 `json:"newest"`
	// Behind is how much older that was than the moment of the marks, in seconds;
	// -1 without records.
	Behind float64 `json:"behind_seconds"`
}

// Verdict says whether it is safe to cut over.
type Verdict struct {
	Go     bool    `json:"go"`
	Checks []Check `json:"checks"`
}

// Check is one threshold of the verdict.
type Check struct {
	Name string `json:"name"` // the configuration key: "cutover.min_coverage"
	OK   bool   `json:"ok"`
	Want string `json:"want"` // ">= 99.9 %"
	Got  string `json:"got"`
	Why  string `json:"why,omitempty"` // what to do or look at when it is not
}

// StreamCount is what became of a stream's entities. Entities = Equal + Different +
// the sums of Pending, Undecidable, Skipped and Quarantined.
type StreamCount struct {
	Stream   string `json:"stream"`
	Left     int64  `json:"left"` // entities that the left side has
	Right    int64  `json:"right"`
	Entities int64  `json:"entities"` // that either side names

	Equal     int64 `json:"equal"`
	Different int64 `json:"different"` // with a difference of any category but late
	// Unexplained are those of Different with a difference that is neither expected nor noise.
	Unexplained int64            `json:"unexplained"`
	Pending     map[string]int64 `json:"pending"` // by reason
	Undecidable map[string]int64 `json:"undecidable"`
	Skipped     map[string]int64 `json:"skipped"`
	Quarantined map[string]int64 `json:"quarantined"`

	// Coverage is the share compared of those that are to be: (Equal + Different) ÷
	// (Equal + Different + pending + undecidable); 1 when there are none, but 0 where all
	// that there is went to quarantine.
	Coverage float64 `json:"coverage"`
}

// FieldCount counts differences of one category in one field. Those of a category that
// concerns the entity as a whole have Field "".
type FieldCount struct {
	Stream   string   `json:"stream"`
	Category Category `json:"category"`
	Field    string   `json:"field,omitempty"`
	// Count is in entities: an order with the same field different in five tickets is one.
	Count int64 `json:"count"`
	// Expected are those of Count that a rule declares, Noise what the baseline accounts
	// for; Unexplained are the others.
	Expected    int64 `json:"expected"`
	Noise       int64 `json:"noise"`
	Unexplained int64 `json:"unexplained"`
	// Compared entities of the stream.
	Compared int64 `json:"compared"`
}

// Sample is one difference, with what both sides say.
type Sample struct {
	Stream   string   `json:"stream"`
	Category Category `json:"category"`
	Field    string   `json:"field,omitempty"`
	ID       string   `json:"id"`
	Item     string   `json:"item,omitempty"` // the ticket's id
	Detail   string   `json:"detail,omitempty"`
	Rule     string   `json:"rule,omitempty"` // the expected difference that it is
	Left     Shown    `json:"left"`
	Right    Shown    `json:"right"`
}

// Shown is a value as people may see it.
type Shown struct {
	// Place is topic/partition/offset of the record, "" when there is none.
	Place string `json:"place,omitempty"`
	// Parts are the text in pieces; those that differ from the other side's are marked.
	// Without any the value is absent.
	Parts []Part `json:"parts,omitempty"`
	// Masked: of a personal text only the shape is shown, 9 for a digit, a or A for a
	// letter.
	Masked bool `json:"masked,omitempty"`
	// Gone: the record cannot be read any more.
	Gone bool `json:"gone,omitempty"`
	// Unread: there is a record, and it has not been read again, so that nothing is known of its text.
	Unread bool `json:"unread,omitempty"`
}

// Part is a piece of a shown text.
type Part struct {
	Text    string `json:"text"`
	Differs bool   `json:"differs,omitempty"`
}

// ExpectedCount is a declared difference and how often it occurred.
type ExpectedCount struct {
	ID      string `json:"id"`
	Owner   string `json:"owner"`
	Reason  string `json:"reason"`
	Expires string `json:"expires"` // the last day on which it holds, as 2026-12-31
	Expired bool   `json:"expired"` // what it declares counts again
	Count   int64  `json:"count"`   // entities, also when expired
}

// NoiseCount says what a side and its replay differ in.
type NoiseCount struct {
	Of       string           `json:"of"` // "left" or "right"
	Compared map[string]int64 `json:"compared"`
	Fields   []NoiseField     `json:"fields"`
	// Replays say by stream how much of the side the replay has.
	Replays map[string]Replay `json:"replays"`
}

// NoiseField is a field that is not stable in its source.
type NoiseField struct {
	Stream string `json:"stream"`
	Field  string `json:"field"`
	Count  int64  `json:"count"` // entities
}

// Mark is up to where a partition was compared.
type Mark struct {
	Side  string `json:"side"` // "left", "right", "baseline", "quarantine"
	Topic string `json:"topic"`
	// TopicID is what the cluster calls it; another topic of the same name has another.
	TopicID   string `json:"topic_id,omitempty"`
	Partition int32  `json:"partition"`
	Start     int64  `json:"start"`
	// Settled: what lies at or beyond it, but before End, is too young to be judged when
	// something is wrong with it.
	Settled int64 `json:"settled"`
	End     int64 `json:"end"`
	// Records is how many lay between Start and End when the mark was first read up to; nil
	// before that. There are fewer when the topic has been compacted since.
	Records *int64 `json:"records,omitempty"`
}

// TrendPoint is one result among others.
type TrendPoint struct {
	Time        time.Time `json:"time"`
	Go          bool      `json:"go"`
	Coverage    float64   `json:"coverage"`
	Unexplained float64   `json:"unexplained_rate"`
	Violations  int64     `json:"violations"`
}

// Run is what depends on the moment and the machine.
type Run struct {
	Time             time.Time `json:"time"` // of the marks
	Seconds          float64   `json:"seconds"`
	Records          int64     `json:"records"`
	RecordsPerSecond float64   `json:"records_per_second"`
	PeakMemory       int64     `json:"peak_memory_bytes"` // resident, of the process
	Resumed          bool      `json:"resumed"`
	Continuous       bool      `json:"continuous"`
}
