package kafka

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/IBM/sarama"
)

func TestExplain(t *testing.T) {
	message := "Replication factor: 3 larger than available brokers: 1."
	tests := []struct {
		err  error
		want []string
	}{
		{fmt.Errorf("emit: %w", sarama.ErrMessageSizeTooLarge), []string{"max.message.bytes", "max_message_bytes", "(emit: "}},
		{&sarama.TopicError{Err: sarama.ErrInvalidReplicationFactor, ErrMsg: &message}, []string{"replication: 1", message}},
		{&sarama.ConsumerError{Topic: "t", Partition: 1, Err: sarama.ErrOffsetOutOfRange}, []string{"deleted before they were read", "t"}},
		{sarama.ErrTopicAuthorizationFailed, []string{"not allowed on this topic"}},
		{sarama.ErrGroupAuthorizationFailed, []string{"consumer group"}},
		{sarama.ErrClusterAuthorizationFailed, []string{"IdempotentWrite"}},
		{sarama.ErrNotEnoughReplicas, []string{"min.insync.replicas"}},
		{sarama.Wrap(sarama.ErrOutOfBrokers, errors.New("dial tcp: refused")), []string{"no broker of the cluster answers", "dial tcp: refused"}},
		// The cause says more than that all brokers are used up.
		{sarama.Wrap(sarama.ErrOutOfBrokers, sarama.ErrSASLAuthenticationFailed), []string{"the login was refused"}},
		{errors.Join(errors.New("one"), errors.New("two")), []string{"one two"}},
		{&ConnectError{Addr: "kafka-1:9092", what: "connection refused: check"}, []string{"broker kafka-1:9092: connection refused: check"}},
	}
	for _, tt := range tests {
		got := Explain(tt.err)
		for _, w := range tt.want {
			if !strings.Contains(got, w) {
				t.Errorf("Explain(%v) = %q: want %q in it", tt.err, got, w)
			}
		}
		if strings.Contains(got, "\n") {
			t.Errorf("Explain(%v) has several lines: %q", tt.err, got)
		}
	}
	if got := Explain(nil); got != "" {
		t.Errorf("Explain(nil) = %q", got)
	}
}
