package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/internal/schemacheck"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/processors"
	"github.com/ticketscloud/vibe-bridge/slim"
	"github.com/ticketscloud/vibe-bridge/verify"
)

// Summary is what a run has shown.
type Summary struct {
	Seed      uint64         `json:"seed"`
	Instances int            `json:"instances"`
	Brokers   int            `json:"brokers"`
	OwnTarget bool           `json:"own_target"` // the slim topics have a cluster of their own
	Passed    bool           `json:"passed"`
	Failure   string         `json:"failure,omitempty"`
	Seconds   float64        `json:"seconds"`
	Scheduled int            `json:"faults_scheduled"`
	Stopped   bool           `json:"stopped"` // before all faults were done, by whoever started the run
	Faults    map[Kind]int   `json:"faults"`  // that were survived
	Legacy    int            `json:"legacy_records"`
	Slim      int            `json:"slim_records"`
	Keys      int            `json:"slim_keys"`
	Repeats   int            `json:"duplicates"` // records that say what the one before them with their key said
	Findings  map[string]int `json:"findings"`   // of verify, by kind; all kinds
	Waiting   int            `json:"waiting"`    // rightly, says verify
	// Undecidable is what the topics do not let anybody decide. Ordered is how many orders and refunds were held
	// against what they need, by position.
	Undecidable  int              `json:"undecidable"`
	Ordered      int              `json:"order_checked"`
	Comparable   bool             `json:"order_comparable"`
	Unbalanced   map[string]int64 `json:"unbalanced"` // accounts, by legacy topic
	LongestStall float64          `json:"longest_stall_seconds"`
	// Memory is the most resident memory of each instance in MB, before, while and after the target was away.
	Memory    map[string][]int64 `json:"memory_mb"`
	SelfEnded map[string]int     `json:"self_ended"`
	LastLines map[string]string  `json:"last_lines"` // of an instance that ended by itself, one by reason
}

// settle ends the load, waits until nothing is on its way, and judges.
func (r *run) settle(ctx context.Context) error {
	r.note("faults are over; %d legacy records are written", r.writer.written.Load())
	for _, in := range r.instances {
		if _, err := in.live(ctx); err != nil {
			return err
		}
	}
	if err := r.writer.end(ctx); err != nil {
		return err
	}
	drained, cancel := context.WithTimeoutCause(ctx, r.cfg.DrainBound, fmt.Errorf("records are on their way still, %s after the last fault", r.cfg.DrainBound))
	defer cancel()
	balance, err := r.drain(drained)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err == nil:
		r.note("nothing is on its way any more")
	default: // what verify says tells why
		if cause := context.Cause(drained); cause != nil {
			err = cause
		}
		r.note("%v", err)
	}
	if r.cfg.Brokers > 1 { // times of append tell an order on one broker; here all have the same clock
		if err := r.target.lead(ctx, 1, slimTopics()...); err != nil {
			return err
		}
	}
	verified := r.verify(ctx)
	return errors.Join(err, verified, r.countSlim(ctx), balance)
}

// toRead is the cluster as the packages of the bridge see it.
func (k *cluster) toRead() kafka.Cluster {
	return kafka.Cluster{Brokers: k.direct, Replication: int16(len(k.doors))}.WithDefaults()
}

// drain waits until nothing is on its way, and then tells whether the accounts balance.
func (r *run) drain(ctx context.Context) (balance, err error) {
	source, target := r.kafka.toRead(), r.target.toRead()
	admins, closeAdmins, err := processors.OpenAdmins(source, source, target)
	if err != nil {
		return nil, err
	}
	defer closeAdmins()
	report, err := processors.WaitDrained(ctx, admins, processors.Config{Topics: topics(), Source: source, State: source, Target: target}, nil)
	if err != nil {
		return nil, err
	}
	r.summary.Unbalanced = map[string]int64{}
	for _, s := range mapping.Streams {
		if b := int64(report.Accounts[s].Balance()); b != 0 {
			r.summary.Unbalanced[s.String()] = b
			balance = errors.Join(balance, fmt.Errorf("the account of %s is off by %d", s, b))
		}
	}
	return balance, nil
}

// verifyGrace leaves an instance that took a partition over the time to repeat what may have been overtaken.
const verifyGrace = takeoverRepeat + 20*time.Second

func (r *run) verify(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := program(ctx, r.binary, "verify", "--json", "--config", r.direct, "--grace", r.cfg.Grace.String(), "--examples", "20")
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	failure := cmd.Run()
	if err := writeFile(filepath.Join(r.cfg.Dir, "verify.json"), stdout.String()); err != nil {
		return err
	}
	var report verify.Report
	if err := json.Unmarshal(stdout.Bytes(), &report); err != nil {
		return fmt.Errorf("verify: %w: %s", failure, bytes.TrimSpace(stderr.Bytes()))
	}
	r.take(&report)
	if failure != nil {
		return fmt.Errorf("verify: %w: %s", failure, bytes.TrimSpace(stderr.Bytes()))
	}
	if !report.Ordering.Comparable {
		return fmt.Errorf("verify could not check the order between topics: %s", report.Ordering.Why)
	}
	return nil
}

func (r *run) take(report *verify.Report) {
	s := &r.summary
	s.Findings = map[string]int{}
	for _, k := range verify.Kinds() {
		s.Findings[string(k)] = report.Findings[k].Count
	}
	for _, l := range report.Legacy {
		s.Legacy += l.Records
	}
	for _, reasons := range report.Waiting {
		for _, n := range reasons {
			s.Waiting += n
		}
	}
	for _, n := range report.Undecidable {
		s.Undecidable += n
	}
	s.Ordered, s.Comparable = report.Ordering.Checked, report.Ordering.Comparable
}

// countSlim counts slim records, and those that repeat, and holds them against the published schemas.
func (r *run) countSlim(ctx context.Context) error {
	target := r.target.toRead()
	seed := maphash.MakeSeed()
	wrong, first := 0, error(nil)
	for _, topic := range slimTopics() {
		last := map[string]uint64{}
		err := target.Read(ctx, topic, func(rec *kgo.Record) {
			value := maphash.Bytes(seed, rec.Value)
			if before, known := last[string(rec.Key)]; known && before == value {
				r.summary.Repeats++
			}
			last[string(rec.Key)] = value
			r.summary.Slim++
			if err := checkSchema(rec); err != nil {
				if wrong++; first == nil {
					first = fmt.Errorf("%s/%d/%d: %w", topic, rec.Partition, rec.Offset, err)
				}
			}
		})
		if err != nil {
			return err
		}
		r.summary.Keys += len(last)
	}
	if wrong > 0 {
		return fmt.Errorf("%d slim records are not as their schemas say, the first: %w", wrong, first)
	}
	return nil
}

func checkSchema(rec *kgo.Record) error {
	headers := make([]slim.Header, len(rec.Headers))
	for i, h := range rec.Headers {
		headers[i] = slim.Header{Key: h.Key, Value: h.Value}
	}
	return schemacheck.Check(schemacheck.StreamOf(rec.Topic), rec.Key, rec.Value, headers)
}

// end completes the summary and writes it.
func (r *run) end(err error) {
	s := &r.summary
	s.Passed, s.Seconds = err == nil, seconds(time.Since(r.began))
	if err != nil {
		s.Failure = err.Error()
	}
	text, _ := json.MarshalIndent(s, "", "  ") // plain values
	if err := os.WriteFile(filepath.Join(r.cfg.Dir, "summary.json"), append(text, '\n'), 0o644); err != nil {
		r.note("the summary is not written: %v", err)
	}
}

func seconds(d time.Duration) float64 { return d.Round(100 * time.Millisecond).Seconds() }

// WriteText prints the summary.
func (s Summary) WriteText(w io.Writer) {
	fmt.Fprintf(w, "seed %d, %d instances, %d brokers%s, %s\n", s.Seed, s.Instances, s.Brokers, s.ownTarget(), time.Duration(s.Seconds*float64(time.Second)).Round(time.Second))
	fmt.Fprintf(w, "faults survived      %s%s\n", counts(s.Faults), s.ofScheduled())
	fmt.Fprintf(w, "legacy records       %d\n", s.Legacy)
	fmt.Fprintf(w, "slim records         %d of %d keys, %d of them repeat what was said before\n", s.Slim, s.Keys, s.Repeats)
	fmt.Fprintf(w, "order checked        %d (by position: %v)\n", s.Ordered, s.Comparable)
	fmt.Fprintf(w, "findings             %s\n", counts(s.Findings))
	fmt.Fprintf(w, "waiting rightly      %d, undecidable %d\n", s.Waiting, s.Undecidable)
	fmt.Fprintf(w, "accounts off by      %s\n", counts(s.Unbalanced))
	fmt.Fprintf(w, "longest stall        %.1fs\n", s.LongestStall)
	for _, p := range []phase{beforeAway, duringAway, afterAway} {
		if peaks := s.Memory[string(p)]; peaks != nil {
			fmt.Fprintf(w, "most memory %-8s %v MB\n", p, peaks)
		}
	}
	fmt.Fprintf(w, "ended by themselves  %s\n", counts(s.SelfEnded))
	for _, reason := range slices.Sorted(maps.Keys(s.LastLines)) {
		fmt.Fprintf(w, "  %s: %s\n", reason, s.LastLines[reason])
	}
	switch {
	case s.Passed && s.Stopped:
		fmt.Fprintln(w, "PASSED, as far as it went")
		return
	case s.Passed:
		fmt.Fprintln(w, "PASSED")
		return
	}
	fmt.Fprintf(w, "FAILED: %s\n", s.Failure)
}

func (s Summary) ownTarget() string {
	if s.OwnTarget {
		return " and one of the target"
	}
	return ""
}

// ofScheduled tells how much of the schedule was done, when that is not all.
func (s Summary) ofScheduled() string {
	done := 0
	for _, n := range s.Faults {
		done += n
	}
	if done == s.Scheduled {
		return ""
	}
	return fmt.Sprintf("; %d of %d scheduled", done, s.Scheduled)
}

// counts writes what there is, in the order of its names, and "none" for nothing.
func counts[K ~string, N int | int64](m map[K]N) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if m[k] != 0 {
			parts = append(parts, fmt.Sprintf("%s %d", k, m[k]))
		}
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}
