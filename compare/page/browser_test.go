package page

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/ticketscloud/vibe-bridge/compare"
)

// TestInBrowser looks at pages in a real Chromium; what it looks at is in
// browser/report.mjs. Pages and screenshots stay in build/screenshots.
func TestInBrowser(t *testing.T) {
	if testing.Short() && os.Getenv("VIBE_BRIDGE_REQUIRE_BROWSER") != "1" {
		t.Skip("the browser tests are not part of the short form: they run without -short, or with VIBE_BRIDGE_REQUIRE_BROWSER=1")
	}
	for _, missing := range []error{found("node"), found(chromium()), have("browser/node_modules/playwright-core/package.json")} {
		if missing == nil {
			continue
		}
		if os.Getenv("VIBE_BRIDGE_REQUIRE_BROWSER") == "1" {
			t.Fatalf("the browser tests are required: %v (.ci/browser installs what they need)", missing)
		}
		t.Skipf("the browser tests are skipped: %v (.ci/browser installs what they need)", missing)
	}
	// go test remembers a result until a file changes that it has seen this process open.
	for _, f := range []string{"browser/report.mjs", "browser/launch.mjs", "browser/readable.mjs", "browser/package-lock.json"} {
		if _, err := os.ReadFile(f); err != nil {
			t.Fatal(err)
		}
	}

	folder, err := filepath.Abs("../../build/screenshots")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]*compare.Report{"go": goReport(), "nogo": noGoReport(), "empty": {}, "hostile": hostileReport()} {
		save(t, filepath.Join(folder, name+".html"), []byte(written(t, r)))
		encoded, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		save(t, filepath.Join(folder, name+".json"), encoded)
	}

	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	node := exec.CommandContext(ctx, "node", "browser/report.mjs", folder)
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
	if ran != nil || !done {
		t.Fatalf("the look at the pages broke off: %v\n%s", ran, stderr.Bytes())
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

func save(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}
