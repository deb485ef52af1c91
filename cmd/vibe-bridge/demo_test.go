package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ticketscloud/vibe-bridge/internal/demo"
	"github.com/ticketscloud/vibe-bridge/internal/ordercheck"
	"github.com/ticketscloud/vibe-bridge/mapping"
)

// With --json there is one object on standard output and nothing else anywhere.
func TestDemoJSON(t *testing.T) {
	t.Parallel()
	tmp := t.TempDir()
	r := execute(t, []string{"TMPDIR=" + tmp}, "demo", "--orders", "200", "--seed", "5", "--exit", "--json")
	if r.code != codeOK || r.stderr != "" || strings.Count(r.stdout, "\n") != 1 {
		t.Fatalf("exit code %d: %s%s", r.code, r.stdout, r.stderr)
	}
	decoder := json.NewDecoder(strings.NewReader(r.stdout))
	decoder.UseNumber()
	var fields map[string]json.RawMessage
	if err := decoder.Decode(&fields); err != nil {
		t.Fatal(err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		t.Errorf("there is more than one JSON value: %v", err)
	}
	want := []string{"balanced", "counts", "events", "order_violations", "orders_done", "partners", "refund_requests", "refund_violations", "waiting"}
	if got := slices.Sorted(maps.Keys(fields)); !slices.Equal(got, want) {
		t.Errorf("keys %v, want %v", got, want)
	}
	for key, want := range map[string]string{"balanced": "true", "order_violations": "0", "refund_violations": "0"} {
		if string(fields[key]) != want {
			t.Errorf("%s is %s, want %s", key, fields[key], want)
		}
	}
	for _, s := range mapping.Streams {
		checkAccount(t, s.String(), fields[s.String()])
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// checkAccount wants all keys, no null, and a balance.
func checkAccount(t *testing.T, name string, text json.RawMessage) {
	t.Helper()
	if strings.Contains(string(text), "null") {
		t.Errorf("%s: %s", name, text)
	}
	var fields map[string]json.RawMessage
	var account mapping.Account
	if err := json.Unmarshal(text, &fields); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &account); err != nil {
		t.Fatal(err)
	}
	want := []string{"consumed", "emitted", "parked", "quarantined", "skipped", "superseded", "tombstone", "unchanged"}
	if got := slices.Sorted(maps.Keys(fields)); !slices.Equal(got, want) {
		t.Errorf("%s has %v, want %v", name, got, want)
	}
	if account.Consumed == 0 || account.Balance() != 0 {
		t.Errorf("%s: balance %d of %+v", name, account.Balance(), account)
	}
}

// started is a program that a test ends by a signal.
type started struct {
	t      *testing.T
	cmd    *exec.Cmd
	lines  *bufio.Scanner // of standard output
	stderr *bytes.Buffer
}

func startProgram(t *testing.T, env []string, args ...string) *started {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), executeDeadline)
	t.Cleanup(cancel)
	cmd := program(ctx, env, args...)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s := &started{t: t, cmd: cmd, lines: bufio.NewScanner(stdout), stderr: new(bytes.Buffer)}
	cmd.Stderr = s.stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // has ended, unless the test failed
	return s
}

// await reads standard output up to a line of that form.
func (s *started) await(form string) {
	s.t.Helper()
	wanted := regexp.MustCompile(form)
	var seen []string
	for s.lines.Scan() {
		seen = append(seen, s.lines.Text())
		if wanted.MatchString(s.lines.Text()) {
			return
		}
	}
	s.t.Fatalf("no line %s in\n%s\n%s", form, strings.Join(seen, "\n"), s.stderr)
}

// end sends a signal, and returns what comes then and the exit code.
func (s *started) end(signal os.Signal) (stdout string, code int) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(signal); err != nil {
		s.t.Fatal(err)
	}
	var rest []string
	for s.lines.Scan() {
		rest = append(rest, s.lines.Text())
	}
	_ = s.cmd.Wait() // the exit code says it
	return strings.Join(rest, "\n"), s.cmd.ProcessState.ExitCode()
}

// An interrupted demo is no failure: it shows how far it came.
func TestDemoUntilInterrupted(t *testing.T) {
	t.Parallel()
	tmp := t.TempDir()
	s := startProgram(t, []string{"TMPDIR=" + tmp}, "demo", "--orders", "100000")
	s.await(`s  legacy \d+  read [1-9]\d*  on the way: legacy \d+, internal \d+  sent: events [1-9]\d* \(\d+/s\), orders [1-9].*  waiting for: .*  out of order: 0$`)
	rest, code := s.end(os.Interrupt)
	if code != codeOK || s.stderr.Len() > 0 {
		t.Errorf("exit code %d: %s", code, s.stderr)
	}
	for _, want := range []string{
		`(?m)^ending, and reading the accounts…$`,
		`(?m)^legacy topic +consumed +emitted `,
		`(?m)^orders_done +[1-9]\d* +[1-9]\d* `,
		`\norder_violations 0, refund_violations 0$`,
	} {
		if !regexp.MustCompile(want).MatchString(rest) {
			t.Errorf("there is no %s in\n%s", want, rest)
		}
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// With --exit, whoever waits for the judgement must not take an interruption for one.
func TestDemoInterruptedBeforeItsEnd(t *testing.T) {
	t.Parallel()
	s := startProgram(t, nil, "demo", "--orders", "1000000", "--pace", "100", "--exit")
	s.await(`read [1-9]`)
	rest, code := s.end(syscall.SIGTERM)
	if code != codeFailed || s.stderr.String() != "vibe-bridge: interrupted\n" || strings.Contains(rest, "order_violations") {
		t.Errorf("exit code %d: %s%s", code, rest, s.stderr)
	}
}

// goodResult has something of everything.
func goodResult() *demo.Result {
	r := &demo.Result{Accounts: mapping.NewAccounts(), Counts: map[string]int64{"no_email": 3}, Waiting: map[string]int{"event": 2}}
	r.Accounts[mapping.Orders] = mapping.Account{
		Consumed: 21, Emitted: 1, Unchanged: 2, Skipped: map[string]uint64{"no_phone": 1, "status_new": 2}, Parked: 2,
		Quarantined: map[string]uint64{"undecodable": 4}, Tombstone: 4, Superseded: 5,
	}
	return r
}

// A demo that went wrong says so, with an exit code of its own.
func TestDemoJudgesItsResult(t *testing.T) {
	for name, tt := range map[string]struct {
		spoil    func(*demo.Result)
		exit     bool
		wantCode int
		wantText string
		wantJSON string
	}{
		"good":               {func(*demo.Result) {}, true, codeOK, "order_violations 0, refund_violations 0", `"balanced":true`},
		"a lost order":       {func(r *demo.Result) { r.Accounts[mapping.Orders].Consumed++ }, true, codeChecks, " 5        1\n", `"balanced":false`},
		"a doubled partner":  {func(r *demo.Result) { r.Accounts[mapping.Partners].Emitted++ }, true, codeChecks, " 0       -1\n", `"balanced":false`},
		"an order too early": {func(r *demo.Result) { r.Violations.Orders = 1 }, true, codeChecks, "order_violations 1, refund_violations 0", `"order_violations":1`},
		"a refund too early": {func(r *demo.Result) { r.Violations.Refunds = 1 }, true, codeChecks, "order_violations 0, refund_violations 1", `"refund_violations":1`},
		"offsets were reset": {func(r *demo.Result) { r.Reset = []mapping.Stream{mapping.Orders} }, true, codeOK,
			"orders_done: its offsets were once reset by hand; consumed has counted from there on", `"consumed_reset":["orders_done"]`},
		"ended in the middle": {func(r *demo.Result) { r.Accounts[mapping.Orders].Consumed++ }, false, codeOK, " 5        1\n", `"balanced":false`},
	} {
		t.Run(name, func(t *testing.T) {
			r := goodResult()
			tt.spoil(r)
			for _, asJSON := range []bool{false, true} {
				var out bytes.Buffer
				o := demoOptions{exit: tt.exit, json: asJSON}
				err := o.conclude(&out, r)
				want := map[bool]string{false: tt.wantText, true: tt.wantJSON}[asJSON]
				if exitCode(err) != tt.wantCode || !strings.Contains(out.String(), want) {
					t.Errorf("json %t: exit code %d (%v), want %d and %q in\n%s", asJSON, exitCode(err), err, tt.wantCode, want, &out)
				}
				if err != nil && strings.Contains(explain(err), "\n") {
					t.Errorf("more than one line: %v", err)
				}
			}
		})
	}
}

func TestDemoAccounts(t *testing.T) {
	var out bytes.Buffer
	if err := new(demoOptions).conclude(&out, goodResult()); err != nil {
		t.Fatal(err)
	}
	const want = `
legacy topic      consumed   emitted unchanged   skipped  parked quarant tombstone superseded  balance
partners                 0         0         0         0       0       0         0         0        0
events                   0         0         0         0       0       0         0         0        0
orders_done             21         1         2         3       2       4         4         5        0
refund_requests          0         0         0         0       0       0         0         0        0
orders_done skipped: no_phone 1, status_new 2
orders_done quarantined: undecodable 4
counts: no_email 3
waiting for: event 2
order_violations 0, refund_violations 0
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &out, want)
	}
}

func someStatus() demo.Status {
	return demo.Status{
		Produced:  1500,
		Consumed:  map[string]int64{"partners": 10, "events": 200, "orders_done": 1000, "refund_requests": 40},
		Emitted:   map[string]int64{"events": 150, "orders_done": 900, "refund_requests": 30},
		Unread:    250,
		Internal:  1830,
		Waiting:   map[string]int64{"set": 2, "event": 12},
		Violation: ordercheck.Violations{Orders: 1, Refunds: 2},
		Sample: map[string]string{
			"events": `{"id":"event1","name":"Evening"}`,
			"orders": slimOrder1,
		},
	}
}

func TestDemoPicture(t *testing.T) {
	v := &liveView{terminal: true, before: demo.Status{Consumed: map[string]int64{"orders_done": 500}, Emitted: map[string]int64{"orders_done": 300}}}
	got := v.picture(someStatus(), 12*time.Second, 2*time.Second)
	const want = `vibe-bridge demo, 12 s: 1500 legacy records written, 250 of them on the way, and 1830 internal ones

  legacy                         read   slim                   sent
  partners                   10 (5/s)                              
  events                  200 (100/s)   events           150 (75/s)
  orders_done            1000 (250/s)   orders          900 (300/s)
  refund_requests           40 (20/s)   refunds           30 (15/s)

  waiting for: event 12, set 2
  out of order: 1 orders, 2 refunds

  events   {"id":"event1","name":"Evening"}
  orders   {"id":"order1","customer":{…},"tickets":[{"id":"ticket1","event_id":"event1","organizer_id":"org1","barcode":"…","category":"","price_nominal":0,"currency":"RU…
  refunds  

  Ctrl-C ends the demo and prints the accounts.
`
	if stripped(got) != stripped(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	v.terminal = false
	got = v.picture(someStatus(), 12*time.Second, 2*time.Second)
	const wantLine = " 12.0s  legacy 1500  read 1250  on the way: legacy 250, internal 1830  sent: events 150 (75/s), orders 900 (300/s), refunds 30 (15/s)  waiting for: event 12, set 2  out of order: 3\n"
	if got != wantLine {
		t.Errorf("got  %s\nwant %s", got, wantLine)
	}
	// At the very beginning, and before anything is known.
	if got := v.picture(demo.Status{}, 0, 0); strings.Contains(got, "NaN") || strings.Contains(got, "Inf") || !strings.Contains(got, "waiting for: nothing") {
		t.Errorf("at first: %s", got)
	}
}

// stripped is a text without the spaces at the ends of its lines.
func stripped(text string) string { return regexp.MustCompile(`(?m) +$`).ReplaceAllString(text, "") }

// Nothing personal is shown, however it is written.
func TestDemoMasksPersonalData(t *testing.T) {
	for name, record := range map[string]string{
		"order":                 slimOrder1,
		"edition 2.0":           `{"id":"o","number":"1","customer":{"email":"secret","phone":"secret","first_name":"secret","last_name":"secret"},"tickets":[{"id":"t","barcode":"secret"},{"id":"u","barcode":"secret"}]}`,
		"refund":                `{"customer":{"email":"secret","phone":"secret"},"ticket_ids":["t"]}`,
		"bracket in a name":     `{"customer":{"email":"secret","phone":"secret","name":"a}secret"},"ticket_ids":["t"]}`,
		"quote in a name":       `{"customer":{"email":"secret","phone":"secret","name":"a\"}secret\\"},"ticket_ids":["t"]}`,
		"quote in a barcode":    `{"tickets":[{"id":"t","barcode":"a\"secret"}]}`,
		"backslash at the end":  `{"tickets":[{"id":"t","barcode":"secret\\"}],"x":"y"}`,
		"nothing but a barcode": `{"barcode":""}`,
	} {
		got := mask(record)
		for _, personal := range []string{"secret", "buyer@example.com", "+79001234567", "Sample Buyer", "460001"} {
			if strings.Contains(got, personal) {
				t.Errorf("%s: shows %q: %s", name, personal, got)
			}
		}
		if !json.Valid([]byte(strings.ReplaceAll(got, "{…}", "{}"))) {
			t.Errorf("%s: more was cut than the values: %s", name, got)
		}
	}
	if event := `{"id":"e","name":"x"}`; mask(event) != event {
		t.Errorf("an event became %s", mask(event))
	}
}

// A picture takes the place of the one before, on a terminal as narrow as it may be.
func TestLiveViewRedraws(t *testing.T) {
	var out bytes.Buffer
	v := &liveView{w: &out, terminal: true, width: func() int { return 20 }, began: time.Now()}
	v.show(someStatus())
	first := out.String()
	for line := range strings.Lines(first) {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 19 {
			t.Errorf("%d columns: %q", n, line)
		}
	}
	v.show(someStatus()) // too soon
	if out.String() != first {
		t.Error("two pictures at once")
	}
	v.last = v.last.Add(-time.Minute)
	v.show(someStatus())
	back := "\x1b[16A\x1b[J"
	if second := strings.TrimPrefix(out.String(), first); !strings.HasPrefix(second, back) || strings.Count(first, "\n") != 16 {
		t.Errorf("the second picture begins with %q; the first has %d lines", second[:min(len(second), 20)], strings.Count(first, "\n"))
	}
}

func TestLiveViewIsQuiet(t *testing.T) {
	var out bytes.Buffer
	v := newLiveView(&out, true)
	v.show(someStatus())
	v.ending()
	if out.Len() > 0 {
		t.Errorf("said %q", &out)
	}
	if n := columns(&out); n != usualColumns {
		t.Errorf("a buffer has %d columns", n)
	}
}
