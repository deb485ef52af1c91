package kafka

import (
	"errors"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/ticketscloud/vibe-bridge/internal/kafka/embedded"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
)

func TestIdentityCompare(t *testing.T) {
	recorded := Identity{"a": {"id-1", 4}, "b": {"id-2", 4}}
	tests := []struct {
		name    string
		present Identity
		want    []string
	}{
		{"same", Identity{"a": {"id-1", 4}, "b": {"id-2", 4}}, nil},
		{"one more", Identity{"a": {"id-1", 4}, "b": {"id-2", 4}, "c": {"id-3", 1}}, nil},
		{"created again", Identity{"a": {"id-9", 4}, "b": {"id-2", 4}}, []string{"topic a was deleted and created again: its id was id-1 and is id-9", "To rebuild"}},
		{"deleted", Identity{"a": {"id-1", 4}}, []string{"topic b (id id-2) was deleted"}},
		{"more partitions", Identity{"a": {"id-1", 8}, "b": {"id-2", 4}}, []string{"topic a had 4 partitions and has 8"}},
		{"both", Identity{"a": {"id-9", 4}}, []string{"topic a", "topic b"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := identityRecord{Topics: recorded}.compare([]string{"a", "b"}, identityRecord{Topics: tt.present})
			wantError(t, err, tt.want)
		})
	}
}

func TestLegacyIdentityCompare(t *testing.T) {
	recorded := LegacyIdentity{"events": {"prod-events", "id-1"}}
	tests := []struct {
		name    string
		present LegacyIdentity
		want    []string
	}{
		{"same", LegacyIdentity{"events": {"prod-events", "id-1"}}, nil},
		{"a stream that is not recorded", LegacyIdentity{"events": {"prod-events", "id-1"}, "orders": {"prod-orders", "id-2"}}, nil},
		{"no ids any more", LegacyIdentity{"events": {"prod-events", ""}}, nil},
		{"created again", LegacyIdentity{"events": {"prod-events", "id-9"}}, []string{"legacy topic prod-events was deleted and created again: its id was id-1 and is id-9", "To rebuild", "deploy under a new name"}},
		{"another topic", LegacyIdentity{"events": {"test-events", "id-9"}}, []string{"legacy stream events is read from another topic: it was prod-events (id id-1) and is test-events (id id-9)"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := identityRecord{Legacy: recorded}.compare(nil, identityRecord{Legacy: tt.present})
			if tt.want == nil {
				wantError(t, err, nil)
				return
			}
			wantIdentityError(t, err, tt.want...)
		})
	}
}

// The ids of legacy topics are those of their own cluster. Their partitions may
// grow. Where it gives no ids, nothing is recorded and nothing refused.
func TestCheckIdentityOfLegacyTopics(t *testing.T) {
	t.Parallel()
	kafkatest.Each(t, func(t *testing.T, tg kafkatest.Target) {
		t.Parallel()
		state := kafkatest.Embedded(t, embedded.Options{})
		source, a := testAdmin(t, tg), testAdmin(t, state)
		record, x := tg.Topic("identity"), tg.Topic("x")
		kafkatest.CreateTopic(t, state.Addrs, record, 1, map[string]string{"cleanup.policy": "compact"})
		kafkatest.CreateTopic(t, state.Addrs, x, 1, nil) // as the legacy topic is called, and has nothing to do with it
		kafkatest.CreateTopic(t, tg.Addrs, x, 1, nil)
		check := func() error {
			t.Helper()
			legacy, err := source.LegacyIdentity(map[string]string{"events": x})
			if err != nil {
				t.Fatal(err)
			}
			return CheckIdentity(t.Context(), a, record, []string{x}, legacy)
		}
		// An older version has recorded the internal topics alone.
		if err := CheckIdentity(t.Context(), a, record, []string{x}, nil); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := check(); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(kafkatest.ReadAll(t, state.Addrs, record)); n != 2 {
			t.Errorf("%d records, want one of each version", n)
		}
		if err := source.admin.CreatePartitions(x, 3, nil, false); err != nil {
			t.Fatal(err)
		}
		kafkatest.Eventually(t, "the new partitions", func() bool {
			infos, err := source.Describe([]string{x})
			return err == nil && infos[x].Partitions == 3
		})
		if err := check(); err != nil {
			t.Errorf("with more partitions: %v", err)
		}
		if err := source.Delete(t.Context(), []string{x}); err != nil {
			t.Fatal(err)
		}
		kafkatest.CreateTopic(t, tg.Addrs, x, 3, nil)
		kafkatest.Eventually(t, "the new topic to be visible", func() bool { return exists(t, source, x) })
		wantIdentityError(t, check(), "legacy topic "+x+" was deleted and created again")
	})
}

func TestLegacyTopicsWithoutIDs(t *testing.T) {
	old := kafkatest.Embedded(t, embedded.Options{More: []kfake.Opt{kfake.MaxVersions(kversion.V2_6_0())}})
	state := kafkatest.Embedded(t, embedded.Options{})
	source, a := testAdmin(t, old), testAdmin(t, state)
	kafkatest.CreateTopic(t, old.Addrs, "x", 1, nil)
	kafkatest.CreateTopic(t, state.Addrs, "identity", 1, nil)
	kafkatest.CreateTopic(t, state.Addrs, "y", 1, nil)
	legacy, err := source.LegacyIdentity(map[string]string{"events": "x"})
	if err != nil || len(legacy) != 1 || len(legacy.Known()) != 0 {
		t.Fatalf("legacy topics %v, %v; want one without an id", legacy, err)
	}
	if err := CheckIdentity(t.Context(), a, "identity", []string{"y"}, legacy); err != nil {
		t.Fatal(err)
	}
	for _, r := range kafkatest.ReadAll(t, state.Addrs, "identity") {
		if strings.Contains(string(r.Value), "legacy") {
			t.Errorf("recorded %s", r.Value)
		}
	}
}

func TestCheckIdentity(t *testing.T) {
	t.Parallel()
	kafkatest.Each(t, func(t *testing.T, tg kafkatest.Target) {
		t.Parallel()
		a := testAdmin(t, tg)
		record, x, y, z := tg.Topic("identity"), tg.Topic("x"), tg.Topic("y"), tg.Topic("z")
		compact := map[string]string{"cleanup.policy": "compact"}

		err := CheckIdentity(t.Context(), a, record, []string{x}, nil)
		wantError(t, err, []string{record, "does not exist"})
		kafkatest.CreateTopic(t, tg.Addrs, record, 1, compact)
		kafkatest.CreateTopic(t, tg.Addrs, x, 2, nil)
		err = CheckIdentity(t.Context(), a, record, []string{x, y}, nil)
		wantError(t, err, []string{"not created yet", y})
		kafkatest.CreateTopic(t, tg.Addrs, y, 2, nil)

		check := func(topics ...string) error { return CheckIdentity(t.Context(), a, record, topics, nil) }
		for range 3 { // records, then compares
			if err := check(x, y); err != nil {
				t.Fatal(err)
			}
		}
		records := kafkatest.ReadAll(t, tg.Addrs, record)
		if len(records) != 1 || string(records[0].Key) != "topics" {
			t.Fatalf("%d records in %s, want one", len(records), record)
		}
		if s := string(records[0].Value); !strings.HasPrefix(s, `{"topics":{"`+x+`":{"id":"`) || !strings.Contains(s, `"partitions":2`) {
			t.Errorf("record: %s", s)
		}

		// A new version of the bridge has one more topic, and one less.
		kafkatest.CreateTopic(t, tg.Addrs, z, 1, nil)
		if err := check(x, z); err != nil {
			t.Fatal(err)
		}

		// Created anew, with as many partitions.
		if err := a.Delete(t.Context(), []string{y}); err != nil {
			t.Fatal(err)
		}
		if err := check(x, z); err != nil {
			t.Errorf("a topic that is no longer used counts: %v", err)
		}
		wantIdentityError(t, check(x, y), y, "was deleted")
		kafkatest.CreateTopic(t, tg.Addrs, y, 2, nil)
		kafkatest.Eventually(t, "the new topic to be visible", func() bool { return exists(t, a, y) })
		wantIdentityError(t, check(x, y), y, "created again")
		if n := len(kafkatest.ReadAll(t, tg.Addrs, record)); n != 2 {
			t.Errorf("%d records after a refusal, want still 2: a refusal must not be overwritten", n)
		}
	})
}

func TestCheckIdentityPartitions(t *testing.T) {
	t.Parallel()
	kafkatest.Each(t, func(t *testing.T, tg kafkatest.Target) {
		t.Parallel()
		a := testAdmin(t, tg)
		record, x := tg.Topic("identity"), tg.Topic("x")
		kafkatest.CreateTopic(t, tg.Addrs, record, 1, map[string]string{"cleanup.policy": "compact"})
		kafkatest.CreateTopic(t, tg.Addrs, x, 2, nil)
		if err := CheckIdentity(t.Context(), a, record, []string{x}, nil); err != nil {
			t.Fatal(err)
		}
		if err := a.admin.CreatePartitions(x, 3, nil, false); err != nil {
			t.Fatal(err)
		}
		kafkatest.Eventually(t, "the third partition", func() bool {
			infos, err := a.Describe([]string{x})
			return err == nil && infos[x].Partitions == 3
		})
		wantIdentityError(t, CheckIdentity(t.Context(), a, record, []string{x}, nil), x, "had 2 partitions and has 3")
	})
}

func wantIdentityError(t *testing.T, err error, parts ...string) {
	t.Helper()
	var ie *IdentityError
	if !errors.As(err, &ie) {
		t.Errorf("error %v, want an IdentityError", err)
		return
	}
	wantError(t, err, parts)
}

func TestCheckIdentityRefusesWhatItCannotRead(t *testing.T) {
	tg := kafkatest.Embedded(t, embedded.Options{})
	a := testAdmin(t, tg)
	kafkatest.CreateTopic(t, tg.Addrs, "two", 2, nil)
	kafkatest.CreateTopic(t, tg.Addrs, "damaged", 1, nil)
	kafkatest.CreateTopic(t, tg.Addrs, "x", 1, nil)
	wantError(t, CheckIdentity(t.Context(), a, "two", []string{"x"}, nil), []string{"has 2 partitions: want 1"})
	kafkatest.Produce(t, tg.Addrs, "damaged", &kafkatest.Record{Key: []byte("topics"), Value: []byte("nonsense")})
	wantError(t, CheckIdentity(t.Context(), a, "damaged", []string{"x"}, nil), []string{"damaged"})
	// Other keys are not ours.
	kafkatest.CreateTopic(t, tg.Addrs, "foreign", 1, nil)
	kafkatest.Produce(t, tg.Addrs, "foreign", &kafkatest.Record{Key: []byte("else"), Value: []byte("nonsense")})
	if err := CheckIdentity(t.Context(), a, "foreign", []string{"x"}, nil); err != nil {
		t.Error(err)
	}
}

func TestCheckIdentityNeedsTopicIDs(t *testing.T) {
	tg := kafkatest.Embedded(t, embedded.Options{More: []kfake.Opt{kfake.MaxVersions(kversion.V2_6_0())}})
	a := testAdmin(t, tg)
	kafkatest.CreateTopic(t, tg.Addrs, "identity", 1, nil)
	kafkatest.CreateTopic(t, tg.Addrs, "x", 1, nil)
	wantError(t, CheckIdentity(t.Context(), a, "identity", []string{"x"}, nil), []string{"Kafka 2.8 or newer"})
}
