package page

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ticketscloud/vibe-bridge/compare"
	"github.com/ticketscloud/vibe-bridge/compare/page/browser"
)

// TestInBrowser looks at pages in a real Chromium; what it looks at is in
// browser/report.mjs. Pages and screenshots stay in build/screenshots.
func TestInBrowser(t *testing.T) {
	const script = "browser/report.mjs"
	folder := browser.Prepare(t, "browser", script)
	for name, r := range map[string]*compare.Report{"go": goReport(), "nogo": noGoReport(), "empty": {}, "hostile": hostileReport()} {
		save(t, filepath.Join(folder, name+".html"), []byte(written(t, r)))
		encoded, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		save(t, filepath.Join(folder, name+".json"), encoded)
	}
	browser.Run(t, 8*time.Minute, script, folder)
}

func save(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}
