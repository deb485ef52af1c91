package kafka

import (
	"errors"
	"fmt"

	"github.com/IBM/sarama"
)

// GroupCommits reads what a consumer group committed for the partitions, and
// where those begin and end. It is what a Tracker asks at the start of a session.
func (a *Admin) GroupCommits(group string, topics map[string][]int32) (map[string]map[int32]Commit, error) {
	resp, err := a.admin.ListConsumerGroupOffsets(group, topics)
	if err == nil && resp.Err != sarama.ErrNoError {
		err = resp.Err
	}
	switch {
	case errors.Is(err, sarama.ErrGroupIDNotFound): // nobody has joined yet
		resp = &sarama.OffsetFetchResponse{}
	case err != nil:
		return nil, fmt.Errorf("list offsets of group %s: %w", group, err)
	}
	commits := make(map[string]map[int32]Commit, len(topics))
	for topic, partitions := range topics {
		commits[topic] = make(map[int32]Commit, len(partitions))
		for _, p := range partitions {
			c := Commit{Offset: -1}
			if block := resp.GetBlock(topic, p); block != nil {
				if block.Err != sarama.ErrNoError {
					return nil, fmt.Errorf("offset of group %s for %s/%d: %w", group, topic, p, block.Err)
				}
				c.Offset, c.Metadata = block.Offset, block.Metadata
			}
			if c.Start, err = a.OldestOffset(topic, p); err != nil {
				return nil, err
			}
			if c.End, err = a.client.GetOffset(topic, p, sarama.OffsetNewest); err != nil {
				return nil, fmt.Errorf("end of %s/%d: %w", topic, p, err)
			}
			commits[topic][p] = c
		}
	}
	return commits, nil
}

// Partitions lists the partitions of a topic.
func (a *Admin) Partitions(topic string) ([]int32, error) {
	partitions, err := a.client.Partitions(topic)
	if err != nil {
		return nil, fmt.Errorf("partitions of %s: %w", topic, err)
	}
	return partitions, nil
}

// OldestOffset is where a partition begins.
func (a *Admin) OldestOffset(topic string, partition int32) (int64, error) {
	o, err := a.client.GetOffset(topic, partition, sarama.OffsetOldest)
	if err != nil {
		return 0, fmt.Errorf("beginning of %s/%d: %w", topic, partition, err)
	}
	return o, nil
}

// NewestOffset is where a partition ends: the offset that the next record gets.
func (a *Admin) NewestOffset(topic string, partition int32) (int64, error) {
	o, err := a.client.GetOffset(topic, partition, sarama.OffsetNewest)
	if err != nil {
		return 0, fmt.Errorf("end of %s/%d: %w", topic, partition, err)
	}
	return o, nil
}

// NewestOffsets is NewestOffset of several partitions, with one request to each broker that leads some of them.
func (a *Admin) NewestOffsets(topic string, partitions []int32) (map[int32]int64, error) {
	if len(partitions) == 0 {
		return map[int32]int64{}, nil
	}
	ends, err := a.newestOffsets(topic, partitions)
	if err != nil && Unreachable(err) && a.client.RefreshMetadata(topic) == nil { // a leader has moved
		return a.newestOffsets(topic, partitions)
	}
	return ends, err
}

func (a *Admin) newestOffsets(topic string, partitions []int32) (map[int32]int64, error) {
	wanted := make(map[int32]int64, len(partitions))
	for _, p := range partitions {
		wanted[p] = sarama.OffsetNewest
	}
	found, err := a.admin.ListOffsets(map[string]map[int32]int64{topic: wanted}, nil)
	if err != nil {
		return nil, fmt.Errorf("ends of %s: %w", topic, err)
	}
	ends := make(map[int32]int64, len(partitions))
	for _, p := range partitions {
		switch o := found[topic][p]; {
		case o == nil:
			return nil, fmt.Errorf("end of %s/%d: %w", topic, p, sarama.ErrIncompleteResponse)
		case o.Err != nil && !errors.Is(o.Err, sarama.ErrNoError):
			return nil, fmt.Errorf("end of %s/%d: %w", topic, p, o.Err)
		default:
			ends[p] = o.Offset
		}
	}
	return ends, nil
}
