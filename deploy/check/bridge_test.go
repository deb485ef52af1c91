package check

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// What is known of the bridge itself.

// binary is the product, built once for all tests.
var binary = sync.OnceValues(func() (string, error) {
	path, err := filepath.Abs("../../build/vibe-bridge.check")
	if err != nil {
		return "", err
	}
	out, err := exec.Command("go", "build", "-C", "../..", "-o", path, "./cmd/vibe-bridge").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build the bridge: %w: %s", err, out)
	}
	return path, nil
})

// argumentFaults are those that were looked for, by command line.
var argumentFaults = map[string]string{}

// argumentFault is "" where the bridge takes a command line, config file aside.
func argumentFault(t *testing.T, args []string) string {
	t.Helper()
	line := strings.Join(args, "\x00")
	if fault, known := argumentFaults[line]; known {
		return fault
	}
	argumentFaults[line] = askBridge(t, args)
	return argumentFaults[line]
}

func askBridge(t *testing.T, args []string) string {
	t.Helper()
	bridge, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	words := 0
	for words < len(args) && !strings.HasPrefix(args[words], "-") {
		words++
	}
	usage := "vibe-bridge " + strings.Join(args[:words], " ")
	command := exec.Command(bridge, append(append([]string{}, args...), "--help")...)
	command.WaitDelay = 10 * time.Second
	out, err := command.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("\n  "+usage+" [flags]")) && !bytes.Contains(out, []byte("\n  "+usage+" --config FILE [flags]")) {
		return fmt.Sprintf("the bridge does not take %q: %v", args, err)
	}
	return ""
}

// served are the paths of probes that an instance answers, of the bridge or of the comparison.
func served(t *testing.T, comparison bool) map[string]bool {
	t.Helper()
	ask := servedByBridge
	if comparison {
		ask = servedByComparison
	}
	paths, err := ask()
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

var addressPattern = regexp.MustCompile(`127\.0\.0\.1:(\d{4,5})`)

// servedByBridge asks an instance that waits for brokers.
var servedByBridge = sync.OnceValues(func() (map[string]bool, error) {
	bridge, err := binary()
	if err != nil {
		return nil, err
	}
	state, err := os.MkdirTemp("", "vibe-bridge-check-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(state)
	command := exec.Command(bridge, "run", "--source-brokers", "127.0.0.1:1", "--target-brokers", "127.0.0.1:1",
		"--slim-prefix", "slim-", "--state-dir", state, "--http-listen", "127.0.0.1:0", "--log-format", "json")
	// What tests are told by the environment is no configuration.
	command.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "VIBE_BRIDGE_") })
	log, err := command.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	late := time.AfterFunc(2*time.Minute, func() { _ = command.Process.Kill() })
	defer func() {
		late.Stop()
		_ = command.Process.Kill()
		_ = command.Wait()
	}()
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		address := addressPattern.FindString(lines.Text())
		if address == "" {
			continue
		}
		go func() { _, _ = io.Copy(io.Discard, log) }()
		return answered(address)
	}
	return nil, errors.New("the bridge did not say where it listens")
})

func answered(address string) (map[string]bool, error) {
	paths := map[string]bool{}
	for _, path := range []string{"/healthz", "/readyz", "/metrics", "/health"} {
		answer, err := http.Get("http://" + address + path)
		if err != nil {
			return nil, err
		}
		answer.Body.Close()
		paths[path] = answer.StatusCode == http.StatusOK || path == "/readyz" && answer.StatusCode == http.StatusServiceUnavailable
	}
	return paths, nil
}

var pathPattern = regexp.MustCompile(`"GET (/[a-z.]*)"`)

// servedByComparison looks at where the paths are registered: it does not start without brokers.
var servedByComparison = sync.OnceValues(func() (map[string]bool, error) {
	paths := map[string]bool{}
	text, err := os.ReadFile("../../internal/console/comparison.go")
	for _, found := range pathPattern.FindAllSubmatch(text, -1) {
		paths[string(found[1])] = true
	}
	return paths, err
})

// cacheBytes is the cache of the local state with 12 partitions (store.CacheBytes), in C memory.
const cacheBytes = 160 << 20

// exitTime is how long an instance may take to end after stop_timeout.
const exitTime = 15 * time.Second

func portOf(address string) string {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return ""
	}
	return port
}

// imageFault is "" for an image whose tag says what is in it.
func imageFault(image string) string {
	name, tag, tagged := strings.Cut(image[strings.LastIndex(image, "/")+1:], ":")
	if !tagged || tag == "" || tag == "latest" || name == "" {
		return fmt.Sprintf("image %s: want a tag, and not latest", image)
	}
	return ""
}

func TestImageFault(t *testing.T) {
	for image, bad := range map[string]bool{
		"registry.example.com:5000/a/b:1.2.3": false, "a:latest": true, "a": true, "registry.example.com:5000/a": true, "a:": true,
	} {
		if (imageFault(image) != "") != bad {
			t.Errorf("%s: %q", image, imageFault(image))
		}
	}
}

func TestServedPaths(t *testing.T) {
	for _, comparison := range []bool{false, true} {
		paths := served(t, comparison)
		if !paths["/healthz"] || !paths["/readyz"] || !paths["/metrics"] || paths["/health"] {
			t.Errorf("comparison %v: served are %v", comparison, paths)
		}
	}
}

func TestArgumentFault(t *testing.T) {
	for args, bad := range map[string]bool{
		"run --config b.yaml": false, "compare run --config b.yaml --listen :1": false,
		"run --config b.yaml --create-topics": true, "compare rum --config b.yaml": true, "rum": true,
	} {
		if fault := argumentFault(t, strings.Fields(args)); (fault != "") != bad {
			t.Errorf("%s: %q", args, fault)
		}
	}
}
