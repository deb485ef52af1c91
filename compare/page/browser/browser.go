// Package browser runs scripts that use pages in a real Chromium, as tests. What a script looks at is in the script.
package browser

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Prepare skips the test where a browser is not wanted or not there, and fails it where VIBE_BRIDGE_REQUIRE_BROWSER is
// 1. It gives the folder of the screenshots. All paths are as the test sees them: home is the folder of this package.
func Prepare(t *testing.T, home, script string) (screenshots string) {
	t.Helper()
	required := os.Getenv("VIBE_BRIDGE_REQUIRE_BROWSER") == "1"
	if testing.Short() && !required {
		t.Skip("the browser tests are not part of the short form: they run without -short, or with VIBE_BRIDGE_REQUIRE_BROWSER=1")
	}
	for _, missing := range []error{found("node"), found(chromium()), have(filepath.Join(home, "node_modules/playwright-core/package.json"))} {
		switch {
		case missing == nil:
		case required:
			t.Fatalf("the browser tests are required: %v (.ci/browser installs what they need)", missing)
		default:
			t.Skipf("the browser tests are skipped: %v (.ci/browser installs what they need)", missing)
		}
	}
	// go test remembers a result until a file changes that it has seen this process open.
	for _, f := range []string{script, filepath.Join(home, "launch.mjs"), filepath.Join(home, "readable.mjs"), filepath.Join(home, "package-lock.json")} {
		if _, err := os.ReadFile(f); err != nil {
			t.Fatal(err)
		}
	}
	folder, err := filepath.Abs(filepath.Join(home, "../../../build/screenshots"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	return folder
}

// Run runs a script of Node.js. Each line of its standard output is JSON: a check with its name and, when it has failed,
// the error; the last one says that it is done. A check becomes a subtest.
func Run(t *testing.T, limit time.Duration, script string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	node := exec.CommandContext(ctx, "node", append([]string{script}, args...)...)
	var stdout, stderr bytes.Buffer
	node.Stdout, node.Stderr = &stdout, &stderr
	ran := node.Run()
	done := false
	for lines := json.NewDecoder(&stdout); lines.More(); {
		var line struct {
			Name, Error string
			Done        bool
		}
		if err := lines.Decode(&line); err != nil {
			t.Fatalf("%v; node: %v\n%s", err, ran, stderr.Bytes())
		}
		if line.Done {
			done = true
			continue
		}
		t.Run(line.Name, func(t *testing.T) {
			if line.Error != "" {
				t.Error(line.Error)
			}
		})
	}
	t.Logf("%s", stderr.Bytes()) // how long each took
	if ran != nil || !done {
		t.Fatalf("the look at the page broke off: %v\n%s", ran, stderr.Bytes())
	}
}

func chromium() string {
	if path := os.Getenv("CHROMIUM"); path != "" {
		return path
	}
	return "/usr/bin/chromium"
}

func found(program string) error { _, err := exec.LookPath(program); return err }
func have(file string) error     { _, err := os.Stat(file); return err }
