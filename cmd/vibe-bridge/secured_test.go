package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ticketscloud/vibe-bridge/internal/config"
	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/localkafka"
	"github.com/ticketscloud/vibe-bridge/internal/preflight"
	"github.com/ticketscloud/vibe-bridge/processors"
)

// securedKafka is Apache Kafka with SASL_SSL, SCRAM-SHA-512 and ACLs: what nobody has granted is denied. Its plain listener,
// on which nobody logs in, is the administrator's.
type securedKafka struct {
	*kafkatest.OwnKafka
	t     *testing.T
	plain []string
	admin *kadm.Client
	pki   *kafkatest.PKI
}

const securedProperties = `
listener.security.protocol.map=CLIENT:SASL_SSL,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT
listener.name.client.ssl.keystore.type=PEM
listener.name.client.ssl.keystore.location=%s
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.client.sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.client.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
allow.everyone.if.no.acl.found=false
`

// Users of the secured Kafka.
const (
	bridgeUser    = "bridge"   // runs the bridge
	creatingUser  = "creator"  // creates its topics
	readingUser   = "vibe-app" // reads the slim topics
	comparingUser = "comparer" // runs the comparison
	lookingUser   = "looker"   // looks at what it has found
)

func startSecuredKafka(t *testing.T) *securedKafka {
	t.Helper()
	pki := kafkatest.NewPKI(t, "cluster authority")
	var users []string
	for _, u := range []string{bridgeUser, creatingUser, readingUser, comparingUser, lookingUser} {
		users = append(users, fmt.Sprintf("SCRAM-SHA-512=[name=%s,password=%s]", u, testPassword))
	}
	k := &securedKafka{t: t, pki: pki, OwnKafka: kafkatest.StartOwnKafka(t, localkafka.Options{
		ExtraConfig: fmt.Sprintf(securedProperties, pki.Issue("broker", kafkatest.Valid(), "127.0.0.1").KeystoreFile), ScramUsers: users,
	})}
	k.plain = k.Listeners()["INTERNAL"]
	client, err := kgo.NewClient(kgo.SeedBrokers(k.plain...))
	must(t, err)
	t.Cleanup(client.Close)
	k.admin = kadm.NewClient(client)
	return k
}

// configFor writes the configuration of a deployment for a user, "" for the administrator.
func (k *securedKafka) configFor(folder, user string) string {
	k.t.Helper()
	d := &deployment{t: k.t, folder: folder}
	secret := d.write("password", testPassword+"\n")
	section := fmt.Sprintf("{brokers: [%q]", k.plain[0])
	if user != "" {
		section = fmt.Sprintf("{brokers: [%q], security: {protocol: SASL_SSL, sasl: {mechanism: SCRAM-SHA-512, username: %s, password_file: %q}, tls: {ca_file: %q}}",
			k.Addrs[0], user, secret, k.pki.CAFile)
	}
	return d.write("bridge-"+user+".yaml", fmt.Sprintf(`name: trial
source: %[1]s}
target: %[1]s}
slim: {prefix: slim-, partitions: 1}
partitions: 2
replication: 1
min_insync: 1
state_dir: %[2]q
session_timeout: 10s
http: {listen: ""}
`, section, d.stateDir()))
}

var aclOperations = map[kafka.Operation]kmsg.ACLOperation{
	kafka.OpRead: kmsg.ACLOperationRead, kafka.OpWrite: kmsg.ACLOperationWrite, kafka.OpCreate: kmsg.ACLOperationCreate,
	kafka.OpDescribe: kmsg.ACLOperationDescribe, kafka.OpDescribeConfigs: kmsg.ACLOperationDescribeConfigs,
}

func aclOf(user string, r kafka.Right) *kadm.ACLBuilder {
	b := kadm.NewACLs().Allow("User:" + user).AllowHosts("*").ResourcePatternType(kadm.ACLPatternLiteral).Operations(aclOperations[r.Operation])
	if r.Resource == kafka.GroupResource {
		return b.Groups(r.Name)
	}
	return b.Topics(r.Name)
}

func (k *securedKafka) grant(user string, rights ...kafka.Right) {
	k.t.Helper()
	for _, r := range rights {
		results, err := k.admin.CreateACLs(k.t.Context(), aclOf(user, r))
		must(k.t, err)
		for _, result := range results {
			must(k.t, result.Err)
		}
	}
}

func (k *securedKafka) revoke(user string, r kafka.Right) {
	k.t.Helper()
	results, err := k.admin.DeleteACLs(k.t.Context(), aclOf(user, r))
	must(k.t, err)
	if len(results) != 1 || results[0].Err != nil || len(results[0].Deleted) != 1 {
		k.t.Fatalf("revoke %+v: %+v", r, results)
	}
}

// printedRights are those of `acls --json`.
func printedRights(t *testing.T, path string, more ...string) (rights []kafka.Right) {
	t.Helper()
	r := mustRun(t, append([]string{"acls", "--json", "--config", path}, more...)...)
	must(t, json.Unmarshal([]byte(r.stdout), &rights))
	return rights
}

// With exactly the rights that acls prints, the topics are created, the bridge runs, and a consumer reads, over SASL_SSL.
// With any one of them missing, an instance does not start, and says which.
func TestExactRights(t *testing.T) {
	t.Parallel()
	k := startSecuredKafka(t)
	folder := t.TempDir()
	mine, admins := k.configFor(folder, bridgeUser), k.configFor(folder, "")
	for _, topic := range []string{"partners", "events", "orders_done", "refund_requests"} {
		kafkatest.CreateTopic(t, k.plain, topic, 1, nil)
	}
	creators := k.configFor(folder, creatingUser)
	if r := runCommand("topics", "create", "--config", creators); r.code != codeRefused {
		t.Errorf("topics were created without a right: exit code %d, %s", r.code, r.stderr)
	}
	k.grant(creatingUser, printedRights(t, creators, "--for", "topics")...)
	mustRun(t, "topics", "create", "--compare", "--config", creators)

	k.grant(bridgeUser, printedRights(t, mine)...)
	if r := check(t, mine); r.code != codeOK {
		t.Errorf("check: exit code %d\n%s", r.code, strings.Join(r.bad(), "\n"))
	}
	mustRun(t, "generate", "--config", admins, "--add", "--orders", "300", "--hostile", "0.05")
	k.bridged(mine, admins)
	mustRun(t, "verify", "--config", admins, "--grace", "1s")
	k.compared(folder)
	k.showsComparison(mine)
	k.missing(mine, neededToRun(t, mine))
	k.consumed(mine)
}

// neededToRun are the printed rights without which an instance does not start: that on the results of the comparison is for its
// console alone.
func neededToRun(t *testing.T, mine string) []kafka.Right {
	t.Helper()
	all := printedRights(t, mine)
	needed := slices.DeleteFunc(slices.Clone(all), func(r kafka.Right) bool { return r.Name == "trial-compare-totals" })
	if len(needed) != len(all)-1 {
		t.Fatalf("of the results of the comparison there are %d rights, want 1: %+v", len(all)-len(needed), all)
	}
	return needed
}

// compared runs an instance of the comparison with exactly the rights that are printed for it, and looks at what it finds with
// those of who looks. With one of any kind missing it does not start, and says which.
func (k *securedKafka) compared(folder string) {
	k.t.Helper()
	comparing, looking := k.configFor(folder, comparingUser), k.configFor(folder, lookingUser)
	args := []string{"compare", "run", "--config", comparing, "--state-dir", filepath.Join(folder, "compare"), "--listen", "", "--create-topics",
		"--compare-grace", "1s", "--compare-audit-interval", "1s"}
	refused := func(what string, wants ...string) {
		k.t.Helper()
		r := runCommand(args...)
		for _, want := range wants {
			if r.code != codeRefused || !strings.Contains(r.stderr, want) {
				k.t.Errorf("compare run %s: exit code %d, want %q: %s", what, r.code, want, r.stderr)
				return
			}
		}
	}
	refused("without rights", "has not the right", "vibe-bridge acls --for compare")
	rights := printedRights(k.t, comparing, "--for", "compare")
	k.grant(comparingUser, rights...)
	for i, right := range rights {
		if first := slices.IndexFunc(rights, func(r kafka.Right) bool { return r.Resource == right.Resource && r.Operation == right.Operation }); first != i {
			continue
		}
		k.revoke(comparingUser, right)
		refused("with one missing", fmt.Sprintf("has not the right %s on %s %s: `vibe-bridge acls --for compare`", right.Operation, right.Resource, right.Name))
		k.grant(comparingUser, right)
	}

	deleted, err := k.admin.DeleteTopics(k.t.Context(), "trial-differences")
	must(k.t, errors.Join(err, deleted.Error()))
	refused("without the right to create", "trial-differences", "vibe-bridge acls --for compare --create-topics")
	var create []kafka.Right
	for _, right := range printedRights(k.t, comparing, "--for", "compare", "--create-topics") {
		if right.Operation == kafka.OpCreate {
			create = append(create, right)
		}
	}
	k.grant(comparingUser, create...)
	k.grant(lookingUser, printedRights(k.t, looking, "--for", "look")...)

	ctx, cancel := context.WithCancel(k.t.Context())
	defer cancel()
	ended := make(chan result, 1)
	go func() {
		var r result
		r.code, r.stderr = runFor(ctx, args...)
		ended <- r
	}()
	kafkatest.Eventually(k.t, "a result", func() bool {
		select {
		case r := <-ended:
			k.t.Fatalf("the comparison ended with exit code %d: %s", r.code, r.stderr)
		default:
		}
		r := runCommand("compare", "report", "--config", looking)
		return r.code == codeOK || r.code == codeChecks
	})
	mustRun(k.t, "compare", "differences", "--config", looking)
	cancel()
	if r := <-ended; r.code != codeOK {
		k.t.Errorf("the comparison ended with exit code %d: %s", r.code, r.stderr)
	}
}

// showsComparison: the console of an instance has what the comparison has found, by the rights that are printed for the instance.
func (k *securedKafka) showsComparison(mine string) {
	k.t.Helper()
	c, err := config.Load(mine, nil, nil)
	must(k.t, err)
	seen, stop := newComparisonSeen(k.t.Context(), c, slog.New(slog.DiscardHandler))
	defer stop()
	r, err := seen.read(k.t.Context())
	must(k.t, err)
	if r == nil || r.Streams[1].Equal < 100 || !r.Quarantine.Known {
		k.t.Errorf("the console has %+v", r)
	}
}

// bridged runs an instance until nothing is on its way, and ends it in order.
func (k *securedKafka) bridged(mine, admins string) {
	k.t.Helper()
	ctx, cancel := context.WithCancel(k.t.Context())
	ended := make(chan result, 1)
	go func() {
		var r result
		r.code, r.stderr = runFor(ctx, "run", "--config", mine)
		ended <- r
	}()
	defer cancel()
	c, err := config.Load(admins, nil, nil)
	must(k.t, err)
	cfg, err := bridgeConfig(c)
	must(k.t, err)
	clients, closeClients, err := processors.OpenAdmins(cfg.Source, cfg.State, cfg.Target)
	must(k.t, err)
	defer closeClients()
	last := processors.Lag{Ends: -1}
	kafkatest.Eventually(k.t, "all is bridged", func() bool {
		select {
		case r := <-ended:
			k.t.Fatalf("the instance ended with exit code %d: %s", r.code, r.stderr)
		default:
		}
		now, err := processors.ReadLag(clients, cfg.Topics)
		done := err == nil && now.Records == 0 && now == last
		last = now
		return done
	})
	cancel()
	if r := <-ended; r.code != codeOK {
		k.t.Errorf("the instance ended with exit code %d: %s", r.code, r.stderr)
	}
}

// consumed reads the slim topics over SASL_SSL with the rights of a consumer, by the program of docs/examples, which is made of
// aiokafka.
func (k *securedKafka) consumed(mine string) {
	k.t.Helper()
	requirePython(k.t)
	const group = "vibe-app-imports"
	read := func(password string) (exitCode int, says string) {
		ctx, cancel := context.WithTimeout(k.t.Context(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, readerPython, readerProgram, "--until-end", "--bootstrap", k.Addrs[0], "--group", group,
			"--database", filepath.Join(k.t.TempDir(), "slim.db"), "--topics", "slim-events,slim-orders,slim-refunds",
			"--security-protocol", "SASL_SSL", "--sasl-mechanism", "SCRAM-SHA-512", "--username", readingUser, "--ca-file", k.pki.CAFile)
		cmd.Env = append(os.Environ(), "SLIM_PASSWORD="+password)
		output, _ := cmd.CombinedOutput() // the exit code says it
		return cmd.ProcessState.ExitCode(), string(output)
	}
	if code, says := read(testPassword); code != 2 || !strings.Contains(says, "there is no topic slim-events, slim-orders, slim-refunds, or "+readingUser+" may not see it") {
		k.t.Errorf("a consumer without rights: exit code %d: %s", code, says)
	}
	k.grant(readingUser, printedRights(k.t, mine, "--for", "consume", "--group", group)...)
	if code, says := read("wr0ng-word"); code != 2 || !strings.Contains(says, "invalid credentials") {
		k.t.Errorf("a consumer with a wrong password: exit code %d: %s", code, says)
	}
	records := 0
	for _, topic := range []string{"slim-events", "slim-orders", "slim-refunds"} {
		records += len(kafkatest.ReadAll(k.t, k.plain, topic))
	}
	want := fmt.Sprintf("%d records, 0 of them duplicates, ", records)
	if code, says := read(testPassword); code != 0 || records == 0 || !strings.Contains(says, want) {
		k.t.Errorf("the consumer ended with exit code %d, want %q: %s", code, want, says)
	}
}

// missing takes one right after the other away.
func (k *securedKafka) missing(mine string, rights []kafka.Right) {
	k.t.Helper()
	c, err := config.Load(mine, nil, nil)
	must(k.t, err)
	lacking := func() []kafka.Right {
		err := preflight.CheckRights(k.t.Context(), c.Source, c.Target, c.State, rights)
		var e *preflight.MissingRightsError
		if err != nil && !errors.As(err, &e) {
			k.t.Fatal(err)
		}
		if e == nil {
			return nil
		}
		return e.Rights
	}
	for i, right := range rights {
		k.revoke(bridgeUser, right)
		kafkatest.Eventually(k.t, fmt.Sprintf("%s on %s %s is missing, and nothing else", right.Operation, right.Resource, right.Name), func() bool {
			return slices.Equal(lacking(), []kafka.Right{right})
		})
		// One of each kind shows that a start says so.
		if first := slices.IndexFunc(rights, func(r kafka.Right) bool { return r.Resource == right.Resource && r.Operation == right.Operation }); first == i {
			r := runCommand("run", "--config", mine)
			for _, want := range []string{string(right.Operation), right.Name, "vibe-bridge acls"} {
				if r.code != codeRefused || !strings.Contains(r.stderr, want) {
					k.t.Errorf("run without %s on %s %s: exit code %d: %s", right.Operation, right.Resource, right.Name, r.code, r.stderr)
					break
				}
			}
			checked := check(k.t, mine)
			if checked.code != codeRefused || !slices.ContainsFunc(checked.Lines, func(l preflight.Line) bool {
				return l.Check == "rights" && l.Status == preflight.Failure && strings.HasSuffix(l.Of, right.Name) && strings.Contains(l.Found, string(right.Operation))
			}) {
				k.t.Errorf("check without %s on %s %s: exit code %d\n%s", right.Operation, right.Resource, right.Name, checked.code, strings.Join(checked.bad(), "\n"))
			}
		}
		k.grant(bridgeUser, right)
	}
	kafkatest.Eventually(k.t, "nothing is missing", func() bool { return len(lacking()) == 0 })
}

// runFor runs a command of the program until ctx ends.
func runFor(ctx context.Context, args ...string) (code int, stderr string) {
	var out, errs strings.Builder
	code = dispatch(ctx, args, &app{stdin: strings.NewReader(""), stdout: &out, stderr: &errs})
	return code, errs.String()
}
