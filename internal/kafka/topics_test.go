package kafka

import (
	"errors"
	"strings"
	"testing"
)

func TestPlanTopics(t *testing.T) {
	spec := TopicSpec{
		Name: "t", Cluster: StateCluster, Partitions: 4, Replication: 3,
		Config: map[string]string{"cleanup.policy": "compact,delete", "retention.ms": "1000", "message.timestamp.type": "CreateTime"},
	}
	good := TopicInfo{
		Exists: true, Partitions: 4, Replication: 3, Brokers: []string{"a:9092", "b:9092"},
		Config: map[string]string{"cleanup.policy": "delete, compact", "retention.ms": "1000", "message.timestamp.type": "CreateTime", "segment.ms": "1"},
	}
	with := func(change func(*TopicInfo)) TopicInfo {
		i := good
		i.Config = map[string]string{}
		for k, v := range good.Config {
			i.Config[k] = v
		}
		change(&i)
		return i
	}
	tests := []struct {
		name   string
		spec   func(*TopicSpec)
		have   TopicInfo
		action Action
		says   []string
	}{
		{"missing", nil, TopicInfo{}, ActionCreate, nil},
		{"as needed", nil, good, ActionOK, nil},
		{"missing at the source", func(s *TopicSpec) { s.Cluster = SourceCluster }, TopicInfo{}, ActionMismatch, []string{"source cluster", "creates nothing"}},
		{"fewer partitions", nil, with(func(i *TopicInfo) { i.Partitions = 3 }), ActionMismatch, []string{"has 3 partitions, want 4", "configure 3"}},
		{"more partitions", nil, with(func(i *TopicInfo) { i.Partitions = 5 }), ActionMismatch, []string{"has 5 partitions, want 4"}},
		{"any partitions", func(s *TopicSpec) { s.Partitions = 0 }, with(func(i *TopicInfo) { i.Partitions = 5 }), ActionOK, nil},
		{"fewer replicas", nil, with(func(i *TopicInfo) { i.Replication = 2 }), ActionMismatch, []string{"has 2 replicas, want 3", "replication: 2"}},
		{"more replicas", nil, with(func(i *TopicInfo) { i.Replication = 4 }), ActionOK, nil},
		{"longer retention", nil, with(func(i *TopicInfo) { i.Config["retention.ms"] = "1001" }), ActionOK, nil},
		{"endless retention", nil, with(func(i *TopicInfo) { i.Config["retention.ms"] = "-1" }), ActionOK, nil},
		{"shorter retention", nil, with(func(i *TopicInfo) { i.Config["retention.ms"] = "999" }), ActionMismatch, []string{"has retention.ms=999, want at least 1000", "want at least 1000: kafka-configs --bootstrap-server a:9092,b:9092 --command-config admin.properties --alter --entity-type topics --entity-name t --add-config retention.ms=1000"}},
		{"endless retention wanted", func(s *TopicSpec) { s.Config = map[string]string{"retention.ms": "-1"} }, good, ActionMismatch, []string{"retention.ms=1000, want -1"}},
		{"not a number", nil, with(func(i *TopicInfo) { i.Config["retention.ms"] = "long" }), ActionMismatch, []string{"retention.ms=long"}},
		{"no compaction", nil, with(func(i *TopicInfo) { i.Config["cleanup.policy"] = "delete" }), ActionMismatch, []string{"cleanup.policy=delete, want compact,delete", "--add-config 'cleanup.policy=[compact,delete]'"}},
		{"other timestamps", nil, with(func(i *TopicInfo) { i.Config["message.timestamp.type"] = "LogAppendTime" }), ActionOK, nil},
		{"another setting", func(s *TopicSpec) { s.Config = map[string]string{"compression.type": "zstd"} }, with(func(i *TopicInfo) { i.Config["compression.type"] = "gzip" }), ActionMismatch, []string{"compression.type=gzip, want zstd"}},
		{"setting not reported", nil, with(func(i *TopicInfo) { delete(i.Config, "message.timestamp.type") }), ActionMismatch, []string{"not reported"}},
		{"settings not readable", nil, with(func(i *TopicInfo) { i.Config = nil }), ActionMismatch, []string{"DescribeConfigs"}},
		{"settings not readable, none needed", func(s *TopicSpec) { s.Config = nil }, with(func(i *TopicInfo) { i.Config = nil }), ActionOK, nil},
		{"everything", nil, with(func(i *TopicInfo) { i.Partitions = 1; i.Replication = 1; i.Config["retention.ms"] = "1" }), ActionMismatch, []string{"partitions", "replicas", "retention.ms"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := spec
			if tt.spec != nil {
				tt.spec(&s)
			}
			p := PlanTopics([]TopicSpec{s}, map[string]TopicInfo{"t": tt.have})
			if got := p.Topics[0].Action; got != tt.action {
				t.Errorf("action %s, want %s: %q", got, tt.action, p.Topics[0].Differences)
			}
			err := p.Mismatch()
			var mismatch *MismatchError
			if (tt.action == ActionMismatch) != errors.As(err, &mismatch) {
				t.Errorf("Mismatch() = %v with action %s", err, tt.action)
			}
			wantError(t, err, tt.says)
			if created := len(p.Missing()); (created == 1) != (tt.action == ActionCreate) {
				t.Errorf("%d topics to create with action %s", created, tt.action)
			}
		})
	}
}

func TestPlanKeepsTheOrder(t *testing.T) {
	p := PlanTopics([]TopicSpec{{Name: "b"}, {Name: "a"}, {Name: "c"}}, nil)
	var names []string
	for _, s := range p.Missing() {
		names = append(names, s.Name)
	}
	if got := strings.Join(names, ""); got != "bac" {
		t.Errorf("order %s", got)
	}
}
