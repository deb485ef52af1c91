package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ticketscloud/vibe-bridge/internal/process"
	"github.com/ticketscloud/vibe-bridge/internal/season"
	"github.com/ticketscloud/vibe-bridge/slim"
)

// recoveryFigures are those of an instance that starts without its local state, on the topics of a drain. Seconds count
// from the start of the process.
type recoveryFigures struct {
	Contestant string  `json:"contestant"`
	Round      int     `json:"round"`
	StateMiB   float64 `json:"state_mib"`     // that was lost
	Works      float64 `json:"works_seconds"` // until a new order for each partition has come out, and it is ready
	Ready      float64 `json:"ready_seconds"` // until it says so itself; 0: it does not
	// What it took to read the state back, of which the instance tells; 0: it does not.
	Rows     int64   `json:"rows"`
	Began    float64 `json:"restore_began_seconds"`
	Restored float64 `json:"restore_seconds"`
	PeakMiB  float64 `json:"peak_mib"`
	Verified bool    `json:"verified"`
}

func (f *recoveryFigures) who() string { return f.Contestant }

func (f *recoveryFigures) rate() float64 {
	if f.Restored == 0 {
		return 0
	}
	return float64(f.Rows) / f.Restored
}

func (f *recoveryFigures) String() string {
	text := fmt.Sprintf("cold recovery of %.0f MiB: works after %.1fs", f.StateMiB, f.Works)
	if f.Ready > 0 {
		text += fmt.Sprintf(", says so after %.1fs", f.Ready)
	}
	if f.Rows > 0 {
		text += fmt.Sprintf("; %d rows in %.2fs, %.0f/s, from %.1fs on", f.Rows, f.Restored, f.rate(), f.Began)
	}
	return text + "; verified"
}

// recoverLimit bounds a recovery.
const recoverLimit = 15 * time.Minute

// recovery starts the deployment of a place again, with an instance that has no state.
func (b *bench) recovery(ctx context.Context, c contestant, p *place, n int, stateMiB float64) (*recoveryFigures, error) {
	f := &recoveryFigures{Contestant: c.name, Round: n, StateMiB: stateMiB}
	if err := os.RemoveAll(p.state()); err != nil {
		return nil, err
	}
	cold := p.twin()
	if err := b.settle(c, cold); err != nil {
		return nil, err
	}
	if err := b.measureRecovery(ctx, c, cold, f); err != nil {
		return nil, fmt.Errorf("cold recovery: %w; its log ends with: %s", err, process.LastLine(cold.log()))
	}
	if err := b.verify(ctx, p, b.orders/2); err != nil {
		return nil, fmt.Errorf("cold recovery: %w", err)
	}
	f.Verified = true
	return f, nil
}

func (b *bench) measureRecovery(ctx context.Context, c contestant, p *place, f *recoveryFigures) (err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, recoverLimit, fmt.Errorf("it does not work within %s", recoverLimit))
	defer cancel()
	ctx, failed := context.WithCancelCause(ctx)
	defer failed(nil)
	if c.changelogs != "" {
		if f.Rows, err = b.rows(ctx, p, c.changelogs); err != nil {
			return err
		}
	}
	if err := b.left(ctx, p); err != nil {
		return err
	}
	probes, err := b.nextProbes()
	if err != nil {
		return err
	}
	flow := newFlow()
	stop, err := b.watchOn(ctx, p, func(_, key string, at time.Time) { flow.saw(key, at) }, failed)
	if err != nil {
		return err
	}
	defer stop()
	began := time.Now()
	run, err := b.start(c, p)
	if err != nil {
		return err
	}
	defer run.Kill()
	for _, s := range probes {
		flow.offer(s.id, began)
	}
	if err := b.write(ctx, probes); err != nil {
		return err
	}
	told := &telling{log: p.log()}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for flow.missing(time.Now()) > 0 || c.tells && told.ready.IsZero() {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-run.Done():
			return fmt.Errorf("it ended with %s", run.State())
		case <-tick.C:
		}
		if c.tells {
			told.look(ctx)
		}
	}
	seen := waits(flow.passages(0), seenAt)
	works := seen[len(seen)-1]
	if c.tells {
		works = max(works, told.ready.Sub(began))
		f.Ready = told.ready.Sub(began).Seconds()
		f.Began, f.Restored = told.first.Sub(began).Seconds(), told.last.Sub(told.first).Seconds()
	}
	f.Works = works.Seconds()
	_, f.PeakMiB = run.Memory()
	ending, cancel := context.WithTimeout(ctx, endLimit)
	defer cancel()
	return run.End(ending)
}

// left waits until the groups of a deployment have no members: one of Kafka Streams does not leave when it ends, and the
// next would wait for its session timeout.
func (b *bench) left(ctx context.Context, p *place) error {
	return wait(ctx, "the groups to be empty", func(time.Time) bool {
		groups, err := b.groups(ctx, p)
		return err == nil && !manned(groups)
	})
}

// rows is how many records the changelogs hold.
func (b *bench) rows(ctx context.Context, p *place, suffix string) (n int64, err error) {
	listed, err := b.admin.ListTopics(ctx)
	if err != nil {
		return 0, err
	}
	var own []string
	for _, topic := range listed.Names() {
		if p.owns(topic) && strings.HasSuffix(topic, suffix) {
			own = append(own, topic)
		}
	}
	starts, err1 := b.admin.ListStartOffsets(ctx, own...)
	ends, err2 := b.admin.ListEndOffsets(ctx, own...)
	ends.Each(func(o kadm.ListedOffset) { n += o.Offset })
	starts.Each(func(o kadm.ListedOffset) { n -= o.Offset })
	return n, errors.Join(err1, err2)
}

// probesOf takes one order for each partition of the internal topics.
func probesOf(orders []sale, partitions int) ([]sale, error) {
	var probes []sale
	taken := map[int32]bool{}
	for _, s := range orders {
		if p := slim.Partition([]byte(s.event), int32(partitions)); !taken[p] {
			taken[p] = true
			probes = append(probes, s)
		}
	}
	if len(probes) < partitions {
		return nil, fmt.Errorf("%d orders are for events of %d of %d partitions alone", len(orders), len(probes), partitions)
	}
	return probes, nil
}

// nextProbes are new orders, of the events of probes. All that drain later find them in the legacy topics, too.
func (b *bench) nextProbes() (fresh []sale, err error) {
	for _, s := range b.probes {
		b.probed++
		again, err := s.again(b.probed)
		if err != nil {
			return nil, err
		}
		fresh = append(fresh, again)
	}
	return fresh, nil
}

// write writes orders to the legacy topic that all drain.
func (b *bench) write(ctx context.Context, orders []sale) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(b.addr))
	if err != nil {
		return err
	}
	defer client.Close()
	var records []*kgo.Record
	for _, s := range orders {
		records = append(records, &kgo.Record{Topic: season.TopicOrders, Key: []byte(s.id), Value: s.value})
	}
	b.loaded += int64(len(records))
	return client.ProduceSync(ctx, records...).FirstErr()
}

// telling is what the bridge tells of itself over HTTP while it starts.
type telling struct {
	log, addr   string
	ready       time.Time // since when it is ready; zero: it is not
	first, last time.Time // when it was seen to restore its state
	asked       time.Time // for its metrics
}

// metricsInterval is how often metrics are asked for: that takes some milliseconds of what is measured.
const metricsInterval = 100 * time.Millisecond

// look asks once. What does not answer yet is asked again.
func (t *telling) look(ctx context.Context) {
	if t.addr == "" {
		text, _ := os.ReadFile(t.log)
		t.addr = addressIn(string(text))
	}
	if t.addr == "" {
		return
	}
	if time.Since(t.asked) >= metricsInterval {
		t.asked = time.Now()
		if metrics, ok := get(ctx, "http://"+t.addr+"/metrics"); ok && restoring(metrics) {
			if t.last = time.Now(); t.first.IsZero() {
				t.first = t.last
			}
		}
	}
	_, ok := get(ctx, "http://"+t.addr+"/readyz")
	t.note(ok, time.Now())
}

// note takes an answer of /readyz: one that is taken back has not counted.
func (t *telling) note(ready bool, at time.Time) {
	switch {
	case !ready:
		t.ready = time.Time{}
	case t.ready.IsZero():
		t.ready = at
	}
}

func get(ctx context.Context, url string) (body string, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", false
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return string(text), err == nil && response.StatusCode == http.StatusOK
}

// addressIn finds where an instance listens in what it has logged so far.
func addressIn(log string) string {
	for line := range strings.Lines(log) {
		var said struct{ Msg, Address string }
		if json.Unmarshal([]byte(line), &said) == nil && said.Msg == "metrics and health" {
			return said.Address
		}
	}
	return ""
}

// restoring tells by metrics whether state is being restored.
func restoring(metrics string) bool {
	for line := range strings.Lines(metrics) {
		if !strings.HasPrefix(line, "vibe_bridge_restore_partitions{") {
			continue
		}
		value := line[strings.LastIndexByte(strings.TrimSpace(line), ' ')+1:]
		if n, err := strconv.ParseFloat(strings.TrimSpace(value), 64); err == nil && n > 0 {
			return true
		}
	}
	return false
}
