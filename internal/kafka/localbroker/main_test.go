package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestUsage(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none")
	tests := []struct {
		args []string
		code int
		says string
	}{
		{nil, 2, "usage"},
		{[]string{"restart"}, 2, `no command "restart"`},
		{[]string{"start", "-port", "1"}, 2, "-port"},
		{[]string{"stop", "now"}, 2, `unexpected argument "now"`},
		{[]string{"start", "-nodes", "0"}, 1, "-nodes 0: want 1 to 5"},
		{[]string{"start", "-config", missing}, 1, missing},
		{[]string{"status", "-dir", t.TempDir()}, 1, "not running"},
		{[]string{"stop", "-dir", t.TempDir()}, 0, ""},
	}
	for _, tt := range tests {
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), tt.args, &stdout, &stderr)
		if code != tt.code || !strings.Contains(stderr.String(), tt.says) || stdout.Len() > 0 {
			t.Errorf("%q: exit code %d, output %q, errors %q; want %d and %q", tt.args, code, &stdout, &stderr, tt.code, tt.says)
		}
	}
}

func TestEnvironment(t *testing.T) {
	t.Setenv("LOCAL_KAFKA_NODES", "many")
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"start"}, &stdout, &stderr); code != 1 || !strings.Contains(stderr.String(), `LOCAL_KAFKA_NODES="many"`) {
		t.Errorf("exit code %d, errors %q", code, &stderr)
	}
	dir := t.TempDir()
	t.Setenv("LOCAL_KAFKA_DIR", dir)
	if code := run(t.Context(), []string{"stop"}, &stdout, &stderr); code != 0 {
		t.Errorf("stop: exit code %d, errors %q", code, &stderr)
	}
	if _, err := os.Stat(filepath.Join(dir, "lock")); err != nil {
		t.Errorf("LOCAL_KAFKA_DIR was not used: %v", err)
	}
}

func TestOutsideOfACheckout(t *testing.T) {
	t.Chdir(t.TempDir())
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"status"}, &stdout, &stderr); code != 1 || !strings.Contains(stderr.String(), "no go.mod") {
		t.Errorf("exit code %d, errors %q", code, &stderr)
	}
}
