package kafka

import (
	"testing"

	"github.com/IBM/sarama"

	"github.com/ticketscloud/vibe-bridge/internal/kafka/embedded"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
)

// A group asks for little at a time, which is in memory until it is processed; who restores a table asks for more.
func TestFetchSizes(t *testing.T) {
	t.Parallel()
	target := kafkatest.Embedded(t, embedded.Options{})
	c := Cluster{Brokers: target.Addrs}.WithDefaults()
	table, err := c.ConsumerConfig(ConsumerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var group *sarama.Config
	client, err := c.NewConsumerGroup(target.Topic("g"), ConsumerOptions{ClientOptions: ClientOptions{Made: func(cfg *sarama.Config) { group = cfg }}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if group.Consumer.Fetch.Default != groupFetchBytes || table.Consumer.Fetch.Default != tableFetchBytes {
		t.Errorf("a group asks for %d bytes, a table for %d; want %d and %d", group.Consumer.Fetch.Default, table.Consumer.Fetch.Default, groupFetchBytes, tableFetchBytes)
	}
	if group.ChannelBufferSize != channelBuffer || table.ChannelBufferSize != tableBuffer {
		t.Errorf("of a group %d records are unpacked ahead, of a table %d; want %d and %d", group.ChannelBufferSize, table.ChannelBufferSize, channelBuffer, tableBuffer)
	}
}
