//go:build chaos

package chaos_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ticketscloud/vibe-bridge/internal/chaos"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/localkafka"
)

// short is the short form: a kill that falls into much on its way, one of a whole deployment, a lost state folder, a zombie,
// and a crash of Kafka.
var short = []chaos.Fault{
	{Kind: chaos.Kill, Instance: 0, Settled: true, Before: time.Second, Slow: time.Second},
	{Kind: chaos.Kill, Instance: 1, Settled: true, For: time.Second},
	{Kind: chaos.Pause, Instance: 0, Settled: true, For: 9 * time.Second},
	{Kind: chaos.Broker, Settled: true, For: time.Second},
	{Kind: chaos.Wipe, Instance: 1, Settled: true, Slow: 800 * time.Millisecond},
	{Kind: chaos.Kill, Instance: -1, Settled: true, Slow: 1200 * time.Millisecond, For: time.Second},
}

func shortRun(t *testing.T, tags string, faults []chaos.Fault) (chaos.Summary, error) {
	t.Helper()
	if testing.Short() {
		t.Skip("takes a minute and a half")
	}
	root, err := localkafka.Root(".")
	if err != nil {
		t.Fatal(err)
	}
	if err := localkafka.CheckoutJars(root).Check(); err != nil {
		kafkatest.SkipOrFail(t, "the chaos suite is skipped: "+err.Error())
	}
	var out strings.Builder
	summary, err := chaos.Run(t.Context(), chaos.Config{
		Seed: 1, Fixed: faults, Root: root, Dir: t.TempDir(), Tags: tags, Bound: true, MaxTime: 6 * time.Minute,
		// A machine that runs other tests at the same time is slow for its own reasons.
		StallBound: 2 * time.Minute,
	}, &out)
	summary.WriteText(&out)
	t.Log("\n" + out.String())
	return summary, err
}

// Guarantees 1 to 3 of the bridge hold while what runs it is killed, paused and cut off from its state.
func TestFaultsWhileDataFlows(t *testing.T) {
	summary, err := shortRun(t, "", short)
	if err != nil {
		t.Fatal(err)
	}
	if summary.Legacy == 0 || summary.Slim == 0 || summary.Ordered == 0 {
		t.Errorf("nothing was checked: %+v", summary)
	}
}

// A run that cannot fail shows nothing: it finds a bridge that commits what is not acknowledged.
func TestPlantedBugIsFound(t *testing.T) {
	if os.Getenv("VIBE_BRIDGE_CHAOS_PLANTED") != "1" {
		t.Skip("VIBE_BRIDGE_CHAOS_PLANTED=1 (make chaos-planted) runs it")
	}
	summary, err := shortRun(t, "plantedbug", short)
	if err == nil {
		t.Fatal("the run passed")
	}
	if summary.Findings["lost"] == 0 {
		t.Errorf("verify has found %v, and nothing lost; the run ended with: %v", summary.Findings, err)
	}
}
