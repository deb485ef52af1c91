package localkafka_test

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/localkafka"
)

func TestStartAndStop(t *testing.T) {
	k := kafkatest.StartOwnKafka(t, localkafka.Options{ExtraConfig: "num.partitions=5", ExtraName: "a test"})
	in := k.Instance
	kafkatest.CreateTopic(t, k.Addrs, "t", -1, nil)
	if n := len(kafkatest.EndOffsets(t, k.Addrs, "t")); n != 5 {
		t.Errorf("%d partitions: the extra configuration asks for 5", n)
	}
	before := status(t, in)
	if !before.Running || !slices.Equal(before.Brokers, k.Addrs) || len(before.PIDs) != 1 {
		t.Errorf("status %+v, want running at %v", before, k.Addrs)
	}

	root, err := localkafka.Root(".")
	if err != nil {
		t.Fatal(err)
	}
	again, err := in.Start(t.Context(), root, localkafka.Options{})
	if err != nil || !slices.Equal(again, k.Addrs) || !slices.Equal(status(t, in).PIDs, before.PIDs) {
		t.Errorf("started again: %v, %v; want the same broker", again, err)
	}

	k.Stop()
	if st := status(t, in); st.Running || len(st.PIDs) != 0 {
		t.Errorf("status after the stop: %+v", st)
	}
	k.Stop() // is no error

	k.StartAgain()
	if n := len(kafkatest.EndOffsets(t, k.Addrs, "t")); n != 5 {
		t.Errorf("%d partitions after a restart that keeps the data, want 5", n)
	}
}

// One broker of three can crash and come back on its data while the others go on.
func TestOneNodeOfThree(t *testing.T) {
	k := kafkatest.StartOwnKafka(t, localkafka.Options{Nodes: 3, Heap: "256m"})
	in := k.Instance
	root, err := localkafka.Root(".")
	if err != nil {
		t.Fatal(err)
	}
	if err := in.StartNode(t.Context(), root, 2, localkafka.Options{Heap: "256m", Bound: true}); err == nil || !strings.Contains(err.Error(), "runs already") {
		t.Errorf("start of a node that runs: %v", err)
	}
	before := status(t, in)
	pid, err := in.PID(2)
	if err != nil || !slices.Contains(before.PIDs, pid) {
		t.Fatalf("node 2 is process %d (%v), want one of %v", pid, err, before.PIDs)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); pid != 0 && time.Now().Before(deadline); runtime.Gosched() {
		if pid, err = in.PID(2); err != nil {
			t.Fatal(err)
		}
	}
	if st := status(t, in); st.Running || len(st.PIDs) != 2 {
		t.Errorf("status with one node killed: %+v", st)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if err := in.StartNode(ctx, root, 2, localkafka.Options{Heap: "256m", Bound: true}); err != nil {
		t.Fatal(err)
	}
	after := status(t, in)
	if !after.Running || after.PIDs[0] != before.PIDs[0] || after.PIDs[1] == before.PIDs[1] || after.PIDs[2] != before.PIDs[2] {
		t.Errorf("status %+v, before %+v: want the second process to be new", after, before)
	}
}

func TestOneAddressToAdvertisePerNode(t *testing.T) {
	in := localkafka.Instance{Dir: t.TempDir()}
	_, err := in.Start(t.Context(), t.TempDir(), localkafka.Options{Nodes: 3, Advertised: []string{"127.0.0.1:1"}})
	if err == nil || !strings.Contains(err.Error(), "1 addresses to advertise for 3 nodes") {
		t.Errorf("error %v", err)
	}
}

func TestStartSaysWhatKafkaComplainsAbout(t *testing.T) {
	root, err := localkafka.Root(".")
	if err != nil {
		t.Fatal(err)
	}
	if err := localkafka.CheckoutJars(root).Check(); err != nil {
		kafkatest.SkipOrFail(t, err.Error())
	}
	in := localkafka.Instance{Dir: t.TempDir()}
	_, err = in.Start(t.Context(), root, localkafka.Options{ExtraConfig: "log.retention.ms=a-while", Bound: true})
	if err == nil || !strings.Contains(err.Error(), "a-while") {
		t.Errorf("error %v, want Kafka's own words", err)
	}
	if st := status(t, in); st.Running || len(st.PIDs) > 0 {
		t.Errorf("something runs after a failed start: %+v", st)
	}
}

// A process id can have been given to another process since: that one must live.
func TestStopSparesStrangers(t *testing.T) {
	in := localkafka.Instance{Dir: t.TempDir()}
	sleeper := exec.Command("sleep", "600")
	if err := sleeper.Start(); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(in.Dir, "node1", "pid"), strconv.Itoa(sleeper.Process.Pid)+"\n")
	write(t, filepath.Join(in.Dir, "brokers"), "127.0.0.1:1\n")
	if st := status(t, in); st.Running || len(st.PIDs) > 0 {
		t.Errorf("takes a stranger for its broker: %+v", st)
	}
	if err := in.Stop(time.Second); err != nil {
		t.Error(err)
	}
	// It ends by the first signal that it gets: which must be this one.
	if err := sleeper.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	var ended *exec.ExitError
	if err := sleeper.Wait(); !errors.As(err, &ended) || ended.Sys().(syscall.WaitStatus).Signal() != syscall.SIGINT {
		t.Errorf("the stranger was ended by something else: %v", err)
	}
}

func TestDamagedPIDFile(t *testing.T) {
	in := localkafka.Instance{Dir: t.TempDir()}
	write(t, filepath.Join(in.Dir, "node1", "pid"), "-1")
	if err := in.Stop(time.Second); err == nil || !strings.Contains(err.Error(), "is not one") {
		t.Errorf("error %v", err)
	}
}

func TestJars(t *testing.T) {
	root := t.TempDir()
	jars := localkafka.CheckoutJars(root)
	if err := jars.Check(); err == nil || errors.Is(err, localkafka.ErrNoJars) {
		t.Errorf("without a pom: %v", err)
	}
	write(t, filepath.Join(root, "deploy", "kafka", "pom.xml"), "<project/>")
	if err := jars.Check(); !errors.Is(err, localkafka.ErrNoJars) {
		t.Errorf("without jars: %v", err)
	}
	write(t, filepath.Join(jars.Dir, "pom.sha256"), "of another pom")
	if err := jars.Check(); !errors.Is(err, localkafka.ErrNoJars) || !strings.Contains(err.Error(), "another version") {
		t.Errorf("with another pom's jars: %v", err)
	}
	if _, err := jars.ClientClasspath(); !errors.Is(err, localkafka.ErrNoJars) {
		t.Errorf("class path of another pom's jars: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // before Maven can do anything
	if err := jars.Fetch(ctx, io.Discard); err == nil {
		t.Error("fetched with a cancelled context")
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(jars.Dir), "jars-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestClientClasspath(t *testing.T) {
	root, err := localkafka.Root(".")
	if err != nil {
		t.Fatal(err)
	}
	jars := localkafka.CheckoutJars(root)
	if err := jars.Check(); err != nil {
		kafkatest.SkipOrFail(t, err.Error())
	}
	cp, err := jars.ClientClasspath()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range filepath.SplitList(cp) {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
	if !strings.Contains(cp, "kafka-clients-") {
		t.Errorf("class path %s", cp)
	}
}

func TestRoot(t *testing.T) {
	root, err := localkafka.Root(".")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err != nil {
		t.Error(err)
	}
	if _, err := localkafka.Root(t.TempDir()); err == nil || !strings.Contains(err.Error(), "no go.mod") {
		t.Errorf("outside of a checkout: %v", err)
	}
}

func status(t *testing.T, in localkafka.Instance) localkafka.Status {
	t.Helper()
	st, err := in.Status()
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}
