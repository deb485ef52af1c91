package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// FranzOptions are the cluster's addresses, login and encryption for a client of franz-go. It has reached a broker and
// logged in before it returns; an error is said as ConnectError says it.
//
// Such a client is for reading up to an end: it shows control records, so that it is known when the end has been
// reached although the last offsets are a transaction's markers or what an aborted one has left. sarama shows
// nothing then, and waits for ever. What the bridge itself reads and writes goes through sarama.
func (c Cluster) FranzOptions() ([]kgo.Opt, error) {
	profile, err := c.AdminConfig(ClientOptions{})
	if err != nil {
		return nil, fmt.Errorf("connect to Kafka: %w", err)
	}
	c = c.WithDefaults()
	opts := []kgo.Opt{
		kgo.SeedBrokers(c.Brokers...),
		kgo.ClientID(c.ClientID),
		kgo.DialTimeout(c.ConnectTimeout),
	}
	if profile.Net.TLS.Enable {
		opts = append(opts, kgo.DialTLSConfig(profile.Net.TLS.Config))
	}
	if !profile.Net.SASL.Enable {
		return opts, nil
	}
	mechanism, err := mechanismOf(profile)
	if err != nil {
		return nil, fmt.Errorf("connect to Kafka: %w", err)
	}
	return append(opts, kgo.SASL(mechanism)), nil
}

func mechanismOf(profile *sarama.Config) (sasl.Mechanism, error) {
	user, password := profile.Net.SASL.User, profile.Net.SASL.Password
	switch profile.Net.SASL.Mechanism {
	case MechanismPlain:
		return plain.Auth{User: user, Pass: password}.AsMechanism(), nil
	case MechanismScram256:
		return scram.Auth{User: user, Pass: password}.AsSha256Mechanism(), nil
	case MechanismScram512:
		return scram.Auth{User: user, Pass: password}.AsSha512Mechanism(), nil
	}
	return nil, errors.New("no way to log in with the SASL mechanism " + string(profile.Net.SASL.Mechanism))
}

// Read visits the records that a topic holds at this moment, those of a partition in order. It leaves out what aborted
// transactions wrote and what open ones have written so far.
func (c Cluster) Read(ctx context.Context, topic string, visit func(*kgo.Record)) error {
	return c.ReadFrom(ctx, topic, nil, visit)
}

// ReadFrom is Read from an offset of each partition on; a partition without one is read from its beginning.
func (c Cluster) ReadFrom(ctx context.Context, topic string, from map[int32]int64, visit func(*kgo.Record)) error {
	opts, err := c.FranzOptions()
	if err != nil {
		return err
	}
	client, err := kgo.NewClient(append(opts,
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(), kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchMaxWait(100*time.Millisecond), // a request for partitions that are read already holds up all others
	)...)
	if err != nil {
		return fmt.Errorf("connect to Kafka: %w", err)
	}
	defer client.Close()
	starts, ends, err := bounds(ctx, kadm.NewClient(client), topic)
	if err != nil {
		return fmt.Errorf("read %s: %w", topic, err)
	}
	left := map[int32]int64{} // ends of the partitions that are not read yet
	begin := map[int32]kgo.Offset{}
	for p, end := range ends {
		if start := max(starts[p], from[p]); start < end {
			left[p], begin[p] = end, kgo.NewOffset().At(start)
		}
	}
	client.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic: begin})
	for len(left) > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("read %s: %w", topic, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			end, open := left[r.Partition]
			if !open {
				return
			}
			if r.Offset < end && !r.Attrs.IsControl() {
				visit(r)
			}
			if r.Offset+1 >= end {
				delete(left, r.Partition)
			}
		})
	}
	return nil
}

// bounds are the first offset of every partition, and the one behind the last that no open transaction holds back.
func bounds(ctx context.Context, a *kadm.Client, topic string) (starts, ends map[int32]int64, err error) {
	list := func(ask func(context.Context, ...string) (kadm.ListedOffsets, error)) map[int32]int64 {
		listed, failed := ask(ctx, topic)
		if failed == nil {
			failed = listed.Error()
		}
		err = errors.Join(err, failed)
		byPartition := map[int32]int64{}
		listed.Each(func(o kadm.ListedOffset) { byPartition[o.Partition] = o.Offset })
		return byPartition
	}
	starts, ends = list(a.ListStartOffsets), list(a.ListCommittedOffsets)
	return starts, ends, err
}
