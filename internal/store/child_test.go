package store

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Some tests need a second process: this test binary, started again with childEnv
// naming what to do and where.
const (
	childEnv   = "VIBE_BRIDGE_STORE_TEST_CHILD"
	childWrite = "write"
	childHold  = "hold"
)

func TestMain(m *testing.M) {
	task, dir, ok := strings.Cut(os.Getenv(childEnv), " ")
	if !ok {
		os.Exit(m.Run())
	}
	if err := runChild(task, dir); err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		os.Exit(1)
	}
}

func runChild(task, dir string) error {
	switch task {
	case childWrite:
		return writeUntilKilled(dir)
	case childHold:
		return holdStore(dir)
	}
	return fmt.Errorf("unknown task %q", task)
}

// holdStore keeps a store open until stdin ends.
func holdStore(dir string) error {
	r, err := NewRegistry(Options{Dir: dir})
	if err != nil {
		return err
	}
	defer r.Close()
	if _, err := r.Builder()(testTopic, testPartition); err != nil {
		return err
	}
	fmt.Println("holding")
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

type child struct {
	cmd   *exec.Cmd
	stdin io.Closer
	lines *bufio.Scanner // of its stdout
}

// startChild starts a child, which is killed at the end of the test at the latest.
func startChild(t *testing.T, task, dir string) *child {
	t.Helper()
	exe, err := os.Executable()
	must(t, err)
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childEnv+"="+task+" "+dir)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	must(t, err)
	stdout, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Kill() // fails if it has ended, which is as good
		cmd.Wait()
	})
	return &child{cmd: cmd, stdin: stdin, lines: bufio.NewScanner(stdout)}
}
