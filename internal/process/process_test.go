package process

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestCPUIn(t *testing.T) {
	stat := "7 (a (name) b) S 1 7 7 0 -1 4194560 1 2 3 4 150 50 0 0 20 0 1 0 0"
	if got, err := cpuIn(stat); err != nil || got != 2*time.Second {
		t.Errorf("%v, %v, want 2s", got, err)
	}
	for _, short := range []string{"", "7 (x) S 1", "7 (x) S 1 7 7 0 -1 4194560 1 2 3 4 x 50 0"} {
		if got, err := cpuIn(short); err == nil {
			t.Errorf("%q: %v", short, got)
		}
	}
}

// A child is measured while it runs and when it has ended, and ends when it is told to.
func TestProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	// It works for a moment, says so, and waits to be told.
	cmd := exec.Command("sh", "-c", `trap 'echo told; exit 0' TERM; i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo ready; while :; do sleep 0.05; done`)
	cmd.Stdout = out
	p, err := Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Kill()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for LastLine(path) != "ready" {
		if ctx.Err() != nil {
			t.Fatal("it is not ready")
		}
		time.Sleep(5 * time.Millisecond) // between two looks
	}
	if used, err := CPUOf(p.PID()); err != nil || used <= 0 {
		t.Errorf("processor time so far: %v, %v", used, err)
	}
	if err := p.End(ctx); err != nil || LastLine(path) != "told" {
		t.Errorf("ended with %v, said %q", err, LastLine(path))
	}
	if now, peak := p.Memory(); peak < now || now <= 0 || p.CPU() <= 0 || !p.State().Success() {
		t.Errorf("memory %v, at most %v MiB; processor time %v", now, peak, p.CPU())
	}
	if _, err := CPUOf(p.PID()); err == nil {
		t.Error("a process that has ended is measured")
	}
}

func TestStartOfNothing(t *testing.T) {
	if _, err := Start(exec.Command(filepath.Join(t.TempDir(), "nothing"))); err == nil || !strings.Contains(err.Error(), "nothing") {
		t.Errorf("started: %v", err)
	}
}

func TestFolderMiB(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "a", "b"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"x", "a/y", "a/b/z"} {
		if err := os.WriteFile(filepath.Join(dir, name), make([]byte, 1<<20), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := FolderMiB(dir); got != 3 {
		t.Errorf("%v MiB, want 3", got)
	}
}
