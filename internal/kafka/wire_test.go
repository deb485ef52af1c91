package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/ticketscloud/vibe-bridge/internal/kafka/embedded"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
)

// moments is what a client has to give up in once its wire is cut: the back-off that it is in, and some work.
const moments = 10 * time.Second

// awayCluster is a cluster that can be made unreachable, with or without TLS, and a topic of 12 partitions.
func awayCluster(t *testing.T, secured bool) (Cluster, *kafkatest.Outage) {
	t.Helper()
	outage := &kafkatest.Outage{}
	more := []kfake.Opt{outage.Option(), kfake.SeedTopics(12, "t")}
	c := Cluster{Replication: 1}
	if secured {
		pki := kafkatest.NewPKI(t, "authority")
		certificate := pki.Issue("broker", kafkatest.Valid(), "127.0.0.1").Certificate
		more = append(more, kfake.TLS(&tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate}}))
		c.Security = Security{Protocol: SSL, TLS: TLS{CAFile: pki.CAFile}}
	}
	c.Brokers = kafkatest.Embedded(t, embedded.Options{More: more, Brokers: 2}).Addrs
	return c, outage
}

func eachOutage(t *testing.T, test func(t *testing.T, c Cluster, away func())) {
	for _, secured := range []bool{false, true} {
		for _, silent := range []bool{false, true} {
			t.Run(fmt.Sprintf("secured=%t silent=%t", secured, silent), func(t *testing.T) {
				t.Parallel()
				c, outage := awayCluster(t, secured)
				away := outage.Close
				if silent {
					away = outage.Silence
				}
				test(t, c, away)
			})
		}
	}
}

// within fails the test unless do returns in moments.
func within(t *testing.T, what string, do func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); do() }()
	select {
	case <-done:
	case <-time.After(moments):
		t.Fatalf("%s: not over %s after the wire was cut", what, moments)
	}
}

// A producer with records for a cluster that is away gives them up when the wire is
// cut, where it would otherwise try for minutes.
func TestCutEndsAProducer(t *testing.T) {
	eachOutage(t, func(t *testing.T, c Cluster, away func()) {
		w := NewWire()
		cfg, err := c.ProducerConfig(ProducerOptions{ClientOptions: ClientOptions{Wire: w}})
		if err != nil {
			t.Fatal(err)
		}
		client, err := sarama.NewAsyncProducer(c.Brokers, cfg)
		if err != nil {
			t.Fatal(err)
		}
		var d diary
		p := NewProducer([]sarama.AsyncProducer{client}, ProducerHooks{
			Route:   func(string) (sarama.AsyncProducer, error) { return client, nil },
			Refused: func(err error) { d.note("refused %v", err) },
		})
		acked := make(chan struct{})
		p.Emit("t", "first", nil).Then(func(error) { close(acked) })
		<-acked
		away()
		const sent = 500
		for i := range sent {
			p.Emit("t", fmt.Sprint(i), nil)
		}
		if n := p.Unacknowledged()["t"]; n != sent {
			t.Errorf("%d records unacknowledged, want %d", n, sent)
		}
		w.Cut()
		within(t, "close the producer", func() { p.Close() })
		if n := len(d.read()); n != sent || len(p.Unacknowledged()) != 0 {
			t.Errorf("%d records refused, %v unacknowledged; want %d and none", n, p.Unacknowledged(), sent)
		}
	})
}

// A consumer group whose cluster is away can be left when the wire is cut.
func TestCutEndsAConsumerGroup(t *testing.T) {
	eachOutage(t, func(t *testing.T, c Cluster, away func()) {
		w := NewWire()
		cfg, err := c.ConsumerConfig(ConsumerOptions{ClientOptions: ClientOptions{Wire: w}})
		if err != nil {
			t.Fatal(err)
		}
		group, err := sarama.NewConsumerGroup(c.Brokers, "g", cfg)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		h := &idleHandler{ready: make(chan struct{})}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = group.Consume(ctx, []string{"t"}, h) // as it may
		}()
		<-h.ready
		away()
		stop()
		w.Cut()
		within(t, "leave the group", func() { <-ended; group.Close() })
	})
}

// idleHandler marks one record and waits for the end of its session.
type idleHandler struct{ ready chan struct{} }

func (h *idleHandler) Setup(s sarama.ConsumerGroupSession) error {
	s.MarkOffset("t", 0, 1, "")
	close(h.ready)
	return nil
}
func (h *idleHandler) Cleanup(sarama.ConsumerGroupSession) error { return nil }
func (h *idleHandler) ConsumeClaim(s sarama.ConsumerGroupSession, _ sarama.ConsumerGroupClaim) error {
	<-s.Context().Done()
	return nil
}

// A wire that is cut opens nothing and carries nothing, though a client has it in hand.
func TestCutWire(t *testing.T) {
	c, _ := awayCluster(t, false)
	w := NewWire()
	admin, err := NewAdminOver(w, c)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	conn, err := w.dialer(sarama.NewConfig(), nil).Dial("tcp", c.Brokers[0])
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	w.Cut()
	w.Cut()
	_, written := conn.Write([]byte("x"))
	_, read := conn.Read(make([]byte, 1))
	_, dialled := w.dialer(sarama.NewConfig(), nil).Dial("tcp", c.Brokers[0])
	for what, err := range map[string]error{"write": written, "read": read, "dial": dialled} {
		if !errors.Is(err, net.ErrClosed) || err != errWireCut {
			t.Errorf("%s: %v", what, err)
		}
	}
	within(t, "describe topics", func() {
		if _, err := admin.Describe([]string{"t"}); err == nil {
			t.Error("an answer came over a wire that is cut")
		}
	})
}
