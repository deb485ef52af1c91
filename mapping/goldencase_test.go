package mapping_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/directory"
	"github.com/ticketscloud/vibe-bridge/internal/dryrun"
	"github.com/ticketscloud/vibe-bridge/internal/recordfile"
	"github.com/ticketscloud/vibe-bridge/legacyproto"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/slim"
	"github.com/ticketscloud/vibe-bridge/slim/vibev1"
)

// Reading and writing of golden cases; see goldenCases for their form.

type goldenCase struct {
	archive *txtar.Archive
	config  goldenConfig
	input   []inputLine
}

func readGolden(t *testing.T, path string) *goldenCase {
	t.Helper()
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	c := &goldenCase{archive: archive}
	if len(bytes.TrimSpace(archive.Comment)) == 0 {
		t.Fatalf("%s does not say why it is there", path)
	}
	for _, f := range archive.Files {
		if !slices.Contains([]string{"config", "directory.json", "categories.yaml", "in"}, f.Name) && !isOut(f.Name) {
			t.Fatalf("%s has a section %s that is not read", path, f.Name)
		}
	}
	if c.config, err = parseConfig(string(c.section("config"))); err != nil {
		t.Fatalf("%s: config: %v", path, err)
	}
	if c.input, err = parseInput(string(c.section("in"))); err != nil {
		t.Fatalf("%s: in: %v", path, err)
	}
	return c
}

func (c *goldenCase) section(name string) []byte {
	for _, f := range c.archive.Files {
		if f.Name == name {
			return f.Data
		}
	}
	return nil
}

func (c *goldenCase) outName(edition slim.Edition) string {
	if len(c.config.editions) == 1 {
		return "out"
	}
	return "out/" + edition.String()
}

// goldenConfig is the section config: KEY: VALUE lines.
type goldenConfig struct {
	editions        []slim.Edition // edition: 1.0, 2.0 or both, separated by a space
	format          slim.Format    // format: json (default) or protobuf
	organizerHold   time.Duration  // organizer_hold, set_hold: durations; default 10m
	setHold         time.Duration
	defaultLocation *time.Location // default_timezone; default Europe/Moscow
	maxRecordBytes  int            // max_record_bytes
	applicationID   string         // application_id; default ticketscloud
	sourceHeader    bool           // source_header: on (default) or off
	pathDependent   bool           // interleavings: off, where the comment says why; default on
}

func parseConfig(text string) (goldenConfig, error) {
	c := goldenConfig{
		format: slim.JSON, organizerHold: 10 * time.Minute, setHold: 10 * time.Minute,
		maxRecordBytes: mapping.DefaultMaxRecordBytes, applicationID: slim.DefaultApplicationID, sourceHeader: true,
	}
	moscow, err := time.LoadLocation("Europe/Moscow")
	if err != nil {
		return c, err
	}
	c.defaultLocation = moscow
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if !ok {
			return c, fmt.Errorf("%q is not KEY: VALUE", line)
		}
		if err := c.set(key, value); err != nil {
			return c, err
		}
	}
	if len(c.editions) == 0 {
		return c, fmt.Errorf("no edition")
	}
	return c, nil
}

func (c *goldenConfig) set(key, value string) (err error) {
	switch key {
	case "edition":
		for word := range strings.FieldsSeq(value) {
			edition, err := slim.ParseEdition(word)
			if err != nil {
				return err
			}
			c.editions = append(c.editions, edition)
		}
	case "format":
		c.format, err = slim.ParseFormat(value)
	case "organizer_hold":
		c.organizerHold, err = time.ParseDuration(value)
	case "set_hold":
		c.setHold, err = time.ParseDuration(value)
	case "default_timezone":
		c.defaultLocation, err = time.LoadLocation(value)
	case "max_record_bytes":
		c.maxRecordBytes, err = strconv.Atoi(value)
	case "application_id":
		c.applicationID = value
	case "source_header":
		c.sourceHeader = value == "on"
		if value != "on" && value != "off" {
			err = fmt.Errorf("source_header is %q", value)
		}
	case "interleavings":
		c.pathDependent = value == "off"
		if value != "off" {
			err = fmt.Errorf("interleavings is %q", value)
		}
	default:
		err = fmt.Errorf("unknown key %q", key)
	}
	return err
}

func (c *goldenCase) rules(t *testing.T, edition slim.Edition) *mapping.Rules {
	t.Helper()
	r := &mapping.Rules{
		Encoding:        slim.Encoding{Edition: edition, Format: c.config.format},
		Directory:       directory.Empty(),
		DefaultLocation: c.config.defaultLocation,
		OrganizerHold:   c.config.organizerHold,
		SetHold:         c.config.setHold,
		MaxRecordBytes:  c.config.maxRecordBytes,
	}
	table := directory.DefaultCategories()
	var err error
	if data := c.section("categories.yaml"); data != nil {
		if table, err = directory.ParseCategories(data); err != nil {
			t.Fatal(err)
		}
	}
	if data := c.section("directory.json"); data != nil {
		if r.Directory, err = directory.Parse(data, table); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// inputLine is a legacy record, or a moment in which all holds run out.
type inputLine struct {
	record      recordfile.Record
	expireHolds bool
}

// parseInput reads the section in. A line is one of
//
//	TOPIC VALUE                   offsets count up per topic, in partition 0
//	TOPIC@PARTITION/OFFSET VALUE
//	expire_holds
//	# a remark
//
// VALUE is the legacy message as protobuf JSON, hex:… for raw bytes, null for a
// tombstone, or empty. {{x*500}} stands for 500 times x.
func parseInput(text string) ([]inputLine, error) {
	var input []inputLine
	offsets := map[string]int64{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if line == "expire_holds" {
			input = append(input, inputLine{expireHolds: true})
			continue
		}
		at, value, _ := strings.Cut(line, " ")
		topic, position, placed := strings.Cut(at, "@")
		r := recordfile.Record{Topic: topic, Offset: offsets[topic]}
		if placed {
			if _, err := fmt.Sscanf(position, "%d/%d", &r.Partition, &r.Offset); err != nil {
				return nil, fmt.Errorf("position %q: %w", position, err)
			}
		} else {
			offsets[topic]++
		}
		var err error
		if r.Value, err = parseValue(topic, value); err != nil {
			return nil, fmt.Errorf("%s: %w", line, err)
		}
		input = append(input, inputLine{record: r})
	}
	if len(input) == 0 {
		return nil, fmt.Errorf("there is no record")
	}
	return input, nil
}

func parseValue(topic, value string) ([]byte, error) {
	if value == "null" {
		return nil, nil
	}
	if value == "empty" {
		return []byte{}, nil
	}
	if digits, ok := strings.CutPrefix(value, "hex:"); ok {
		return hex.DecodeString(digits)
	}
	var m proto.Message
	switch topic {
	case "partners":
		m = &legacyproto.Partner{}
	case "events":
		m = &legacyproto.Event{}
	case "orders_done":
		m = &legacyproto.Order{}
	case "refund_requests":
		m = &legacyproto.RefundRequest{}
	default:
		return nil, fmt.Errorf("no legacy topic %q", topic)
	}
	if err := protojson.Unmarshal([]byte(expandRuns(value)), m); err != nil {
		return nil, err
	}
	return proto.MarshalOptions{Deterministic: true}.Marshal(m)
}

var foldedRun = regexp.MustCompile(`\{\{(.)\*(\d+)\}\}`)

func expandRuns(text string) string {
	return foldedRun.ReplaceAllStringFunc(text, func(s string) string {
		parts := foldedRun.FindStringSubmatch(s)
		n, err := strconv.Atoi(parts[2])
		if err != nil {
			panic(err)
		}
		return strings.Repeat(parts[1], n)
	})
}

// foldRuns is the opposite of expandRuns.
func foldRuns(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); {
		n := 1
		for i+n < len(text) && text[i+n] == text[i] {
			n++
		}
		if n >= 100 {
			fmt.Fprintf(&b, "{{%c*%d}}", text[i], n)
		} else {
			b.WriteString(text[i : i+n])
		}
		i += n
	}
	return b.String()
}

// goldenOutput prints a run. Every record is a line with topic, key and
// headers, and a line with the value: the very bytes of JSON; protobuf JSON and
// a line of hex for Protobuf; "as received" for quarantined bytes that are those
// of the legacy record.
func goldenOutput(t *testing.T, enc slim.Encoding, run goldenRun) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, r := range run.records {
		key := string(r.Key)
		if r.Key == nil {
			key = "null"
		}
		fmt.Fprintf(&b, "-> %s key=%s%s\n", r.Topic, key, printHeaders(r.Headers))
		switch {
		case r.Topic == dryrun.QuarantineTopic:
			b.WriteString(printQuarantined(run, r))
		case enc.Format == slim.Protobuf:
			fmt.Fprintf(&b, "%s\nhex:%x\n", printProtobuf(t, r), r.Value)
		default:
			b.WriteString(foldRuns(string(r.Value)) + "\n")
		}
	}
	for _, s := range mapping.Streams {
		if a := &run.summary.Accounts[s]; a.Consumed > 0 {
			fmt.Fprintf(&b, "= %s%s\n", s, printAccount(a))
		}
	}
	if len(run.summary.Counts) > 0 {
		b.WriteString("= counts")
		for _, reason := range slices.Sorted(maps.Keys(run.summary.Counts)) {
			fmt.Fprintf(&b, " %s=%d", reason, run.summary.Counts[reason])
		}
		b.WriteString("\n")
	}
	return b.Bytes()
}

func printHeaders(headers []recordfile.Header) string {
	var b strings.Builder
	for _, h := range headers {
		value := string(h.Value)
		if strings.Contains(value, " ") {
			value = strconv.Quote(value)
		}
		fmt.Fprintf(&b, " %s=%s", h.Key, value)
	}
	return b.String()
}

func printQuarantined(run goldenRun, r recordfile.Record) string {
	header := map[string]string{}
	for _, h := range r.Headers {
		header[h.Key] = string(h.Value)
	}
	at := header[mapping.HeaderErrorTopic] + "/" + header[mapping.HeaderErrorPartition] + "/" + header[mapping.HeaderErrorOffset]
	received, known := run.received[at]
	switch {
	case r.Value == nil:
		return "null\n"
	case known && bytes.Equal(r.Value, received):
		return "as received\n"
	}
	return fmt.Sprintf("hex:%x\n", r.Value)
}

func printProtobuf(t *testing.T, r recordfile.Record) string {
	t.Helper()
	m := map[string]proto.Message{"events": &vibev1.Event{}, "orders": &vibev1.Order{}, "refunds": &vibev1.Refund{}}[r.Topic]
	if err := proto.Unmarshal(r.Value, m); err != nil {
		t.Fatal(err)
	}
	text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := json.Compact(&b, text); err != nil { // protojson varies its white space on purpose
		t.Fatal(err)
	}
	return b.String()
}

// printAccount prints the figures that are not zero.
func printAccount(a *mapping.Account) string {
	var b strings.Builder
	figure := func(name string, n uint64) {
		if n > 0 {
			fmt.Fprintf(&b, " %s=%d", name, n)
		}
	}
	figure("consumed", a.Consumed)
	figure("emitted", a.Emitted)
	figure("unchanged", a.Unchanged)
	for _, reason := range slices.Sorted(maps.Keys(a.Skipped)) {
		figure("skipped:"+reason, a.Skipped[reason])
	}
	figure("parked", a.Parked)
	for _, reason := range slices.Sorted(maps.Keys(a.Quarantined)) {
		figure("quarantined:"+reason, a.Quarantined[reason])
	}
	figure("tombstone", a.Tombstone)
	figure("superseded", a.Superseded)
	return b.String()
}
