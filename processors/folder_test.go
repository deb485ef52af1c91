package processors_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/embedded"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
	"github.com/ticketscloud/vibe-bridge/internal/season"
	"github.com/ticketscloud/vibe-bridge/internal/store"
	"github.com/ticketscloud/vibe-bridge/processors"
)

// A state folder that was filled on another cluster is refused, though the topics have the same names and more records.
func TestForeignStateFolder(t *testing.T) {
	t.Parallel()
	cluster, other := kafkatest.Embedded(t, embedded.Options{}), kafkatest.Embedded(t, embedded.Options{})
	other.Prefix = cluster.Prefix
	there := newWorld(t, cluster, 2, season.Config{Orders: 50, Seed: 31})
	there.produce()
	dir := t.TempDir()
	in := there.start(dir)
	there.drain(in)
	there.leave(in)

	here := newWorld(t, other, 2, season.Config{Orders: 500, Seed: 32})
	if here.cfg.Topics.Name != there.cfg.Topics.Name {
		t.Fatal("the deployments have different names")
	}
	here.produce()
	own := t.TempDir()
	in = here.start(own)
	here.drain(in)
	here.leave(in)

	err := here.refused(dir)
	var foreign *processors.FolderError
	if !errors.As(err, &foreign) || len(foreign.Lines) != 2 || !strings.Contains(err.Error(), filepath.Join(dir, here.cfg.Topics.Name)) {
		t.Fatalf("an instance with the other cluster's folder ended with %v", err)
	}
	cfg := here.cfg
	cfg.StateDir = dir
	if err := processors.LookAtFolder(cfg, here.admins[kafka.StateCluster]); !errors.As(err, &foreign) {
		t.Errorf("looked at, it is %v", err)
	}

	// Its own it takes, and one that says nothing, as those of earlier versions; one that says what nobody understands it does not.
	file := filepath.Join(own, here.cfg.Topics.Name, "tables.json")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		in = here.start(own)
		here.check(here.drain(in))
		here.leave(in)
	}
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := here.refused(own); !errors.As(err, &foreign) {
		t.Errorf("with a file that is cut short an instance ended with %v", err)
	}
}

// A changelog that ends before what the folder knows of it ends the instance with an error that is known for what it is,
// however many partitions say the same.
func TestLostChangelogEndsTheInstance(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kafkatest.Embedded(t, embedded.Options{}), 4, season.Config{Orders: 200, Seed: 33})
	w.produce()
	dir := t.TempDir()
	in := w.start(dir)
	w.drain(in)
	w.leave(in)

	stores, err := store.NewRegistry(store.Options{Dir: filepath.Join(dir, w.cfg.Topics.Name)})
	if err != nil {
		t.Fatal(err)
	}
	_, _, _, table := w.cfg.Topics.Gate()
	for p := range int32(4) {
		st, err := stores.Builder()(table, p)
		if err != nil {
			t.Fatal(err)
		}
		if err := st.SetOffset(1 << 40); err != nil {
			t.Fatal(err)
		}
	}
	if err := stores.Close(); err != nil {
		t.Fatal(err)
	}
	err = w.ended(w.start(dir))
	var lost *processors.LostChangelogError
	if !errors.As(err, &lost) || strings.Count(err.Error(), "knows offset") != 1 {
		t.Errorf("the instance ended with %v", err)
	}
}
