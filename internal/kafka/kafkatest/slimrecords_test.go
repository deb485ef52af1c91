package kafkatest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ticketscloud/vibe-bridge/internal/kafka/embedded"
)

// recorder keeps what a test would have failed with.
type recorder struct {
	testing.TB
	errors []string
}

func (r *recorder) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}

// What another program wrote is checked, what the test wrote itself is not.
func TestSlimRecordsAreChecked(t *testing.T) {
	b, err := embedded.Start(embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	target := Target{Name: "embedded", Addrs: b.Addrs(), Prefix: "p-", Embedded: b}
	headers := []kgo.RecordHeader{
		{Key: "content-type", Value: []byte("application/json")}, {Key: "schema-version", Value: []byte("1.0")}, {Key: "application-id", Value: []byte("a")},
	}
	const good, bad = `{"customer":{"email":"","phone":"+79000000001"},"ticket_ids":["t"]}`, `{"customer":{"email":""},"ticket_ids":["t"]}`
	for _, topic := range []string{"p-refunds", "p-legacy-refunds"} {
		CreateTopic(t, target.Addrs, topic, 1, nil)
	}
	other := client(t, target.Addrs)
	defer other.Close()
	write := func(topic, value string, h []kgo.RecordHeader) {
		t.Helper()
		if err := other.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Key: []byte("k"), Value: []byte(value), Headers: h}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(want ...string) {
		t.Helper()
		r := &recorder{TB: t}
		checkSlim(r, target)
		if strings.Join(r.errors, "\n") != strings.Join(want, "\n") {
			t.Errorf("found %q, want %q", r.errors, want)
		}
	}
	write("p-legacy-refunds", "x", nil)
	write("p-refunds", good, headers)
	Produce(t, target.Addrs, "p-refunds", &Record{Key: []byte("k"), Value: []byte(bad), Headers: headers}, &Record{Value: []byte("x")})
	expect()

	const broken = "refund of edition 1.0 in json: /customer breaks required"
	write("p-refunds", bad, headers)
	expect("p-refunds/0/3: " + broken)
	write("p-refunds", good, headers[1:])
	write("p-refunds", good, nil)
	expect("p-refunds/0/3: "+broken, "p-refunds/0/4: 2 headers beside bridge-source, want 3", "p-refunds: 1 records have no header schema-version")
}
