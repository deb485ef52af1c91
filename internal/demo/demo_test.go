package demo

import (
	"log/slog"
	"testing"
	"time"

	"github.com/ticketscloud/vibe-bridge/internal/season"
)

func TestProf(t *testing.T) {
	d, err := Start(t.Context(), Config{Season: season.Config{Orders: 30000, Seed: 1, Hostile: 0.05}, Hold: time.Second, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	r, err := d.Run(t.Context(), true, func(Status) {})
	if err != nil || !r.Good() {
		t.Fatalf("%v %+v", err, r)
	}
}
