package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/internal/config"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/embedded"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
	"github.com/ticketscloud/vibe-bridge/internal/seal"
	"github.com/ticketscloud/vibe-bridge/internal/seal/sealtest"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
)

// keys gives the deployment a file of keys, the first of which seals; instances that start from now on have it.
func (o *operated) keys(ids ...string) (path string) {
	o.t.Helper()
	path = filepath.Join(filepath.Dir(o.config), "personal-keys")
	if err := os.WriteFile(path, []byte(sealtest.Lines(ids...)), 0o600); err != nil {
		o.t.Fatal(err)
	}
	text, err := os.ReadFile(o.config)
	if err != nil {
		o.t.Fatal(err)
	}
	if line := fmt.Sprintf("encryption: {keys_file: %q}\n", path); !strings.Contains(string(text), line) {
		if err := os.WriteFile(o.config, append(text, line...), 0o600); err != nil {
			o.t.Fatal(err)
		}
	}
	c, err := config.Load(o.config, nil, nil)
	if err != nil {
		o.t.Fatal(err)
	}
	if o.cfg, err = withKeys(o.cfg, c); err != nil {
		o.t.Fatal(err)
	}
	return path
}

// The way of a key, by the commands, from no encryption to a key that is not needed any more.
func TestEncryptionCommands(t *testing.T) {
	t.Parallel()
	o := newOperated(t, kafkatest.Embedded(t, embedded.Options{}))
	o.createTopics()
	status := func(code int) (report encryptionReport) {
		t.Helper()
		r := runCommand("encryption", "status", "--config", o.config, "--json")
		if err := json.Unmarshal([]byte(r.stdout), &report); err != nil || r.code != code {
			t.Fatalf("exit code %d, want %d: %v: %s%s", r.code, code, err, r.stdout, r.stderr)
		}
		return report
	}
	same := func(got encryptionReport, want string) {
		t.Helper()
		if text := fmt.Sprintf("%+v", got); text != want {
			t.Errorf("status %s\nwant   %s", text, want)
		}
	}
	stop := o.run()
	o.legacy(mapping.Events, time.Now(), legacyEvent("e"))
	o.legacy(mapping.Orders, time.Now(), legacyOrder("o1", "e"), legacyOrder("early", "later"))
	o.awaitSlim(1, 1, 0)
	stop()
	same(status(codeOK), "{Sealing: Rows:map[] Records:map[unsealed:2]}")
	if r := runCommand("encryption", "renew", "--config", o.config); r.code != codeRefused || r.stderr != "vibe-bridge: encryption.keys_file is not set: nothing would be sealed\n" {
		t.Errorf("renew without keys: exit code %d: %s", r.code, r.stderr)
	}

	o.keys("k1")
	same(status(codeChecks), "{Sealing:k1 Rows:map[unsealed:2] Records:map[unsealed:2]}")
	stop = o.run()
	o.legacy(mapping.Orders, time.Now(), legacyOrder("o2", "e"))
	o.awaitSlim(1, 2, 0)
	if r := mustRun(t, "encryption", "renew", "--config", o.config); r.stdout != "2 commands sent and acknowledged: to seal again as many rows\n" {
		t.Errorf("renew says %q", r.stdout)
	}
	kafkatest.Eventually(t, "rows to be sealed", func() bool { return runCommand("encryption", "status", "--config", o.config).code == codeOK })
	o.awaitSlim(1, 2, 0) // and no more
	stop()
	same(status(codeOK), "{Sealing:k1 Rows:map[] Records:map[k1:1 unsealed:2]}")

	// What comes from quarantine is sealed, too.
	path := o.keys("k2", "k1")
	value, err := proto.Marshal(legacyOrder("o3", "e"))
	if err != nil {
		t.Fatal(err)
	}
	o.rejected([]byte("key"), value, mapping.Orders, &statepb.Source{Partition: 1, Offset: 77, Time: 77}, mapping.StageIntake, mapping.ReasonTooLarge)
	o.quarantineText(codeOK, "replay", "--all")
	var replayed *statepb.OrderFacts
	for _, rec := range kafkatest.ReadAll(t, o.target.Addrs, o.cfg.Topics.Name+"-orders") {
		var in statepb.Input
		if err := proto.Unmarshal(rec.Value, &in); err != nil {
			t.Fatal(err)
		}
		if in.GetReplay() != nil {
			replayed = in.GetOrder()
		}
	}
	if seal.KeyOf(replayed) != "k2" || replayed.GetCustomer() != nil || replayed.GetTickets()[0].GetBarcode() != "" {
		t.Errorf("the replay of an order is %v", replayed)
	}

	r := runCommand("encryption", "status", "--config", o.config)
	if want := "what is written now is sealed with key k2\nrows not so: k1 3\nrecords in the internal topic of orders: k1 1, k2 1, unsealed 2\n"; r.stdout != want ||
		r.code != codeChecks || r.stderr != "vibe-bridge: 3 rows not sealed with key k2: vibe-bridge encryption renew\n" {
		t.Errorf("exit code %d: %s%s", r.code, r.stdout, r.stderr)
	}
	if r := runCommand("encryption", "renew", "--config", o.config, "--rate", "0"); r.code != codeRefused {
		t.Errorf("rate 0: exit code %d", r.code)
	}

	// A file of keys that is not right is refused by whoever would seal, and shown by nobody.
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	secret := strings.Fields(string(good))[1]
	if err := os.WriteFile(path, append(good, "k2 "+secret+"\n"...), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"run"}, {"quarantine", "replay", "--all"}, {"encryption", "status"}, {"encryption", "renew"}} {
		r := runCommand(append(args, "--config", o.config)...)
		if r.code != codeRefused || !strings.Contains(r.stderr, "vibe-bridge: encryption.keys_file: "+path+": line 3: key k2 is there twice\n") || strings.Contains(r.stdout+r.stderr, secret) {
			t.Errorf("%v: exit code %d: %s", args, r.code, r.stderr)
		}
	}
	bad := strings.Join(check(t, o.config).bad(), "\n")
	for _, want := range []string{"failure encryption encryption.keys_file: " + path + ": line 3: key k2 is there twice", "warning encryption encryption.keys_file: " + path + " can be read by every user"} {
		if !strings.Contains(bad, want) || strings.Contains(bad, secret) {
			t.Errorf("check says\n%s\nwant %s", bad, want)
		}
	}
	if r := runCommand("config", "show", "--config", o.config); r.code != codeOK || !strings.Contains(r.stdout, path) || strings.Contains(r.stdout, secret) {
		t.Errorf("config show: exit code %d: %s", r.code, r.stdout)
	}
}
