package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestDashboardsAreWritten: what is committed is what the program writes.
func TestDashboardsAreWritten(t *testing.T) {
	committed, err := filepath.Glob("../../grafana/*.json")
	if err != nil || len(committed) != len(files()) {
		t.Fatalf("%v, %v: want %d dashboards", committed, err, len(files()))
	}
	for name, want := range files() {
		if got, err := os.ReadFile(filepath.Join("../../grafana", name)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what the program writes (%v): go run ./dashboard in deploy/check", name, err)
		}
	}
}
