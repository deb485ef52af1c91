package capacity

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
)

// Measured is what a run of bench/planrun found: raw figures of each size, coefficients, and how well the two smaller sizes
// predict the largest.
type Measured struct {
	Date    string  `json:"date"`   // RFC 3339, of the end of the run
	Commit  string  `json:"commit"` // of the checkout that was measured
	Go      string  `json:"go"`
	Kafka   string  `json:"kafka"`
	Machine Machine `json:"machine"`
	// Provisional says why the figures are a first look only; empty: they are not.
	Provisional string `json:"provisional,omitempty"`

	Partitions int          `json:"partitions"` // of legacy and internal topics in the runs of three sizes
	Sizes      []Size       `json:"sizes"`      // ascending
	Partition  OnePartition `json:"one_partition"`
	HandOver   HandOver     `json:"hand_over"`

	Fitted    Coefficients `json:"fitted"`
	Predicted []Deviation  `json:"predicted"`
}

// Machine is where a run took place: bridge and broker share it.
type Machine struct {
	CPU    string  `json:"cpu"` // model
	Cores  int     `json:"cores"`
	GiB    float64 `json:"memory_gib"`
	System string  `json:"system"` // GOOS/GOARCH
}

// Size is what a season of some orders took, in two processes: the first has partners and events to read, the second orders
// and refunds, with the state and the topics of the first.
type Size struct {
	Orders  int `json:"orders"`  // different ones
	Events  int `json:"events"`  // different ones
	Refunds int `json:"refunds"` // different requests

	EventPhase Phase `json:"event_phase"`
	OrderPhase Phase `json:"order_phase"`

	// WarmSeconds and ColdSeconds pass from the start of the process until it reads, with the state folder that it had and
	// with none: the quickest of three.
	WarmSeconds float64 `json:"warm_seconds"`
	ColdSeconds float64 `json:"cold_seconds"`
}

// Phase is one process from its start until all is through. Topics, folder and rows are what it added.
type Phase struct {
	Records     float64 `json:"legacy_records"`
	Seconds     float64 `json:"seconds"` // to the last slim record
	CPU         float64 `json:"cpu_seconds"`
	BrokerCPU   float64 `json:"broker_cpu_seconds"`
	ReceivedMiB float64 `json:"received_mib"` // from brokers
	SentMiB     float64 `json:"sent_mib"`     // to brokers
	LegacyMiB   float64 `json:"legacy_topics_mib"`
	InternalMiB float64 `json:"internal_topics_mib"` // those kept for internal_retention
	TableMiB    float64 `json:"table_topics_mib"`
	SlimMiB     float64 `json:"slim_topics_mib"`
	TableRows   float64 `json:"table_rows"` // written, not different
	StateMiB    float64 `json:"state_folder_mib"`
	PeakMiB     float64 `json:"peak_memory_mib"`
	SlimRecords float64 `json:"slim_records"`
	Verified    bool    `json:"verified,omitempty"` // clean and in order, by vibe-bridge verify
}

// OnePartition is what the gate does with a backlog of orders that all lie in one partition, while intake has nothing to do.
type OnePartition struct {
	Orders    int     `json:"orders"`
	Records   float64 `json:"records_per_second"`     // through the one goroutine
	CPU       float64 `json:"cpu_seconds_per_record"` // of the whole process meanwhile
	BrokerCPU float64 `json:"broker_cpu_seconds_per_record"`
	IntakeCPU float64 `json:"intake_cpu_seconds_per_record"` // of the process while intake alone works
}

// HandOver is how long it took until one of two instances had finished what came after the other one was gone.
type HandOver struct {
	OrderlySeconds        float64 `json:"orderly_seconds"` // from SIGTERM on
	KilledSeconds         float64 `json:"killed_seconds"`  // from kill -9 on
	SessionTimeoutSeconds float64 `json:"session_timeout_seconds"`
}

// Coefficients are what the model knows. All are of the measured machine.
type Coefficients struct {
	Event PerRecord `json:"per_event_record"` // of a legacy record of events or partners
	Order PerRecord `json:"per_order_record"` // of a legacy record of orders or refund requests

	StateBytesPerEvent float64 `json:"state_bytes_per_event"` // in the state folder, by different events
	StateBytesPerOrder float64 `json:"state_bytes_per_order"` // refunds included

	StartSeconds      float64 `json:"start_seconds"`            // of a process with its state, until it reads: the join included
	RowsPerSecond     float64 `json:"recovery_rows_per_second"` // of one instance that fills its folder
	HandOverSeconds   float64 `json:"hand_over_seconds"`        // until the other instance of two has all, when one ends in order
	TakeOverSeconds   float64 `json:"take_over_seconds"`        // the same beyond the session timeout, when one is killed
	MemoryMiB         float64 `json:"memory_mib"`               // peak of the smallest size: before caches fill
	SlimBytesPerEvent float64 `json:"slim_bytes_per_event"`     // in the slim topic, by different events

	PartitionRecords float64 `json:"partition_records_per_second"`
	PartitionCPU     float64 `json:"partition_cpu_seconds_per_record"`
	IntakeCPU        float64 `json:"intake_cpu_seconds_per_record"`
}

// PerRecord is what one legacy record costs. Bytes in topics are those of one replica, compressed.
type PerRecord struct {
	CPU       float64 `json:"cpu_seconds"`
	BrokerCPU float64 `json:"broker_cpu_seconds"`
	Received  float64 `json:"received_bytes"`
	Sent      float64 `json:"sent_bytes"`
	Legacy    float64 `json:"legacy_topic_bytes"`
	Internal  float64 `json:"internal_topic_bytes"`
	Table     float64 `json:"table_topic_bytes"` // before compaction
	Slim      float64 `json:"slim_topic_bytes"`
	TableRows float64 `json:"table_rows"`
}

// Deviation is one prediction of the largest size, held against what was measured.
type Deviation struct {
	What      string  `json:"what"`
	Unit      string  `json:"unit"`
	Predicted float64 `json:"predicted"`
	Measured  float64 `json:"measured"`
}

// Share is by how much the prediction is off, relative to what was measured: 0.1 is 10 % too much.
func (d Deviation) Share() float64 {
	if d.Measured == 0 {
		return math.Inf(1)
	}
	return d.Predicted/d.Measured - 1
}

// MaxDeviation is how far a prediction may be off.
const MaxDeviation = 0.25

// Worst is the deviation that is largest, whatever its sign.
func Worst(all []Deviation) (worst Deviation) {
	for i, d := range all {
		if i == 0 || math.Abs(d.Share()) > math.Abs(worst.Share()) {
			worst = d
		}
	}
	return worst
}

//go:embed measured.json
var embedded []byte

// Default is what the program was built with.
func Default() (Measured, error) {
	m, err := ParseMeasured(embedded)
	if err != nil {
		return m, fmt.Errorf("measured.json: %w", err)
	}
	return m, nil
}

// ParseMeasured reads what planrun wrote. Coefficients that no plan can be made with are errors.
func ParseMeasured(data []byte) (Measured, error) {
	var m Measured
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&m); err != nil {
		return m, fmt.Errorf("not a file of planrun: %w", err)
	}
	if decoder.More() {
		return m, errors.New("not a file of planrun: there is more behind it")
	}
	if m.Machine.Cores < 1 {
		return m, fmt.Errorf("machine.cores is %d: want 1 or more", m.Machine.Cores)
	}
	if err := m.Fitted.Validate(); err != nil {
		return m, fmt.Errorf("fitted: %w", err)
	}
	return m, nil
}

// Validate reports the first coefficient that no plan can be made with.
func (c Coefficients) Validate() error {
	needed := map[string]float64{
		"state_bytes_per_event": c.StateBytesPerEvent, "state_bytes_per_order": c.StateBytesPerOrder, "start_seconds": c.StartSeconds,
		"recovery_rows_per_second": c.RowsPerSecond, "memory_mib": c.MemoryMiB, "hand_over_seconds": c.HandOverSeconds,
		"take_over_seconds": c.TakeOverSeconds, "slim_bytes_per_event": c.SlimBytesPerEvent, "partition_records_per_second": c.PartitionRecords,
		"partition_cpu_seconds_per_record": c.PartitionCPU, "intake_cpu_seconds_per_record": c.IntakeCPU,
	}
	for kind, r := range map[string]PerRecord{"per_event_record": c.Event, "per_order_record": c.Order} {
		for name, v := range map[string]float64{
			"cpu_seconds": r.CPU, "broker_cpu_seconds": r.BrokerCPU, "received_bytes": r.Received, "sent_bytes": r.Sent,
			"legacy_topic_bytes": r.Legacy, "internal_topic_bytes": r.Internal, "table_topic_bytes": r.Table, "slim_topic_bytes": r.Slim,
			"table_rows": r.TableRows,
		} {
			needed[kind+"."+name] = v
		}
	}
	var bad []string
	for name, v := range needed {
		if !(v >= 1e-12 && v <= 1e12) { // not NaN
			bad = append(bad, fmt.Sprintf("%s is %v: want a number from 1e-12 to 1e12", name, v))
		}
	}
	if len(bad) == 0 {
		return nil
	}
	// A map has no order, an error has.
	least := bad[0]
	for _, b := range bad {
		if strings.Compare(b, least) < 0 {
			least = b
		}
	}
	return errors.New(least)
}

// About says on what the figures rest, in some lines.
func (m Measured) About() string {
	text := fmt.Sprintf("figures of %s, commit %s, %s, Kafka %s, on %s: %d cores, %s GiB, %s, shared with the broker\n", m.Date, m.Commit, m.Go, m.Kafka, m.Machine.CPU, m.Machine.Cores, number(m.Machine.GiB), m.Machine.System)
	if len(m.Predicted) > 0 {
		worst := Worst(m.Predicted)
		text += fmt.Sprintf("the largest of the three sizes was predicted from the two others with a deviation of %.0f %% at most (%s)\n", 100*math.Abs(worst.Share()), worst.What)
	}
	if m.Provisional != "" {
		text += fmt.Sprintf("PROVISIONAL: %s\n", m.Provisional)
	}
	return text
}

// Table is Markdown: what the largest size was predicted to take, and took.
func (m Measured) Table() string {
	if len(m.Sizes) != 3 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "| %d orders, from %d and %d | predicted | measured | off by |\n|---|---|---|---|\n", m.Sizes[2].Orders, m.Sizes[0].Orders, m.Sizes[1].Orders)
	for _, d := range m.Predicted {
		fmt.Fprintf(&b, "| %s | %.1f %s | %.1f %s | %+.0f %% |\n", d.What, d.Predicted, d.Unit, d.Measured, d.Unit, 100*d.Share())
	}
	return b.String()
}
