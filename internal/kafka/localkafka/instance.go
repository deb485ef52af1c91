package localkafka

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Instance is one local cluster, known by its directory.
type Instance struct {
	// Dir holds everything the cluster writes. It survives a stop, for its logs; its data are wiped at a start.
	Dir string
}

// Status is what Status found.
type Status struct {
	Running bool
	Brokers []string // addresses of the CLIENT listener; empty when not running
	PIDs    []int    // of the nodes that run
}

const (
	brokersFile = "brokers"
	pidFile     = "pid"
	logFile     = "log"
	propsFile   = "server.properties"
)

// Status tells whether the cluster runs. A cluster of which only some nodes run is reported as not
// running, with their process ids.
func (in Instance) Status() (Status, error) {
	nodes, err := in.nodes()
	if err != nil {
		return Status{}, err
	}
	var st Status
	for _, n := range nodes {
		pid, err := n.runningPID()
		if err != nil {
			return Status{}, err
		}
		if pid != 0 {
			st.PIDs = append(st.PIDs, pid)
		}
	}
	b, err := os.ReadFile(filepath.Join(in.Dir, brokersFile))
	if errors.Is(err, os.ErrNotExist) {
		return st, nil
	}
	if err != nil {
		return Status{}, fmt.Errorf("read the addresses of the local Kafka: %w", err)
	}
	if len(nodes) == 0 || len(st.PIDs) < len(nodes) {
		return st, nil
	}
	st.Running = true
	st.Brokers = strings.Split(strings.TrimSpace(string(b)), ",")
	return st, nil
}

// Listeners returns the addresses of each listener, by its name: CLIENT, INTERNAL (always plain), CONTROLLER, and
// PROXIED where Options.Advertised is set: where the proxy has to connect to. They stand in the order of the nodes.
func (in Instance) Listeners() (map[string][]string, error) {
	nodes, err := in.nodes()
	if err != nil {
		return nil, err
	}
	all := map[string][]string{}
	for _, n := range nodes {
		addrs, err := n.listeners()
		if err != nil {
			return nil, err
		}
		for name, addr := range addrs {
			all[name] = append(all[name], addr)
		}
	}
	return all, nil
}

// PID is the process id of a node, counted from 1, or 0 when it does not run.
func (in Instance) PID(node int) (int, error) { return in.node(node).runningPID() }

// Stop ends the nodes, by process id, and waits until they are gone. A node that has not ended after grace is
// killed: its data are wiped at the next start anyway. Stopping what does not run is no error.
func (in Instance) Stop(grace time.Duration) error {
	unlock, err := in.lock()
	if err != nil {
		return err
	}
	defer unlock()
	return in.stop(grace)
}

func (in Instance) stop(grace time.Duration) error {
	if err := os.Remove(filepath.Join(in.Dir, brokersFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("stop the local Kafka: %w", err)
	}
	nodes, err := in.nodes()
	if err != nil {
		return err
	}
	var pids []int
	for _, n := range nodes {
		pid, err := n.runningPID()
		if err != nil {
			return err
		}
		if pid == 0 {
			continue
		}
		pids = append(pids, pid)
		if err := syscall.Kill(pid, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("stop %s (process %d): %w", n.dir, pid, err)
		}
	}
	if left := waitGone(pids, grace); len(left) > 0 {
		for _, pid := range left {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("kill process %d: %w", pid, err)
			}
		}
		if left := waitGone(left, 10*time.Second); len(left) > 0 {
			return fmt.Errorf("stop the local Kafka: processes %v do not end", left)
		}
	}
	for _, n := range nodes {
		if err := os.Remove(filepath.Join(n.dir, pidFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("stop the local Kafka: %w", err)
		}
	}
	return nil
}

// waitGone polls until none of the processes exists and returns those that still do at the end.
func waitGone(pids []int, limit time.Duration) []int {
	deadline := time.Now().Add(limit)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		left := slices.DeleteFunc(slices.Clone(pids), func(pid int) bool { return !alive(pid) })
		if len(left) == 0 || time.Now().After(deadline) {
			return left
		}
		<-tick.C
	}
}

// alive tells whether the process exists. A zombie counts as ended: only its parent can remove it.
func alive(pid int) bool {
	if err := syscall.Kill(pid, 0); err != nil && !errors.Is(err, syscall.EPERM) {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true // no /proc here: the signal's answer stands
	}
	_, after, ok := strings.Cut(string(stat), ") ")
	return !ok || !strings.HasPrefix(after, "Z")
}

// lock makes start and stop of one instance exclude each other across processes.
func (in Instance) lock() (unlock func(), err error) {
	if err := os.MkdirAll(in.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("lock %s: %w", in.Dir, err)
	}
	f, err := os.OpenFile(filepath.Join(in.Dir, "lock"), os.O_CREATE|os.O_RDWR|syscall.O_CLOEXEC, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", in.Dir, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", in.Dir, err)
	}
	return func() { f.Close() }, nil
}

type node struct {
	id  int
	dir string
}

func (in Instance) node(id int) node {
	return node{id: id, dir: filepath.Join(in.Dir, "node"+strconv.Itoa(id))}
}

// nodes lists the nodes of the last start.
func (in Instance) nodes() ([]node, error) {
	dirs, err := filepath.Glob(filepath.Join(in.Dir, "node[0-9]*"))
	if err != nil {
		return nil, fmt.Errorf("list the nodes of the local Kafka: %w", err)
	}
	var nodes []node
	for _, d := range dirs {
		id, err := strconv.Atoi(strings.TrimPrefix(filepath.Base(d), "node"))
		if err != nil {
			continue
		}
		nodes = append(nodes, node{id: id, dir: d})
	}
	slices.SortFunc(nodes, func(a, b node) int { return a.id - b.id })
	return nodes, nil
}

// runningPID returns the node's process id, or 0 when it does not run. A process that merely has
// the number of a node that died is not taken for it: its command line must name the node's properties.
func (n node) runningPID() (int, error) {
	b, err := os.ReadFile(filepath.Join(n.dir, pidFile))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the process id of %s: %w", n.dir, err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || pid <= 1 {
		return 0, fmt.Errorf("read the process id of %s: %q is not one: remove %s", n.dir, b, filepath.Join(n.dir, pidFile))
	}
	if !alive(pid) || !strings.Contains(commandLine(pid), filepath.Join(n.dir, propsFile)) {
		return 0, nil
	}
	return pid, nil
}
