package mapping_test

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/ticketscloud/vibe-bridge/internal/dryrun"
	"github.com/ticketscloud/vibe-bridge/internal/recordfile"
	"github.com/ticketscloud/vibe-bridge/internal/schemacheck"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/slim"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// A golden case is named after the rule of the mapping contract that it shows,
// and its comment says which that is:
//
//	config           KEY: VALUE lines, see goldenConfig
//	directory.json   the directory; without it the empty one
//	categories.yaml  the category table; without it the built-in one
//	in               legacy records in file order, see parseInput
//	out              slim and quarantined records in the order of emission,
//	                 then the accounts and counts, see goldenOutput
//
// A case of several editions has out/1.0 and out/2.0 instead of out.
const goldenCases = "testdata/golden/*.txtar"

func TestGolden(t *testing.T) {
	for _, path := range goldenPaths(t) {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			checkGolden(t, path)
		})
	}
}

func goldenPaths(t *testing.T) []string {
	paths, err := filepath.Glob(goldenCases)
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) == 0 {
		t.Fatalf("%s matches no file", goldenCases)
	}
	return paths
}

func checkGolden(t *testing.T, path string) {
	c := readGolden(t, path)
	var want []txtar.File
	for _, edition := range c.config.editions {
		want = append(want, txtar.File{Name: c.outName(edition), Data: c.run(t, edition)})
	}
	if *update {
		c.archive.Files = slices.DeleteFunc(c.archive.Files, func(f txtar.File) bool { return isOut(f.Name) })
		c.archive.Files = append(c.archive.Files, want...)
		if err := os.WriteFile(path, txtar.Format(c.archive), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	outs := 0
	for _, f := range c.archive.Files {
		if isOut(f.Name) {
			outs++
		}
	}
	if outs != len(want) {
		t.Errorf("%d sections of output, want %d", outs, len(want))
	}
	for _, f := range want {
		if golden := c.section(f.Name); !bytes.Equal(golden, f.Data) {
			t.Errorf("%s differs; got\n%s\nwant\n%s", f.Name, f.Data, golden)
		}
	}
}

func isOut(section string) bool { return section == "out" || strings.HasPrefix(section, "out/") }

// run processes the case's records and checks what holds for every run: slim
// records are valid, an order comes behind its event, the accounts balance, and
// a second run gives the same bytes.
func (c *goldenCase) run(t *testing.T, edition slim.Edition) []byte {
	t.Helper()
	rules := c.rules(t, edition)
	first := c.process(t, rules, c.input)
	second := c.process(t, rules, c.input)
	checkSlim(t, rules.Encoding, first.records)
	if !first.summary.Accounts.Balanced() {
		t.Error("the accounts do not balance")
	}
	out := goldenOutput(t, rules.Encoding, first)
	if again := goldenOutput(t, rules.Encoding, second); !bytes.Equal(out, again) {
		t.Errorf("a second run gives\n%s\nafter\n%s", again, out)
	}
	return out
}

// goldenRun is what came of a run.
type goldenRun struct {
	received map[string][]byte // TOPIC/PARTITION/OFFSET to value
	records  []recordfile.Record
	summary  dryrun.Summary
}

func (c *goldenCase) process(t *testing.T, rules *mapping.Rules, input []inputLine) goldenRun {
	t.Helper()
	run := goldenRun{received: map[string][]byte{}}
	engine, err := dryrun.New(
		dryrun.Config{Rules: rules, ApplicationID: c.config.applicationID, SourceHeader: c.config.sourceHeader},
		func(r recordfile.Record) error { run.records = append(run.records, r); return nil },
	)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range input {
		if line.expireHolds {
			err = engine.ExpireHolds()
		} else {
			run.received[slim.Source(line.record.Topic, line.record.Partition, line.record.Offset)] = line.record.Value
			err = engine.Process(line.record)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	run.summary = engine.Summary()
	return run
}

// checkSlim holds records against the slim contract, and orders against the
// promise that their event came first.
func checkSlim(t *testing.T, enc slim.Encoding, records []recordfile.Record) {
	t.Helper()
	events := map[string]bool{}
	for _, r := range records {
		var err error
		switch r.Topic {
		case "events":
			var ev *slim.Event
			if ev, err = slim.ParseEvent(enc, r.Value); err == nil {
				err = ev.Validate(enc)
			}
			events[string(r.Key)] = true
		case "orders":
			var o *slim.Order
			if o, err = slim.ParseOrder(enc, r.Value); err == nil {
				err = o.Validate(enc)
			}
			if err == nil && !events[o.Tickets[0].EventID] {
				err = fmt.Errorf("its event has not come yet")
			}
		case "refunds":
			var f *slim.Refund
			if f, err = slim.ParseRefund(enc, r.Value); err == nil {
				err = f.Validate(enc)
			}
		}
		if err == nil {
			err = schemacheck.CheckRecorded(r)
		}
		if err != nil {
			t.Errorf("%s %s: %v", r.Topic, r.Key, err)
		}
	}
}

// Every case ends the same when its topics are read in another interleaving
// and then all holds run out: what slim topics hold is a function of the newest
// records alone (mapping contract, Convergence).
func TestGoldenInterleavings(t *testing.T) {
	for _, path := range goldenPaths(t) {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			c := readGolden(t, path)
			if c.config.pathDependent {
				return
			}
			for _, edition := range c.config.editions {
				c.checkInterleavings(t, edition)
			}
		})
	}
}

func (c *goldenCase) checkInterleavings(t *testing.T, edition slim.Edition) {
	t.Helper()
	rules := c.rules(t, edition)
	newest := func(input []inputLine) map[string]string {
		run := c.process(t, rules, append(input, inputLine{expireHolds: true}))
		if !run.summary.Accounts.Balanced() {
			t.Error("the accounts do not balance")
		}
		m := map[string]string{}
		for _, r := range run.records {
			if r.Topic != dryrun.QuarantineTopic {
				m[r.Topic+" "+string(r.Key)] = string(r.Value)
			}
		}
		return m
	}
	want := newest(slices.Clone(c.input))
	random := rand.New(rand.NewPCG(1, 1))
	for range 30 {
		if got := newest(interleave(random, c.input)); !maps.Equal(got, want) {
			t.Fatalf("edition %s ends otherwise in another interleaving; got\n%q\nwant\n%q", edition, got, want)
		}
	}
}

// interleave mixes topics and keeps the order within each. Holds that run out
// keep their place in the line.
func interleave(random *rand.Rand, input []inputLine) []inputLine {
	byTopic := map[string][]inputLine{}
	var turns []string
	for _, line := range input {
		topic := line.record.Topic
		byTopic[topic] = append(byTopic[topic], line)
		turns = append(turns, topic)
	}
	random.Shuffle(len(turns), func(i, j int) { turns[i], turns[j] = turns[j], turns[i] })
	mixed := make([]inputLine, len(turns))
	for i, topic := range turns {
		mixed[i], byTopic[topic] = byTopic[topic][0], byTopic[topic][1:]
	}
	return mixed
}

// Every reason and count that package mapping knows is shown by a golden case.
func TestGoldenCoversReasons(t *testing.T) {
	shown := map[string]bool{}
	for _, path := range goldenPaths(t) {
		c := readGolden(t, path)
		for _, f := range c.archive.Files {
			if isOut(f.Name) {
				for _, word := range strings.FieldsFunc(string(f.Data), func(r rune) bool { return strings.ContainsRune(" =:\n", r) }) {
					shown[word] = true
				}
			}
		}
	}
	for _, reason := range declaredReasons(t) {
		// Without a broker no sending is ever in doubt.
		if reason != string(mapping.CountRepeated) && !shown[reason] {
			t.Errorf("no golden case shows %s", reason)
		}
	}
}

// declaredReasons reads the constants of type Reason.
func declaredReasons(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "reasons.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var reasons []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); !ok || kind.Name != "Reason" {
			return true
		}
		word, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		reasons = append(reasons, word)
		return true
	})
	if len(reasons) < 10 {
		t.Fatalf("found only the reasons %q", reasons)
	}
	return reasons
}
