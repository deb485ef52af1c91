package check

import (
	"bytes"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
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

var pathPattern = regexp.MustCompile(`"GET (/[a-z./-]*)"`)

// servedPaths are the paths that the bridge and the comparison answer, from where they are registered.
var servedPaths = sync.OnceValues(func() (map[string]bool, error) {
	paths := map[string]bool{}
	for _, dir := range []string{"../../cmd", "../../internal"} {
		err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			for _, found := range pathPattern.FindAllSubmatch(text, -1) {
				paths[string(found[1])] = true
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return paths, nil
})

// cacheBytes is the block cache of the local state (store.DefaultCacheBytes), in C memory.
const cacheBytes = 256 << 20

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
	served, err := servedPaths()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		if !served[path] {
			t.Errorf("nothing registers %s: is it registered in another way now?", path)
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
