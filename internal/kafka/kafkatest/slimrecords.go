package kafkatest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ticketscloud/vibe-bridge/internal/schemacheck"
	"github.com/ticketscloud/vibe-bridge/slim"
)

// ownRecords are the places of what tests wrote with Produce and ProducePinned: faulty records are planted with them.
var ownRecords sync.Map // of place

type place struct {
	broker, topic string
	partition     int32
	offset        int64
}

// checkSlimAtEnd has every slim record that a bridge wrote checked when the test ends. Which topics are slim, their records
// say: they have the header schema-version. A cluster that is out of reach by then is left out, and the log says so.
func checkSlimAtEnd(t testing.TB, target Target) {
	t.Cleanup(func() {
		if !t.Failed() {
			checkSlim(t, target)
		}
	})
}

func checkSlim(t testing.TB, target Target) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(target.Addrs...))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	// Some tests end with a cluster that is away or asks for a login.
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	topics, err := adm.ListTopics(ctx)
	if err != nil {
		t.Logf("slim records are not checked: list topics: %v", err)
		return
	}
	var names []string
	for _, name := range topics.Names() {
		// On a cluster that tests share, other tests have their own prefix.
		if own := target.Embedded != nil || len(name) > len(target.Prefix) && name[:len(target.Prefix)] == target.Prefix; own && schemacheck.StreamOf(name) != "" {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return
	}
	checked := 0
	for _, name := range names {
		checked += CheckSlimTopic(t, target.Addrs, name)
	}
	if checked > 0 {
		t.Logf("%d slim records are as their schemas say", checked)
	}
}

// CheckSlimTopic fails the test when the topic has slim records that are not as their schema says, other than those that
// the test wrote itself, and returns how many others there are.
func CheckSlimTopic(t testing.TB, addrs []string, topic string) (checked int) {
	t.Helper()
	var others, wrong int
	for _, r := range ReadAll(t, addrs, topic) {
		if _, own := ownRecords.Load(place{addrs[0], topic, r.Partition, r.Offset}); own {
			continue
		}
		var headers []slim.Header
		for _, h := range r.Headers {
			headers = append(headers, slim.Header{Key: h.Key, Value: h.Value})
		}
		if !schemacheck.IsSlim(headers) {
			others++
			continue
		}
		checked++
		if err := schemacheck.Check(schemacheck.StreamOf(topic), r.Key, r.Value, headers); err != nil {
			if wrong++; wrong <= 3 {
				t.Errorf("%s/%d/%d: %v", topic, r.Partition, r.Offset, err)
			}
		}
	}
	if wrong > 3 {
		t.Errorf("%s: %d slim records are not as their schema says", topic, wrong)
	}
	if checked > 0 && others > 0 {
		t.Errorf("%s: %d records have no header %s", topic, others, slim.HeaderSchemaVersion)
	}
	return checked
}
