package processors_test

import (
	"bytes"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
	"github.com/ticketscloud/vibe-bridge/internal/season"
	"github.com/ticketscloud/vibe-bridge/legacyproto"
	"github.com/ticketscloud/vibe-bridge/mapping"
)

// Legacy topics may take larger records than the internal ones. What of those
// cannot be mapped goes to quarantine by its place: the producer would refuse the
// bytes, which ends the instance, and the next one at the same record.
func TestRecordsThatQuarantineDoesNotTake(t *testing.T) {
	t.Parallel()
	kafkatest.Each(t, func(t *testing.T, target kafkatest.Target) {
		t.Parallel()
		const legacyLimit = 32 << 20
		w := newWorld(t, target, 2, season.Config{})
		w.raiseLimit(legacyLimit)
		limit := w.cfg.Settings.MaxInternalBytes
		records := []struct {
			stream mapping.Stream
			rec    *kgo.Record
			whole  bool
			ends   string // as what it ends; "" for emitted
		}{
			{mapping.Events, &kgo.Record{Value: noise(20 << 20)}, false, "undecodable"},
			{mapping.Events, &kgo.Record{Value: noise(limit)}, false, "undecodable"},
			{mapping.Events, &kgo.Record{Value: noise(limit - 9<<10)}, true, "undecodable"},
			{mapping.Events, &kgo.Record{Key: noise(9 << 20), Value: noise(10)}, false, "undecodable"},
			{mapping.Events, &kgo.Record{Value: noise(10), Headers: []kgo.RecordHeader{{Key: "h", Value: noise(9 << 20)}}}, false, "undecodable"},
			{mapping.Events, &kgo.Record{Key: []byte("k"), Value: noise(10)}, true, "undecodable"},
			{mapping.Events, &kgo.Record{Value: encoded(t, event("e"))}, true, ""},
			// The id is in the key of all that is said of an entity, escaped, and a skipped order is said to the gate.
			{mapping.Orders, &kgo.Record{Value: encoded(t, &legacyproto.Order{Id: strings.Repeat("/", 6<<20), Event: "e"})}, true, "too_large"},
			{mapping.Partners, &kgo.Record{Value: encoded(t, &legacyproto.Partner{Id: strings.Repeat("/", 3<<20)})}, true, "too_large"},
			{mapping.Orders, &kgo.Record{Value: encoded(t, order("o", "e"))}, true, ""},
		}
		for _, r := range records {
			w.produceLarge(r.stream, r.rec, legacyLimit)
		}

		in := w.start(t.TempDir())
		report := w.drain(in)
		w.leave(in)
		quarantined := map[string]*kgo.Record{}
		for _, r := range kafkatest.ReadAll(t, target.Addrs, w.cfg.Topics.Quarantine()) {
			quarantined[header(r, mapping.HeaderErrorTopic)+"/"+header(r, mapping.HeaderErrorPartition)+"/"+header(r, mapping.HeaderErrorOffset)] = r
		}
		ends := map[mapping.Stream]map[string]uint64{mapping.Partners: {}, mapping.Events: {}, mapping.Orders: {}}
		for i, r := range records {
			if r.ends == "" {
				continue
			}
			ends[r.stream][r.ends]++
			place := r.rec.Topic + "/" + strconv.Itoa(int(r.rec.Partition)) + "/" + strconv.FormatInt(r.rec.Offset, 10)
			q := quarantined[place]
			if q == nil || header(q, mapping.HeaderErrorClass) != r.ends {
				t.Errorf("record %d: not in quarantine as %s", i, r.ends)
				continue
			}
			whole := bytes.Equal(q.Key, r.rec.Key) && bytes.Equal(q.Value, r.rec.Value)
			if whole != r.whole || (header(q, mapping.HeaderOmitted) == "") != r.whole {
				t.Errorf("record %d: whole %t, %s bytes left out; want whole %t", i, whole, header(q, mapping.HeaderOmitted), r.whole)
			}
		}
		for s, want := range ends {
			a := report.Accounts[s]
			if a.Balance() != 0 || a.Consumed == 0 {
				t.Errorf("%s: %d consumed, balance %d", s, a.Consumed, a.Balance())
			}
			for reason, n := range want {
				if a.Quarantined[reason] != n {
					t.Errorf("%s: %d quarantined as %s, want %d", s, a.Quarantined[reason], reason, n)
				}
			}
		}
		if n := len(kafkatest.ReadAll(t, target.Addrs, w.cfg.Topics.Slim[mapping.Orders])); n != 1 {
			t.Errorf("%d orders went out, want 1", n)
		}
	})
}

// noise is bytes that neither compress nor are a message: field number 0.
func noise(n int) []byte {
	b := make([]byte, n)
	rng := rand.NewChaCha8([32]byte{byte(n)})
	_, _ = rng.Read(b) // never fails
	b[0] = 0
	return b
}

func encoded(t *testing.T, m proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func header(r *kgo.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

// raiseLimit lets the legacy topics take large records.
func (w *world) raiseLimit(limit int) {
	w.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(w.source.Addrs...))
	if err != nil {
		w.t.Fatal(err)
	}
	defer cl.Close()
	value := strconv.Itoa(limit)
	altered, err := kadm.NewClient(cl).AlterTopicConfigs(w.t.Context(),
		[]kadm.AlterConfig{{Op: kadm.SetConfig, Name: "max.message.bytes", Value: &value}}, w.cfg.Topics.Legacy[:]...)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, a := range altered {
		if a.Err != nil {
			w.t.Fatal(a.Err)
		}
	}
}

func (w *world) produceLarge(s mapping.Stream, r *kgo.Record, limit int) {
	w.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(w.source.Addrs...), kgo.ProducerBatchMaxBytes(int32(limit)))
	if err != nil {
		w.t.Fatal(err)
	}
	defer cl.Close()
	r.Topic = w.cfg.Topics.Legacy[s]
	if err := cl.ProduceSync(w.t.Context(), r).FirstErr(); err != nil {
		w.t.Fatal(err)
	}
}
