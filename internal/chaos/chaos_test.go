package chaos_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ticketscloud/vibe-bridge/internal/chaos"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/localkafka"
)

// short is the short form: a kill that falls into much on its way, a zombie, a half-open network, a lost state folder, a
// crash of Kafka, and a kill of the whole deployment.
var short = []chaos.Fault{
	{Kind: chaos.Kill, Instance: 0, Settled: true, Before: time.Second, Slow: time.Second},
	{Kind: chaos.Pause, Instance: 0, Settled: true, For: 9 * time.Second},
	{Kind: chaos.Half, Instance: 1, Settled: true, For: 3 * time.Second},
	{Kind: chaos.Broker, Settled: true, For: time.Second},
	{Kind: chaos.Wipe, Instance: 1, Settled: true, Slow: 800 * time.Millisecond},
	{Kind: chaos.Kill, Instance: -1, Settled: true, Slow: 1200 * time.Millisecond, For: time.Second},
}

// planted is enough for a bridge that commits what is not acknowledged to lose something.
var planted = []chaos.Fault{
	{Kind: chaos.Kill, Instance: -1, Settled: true, Slow: 1200 * time.Millisecond},
	{Kind: chaos.Kill, Instance: -1, Settled: true, Slow: 1200 * time.Millisecond},
}

func fixedRun(t *testing.T, c chaos.Config) (chaos.Summary, error) {
	t.Helper()
	if testing.Short() {
		t.Skip("takes a minute and a half: runs without -short")
	}
	root, err := localkafka.Root(".")
	if err != nil {
		t.Fatal(err)
	}
	if err := localkafka.CheckoutJars(root).Check(); err != nil {
		kafkatest.SkipOrFail(t, "the chaos suite is skipped: "+err.Error())
	}
	seeSources(t, root)
	var out strings.Builder
	c.Seed, c.Root, c.Dir, c.Bound, c.MaxTime = 1, root, t.TempDir(), true, 8*time.Minute
	summary, err := chaos.Run(t.Context(), c, &out)
	summary.WriteText(&out)
	t.Log("\n" + out.String())
	return summary, err
}

// seeSources has a run that passed count only for as long as the command is the same: it is built by the run, so that go
// test does not know of it.
func seeSources(t *testing.T, root string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "cmd", "vibe-bridge", "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no sources of the command: %v", err)
	}
	for _, f := range files {
		if _, err := os.Stat(f); err != nil {
			t.Fatal(err)
		}
	}
}

// Guarantees 1 to 3 of the bridge hold while what runs it is killed, paused and cut off from its state.
func TestFaultsWhileDataFlows(t *testing.T) {
	summary, err := fixedRun(t, chaos.Config{Fixed: short})
	if err != nil {
		t.Fatal(err)
	}
	if summary.Legacy == 0 || summary.Slim == 0 || summary.Ordered == 0 {
		t.Errorf("nothing was checked: %+v", summary)
	}
}

// A run that cannot fail shows nothing: it finds a bridge that commits what is not acknowledged.
func TestPlantedBugIsFound(t *testing.T) {
	// Nothing comes late any more when everything is drained, and there is no need to wait whether it does. That it is
	// drained cannot be relied on: a row that only one disk has is never written again without a replay.
	summary, err := fixedRun(t, chaos.Config{Fixed: planted, Rate: 200, Tags: "plantedbug", Grace: 5 * time.Second, DrainBound: time.Minute})
	if err == nil {
		t.Fatal("the run passed")
	}
	// A crash may fall between what a record sends: its row is lost, then, and the slim record there.
	if summary.Findings["lost"] == 0 && len(summary.Unbalanced) == 0 {
		t.Errorf("verify has found %v, nothing is lost and all accounts balance; the run ended with: %v", summary.Findings, err)
	}
}
