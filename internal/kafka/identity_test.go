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
		t.Run(tt.name, func(t *testing.T) { wantError(t, recorded.Compare(tt.present), tt.want) })
	}
}

func TestCheckIdentity(t *testing.T) {
	kafkatest.Each(t, func(t *testing.T, tg kafkatest.Target) {
		a := testAdmin(t, tg)
		record, x, y, z := tg.Topic("identity"), tg.Topic("x"), tg.Topic("y"), tg.Topic("z")
		compact := map[string]string{"cleanup.policy": "compact"}

		err := CheckIdentity(t.Context(), a, record, []string{x})
		wantError(t, err, []string{record, "does not exist"})
		kafkatest.CreateTopic(t, tg.Addrs, record, 1, compact)
		kafkatest.CreateTopic(t, tg.Addrs, x, 2, nil)
		err = CheckIdentity(t.Context(), a, record, []string{x, y})
		wantError(t, err, []string{"not created yet", y})
		kafkatest.CreateTopic(t, tg.Addrs, y, 2, nil)

		check := func(topics ...string) error { return CheckIdentity(t.Context(), a, record, topics) }
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
	kafkatest.Each(t, func(t *testing.T, tg kafkatest.Target) {
		a := testAdmin(t, tg)
		record, x := tg.Topic("identity"), tg.Topic("x")
		kafkatest.CreateTopic(t, tg.Addrs, record, 1, map[string]string{"cleanup.policy": "compact"})
		kafkatest.CreateTopic(t, tg.Addrs, x, 2, nil)
		if err := CheckIdentity(t.Context(), a, record, []string{x}); err != nil {
			t.Fatal(err)
		}
		if err := a.admin.CreatePartitions(x, 3, nil, false); err != nil {
			t.Fatal(err)
		}
		kafkatest.Eventually(t, "the third partition", func() bool {
			infos, err := a.Describe([]string{x})
			return err == nil && infos[x].Partitions == 3
		})
		wantIdentityError(t, CheckIdentity(t.Context(), a, record, []string{x}), x, "had 2 partitions and has 3")
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
	wantError(t, CheckIdentity(t.Context(), a, "two", []string{"x"}), []string{"has 2 partitions: want 1"})
	kafkatest.Produce(t, tg.Addrs, "damaged", &kafkatest.Record{Key: []byte("topics"), Value: []byte("nonsense")})
	wantError(t, CheckIdentity(t.Context(), a, "damaged", []string{"x"}), []string{"damaged"})
	// Other keys are not ours.
	kafkatest.CreateTopic(t, tg.Addrs, "foreign", 1, nil)
	kafkatest.Produce(t, tg.Addrs, "foreign", &kafkatest.Record{Key: []byte("else"), Value: []byte("nonsense")})
	if err := CheckIdentity(t.Context(), a, "foreign", []string{"x"}); err != nil {
		t.Error(err)
	}
}

func TestCheckIdentityNeedsTopicIDs(t *testing.T) {
	tg := kafkatest.Embedded(t, embedded.Options{More: []kfake.Opt{kfake.MaxVersions(kversion.V2_6_0())}})
	a := testAdmin(t, tg)
	kafkatest.CreateTopic(t, tg.Addrs, "identity", 1, nil)
	kafkatest.CreateTopic(t, tg.Addrs, "x", 1, nil)
	wantError(t, CheckIdentity(t.Context(), a, "identity", []string{"x"}), []string{"Kafka 2.8 or newer"})
}
