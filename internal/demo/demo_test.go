package demo

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
	"github.com/ticketscloud/vibe-bridge/internal/ordercheck"
	"github.com/ticketscloud/vibe-bridge/internal/season"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/processors"
)

func start(t *testing.T, cfg Config) *Demo {
	t.Helper()
	cfg.Log = slog.New(slog.DiscardHandler)
	d, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

// viewer keeps what it is shown.
type viewer struct {
	newest Status
	steps  int
	ended  bool
	onStep func(Status)
}

func (v *viewer) viewer(t *testing.T) Viewer {
	return Viewer{
		Step: func(s Status) {
			v.newest, v.steps = s, v.steps+1
			if v.ended {
				t.Error("a step after the end")
			}
			if v.onStep != nil {
				v.onStep(s)
			}
		},
		Ending: func() { v.ended = true },
	}
}

func TestDemoAccountsForItsSeason(t *testing.T) {
	t.Parallel()
	s := season.Config{Orders: 300, Seed: 3, Hostile: 0.2}
	d := start(t, Config{Season: s, Hold: time.Second})
	var seen viewer
	result, err := d.Run(t.Context(), true, seen.viewer(t))
	if err != nil {
		t.Fatal(err)
	}
	if !result.Good() {
		t.Errorf("not good: %+v, %+v", result.Accounts, result.Violations)
	}
	written := map[string]uint64{}
	for r := range season.Generate(s) {
		written[r.Topic]++
	}
	for topic, account := range result.Accounts.ByTopic() {
		if account.Consumed != written[topic] {
			t.Errorf("%s: %d consumed of %d", topic, account.Consumed, written[topic])
		}
	}
	if a := result.Accounts[mapping.Orders]; a.Emitted < 100 || len(a.Skipped) == 0 || len(a.Quarantined) == 0 || a.Parked == 0 {
		t.Errorf("the season shows too little: %+v", a)
	}
	if result.Violations.Sent < 100 || result.Counts["unknown_category"] == 0 || result.Waiting["event"] == 0 {
		t.Errorf("sent %d, counts %v, waiting %v", result.Violations.Sent, result.Counts, result.Waiting)
	}
	if seen.steps == 0 || !seen.ended {
		t.Errorf("%d steps, ended %t", seen.steps, seen.ended)
	}
	total := int64(0)
	for _, n := range written {
		total += int64(n)
	}
	last := seen.newest
	if last.Produced != total || last.Unread+last.Internal != 0 || last.Consumed["orders_done"] != int64(written["orders_done"]) || last.Emitted["orders_done"] == 0 {
		t.Errorf("the last picture is %+v, want %d produced and none on the way", last, total)
	}
	for _, topic := range []string{"events", "orders", "refunds"} {
		if !strings.HasPrefix(last.Sample[topic], "{") {
			t.Errorf("sample of %s is %q", topic, last.Sample[topic])
		}
	}
	if len(last.Sample) != 3 {
		t.Errorf("samples %v", last.Sample)
	}
	for _, topic := range d.bcfg.Topics.Slim {
		if kafkatest.CheckSlimTopic(t, d.bcfg.Target.Brokers, topic) == 0 {
			t.Errorf("there are no slim records in %s", topic)
		}
	}
	stateDir := d.bcfg.StateDir
	if _, err := os.Stat(stateDir); err != nil {
		t.Error(err)
	}
	d.Close()
	if _, err := os.Stat(stateDir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the state is left behind: %v", err)
	}
}

// Without exit the demonstration goes on when the season is over, and whoever
// ends it gets the accounts of what there was.
func TestDemoGoesOnUntilItIsEnded(t *testing.T) {
	t.Parallel()
	d := start(t, Config{Season: season.Config{Orders: 20, Seed: 1}, Pace: 100, Hold: time.Second})
	ctx, end := context.WithCancel(t.Context())
	seen := viewer{}
	idle := 0
	seen.onStep = func(s Status) {
		if s.Emitted["orders_done"] > 0 && s.Unread+s.Internal == 0 {
			idle++
		}
		if idle > 5 {
			end()
		}
	}
	result, err := d.Run(ctx, false, seen.viewer(t))
	if err != nil {
		t.Fatal(err)
	}
	if !result.Good() || result.Accounts[mapping.Orders].Emitted == 0 || !seen.ended {
		t.Errorf("accounts %+v, violations %+v", result.Accounts, result.Violations)
	}
}

func TestDemoEndedInTheMiddle(t *testing.T) {
	for _, exit := range []bool{false, true} {
		t.Run(map[bool]string{false: "shows the accounts", true: "is no success with exit"}[exit], func(t *testing.T) {
			t.Parallel()
			d := start(t, Config{Season: season.Config{Orders: 100_000, Seed: 1}, Pace: 300, Hold: time.Second})
			ctx, end := context.WithCancel(t.Context())
			seen := viewer{onStep: func(s Status) {
				if s.Emitted["orders_done"] > 0 {
					end()
				}
			}}
			result, err := d.Run(ctx, exit, seen.viewer(t))
			if exit {
				if !errors.Is(err, context.Canceled) {
					t.Errorf("ends with %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if a := result.Accounts[mapping.Orders]; a.Emitted == 0 || a.Balance() < 0 || int64(a.Consumed) > seen.newest.Produced+300 {
				t.Errorf("accounts %+v of %d written", a, seen.newest.Produced)
			}
		})
	}
}

// What fails ends the demonstration, whether or not the season is written.
func TestDemoEndsWithAFailure(t *testing.T) {
	broken := errors.New("broken")
	failed := make(chan error, 1)
	failed <- broken
	steps := 0
	w := watcher{failed: failed, step: func(Status) { steps++ }}
	if err := w.observe(processors.Lag{}); err != broken || steps != 0 {
		t.Errorf("error %v after %d steps", err, steps)
	}
}

func TestStartWithoutRoomForState(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir()+"/none")
	if _, err := Start(t.Context(), Config{Log: slog.New(slog.DiscardHandler)}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("starts with %v", err)
	}
}

// What fails later leaves nothing of what was begun before.
func TestStartCleansUp(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("TMPDIR", folder)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Start(ctx, Config{Log: slog.New(slog.DiscardHandler)}); !errors.Is(err, context.Canceled) {
		t.Errorf("starts with %v", err)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// result is one that is good.
func result() *Result {
	return &Result{Accounts: mapping.NewAccounts(), Counts: map[string]int64{}, Waiting: map[string]int{}}
}

func TestResultIsGoodOnlyWhenEverythingIs(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(*Result)
		good  bool
	}{
		{"nothing happened", func(*Result) {}, true},
		{"balanced", func(r *Result) {
			r.Accounts[mapping.Orders] = mapping.Account{
				Consumed: 28, Emitted: 1, Unchanged: 2, Skipped: map[string]uint64{"no_phone": 3}, Parked: 4,
				Quarantined: map[string]uint64{"undecodable": 5}, Tombstone: 6, Superseded: 7,
			}
		}, true},
		{"a record is lost", func(r *Result) { r.Accounts[mapping.Refunds].Consumed = 1 }, false},
		{"a record is counted twice", func(r *Result) { r.Accounts[mapping.Partners].Emitted = 1 }, false},
		{"one lost here, one doubled there", func(r *Result) {
			r.Accounts[mapping.Events].Consumed, r.Accounts[mapping.Orders].Emitted = 1, 1
		}, false},
		{"an order too early", func(r *Result) { r.Violations.Orders = 1 }, false},
		{"a refund too early", func(r *Result) { r.Violations.Refunds = 1 }, false},
		{"much was sent", func(r *Result) { r.Violations = ordercheck.Violations{Sent: 9} }, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := result()
			tt.spoil(r)
			if r.Good() != tt.good {
				t.Errorf("good: %t, want %t", r.Good(), tt.good)
			}
		})
	}
}

// All keys are there, whatever happened, so that a reader need not ask.
func TestResultJSON(t *testing.T) {
	const empty = `{"consumed":0,"emitted":0,"unchanged":0,"skipped":{},"parked":0,"quarantined":{},"tombstone":0,"superseded":0}`
	r := result()
	r.Accounts[mapping.Refunds].Consumed = 2
	r.Accounts[mapping.Refunds].Skipped["status_new"] = 1
	r.Counts["no_email"], r.Waiting["event"] = 4, 5
	r.Violations = ordercheck.Violations{Orders: 6, Refunds: 7, Sent: 8}
	got, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"balanced":false,"counts":{"no_email":4},"events":` + empty + `,"order_violations":6,"orders_done":` + empty + `,"partners":` + empty +
		`,"refund_requests":{"consumed":2,"emitted":0,"unchanged":0,"skipped":{"status_new":1},"parked":0,"quarantined":{},"tombstone":0,"superseded":0}` +
		`,"refund_violations":7,"waiting":{"event":5}}`
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
