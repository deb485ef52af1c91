package localkafka

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"text/template"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Options of a start.
type Options struct {
	// Nodes is the number of brokers, each a controller as well; 0 means 1.
	Nodes int
	// ExtraConfig is text in the format of server.properties, appended to every node's: later lines win.
	ExtraConfig string
	// ExtraName says where ExtraConfig came from, for the comment above it.
	ExtraName string
	// ScramUsers are SCRAM credentials that exist from the first start on, in StorageTool's format, for example
	// `SCRAM-SHA-512=[name=bridge,password=secret]`.
	ScramUsers []string
	// KeepData starts the cluster on what it wrote and on the ports that it had, instead of wiping both.
	KeepData bool
	// Bound ends the brokers when the calling process ends, however that happens (on Linux; elsewhere it
	// does nothing): for tests, which may be killed.
	Bound bool
	// Advertised adds a listener PROXIED to every node that tells its clients to connect to the node's address here,
	// at which a proxy of the caller's listens: one address per node, in their order.
	Advertised []string
	// Heap is the JVM's limit, for example "1g" (the default).
	Heap string
	// Log receives a few lines of progress; nil drops them.
	Log io.Writer
}

const defaultHeap = "1g"

// startTries bounds the attempts of a start. A port found free can be taken by somebody else before
// the broker binds it; a new attempt picks new ones.
const startTries = 3

// Start starts the cluster and waits until it answers or ctx ends; it returns the addresses of the CLIENT
// listener. If the instance already runs, its addresses are returned and nothing is changed. The nodes
// outlive the calling process.
func (in Instance) Start(ctx context.Context, root string, o Options) ([]string, error) {
	abs, err := filepath.Abs(in.Dir)
	if err != nil {
		return nil, fmt.Errorf("start the local Kafka: %w", err)
	}
	in.Dir = abs
	if o.Nodes == 0 {
		o.Nodes = 1
	}
	if o.Heap == "" {
		o.Heap = defaultHeap
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	if n := len(o.Advertised); n > 0 && n != o.Nodes {
		return nil, fmt.Errorf("start the local Kafka: %d addresses to advertise for %d nodes", n, o.Nodes)
	}
	unlock, err := in.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()

	st, err := in.Status()
	if err != nil {
		return nil, err
	}
	if st.Running {
		fmt.Fprintf(o.Log, "already running (processes %v)\n", st.PIDs)
		return st.Brokers, nil
	}
	jars := CheckoutJars(root)
	if err := jars.Fetch(ctx, o.Log); err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		addrs, err := in.start(ctx, root, jars, o)
		if err == nil {
			return addrs, nil
		}
		if stopErr := in.stop(5 * time.Second); stopErr != nil {
			return nil, errors.Join(err, stopErr)
		}
		if try == startTries || o.KeepData || !errors.Is(err, errPortTaken) {
			return nil, err
		}
		fmt.Fprintln(o.Log, err, "- trying again with other ports")
	}
}

var errPortTaken = errors.New("a port was taken in the meantime")

func (in Instance) start(ctx context.Context, root string, jars Jars, o Options) ([]string, error) {
	if err := in.stop(5 * time.Second); err != nil { // leftovers of a start that was cut short
		return nil, err
	}
	if !o.KeepData {
		if err := in.configure(ctx, root, jars, o); err != nil {
			return nil, err
		}
	}
	nodes, err := in.nodes()
	if err != nil {
		return nil, err
	}
	if len(nodes) == 0 {
		return nil, fmt.Errorf("start the local Kafka: nothing to keep in %s: start it once without keeping its data", in.Dir)
	}
	id, err := nodes[0].clusterID()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	exited := make(chan error, len(nodes))
	var internal, client []string
	for _, n := range nodes {
		l, err := n.listeners()
		if err != nil {
			return nil, err
		}
		internal, client = append(internal, l["INTERNAL"]), append(client, l["CLIENT"])
		if err := n.launch(root, jars, o, exited); err != nil {
			return nil, err
		}
	}
	if err := waitReady(ctx, id, internal, len(internal), exited); err != nil {
		return nil, err
	}
	fmt.Fprintf(o.Log, "Kafka is ready after %.1f s; its logs are in %s\n", time.Since(began).Seconds(), in.Dir)
	line := strings.Join(client, ",")
	if err := os.WriteFile(filepath.Join(in.Dir, brokersFile), []byte(line+"\n"), 0o644); err != nil {
		return nil, fmt.Errorf("record the addresses of the local Kafka: %w", err)
	}
	return client, nil
}

// StartNode starts one node of a cluster of several on its data, beside those that run, and waits until it answers and
// knows them all. Of the options, Heap, Bound and Log count. A node that runs already is an error.
func (in Instance) StartNode(ctx context.Context, root string, id int, o Options) error {
	abs, err := filepath.Abs(in.Dir)
	if err != nil {
		return fmt.Errorf("start node %d of the local Kafka: %w", id, err)
	}
	in.Dir = abs
	if o.Heap == "" {
		o.Heap = defaultHeap
	}
	unlock, err := in.lock()
	if err != nil {
		return err
	}
	defer unlock()
	pid, err := in.PID(id)
	if err != nil {
		return err
	}
	if pid != 0 {
		return fmt.Errorf("start node %d of the local Kafka: it runs already (process %d)", id, pid)
	}
	n := in.node(id)
	l, err := n.listeners()
	if err != nil {
		return err
	}
	cluster, err := n.clusterID()
	if err != nil {
		return err
	}
	exited := make(chan error, 1)
	if err := n.launch(root, CheckoutJars(root), o, exited); err != nil {
		return err
	}
	nodes, err := in.nodes()
	if err != nil {
		return err
	}
	return waitReady(ctx, cluster, []string{l["INTERNAL"]}, len(nodes), exited)
}

// nodeConfig fills deploy/kafka/server.properties.tmpl.
type nodeConfig struct {
	NodeID                                   int
	Voters                                   string
	ClientPort, InternalPort, ControllerPort int
	ProxiedPort                              int
	Advertised                               string // "": no listener PROXIED
	DataDir                                  string
	Replication, MinISR                      int
	Extra, ExtraName                         string
}

// configure wipes the nodes of an earlier start, writes every node's properties and formats its storage.
func (in Instance) configure(ctx context.Context, root string, jars Jars, o Options) error {
	old, err := in.nodes()
	if err != nil {
		return err
	}
	for _, n := range old {
		if err := os.RemoveAll(n.dir); err != nil {
			return fmt.Errorf("wipe the local Kafka: %w", err)
		}
	}
	tmpl, err := template.ParseFiles(filepath.Join(root, "deploy", "kafka", "server.properties.tmpl"))
	if err != nil {
		return fmt.Errorf("read the broker template: %w", err)
	}
	ports, err := freePorts(4 * o.Nodes)
	if err != nil {
		return err
	}
	configs := make([]nodeConfig, o.Nodes)
	var voters []string
	for i := range configs {
		configs[i] = nodeConfig{
			NodeID: i + 1, ClientPort: ports[4*i], InternalPort: ports[4*i+1], ControllerPort: ports[4*i+2],
			ProxiedPort: ports[4*i+3],
			DataDir:     filepath.Join(in.node(i+1).dir, "data"),
			Replication: min(3, o.Nodes), MinISR: min(2, o.Nodes),
			Extra: strings.TrimSpace(o.ExtraConfig), ExtraName: o.ExtraName,
		}
		if len(o.Advertised) > 0 {
			configs[i].Advertised = o.Advertised[i]
		}
		voters = append(voters, fmt.Sprintf("%d@127.0.0.1:%d", i+1, configs[i].ControllerPort))
	}
	id := make([]byte, 16)
	if _, err := rand.Read(id); err != nil {
		return fmt.Errorf("make a cluster id: %w", err)
	}
	clusterID := base64.RawURLEncoding.EncodeToString(id)
	for i := range configs {
		configs[i].Voters = strings.Join(voters, ",")
		n := in.node(i + 1)
		if err := n.write(tmpl, configs[i]); err != nil {
			return err
		}
		if err := n.format(ctx, jars, clusterID, o.ScramUsers); err != nil {
			return err
		}
	}
	return nil
}

func (n node) write(tmpl *template.Template, c nodeConfig) error {
	if err := os.MkdirAll(n.dir, 0o755); err != nil {
		return fmt.Errorf("configure %s: %w", n.dir, err)
	}
	var b bytes.Buffer
	if err := tmpl.Execute(&b, c); err != nil {
		return fmt.Errorf("configure %s: %w", n.dir, err)
	}
	// The extra part may hold passwords.
	if err := os.WriteFile(filepath.Join(n.dir, propsFile), b.Bytes(), 0o600); err != nil {
		return fmt.Errorf("configure %s: %w", n.dir, err)
	}
	return nil
}

// format writes the node's first metadata: without it, KRaft refuses to start.
func (n node) format(ctx context.Context, jars Jars, clusterID string, scramUsers []string) error {
	java, err := java()
	if err != nil {
		return err
	}
	args := []string{"-XX:TieredStopAtLevel=1", "-cp", jars.Classpath(), "kafka.tools.StorageTool",
		"format", "--cluster-id=" + clusterID, // with "=": one id in 64 begins with a dash
		"--config", filepath.Join(n.dir, propsFile)}
	for _, u := range scramUsers {
		args = append(args, "--add-scram", u)
	}
	cmd := exec.CommandContext(ctx, java, args...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("format the storage of %s: %w: %s", n.dir, err, bytes.TrimSpace(out))
	}
	return nil
}

// launch starts the node in a session of its own, so that it outlives this process and gets none of the terminal's
// signals, unless o.Bound. Its end is reported on exited, for as long as this process lives.
func (n node) launch(root string, jars Jars, o Options, exited chan<- error) error {
	java, err := java()
	if err != nil {
		return err
	}
	logPath := filepath.Join(n.dir, logFile)
	log, err := os.Create(logPath)
	if err != nil {
		return fmt.Errorf("start %s: %w", n.dir, err)
	}
	defer log.Close()
	args := []string{"-Xmx" + o.Heap, "-Xms128m", "-Djava.awt.headless=true",
		"-Dlog4j2.configurationFile=" + filepath.Join(root, "deploy", "kafka", "log4j2.properties")}
	if o.Bound {
		args = append(args, "-XX:TieredStopAtLevel=1") // lives for seconds: no time to win back a thorough compilation
	}
	cmd := exec.Command(java, append(args, "-cp", jars.Classpath(), "kafka.Kafka", filepath.Join(n.dir, propsFile))...)
	cmd.Dir = n.dir
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if o.Bound {
		endWithParent(cmd.SysProcAttr)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", n.dir, err)
	}
	go func() { // ends with the node, or with this process
		err := cmd.Wait()
		exited <- n.exitError(err)
	}()
	if err := os.WriteFile(filepath.Join(n.dir, pidFile), []byte(strconv.Itoa(cmd.Process.Pid)+"\n"), 0o644); err != nil {
		return fmt.Errorf("record the process id of %s: %w", n.dir, err)
	}
	return nil
}

// exitError describes the end of a node by the last lines of its log.
func (n node) exitError(err error) error {
	path := filepath.Join(n.dir, logFile)
	b, readErr := os.ReadFile(path)
	if readErr != nil {
		return fmt.Errorf("node %d ended (%v) and its log cannot be read: %w", n.id, err, readErr)
	}
	cause := fmt.Errorf("node %d of the local Kafka ended (%v): see %s: %s", n.id, err, path, lastLines(b, 5))
	if bytes.Contains(b, []byte("Address already in use")) {
		return fmt.Errorf("%w: %w", errPortTaken, cause)
	}
	return cause
}

func lastLines(b []byte, n int) string {
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], " | ")
}

// listeners returns the address of each listener in the node's properties.
func (n node) listeners() (map[string]string, error) {
	b, err := os.ReadFile(filepath.Join(n.dir, propsFile))
	if err != nil {
		return nil, fmt.Errorf("read the properties of %s: %w", n.dir, err)
	}
	for line := range strings.Lines(string(b)) {
		list, ok := strings.CutPrefix(strings.TrimSpace(line), "listeners=")
		if !ok {
			continue
		}
		addrs := map[string]string{}
		for _, l := range strings.Split(list, ",") {
			name, addr, _ := strings.Cut(l, "://")
			addrs[name] = addr
		}
		return addrs, nil
	}
	return nil, fmt.Errorf("read the properties of %s: no line listeners=", n.dir)
}

// clusterID is what format has written.
func (n node) clusterID() (string, error) {
	path := filepath.Join(n.dir, "data", "meta.properties")
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read the cluster id of %s: %w", n.dir, err)
	}
	for line := range strings.Lines(string(text)) {
		if id, found := strings.CutPrefix(line, "cluster.id="); found {
			return strings.TrimSpace(id), nil
		}
	}
	return "", fmt.Errorf("read the cluster id of %s: none in %s", n.dir, path)
}

// waitReady returns when every address serves metadata of the cluster that lists all nodes. A port that was found free
// may be another cluster's by now, which answers before the node has failed to bind it.
func waitReady(ctx context.Context, cluster string, addrs []string, nodes int, exited <-chan error) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		select {
		case err := <-exited:
			return err
		case <-ctx.Done():
			return fmt.Errorf("wait for the local Kafka: %w: last answer: %v", context.Cause(ctx), last)
		case <-tick.C:
		}
		if last = ready(ctx, cluster, addrs, nodes); last == nil {
			return nil
		}
	}
}

func ready(ctx context.Context, cluster string, addrs []string, nodes int) error {
	for _, addr := range addrs {
		if err := nodeReady(ctx, cluster, addr, nodes); err != nil {
			return err
		}
	}
	return nil
}

func nodeReady(ctx context.Context, cluster, addr string, nodes int) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.RequestRetries(0))
	if err != nil {
		return err
	}
	defer cl.Close()
	m, err := kadm.NewClient(cl).BrokerMetadata(ctx)
	if err != nil {
		return err
	}
	if m.Cluster != cluster {
		return fmt.Errorf("%s is of another cluster, %s", addr, m.Cluster)
	}
	if len(m.Brokers) != nodes {
		return fmt.Errorf("%s knows %d of %d brokers", addr, len(m.Brokers), nodes)
	}
	return nil
}

// freePorts returns n different ports of the loopback address that nobody listens on right now.
func freePorts(n int) ([]int, error) {
	ports := make([]int, 0, n)
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer l.Close() // all stay open until the last is found: they are different
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
