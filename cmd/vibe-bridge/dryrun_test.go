package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ticketscloud/vibe-bridge/internal/dryrun"
	"github.com/ticketscloud/vibe-bridge/legacyproto"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/slim/vibev1"
)

// Legacy records of the tests.

func partnerRecord(id string) *legacyproto.Partner {
	return &legacyproto.Partner{Id: id, Name: "Organizer", Currency: "rub"}
}

func eventRecord(id, org string) *legacyproto.Event {
	return &legacyproto.Event{Id: id, Name: "Evening", Org: org, Lifetime: &legacyproto.Lifetime{Start: &timestamppb.Timestamp{Seconds: 1777651200}}}
}

func orderRecord(id, event, set string) *legacyproto.Order {
	return &legacyproto.Order{
		Id: id, Event: event, Status: legacyproto.Order_DONE,
		Settings: &legacyproto.Order_Settings{Customer: &legacyproto.Order_Settings_Customer{Name: "Sample Buyer", Phone: "8 900 123-45-67", Email: "buyer@example.com"}},
		Tickets:  []*legacyproto.Order_Ticket{{Id: "ticket1", Barcode: "460001", Set: set}},
	}
}

func refundRecord(id, order, event string) *legacyproto.RefundRequest {
	return &legacyproto.RefundRequest{
		Id: id, Order: order, Event: event, Status: legacyproto.RefundRequest_APPROVED,
		Tickets: []*legacyproto.RefundRequest_Ticket{{Id: "ticket1"}},
	}
}

func raw(t *testing.T, m proto.Message) []byte {
	t.Helper()
	value, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// line is a line of a record file, written by hand and not by the package of the
// format.
func line(topic string, offset int, value []byte) string {
	text := "null"
	if value != nil {
		text = `"` + base64.StdEncoding.EncodeToString(value) + `"`
	}
	return fmt.Sprintf(`{"topic":%q,"partition":2,"offset":%d,"timestamp":1735689600000,"key":"k","headers":{},"value":%s}`+"\n", topic, offset, text)
}

// backwards is a file in which everything comes before what it depends on, with
// one record of every other end.
func backwards(t *testing.T) string {
	t.Helper()
	skipped := orderRecord("order3", "event1", "")
	skipped.Status = legacyproto.Order_CANCELLED
	return line("refund_requests", 0, raw(t, refundRecord("refund1", "order1", "event1"))) +
		line("orders_done", 0, raw(t, orderRecord("order1", "event1", ""))) +
		line("orders_done", 1, []byte{0xff}) +
		line("orders_done", 2, raw(t, skipped)) +
		line("orders_done", 3, nil) +
		line("orders_done", 4, raw(t, orderRecord("order2", "event2", ""))) +
		line("orders_done", 5, raw(t, orderRecord("order2", "event2", ""))) +
		line("events", 0, raw(t, eventRecord("event1", "org1"))) +
		line("partners", 7, raw(t, partnerRecord("org1"))) +
		line("events", 1, raw(t, eventRecord("event1", "org1"))) +
		line("orders_done", 6, raw(t, orderRecord("order4", "event1", "set1")))
}

func runWithInput(stdin string, args ...string) result {
	var stdout, stderr bytes.Buffer
	code := run(args, strings.NewReader(stdin), &stdout, &stderr, nil)
	return result{code, stdout.String(), stderr.String()}
}

const slimOrder1 = `{"id":"order1","customer":{"email":"buyer@example.com","phone":"+79001234567","name":"Sample Buyer"},"tickets":[{"id":"ticket1","event_id":"event1","organizer_id":"org1","barcode":"460001","category":"","price_nominal":0,"currency":"RUB"}]}`

// shown is a record of the output as "TOPIC/OFFSET KEY VALUE".
func shown(t *testing.T, text string) []string {
	t.Helper()
	format := regexp.MustCompile(`^\{"topic":"(events|orders|refunds|quarantine)","partition":0,"offset":(\d+),"timestamp":1735689600000,"key":"([^"]*)","headers":(\{[^}]*\}),"value":"([A-Za-z0-9+/=]*)"\}$`)
	var list []string
	for _, l := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		m := format.FindStringSubmatch(l)
		if m == nil {
			t.Fatalf("not a line of the format: %s", l)
		}
		value, err := base64.StdEncoding.DecodeString(m[5])
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, fmt.Sprintf("%s/%s %s %s", m[1], m[2], m[3], value))
	}
	return list
}

func TestDryRun(t *testing.T) {
	summary := filepath.Join(t.TempDir(), "summary.json")
	r := runWithInput(backwards(t), "dry-run", "--summary", summary)
	if r.code != codeOK || r.stderr != "" {
		t.Fatalf("exit code %d: %s", r.code, r.stderr)
	}
	want := []string{
		"quarantine/0 k \xff",
		`events/0 event1 {"id":"event1","name":"Evening","category":"other","start_at":1777651200,"finish_at":1777651200,"organizer":{"id":"org1","name":"Organizer"}}`,
		"orders/0 order1 " + slimOrder1,
		`refunds/0 refund1 {"customer":{"email":"buyer@example.com","phone":"+79001234567","name":"Sample Buyer"},"ticket_ids":["ticket1"]}`,
	}
	if got := shown(t, r.stdout); !slices.Equal(got, want) {
		t.Errorf("wrote\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, header := range []string{
		`"headers":{"content-type":"application/json","schema-version":"1.0","application-id":"ticketscloud","bridge-source":"orders_done/2/0"}`,
		`"headers":{"__connect.errors.topic":"orders_done","__connect.errors.partition":"2","__connect.errors.offset":"1","__connect.errors.stage":"intake","__connect.errors.class.name":"undecodable",`,
	} {
		if !strings.Contains(r.stdout, header) {
			t.Errorf("there is no %s in\n%s", header, r.stdout)
		}
	}
	checkSummary(t, summary, `{
  "counts": {
    "unknown_category": 1
  },
  "events": {
    "consumed": 2,
    "emitted": 1,
    "unchanged": 1,
    "skipped": {},
    "parked": 0,
    "quarantined": {},
    "tombstone": 0,
    "superseded": 0
  },
  "orders_done": {
    "consumed": 7,
    "emitted": 1,
    "unchanged": 0,
    "skipped": {
      "status_cancelled": 1
    },
    "parked": 2,
    "quarantined": {
      "undecodable": 1
    },
    "tombstone": 1,
    "superseded": 1
  },
  "partners": {
    "consumed": 1,
    "emitted": 1,
    "unchanged": 0,
    "skipped": {},
    "parked": 0,
    "quarantined": {},
    "tombstone": 0,
    "superseded": 0
  },
  "refund_requests": {
    "consumed": 1,
    "emitted": 1,
    "unchanged": 0,
    "skipped": {},
    "parked": 0,
    "quarantined": {},
    "tombstone": 0,
    "superseded": 0
  }
}
`)
}

// checkSummary compares a summary, in which unknown_set counts each time that an
// order is emitted with it.
func checkSummary(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var gotJSON, wantJSON map[string]any
	if err := errors.Join(json.Unmarshal(got, &gotJSON), json.Unmarshal([]byte(want), &wantJSON)); err != nil {
		t.Fatalf("%v in\n%s", err, got)
	}
	delete(gotJSON["counts"].(map[string]any), "unknown_set")
	rest, err := json.MarshalIndent(gotJSON, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	wanted, err := json.MarshalIndent(wantJSON, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(rest, wanted) {
		t.Errorf("summary is\n%s\nwant\n%s", got, want)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != readableByOwner {
		t.Errorf("mode is %v, %v", info.Mode(), err)
	}
}

// Without records there are the same keys.
func TestDryRunOfNothing(t *testing.T) {
	const account = `{"consumed":0,"emitted":0,"unchanged":0,"skipped":{},"parked":0,"quarantined":{},"tombstone":0,"superseded":0}`
	const want = `{"counts":{},"events":` + account + `,"orders_done":` + account + `,"partners":` + account + `,"refund_requests":` + account + `}`
	r := runWithInput("", "dry-run")
	var compact bytes.Buffer
	if err := json.Compact(&compact, []byte(r.stderr)); err != nil || r.code != codeOK || r.stdout != "" || compact.String() != want {
		t.Errorf("exit code %d, %v\n%s\n%s", r.code, err, r.stdout, r.stderr)
	}
}

// The summary goes where it is told to: a file, standard output, or else
// standard error.
func TestDryRunSummaryPlaces(t *testing.T) {
	folder := t.TempDir()
	out, summary := filepath.Join(folder, "out"), filepath.Join(folder, "summary")
	onStderr := runWithInput(backwards(t), "dry-run", "--out", out)
	onStdout := runWithInput(backwards(t), "dry-run", "--out", out, "--summary", "-")
	inFile := runWithInput(backwards(t), "dry-run", "--out", out, "--summary", summary)
	text, err := os.ReadFile(summary)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(onStderr.stderr, "{\n") || onStderr.stdout != "" {
		t.Errorf("by default: %q, %q", onStderr.stdout, onStderr.stderr)
	}
	if onStdout.stdout != onStderr.stderr || onStdout.stderr != "" || string(text) != onStderr.stderr || inFile.stdout+inFile.stderr != "" {
		t.Error("the places have different summaries, or more than that")
	}
}

func TestDryRunExpiresHolds(t *testing.T) {
	without := runWithInput(backwards(t), "dry-run", "--summary", os.DevNull)
	with := runWithInput(backwards(t), "dry-run", "--expire-holds", "--summary", os.DevNull)
	added, ok := strings.CutPrefix(with.stdout, without.stdout)
	if with.code != codeOK || !ok {
		t.Fatalf("exit code %d: %s", with.code, with.stderr)
	}
	// order2 waits for its event, which has no limit; order4 for a set.
	if got := shown(t, added); len(got) != 1 || !strings.HasPrefix(got[0], `orders/1 order4 {"id":"order4",`) || !strings.Contains(got[0], `"category":""`) {
		t.Errorf("added %q", got)
	}
}

func TestDryRunEditionsAndFormats(t *testing.T) {
	two := runWithInput(backwards(t), "dry-run", "--edition", "2.0", "--summary", os.DevNull)
	if two.code != codeOK || !strings.Contains(two.stdout, `"schema-version":"2.0"`) || !strings.Contains(shown(t, two.stdout)[1], `"status":"paused"`) || strings.Contains(two.stdout, `"schema-version":"1.0"`) {
		t.Errorf("edition 2.0: exit code %d: %s%s", two.code, two.stdout, two.stderr)
	}
	protobuf := runWithInput(backwards(t), "dry-run", "--format", "protobuf", "--summary", os.DevNull)
	if protobuf.code != codeOK || strings.Count(protobuf.stdout, `"content-type":"application/x-protobuf"`) != 3 {
		t.Errorf("protobuf: exit code %d: %s%s", protobuf.code, protobuf.stdout, protobuf.stderr)
	}
	_, value, _ := strings.Cut(shown(t, protobuf.stdout)[2], "order1 ")
	var order vibev1.Order
	if err := proto.Unmarshal([]byte(value), &order); err != nil || order.GetCustomer().GetPhone() != "+79001234567" || order.GetTickets()[0].GetEventId() != "event1" {
		t.Errorf("protobuf order: %v, %v", &order, err)
	}
	for name, tt := range map[string]struct {
		args []string
		says string
	}{
		"protobuf with 2.0": {[]string{"--edition", "2.0", "--format", "protobuf"}, `configuration: format: protobuf with edition 2.0: format "protobuf" is defined for edition "1.0" only: set the format to "json" or the edition to "1.0"`},
		"unknown edition":   {[]string{"--edition", "3"}, `configuration: edition: "3": want one of 1.0, 2.0`},
		"unknown format":    {[]string{"--format", "avro"}, `configuration: format: "avro": want one of json, protobuf`},
	} {
		if r := runWithInput("", append([]string{"dry-run"}, tt.args...)...); r.code != codeRefused || r.stdout != "" || r.stderr != "vibe-bridge: "+tt.says+"\n" {
			t.Errorf("%s: exit code %d: %s%s", name, r.code, r.stdout, r.stderr)
		}
	}
}

func TestDryRunTakesTheDirectory(t *testing.T) {
	event := eventRecord("event1", "")
	event.Venue, event.Category = "venue1", "cat1"
	input := line("events", 0, raw(t, event))
	directory := filepath.Join(t.TempDir(), "directory.json")
	text := `{"categories":[{"id":"cat1","name":"Балет"}],"cities":[{"id":1,"name":"City","timezone":"Asia/Omsk"}],"venues":[{"id":"venue1","name":"Hall","city":1}]}`
	if err := os.WriteFile(directory, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r := runWithInput(input, "dry-run", "--directory", directory, "--summary", os.DevNull)
	want := `events/0 event1 {"id":"event1","name":"Evening","category":"ballet","start_at":1777651200,"finish_at":1777651200,"timezone":"Asia/Omsk","venue":{"id":"venue1","name":"Hall","city_name":"City"}}`
	if got := shown(t, r.stdout); len(got) != 1 || got[0] != want {
		t.Errorf("wrote %q", got)
	}
}

// Plain and gzip, files and streams: the same records.
func TestDryRunGzip(t *testing.T) {
	folder := t.TempDir()
	in := func(name string) string { return filepath.Join(folder, name) }
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	if _, err := w.Write([]byte(backwards(t))); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"in": backwards(t), "in.gz": zipped.String()} {
		if err := os.WriteFile(in(name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want := runWithInput(backwards(t), "dry-run", "--summary", os.DevNull).stdout
	for name, r := range map[string]result{
		"plain file":          runWithInput("", "dry-run", "--in", in("in"), "--summary", os.DevNull),
		"gzip file":           runWithInput("", "dry-run", "--in", in("in.gz"), "--out", "-", "--summary", os.DevNull),
		"gzip standard input": runWithInput(zipped.String(), "dry-run", "--in", "-", "--summary", os.DevNull),
	} {
		if r.code != codeOK || r.stdout != want {
			t.Errorf("%s: exit code %d: %s%s", name, r.code, r.stdout, r.stderr)
		}
	}
	runWithInput(backwards(t), "dry-run", "--out", in("out"), "--summary", os.DevNull)
	runWithInput(backwards(t), "dry-run", "--out", in("out.gz"), "--summary", os.DevNull)
	plain, err := os.ReadFile(in("out"))
	if err != nil || string(plain) != want {
		t.Errorf("plain output: %v, %s", err, plain)
	}
	packed, err := os.ReadFile(in("out.gz"))
	if err != nil || !bytes.HasPrefix(packed, []byte{0x1f, 0x8b}) || len(packed) >= len(plain) {
		t.Errorf("%d bytes of gzip for %d, %v", len(packed), len(plain), err)
	}
	if got := len(readRecords(t, in("out.gz"))); got != len(shown(t, want)) {
		t.Errorf("%d records in the gzip file", got)
	}
}

// Input that is not what it should be: the line, exit code 2, and no file, neither
// of records nor of the summary.
func TestDryRunRefusesInput(t *testing.T) {
	good := line("partners", 0, raw(t, partnerRecord("org1")))
	for name, tt := range map[string]struct{ input, says string }{
		"not JSON":                       {good + "\n{\"topic\"", `read records: standard input: line 3: .+`},
		"field is missing":               {good + `{"topic":"events"}`, `read records: standard input: line 2: field "partition" is missing`},
		"value is not base64":            {good + strings.Replace(good, `"value":"`, `"value":"!`, 1), `read records: standard input: line 2: "value": .+`},
		"unknown field":                  {strings.Replace(good, `"topic"`, `"tpoic"`, 1), `read records: standard input: line 1: there is an unknown field; known: topic, partition, .*`},
		"unknown topic":                  {good + "\n" + line("orders", 0, []byte{1}), `read records: line 3: topic "orders" is not a legacy topic: want partners, events, orders_done or refund_requests`},
		"gzip that is cut off":           {"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff", `read records: standard input: line 1: .+`},
		"gzip that is none":              {"\x1f\x8b????????????", `read records: standard input: gzip: .+`},
		"a capture of the wrong cluster": {line("events", 0, raw(t, eventRecord("e", ""))) + line("refunds", 0, []byte("{}")), `read records: line 2: topic "refunds" is not a legacy topic: .+`},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			r := runWithInput(tt.input, "dry-run", "--out", filepath.Join(folder, "out"), "--summary", filepath.Join(folder, "summary"))
			if r.code != codeRefused || r.stdout != "" || !regexp.MustCompile(`\Avibe-bridge: `+tt.says+`\n\z`).MatchString(r.stderr) {
				t.Errorf("exit code %d: %s%s", r.code, r.stdout, r.stderr)
			}
			if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

// Files that cannot be, or that would destroy each other: exit code 2 before
// anything is read.
func TestDryRunRefusesFiles(t *testing.T) {
	folder := t.TempDir()
	in := filepath.Join(folder, "in")
	if err := os.WriteFile(in, []byte(backwards(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(in, in+"-too"); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		args []string
		says string
	}{
		"no input":                        {[]string{"--in", folder + "/none"}, `read records: open .*/none: no such file or directory`},
		"input is a folder":               {[]string{"--in", folder}, `read records: .*: is a directory`},
		"gzip by name alone":              {[]string{"--in", folder + "/none.gz"}, `read records: open .*`},
		"no directory":                    {[]string{"--in", in, "--directory", folder + "/none"}, `read directory: open .*/none: no such file or directory`},
		"no folder to write":              {[]string{"--in", in, "--out", folder + "/none/out"}, `write records: create .*/none/out: no such file or directory`},
		"no folder for summary":           {[]string{"--in", in, "--out", folder + "/out", "--summary", folder + "/none/s"}, `write summary: create .*/none/s: no such file or directory`},
		"output is input":                 {[]string{"--in", in, "--out", in}, `--in and --out are both .*/in: want two files`},
		"output is input by another name": {[]string{"--in", in, "--out", in + "-too"}, `--in and --out are both .*/in: want two files`},
		"summary is input":                {[]string{"--in", in, "--summary", in}, `--in and --summary are both .*/in: want two files`},
		"summary is output":               {[]string{"--in", in, "--out", folder + "/out", "--summary", folder + "/./out"}, `--out and --summary are both .*/out: want two files`},
		"both standard output":            {[]string{"--in", in, "--summary", "-"}, `--out and --summary are both standard output: want a file for one of them`},
	} {
		r := runWithInput("", append([]string{"dry-run"}, tt.args...)...)
		if r.code != codeRefused || r.stdout != "" || !regexp.MustCompile(`\Avibe-bridge: `+tt.says+`\n\z`).MatchString(r.stderr) {
			t.Errorf("%s: exit code %d: %s%s", name, r.code, r.stdout, r.stderr)
		}
	}
	left, err := os.ReadDir(folder)
	if err != nil || len(left) != 2 {
		t.Errorf("the folder holds %v, %v", left, err)
	}
	if text, err := os.ReadFile(in); err != nil || string(text) != backwards(t) {
		t.Errorf("the input is not what it was: %v", err)
	}
}

// What fails on the way is exit code 1.
func TestDryRunOntoAFullDisk(t *testing.T) {
	for _, flag := range []string{"--out", "--summary"} {
		args := []string{"dry-run", "--out", os.DevNull, "--summary", os.DevNull}
		args[slices.Index(args, flag)+1] = "/dev/full"
		if r := runWithInput(backwards(t), args...); r.code != codeFailed || !strings.Contains(r.stderr, "no space left on device") || strings.Count(r.stderr, "\n") != 1 {
			t.Errorf("%s: exit code %d: %s%s", flag, r.code, r.stdout, r.stderr)
		}
	}
}

// Nobody should wait for a program that waits for them.
func TestCommandsDoNotWaitForAPerson(t *testing.T) {
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	for command, says := range map[string]string{
		"dry-run":   "no records to read: give a record file with --in, or pipe one in",
		"map event": "no record to map: standard input is a terminal; give the raw record with < FILE or a pipe",
	} {
		r := executeWithInput(t, terminal, nil, strings.Fields(command)...)
		if r.code != codeRefused || r.stdout != "" || r.stderr != "vibe-bridge: "+says+"\n" {
			t.Errorf("%s: exit code %d: %s%s", command, r.code, r.stdout, r.stderr)
		}
	}
}

// Accounts that do not balance are exit code 3, and the summary is there to show
// which.
func TestDryRunJudgesTheAccounts(t *testing.T) {
	s := dryrun.Summary{Accounts: mapping.NewAccounts()}
	s.Accounts[mapping.Orders].Consumed = 1
	var out bytes.Buffer
	err := writeSummary(givenStream{&out}, s)
	if exitCode(err) != codeChecks || !strings.Contains(out.String(), `"consumed": 1,`) {
		t.Errorf("%v after %s", err, out.String())
	}
	s.Accounts[mapping.Orders].Emitted = 1
	if err := writeSummary(givenStream{&out}, s); err != nil {
		t.Error(err)
	}
}

// A summary that cannot be finished leaves the one before.
func TestWholeFiles(t *testing.T) {
	folder := t.TempDir()
	path, link := filepath.Join(folder, "a"), filepath.Join(folder, "link")
	if err := errors.Join(os.WriteFile(path, []byte("before"), 0o644), os.Symlink(path, link)); err != nil {
		t.Fatal(err)
	}
	w, err := createWhole(link, readableByOwner)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(w, "half")
	if text, err := os.ReadFile(path); err != nil || string(text) != "before" {
		t.Errorf("the name has %q, %v", text, err)
	}
	w.discard()
	if err := replaceFile(link, readableByOwner, []byte("after")); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "after" {
		t.Errorf("the name has %q, %v", text, err)
	}
	if target, err := os.Readlink(link); err != nil || target != path {
		t.Errorf("the link leads to %q, %v", target, err)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) != 2 {
		t.Errorf("the folder holds %v, %v", left, err)
	}
	if err := replaceFile(os.DevNull, readableByOwner, []byte("x")); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(os.DevNull); err != nil || info.Mode().IsRegular() {
		t.Errorf("%s is now %v, %v", os.DevNull, info.Mode(), err)
	}
}
