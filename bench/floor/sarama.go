package main

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
)

// moveSarama moves with sarama as the bridge has it configured, a consumer for each partition.
func moveSarama(ctx context.Context, brokers []string, flows []flow, c *counters) error {
	cluster := kafka.Cluster{Brokers: brokers, MaxMessageBytes: 1 << 20}.WithDefaults()
	producing, err := cluster.ProducerConfig(kafka.ProducerOptions{})
	if err != nil {
		return err
	}
	consuming, err := cluster.ConsumerConfig(kafka.ConsumerOptions{})
	if err != nil {
		return err
	}
	producer, err := sarama.NewAsyncProducer(brokers, producing)
	if err != nil {
		return err
	}
	consumer, err := sarama.NewConsumer(brokers, consuming)
	if err != nil {
		return err
	}
	defer consumer.Close()
	var refused error
	var acknowledged sync.WaitGroup
	acknowledged.Go(func() {
		for range producer.Successes() {
		}
	})
	acknowledged.Go(func() {
		for err := range producer.Errors() {
			refused = errors.Join(refused, err.Err)
		}
	})
	moved := moveAll(ctx, brokers, flows, consumer, producer.Input(), c)
	producer.AsyncClose()
	acknowledged.Wait()
	return errors.Join(moved, refused)
}

func moveAll(ctx context.Context, brokers []string, flows []flow, consumer sarama.Consumer, out chan<- *sarama.ProducerMessage, c *counters) error {
	var topics []string
	for _, f := range flows {
		topics = append(topics, f.from)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		return err
	}
	defer client.Close()
	_, left, err := spans(ctx, kadm.NewClient(client), topics)
	if err != nil {
		return err
	}
	var moving sync.WaitGroup
	failures := make(chan error, len(left))
	for _, f := range flows {
		var n atomic.Int64
		for at, end := range left {
			if at.topic == f.from {
				moving.Go(func() {
					if err := movePartition(ctx, f, &n, at, end, consumer, out, c); err != nil {
						failures <- err
					}
				})
			}
		}
	}
	moving.Wait()
	close(failures)
	for failure := range failures {
		err = errors.Join(err, failure)
	}
	return err
}

func movePartition(ctx context.Context, f flow, n *atomic.Int64, at partition, end int64, consumer sarama.Consumer, out chan<- *sarama.ProducerMessage, c *counters) error {
	in, err := consumer.ConsumePartition(at.topic, at.id, sarama.OffsetOldest)
	if err != nil {
		return err
	}
	defer in.Close()
	for {
		select {
		case r := <-in.Messages():
			c.read.Add(1)
			c.readBytes.Add(int64(len(r.Value)))
			if f.writes(n.Add(1) - 1) {
				value := f.value(r.Value)
				c.written.Add(1)
				c.writtenBytes.Add(int64(len(value)))
				out <- &sarama.ProducerMessage{Topic: f.to, Key: sarama.ByteEncoder(r.Key), Value: sarama.ByteEncoder(value)}
			}
			if r.Offset == end-1 {
				return nil
			}
		case err := <-in.Errors():
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
