package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ticketscloud/vibe-bridge/internal/config"
	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/verify"
)

// fetchBytes bounds what is read ahead: records come faster than they are checked.
const fetchBytes = 8 << 20

// openVerified connects to the clusters of a deployment and looks at its topics.
func openVerified(ctx context.Context, c config.Config, topics verify.Topics) (_ *verifiedClusters, err error) {
	v := &verifiedClusters{topics: topics}
	defer func() {
		if err != nil {
			v.close()
		}
	}()
	slim := []string{topics.Slim[verify.Refunds], topics.Slim[verify.Orders], topics.Slim[verify.Events]} // see read
	for _, part := range []struct {
		reader  **topicReader
		cluster kafka.Cluster
		topics  []string
	}{
		{&v.legacy, c.Source, topics.Legacy[:]},
		{&v.slim, c.Target, slim},
		{&v.quarantine, c.State, []string{topics.Quarantine}},
	} {
		client, err := connect(part.cluster,
			kgo.FetchIsolationLevel(kgo.ReadCommitted()),
			kgo.KeepControlRecords(), // the last offset of a topic may be one
			kgo.FetchMaxWait(250*time.Millisecond),
			kgo.FetchMaxBytes(fetchBytes),
		)
		if err != nil {
			return nil, err
		}
		v.clients = append(v.clients, client)
		if *part.reader, err = newTopicReader(ctx, client, part.topics); err != nil {
			return nil, err
		}
	}
	v.connectReaders()
	return v, v.look(ctx)
}

// look finds out what the topics allow to conclude.
func (v *verifiedClusters) look(ctx context.Context) error {
	slim, err := v.slim.settings(ctx)
	if err != nil {
		return err
	}
	legacy, err := v.legacy.settings(ctx)
	if err != nil {
		return err
	}
	l := &v.layout
	for s, name := range v.topics.Slim {
		if name == "" {
			continue
		}
		l.Partitions[s] = int32(len(slim[name].leaders))
		l.SlimGone[s] = v.slim.startsLate(name)
		l.SlimCompacted[s] = slim[name].compacted
	}
	for s, name := range v.topics.Legacy {
		l.LegacyGone[s] = v.legacy.startsLate(name) || legacy[name].compacted
	}
	l.QuarantineGone = v.quarantine.startsLate(v.topics.Quarantine)
	l.Why = whyNotComparable(v.topics.Slim[:], slim)
	l.Comparable = l.Why == ""
	return nil
}

// topicSettings are those of a topic that matter for what records prove.
type topicSettings struct {
	leaders    []int32 // by partition
	compacted  bool    // or not known
	appendTime bool
	known      bool
}

func (r *topicReader) settings(ctx context.Context) (map[string]topicSettings, error) {
	listed, err := r.admin.ListTopics(ctx, r.topics...)
	if err != nil {
		return nil, fmt.Errorf("list topics: %w", err)
	}
	found := map[string]topicSettings{}
	for name, topic := range listed {
		s := topicSettings{compacted: true}
		for _, p := range topic.Partitions.Sorted() {
			s.leaders = append(s.leaders, p.Leader)
		}
		found[name] = s
	}
	// Whoever may read a topic need not be allowed to read its settings.
	configs, err := r.admin.DescribeTopicConfigs(ctx, r.topics...)
	if err != nil {
		return nil, fmt.Errorf("read topic settings: %w", err)
	}
	for _, c := range configs {
		if s, ok := found[c.Name]; ok && c.Err == nil {
			s.known = true
			s.compacted = slices.Contains(strings.Split(setting(c, "cleanup.policy"), ","), "compact")
			s.appendTime = setting(c, "message.timestamp.type") == "LogAppendTime"
			found[c.Name] = s
		}
	}
	return found, nil
}

func setting(c kadm.ResourceConfig, key string) string {
	for _, e := range c.Configs {
		if e.Key == key && e.Value != nil {
			return *e.Value
		}
	}
	return ""
}

// startsLate: the first records of the topic have been deleted.
func (r *topicReader) startsLate(topic string) bool {
	for id, start := range r.starts {
		if id.topic == topic && start > 0 {
			return true
		}
	}
	return false
}

// whyNotComparable is why the times of records in the slim topics do not tell
// which was produced first; "" when they do.
func whyNotComparable(names []string, found map[string]topicSettings) string {
	leader := int32(-1)
	for _, name := range names {
		if name == "" {
			continue
		}
		s := found[name]
		switch {
		case len(s.leaders) != 1:
			return fmt.Sprintf("%s has %d partitions", name, len(s.leaders))
		case !s.known:
			return "the settings of " + name + " may not be read"
		case !s.appendTime:
			return name + " does not have message.timestamp.type=LogAppendTime"
		case leader >= 0 && s.leaders[0] != leader:
			return "the topics are led by different brokers, each with a clock of its own"
		}
		leader = s.leaders[0]
	}
	return ""
}
