package processors_test

import (
	"bytes"
	"index/suffixarray"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
	"github.com/ticketscloud/vibe-bridge/internal/seal/sealtest"
	"github.com/ticketscloud/vibe-bridge/internal/season"
	"github.com/ticketscloud/vibe-bridge/internal/store"
	"github.com/ticketscloud/vibe-bridge/legacyproto"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/processors"
)

// personalTexts are those of the orders among legacy records, and ids their ids: both can be known again.
func personalTexts(t *testing.T, records []season.Record) (texts, ids [][]byte) {
	t.Helper()
	for _, rec := range records {
		var o legacyproto.Order
		if streamOf(rec.Topic) != mapping.Orders || proto.Unmarshal(rec.Value, &o) != nil {
			continue
		}
		ids = append(ids, []byte(o.GetId()))
		for _, text := range []string{o.GetSettings().GetCustomer().GetEmail(), o.GetSettings().GetCustomer().GetName()} {
			if len(text) > 10 {
				texts = append(texts, []byte(text))
			}
		}
		for _, ticket := range o.GetTickets() {
			if len(ticket.GetBarcode()) > 6 {
				texts = append(texts, []byte(ticket.GetBarcode()))
			}
		}
	}
	if len(texts) < len(ids) {
		t.Fatalf("%d orders have %d personal texts: nothing would be shown", len(ids), len(texts))
	}
	return texts, ids
}

// found counts the texts that stand in data.
func found(texts [][]byte, data []byte) (n int) {
	index := suffixarray.New(data)
	for _, text := range texts {
		if len(index.Lookup(text, 1)) > 0 {
			n++
		}
	}
	return n
}

// resting is all that the gate's table and the internal topic of orders hold.
func (w *world) resting() []byte {
	w.t.Helper()
	var all bytes.Buffer
	for _, topic := range []string{"-gate-table", "-orders"} {
		for _, rec := range kafkatest.ReadAll(w.t, w.target.Addrs, w.cfg.Topics.Name+topic) {
			all.Write(rec.Value)
			all.WriteByte(0)
		}
	}
	return all.Bytes()
}

// folder is the content of all files in and below dir.
func folder(t *testing.T, dir string) []byte {
	t.Helper()
	var all bytes.Buffer
	if err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		all.Write(data)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return all.Bytes()
}

// stored is what folder has, and the rows of the gate's table in it as the store reads them: on the disk they are compressed.
func (w *world) stored(dir string) []byte {
	w.t.Helper()
	all := bytes.NewBuffer(folder(w.t, dir))
	copied := w.t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		w.t.Fatal(err)
	}
	cfg := w.cfg
	cfg.StateDir = copied
	r, err := store.NewRegistry(store.Options{Dir: cfg.StateFolder()})
	if err != nil {
		w.t.Fatal(err)
	}
	defer r.Close()
	for p := range cfg.Settings.Partitions {
		st, err := r.Builder()(cfg.Topics.Name+"-gate-table", p)
		if err != nil {
			w.t.Fatal(err)
		}
		if err := st.(*store.Store).Scan("", "", math.MaxInt, func(key string, value []byte) bool {
			all.WriteString(key)
			all.Write(value)
			return true
		}); err != nil {
			w.t.Fatal(err)
		}
	}
	return all.Bytes()
}

// TestEncryption runs a season with encryption, renews it under another key on the way, takes the first key away, and
// wants what comes out to be what it is without, nothing sent twice, and nothing personal to be read where the bridge
// keeps it. Without keys an instance ends and says which it wants.
func TestEncryption(t *testing.T) {
	t.Parallel()
	kafkatest.Each(t, func(t *testing.T, target kafkatest.Target) {
		t.Parallel()
		w := newWorld(t, target, 3, season.Config{Orders: 1500, Seed: 21, Hostile: 0.05})
		all := slices.Collect(season.Generate(w.season))
		texts, ids := personalTexts(t, all)
		sealed := func() processors.SealedState {
			t.Helper()
			s, err := processors.ReadSealed(t.Context(), w.cfg)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		renew := func(most int) {
			t.Helper()
			plan := sealed().Renew()
			plan.Commands = plan.Commands[:min(most, len(plan.Commands))]
			if n, err := plan.Send(t.Context(), w.cfg, 100_000, nil); err != nil || n != len(plan.Commands) || n == 0 {
				t.Fatalf("%d of %d commands acknowledged: %v", n, len(plan.Commands), err)
			}
		}
		look := func(where string, data []byte) {
			t.Helper()
			// Ids are where the texts would be: a look that finds none would show nothing.
			if n, of := found(texts, data), found(ids, data); n > 0 || of < len(ids)/4 {
				t.Errorf("%d of %d personal texts and %d of %d ids are found in %s", n, len(texts), of, len(ids), where)
			}
		}

		w.cfg.Personal = sealtest.Keys(t, "k1")
		w.producePart(all[:len(all)/2])
		dir := t.TempDir()
		in := w.start(dir)
		w.drain(in)
		w.leave(in)
		look("topics", w.resting())
		look("the state folder", w.stored(dir))
		if s := sealed(); s.Sealing != "k1" || len(s.Rows) > 0 || len(s.Records) != 1 || s.Records["k1"] == 0 {
			t.Errorf("under one key: %+v", s)
		}

		w.cfg.Personal = nil
		in = w.start(dir)
		renew(1)
		if err := w.ended(in); err == nil || !strings.Contains(err.Error(), `"k1"`) || !strings.Contains(err.Error(), "encryption.keys_file") || found(texts, []byte(err.Error())) > 0 {
			t.Errorf("an instance without keys ended with %v", err)
		}

		w.cfg.Personal = sealtest.Keys(t, "k2", "k1")
		in = w.start(dir)
		w.producePart(all[len(all)/2:])
		w.check(w.drain(in))
		sent := w.monitor.Violations().Sent
		if s := sealed(); len(s.Rows) != 1 || s.Rows["k1"] == 0 || s.Records["k1"] == 0 || s.Records["k2"] == 0 {
			t.Errorf("under two keys: %+v", s)
		}
		renew(math.MaxInt)
		w.until("all rows to be sealed anew", []*instance{in}, func() bool { return len(sealed().Rows) == 0 })
		w.leave(in)

		w.cfg.Personal = sealtest.Keys(t, "k2")
		in = w.start(t.TempDir())
		w.check(w.drain(in))
		w.leave(in)
		if again := w.monitor.Violations().Sent - sent; again != 0 {
			t.Errorf("%d records were sent because of new keys", again)
		}
		look("topics, in the end", w.resting())
	})
}
