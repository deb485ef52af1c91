package slim_test

import (
	"math"
	"testing"

	"github.com/ticketscloud/vibe-bridge/slim"
)

func TestHeaders(t *testing.T) {
	tests := []struct {
		name   string
		enc    slim.Encoding
		source string
		want   [][2]string
	}{
		{"json 2.0 with its source", json2, "orders_done/3/42", [][2]string{
			{"content-type", "application/json"},
			{"schema-version", "2.0"},
			{"application-id", "ticketscloud"},
			{"bridge-source", "orders_done/3/42"},
		}},
		{"protobuf without source", protobuf1, "", [][2]string{
			{"content-type", "application/x-protobuf"},
			{"schema-version", "1.0"},
			{"application-id", "ticketscloud"},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := slim.Headers(tt.enc, slim.DefaultApplicationID, tt.source)
			if len(got) != len(tt.want) {
				t.Fatalf("got %d headers, want %d: %q", len(got), len(tt.want), got)
			}
			for i, want := range tt.want {
				if got[i].Key != want[0] || string(got[i].Value) != want[1] {
					t.Errorf("header %d is %s=%s, want %s=%s", i, got[i].Key, got[i].Value, want[0], want[1])
				}
			}
		})
	}
}

func TestHeadersBelongToTheCaller(t *testing.T) {
	slim.Headers(json1, "a", "b")[0].Value[0] = 'X'
	if got := string(slim.Headers(json1, "a", "b")[0].Value); got != "application/json" {
		t.Errorf("a caller has changed content-type to %q", got)
	}
}

func TestSource(t *testing.T) {
	if got := slim.Source("events", 12, math.MaxInt64); got != "events/12/9223372036854775807" {
		t.Errorf("got %q", got)
	}
}
