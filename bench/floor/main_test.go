package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/ticketscloud/vibe-bridge/internal/kafka/embedded"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
)

func TestFlowsOf(t *testing.T) {
	flows, err := flowsOf([]string{"partners", "orders_done=slim-orders:420:0.5"})
	if want := []flow{{from: "partners"}, {from: "orders_done", to: "slim-orders", bytes: 420, share: 0.5}}; err != nil || !slices.Equal(flows, want) {
		t.Errorf("%+v, %v", flows, err)
	}
	for _, args := range [][]string{nil, {""}, {"a=b"}, {"a=b:1"}, {"a=b:x:1"}, {"a=b:0:1"}, {"a=b:1:2"}, {"a=b:1:-1"}, {"a=b:1:NaN"}, {"a=:1:1"}, {"=b:1:1"}} {
		if flows, err := flowsOf(args); err == nil {
			t.Errorf("%q: %+v", args, flows)
		}
	}
}

func TestShareAndValue(t *testing.T) {
	for share, want := range map[float64]int{0: 0, 0.25: 250, 0.999: 999, 1: 1000} {
		f, n := flow{to: "x", share: share}, 0
		for i := range int64(1000) {
			if f.writes(i) {
				n++
			}
		}
		if n != want {
			t.Errorf("%d of 1000 for the share %v, want %d", n, share, want)
		}
	}
	f := flow{bytes: 5}
	for read, want := range map[string]string{"abcdefg": "abcde", "abcde": "abcde", "ab": "ababa", "": "\x00\x00\x00\x00\x00"} {
		if got := f.value([]byte(read)); string(got) != want {
			t.Errorf("of %q: %q, want %q", read, got, want)
		}
	}
}

// Both clients move everything that is there, and end.
func TestFloor(t *testing.T) {
	t.Parallel()
	target := kafkatest.Embedded(t, embedded.Options{})
	for _, topic := range []string{"in", "empty", "only"} {
		kafkatest.CreateTopic(t, target.Addrs, topic, 3, nil)
	}
	records := func(n int) (all []*kafkatest.Record) {
		for i := range n {
			all = append(all, &kafkatest.Record{Key: []byte{byte(i)}, Value: []byte(strings.Repeat("x", i%50))})
		}
		return all
	}
	kafkatest.Produce(t, target.Addrs, "in", records(500)...)
	kafkatest.Produce(t, target.Addrs, "only", records(7)...)
	for _, client := range []string{"franz", "sarama"} {
		out := "out-" + client
		kafkatest.CreateTopic(t, target.Addrs, out, 1, nil)
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), []string{"-brokers", target.Addrs[0], "-client", client, "in=" + out + ":20:0.5", "only", "empty"}, &stdout, &stderr)
		var f figures
		if err := json.Unmarshal(stdout.Bytes(), &f); code != 0 || err != nil || f.Read != 507 || f.Written != 250 || f.WrittenBytes != 5000 {
			t.Errorf("%s: exit code %d, %v, %+v: %s", client, code, err, f, stderr.String())
		}
		if n := len(kafkatest.ReadAll(t, target.Addrs, out)); n != 250 {
			t.Errorf("%s: %d records in the topic", client, n)
		}
		if code := run(t.Context(), []string{"-brokers", target.Addrs[0], "-client", client, "nothing=" + out + ":20:0.5"}, io.Discard, &stderr); code != 1 {
			t.Errorf("%s: exit code %d for a topic that is not there", client, code)
		}
	}
	for _, args := range [][]string{{}, {"in"}, {"-brokers", "x"}, {"-brokers", "x", "-client", "y", "in"}, {"-none"}} {
		if code := run(context.Background(), args, io.Discard, io.Discard); code != 2 {
			t.Errorf("%q: exit code %d", args, code)
		}
	}
}
