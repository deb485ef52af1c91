package processors

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/embedded"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
	"github.com/ticketscloud/vibe-bridge/mapping"
)

// planted is a key as a legacy producer might use it, with what Goka writes behind
// keys inside.
const planted = "+79990000001': 1 error occurred:\n\t* x) from storage: Anna"

// private is what must not come out of it.
var private = []string{"79990000001", "Anna"}

// A callback fails in every way there is, under Goka itself. What comes of it says
// at which record, why and where, and nothing of the record, also in the log.
func TestFailuresTellNothingOfTheRecord(t *testing.T) {
	for name, c := range map[string]struct {
		fail func(f *failing, ctx goka.Context)
		want []string
	}{
		"panic with text":    {func(_ *failing, ctx goka.Context) { panic("no " + ctx.Key()) }, []string{"/0/0: panic in", "failure_test.go:", "type string"}},
		"panic with error":   {func(_ *failing, ctx goka.Context) { panic(errors.New(ctx.Key())) }, []string{"/0/0: panic in", "failure_test.go:", "type *errors.errorString"}},
		"panic of Go":        {func(_ *failing, ctx goka.Context) { _ = []byte{}[len(ctx.Key())] }, []string{"/0/0: panic in", "failure_test.go:", "index out of range"}},
		"panic of Go on nil": {func(*failing, goka.Context) { _ = (*failing)(nil).t }, []string{"/0/0: panic in", "failure_test.go:", "nil pointer"}},
		"failed":             {func(_ *failing, ctx goka.Context) { ctx.Fail(errors.New("the cause")) }, []string{"/0/0: the cause"}},
		"state not written": {func(f *failing, ctx goka.Context) {
			f.closeStore(ctx)
			ctx.SetValue([]byte("v"))
		}, []string{"/0/0: error storing value: store is closed"}},
		"state not deleted": {func(f *failing, ctx goka.Context) {
			f.closeStore(ctx)
			ctx.Delete()
		}, []string{"/0/0: error deleting a key from storage: store is closed"}},
		"not encoded": {func(_ *failing, ctx goka.Context) { ctx.Loopback(ctx.Key(), 42) }, []string{"/0/0: error encoding a message: encode: int is not bytes"}},
		"emit refused": {func(f *failing, ctx goka.Context) {
			ctx.Emit(goka.Stream(f.b.topics.Slim[mapping.Events]), ctx.Key(), make([]byte, 10<<20))
		}, []string{"partition=0", "could not commit a message: error emitting to", "events", "MaxMessageBytes"}},
		"table refused": {func(_ *failing, ctx goka.Context) { ctx.SetValue(make([]byte, 10<<20)) },
			[]string{"partition=0", "could not commit a message: produce to", "gate-table", "MaxMessageBytes"}},
		"send refused": {func(f *failing, ctx goka.Context) {
			f.send(ctx, &sarama.ProducerMessage{Topic: f.b.topics.Quarantine(), Value: sarama.ByteEncoder(make([]byte, 10<<20))})
		}, []string{"partition=0", "could not commit a message: produce to", "quarantine", "MaxMessageBytes"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFailing(t, c.fail)
			err := f.run()
			if err == nil {
				t.Fatal("the run ended without an error")
			}
			for _, part := range c.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q does not say %q", err, part)
				}
			}
			for _, part := range private {
				if strings.Contains(err.Error(), part) {
					t.Errorf("error %q says %q", err, part)
				}
				if log := f.log.String(); strings.Contains(log, part) {
					t.Errorf("log says %q:\n%s", part, log)
				}
			}
			if !strings.Contains(f.log.String(), "partition processor 0") {
				t.Errorf("log does not tell of the failure:\n%s", f.log.String())
			}
		})
	}
}

// failing is a processor of the bridge, whose callback fails.
type failing struct {
	*gate
	t    *testing.T
	p    *goka.Processor
	log  *safeBuffer
	fail func(*failing, goka.Context)
}

func newFailing(t *testing.T, fail func(*failing, goka.Context)) *failing {
	target := kafkatest.Embedded(t, embedded.Options{})
	cluster := kafka.Cluster{Brokers: target.Addrs, Replication: 1}.WithDefaults()
	p := target.Prefix
	f := &failing{t: t, log: &safeBuffer{}, fail: fail}
	b := testBridge()
	b.log = slog.New(slog.NewTextHandler(f.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	b.topics = NewTopics(p+"bridge", [4]string{p + "l0", p + "l1", p + "l2", p + "l3"}, p+"events", p+"orders", p+"refunds")
	b.cfg = Config{State: cluster, Target: cluster, SessionTimeout: 10 * time.Second, Log: b.log}
	b.end = newEnding(b.cfg)
	b.end.ctx, b.end.begin = context.WithCancel(t.Context())
	b.stores = newTestStores(t)
	input := b.topics.internal(mapping.Events)
	group := b.topics.gateGroup()
	for _, topic := range []string{string(input), loopOf(group), tableOf(group), b.topics.Slim[mapping.Events], b.topics.Quarantine()} {
		kafkatest.CreateTopic(t, target.Addrs, topic, 1, nil)
	}
	f.gate = &gate{group: newGroup(b, group, kafka.NewTracker(kafka.TrackerOptions{Group: string(group)}), b.stores)}
	admin, err := kafka.NewAdmin(cluster)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { admin.Close() })
	f.admin = admin
	f.p, err = b.processor(f.group, goka.DefineGroup(group,
		goka.Input(input, rawCodec{}, f.callback), goka.Loop(rawCodec{}, f.callback),
		goka.Output(goka.Stream(b.topics.Slim[mapping.Events]), rawCodec{}), goka.Persist(rawCodec{})), cluster)
	if err != nil {
		t.Fatal(err)
	}
	kafkatest.Produce(t, target.Addrs, string(input), &kafkatest.Record{Key: []byte(planted), Value: []byte("Anna")})
	return f
}

func (f *failing) callback(ctx goka.Context, _ any) {
	defer f.begin(ctx)()
	f.fail(f, ctx)
}

func (f *failing) closeStore(ctx goka.Context) {
	if err := f.stores.Open(tableOf(f.name), ctx.Partition()).Close(); err != nil {
		f.t.Error(err)
	}
}

// run is what the bridge does with a processor.
func (f *failing) run() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return withoutKeys(f.p.Run(ctx))
}

// safeBuffer is a buffer for several goroutines.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// joined are errors as Goka joins them.
type joined []error

func (j *joined) WrappedErrors() []error { return *j }
func (j *joined) Error() string          { return fmt.Sprintf("%d errors occurred: %v", len(*j), *j) }

// Keys are cut out wherever they stand, and what is not a key stays.
func TestWithoutKeys(t *testing.T) {
	refused := &os.PathError{Op: "write", Path: "/state", Err: os.ErrPermission}
	commit := func(cause error) error {
		return fmt.Errorf("could not commit message with key '%s': %w", planted, cause)
	}
	for _, c := range []struct {
		err  error
		want string
	}{
		{errors.New("plain"), "plain"},
		{commit(refused), "could not commit a message: write /state: permission denied"},
		{fmt.Errorf("group: %w", commit(refused)), "group: could not commit a message: write /state: permission denied"},
		{fmt.Errorf("flattened: %v", commit(refused)), "flattened: could not commit a message: write /state: permission denied"},
		{errors.New("could not commit message with key '" + private[0]), "could not commit a message"},
		{&joined{commit(refused), commit(refused), &joined{commit(os.ErrExist)}},
			"could not commit a message: write /state: permission denied; could not commit a message: file already exists"},
		{&sarama.ConsumerError{Topic: "t", Err: commit(refused)}, "kafka: error while consuming t/0: could not commit a message: write /state: permission denied"},
		{fmt.Errorf("close: %w", fmt.Errorf("not left in order: %w; it is free later", io.EOF)), "close: not left in order: EOF; it is free later"},
		{fmt.Errorf("panic in callback: %w\nmain.go:1", commit(refused)), "could not commit a message: write /state: permission denied"},
	} {
		clean := withoutKeys(c.err)
		if clean.Error() != c.want {
			t.Errorf("%q becomes %q, want %q", c.err, clean, c.want)
		}
		if !errors.Is(clean, c.err) {
			t.Errorf("%q is lost", c.err)
		}
	}
	if withoutKeys(nil) != nil {
		t.Error("no error became one")
	}
}
