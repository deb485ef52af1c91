package main

import (
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
	"github.com/ticketscloud/vibe-bridge/mapping"
)

// readyz asks an instance what it waits for.
func (in *instance) readyz() (reasons []string) {
	in.t.Helper()
	in.says("metrics and health", 1)
	m := regexp.MustCompile(`"address":"(127\.0\.0\.1:\d+)"`).FindStringSubmatch(in.log.String())
	response, err := http.Get("http://" + m[1] + "/readyz")
	if err != nil {
		in.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		in.t.Fatal(err)
	}
	var answer struct {
		Ready   bool
		Reasons []string
	}
	if err := json.Unmarshal(body, &answer); err != nil || answer.Ready != (response.StatusCode == http.StatusOK) {
		in.t.Fatalf("%s: %s, %v", response.Status, body, err)
	}
	return answer.Reasons
}

func (in *instance) awaitReason(what, prefix string) string {
	in.t.Helper()
	found := ""
	kafkatest.Eventually(in.t, what, func() bool {
		in.alive()
		for _, reason := range in.readyz() {
			if strings.HasPrefix(reason, prefix) {
				found = reason
				return true
			}
		}
		return false
	})
	return found
}

// A flood pauses its topic, the instance says so, and the command has it go on
// without a restart.
func TestQuarantineResume(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	d.configure("http: {listen: \"127.0.0.1:0\"}\nquarantine: {min_records: 20}\nsession_timeout: 10s\n")
	d.must("topics", "create", "--config", d.config)
	if r := d.must("quarantine", "resume", "--config", d.config, "--all"); r.stdout != "nothing is paused\n" {
		t.Errorf("says %q", r.stdout)
	}

	in := d.run()
	var records []*kafkatest.Record
	for range 30 {
		records = append(records, &kafkatest.Record{Value: []byte{0xff}})
	}
	kafkatest.ProducePinned(t, d.source.Brokers, "orders_done", records...)
	reason := in.awaitReason("the pause", "paused: ")
	if !strings.Contains(reason, "20 of 20 records within 1m0s went to quarantine (undecodable 20)") || !strings.Contains(reason, "vibe-bridge quarantine resume") {
		t.Errorf("says %q", reason)
	}
	in.says(`"level":"ERROR"`, 1) // written when the reason is shown already
	if n := strings.Count(in.log.String(), `"level":"ERROR"`); n != 1 {
		t.Errorf("alarmed %d times: %s", n, &in.log)
	}

	if r := d.must("quarantine", "resume", "--config", d.config, "--topic", "events"); r.stdout != "events is not paused\n" {
		t.Errorf("says %q", r.stdout)
	}
	kafkatest.Eventually(t, "the pause to be all that it is not ready for", func() bool { return len(in.readyz()) == 1 }) // tables are restored first
	r := d.must("quarantine", "resume", "--config", d.config, "--topic", "orders_done")
	if !strings.HasPrefix(r.stdout, "resumed orders_done: it was paused since 2") || strings.Count(r.stdout, "\n") != 1 {
		t.Errorf("says %q", r.stdout)
	}
	report := d.drain(in)
	if a := report.Accounts[mapping.Orders]; a.Consumed != 30 || a.Balance() != 0 || a.Quarantined["undecodable"] != 30 {
		t.Errorf("accounts %+v", a)
	}
	kafkatest.Eventually(t, "the instance to be ready", func() bool { return len(in.readyz()) == 0 })
	if r := d.must("quarantine", "resume", "--config", d.config, "--all"); r.stdout != "nothing is paused\n" {
		t.Errorf("says %q", r.stdout)
	}
	if code := in.stop(syscall.SIGTERM); code != codeOK {
		t.Errorf("exit code %d: %s", code, &in.log)
	}
}

// Builds whose origin says nothing are told apart all the same, and others by their origin alone.
func TestVersionIdentifiesABuild(t *testing.T) {
	for _, c := range []struct {
		v      version
		digest bool
	}{
		{version{module: "(devel)"}, true},
		{version{}, true},
		{version{module: "v1.2.3"}, false},
		{version{module: "(devel)", revision: "0123456789abcdef"}, false},
		{version{module: "v1.2.3", revision: "0123456789abcdef", modified: true}, true},
	} {
		got := c.v.identified()
		if !strings.HasPrefix(got, c.v.String()) || regexp.MustCompile(` \(build [0-9a-f]{12}\)$`).MatchString(got) != c.digest {
			t.Errorf("%+v is %q, want a digest: %t", c.v, got, c.digest)
		}
	}
}

func TestQuarantineResumeRefuses(t *testing.T) {
	d := newDeployment(t)
	for _, c := range []struct {
		args string
		code int
		says string
	}{
		{"", codeRefused, "want --topic or --all"},
		{"--all --topic orders_done", codeRefused, "both given"},
		{"--topic=", codeRefused, "--topic is empty"},
		{"--all extra", codeRefused, `unexpected argument "extra"`},
		{"--all", codeRefused, "topic trial-control is missing on the state cluster: run `vibe-bridge topics create`"},
	} {
		r := execute(t, nil, append([]string{"quarantine", "resume", "--config", d.config}, strings.Fields(c.args)...)...)
		if r.code != c.code || !strings.Contains(r.stderr, c.says) {
			t.Errorf("%q: exit code %d: %s; want %d and %q", c.args, r.code, r.stderr, c.code, c.says)
		}
	}
	d.must("topics", "create", "--config", d.config)
	r := execute(t, nil, "quarantine", "resume", "--config", d.config, "--topic", "orders")
	if r.code != codeRefused || !strings.Contains(r.stderr, `--topic "orders" is no legacy topic of this configuration: want one of partners, events, orders_done, refund_requests`) {
		t.Errorf("an unknown topic: exit code %d: %s", r.code, r.stderr)
	}
}
