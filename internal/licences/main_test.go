package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLicencesOf(t *testing.T) {
	mit, err := os.ReadFile("../../LICENSE")
	if err != nil {
		t.Fatal(err)
	}
	const gpl = "https://www.gnu.org/licenses/gpl-3.0-standalone.html\n"
	for name, c := range map[string]struct {
		files map[string]string
		want  string
		err   string
	}{
		"allowed":            {map[string]string{"LICENSE": string(mit), "main.go": "package main"}, "MIT", ""},
		"other name":         {map[string]string{"License.txt": string(mit)}, "MIT", ""},
		"not allowed":        {map[string]string{"COPYING": gpl}, "GPL-3.0", "GPL-3.0 is not allowed"},
		"one is not allowed": {map[string]string{"LICENSE": string(mit), "LICENSE-GPL": gpl}, "GPL-3.0,MIT", "GPL-3.0 is not allowed"},
		"none":               {map[string]string{"README": string(mit)}, "", "no licence"},
		"empty":              {map[string]string{"LICENSE": ""}, "", "only 0 %"},
		"unknown":            {map[string]string{"LICENSE": "You may look at this on weekdays.\n"}, "", "only 0 %"},
		"with more to it":    {map[string]string{"LICENSE": string(mit) + strings.Repeat("You may look at this on weekdays. ", 50)}, "", " % of it is"},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			for file, text := range c.files {
				if err := os.WriteFile(filepath.Join(folder, file), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			got, err := licencesOf(folder)
			if strings.Join(got, ",") != c.want {
				t.Errorf("%v, want %s", got, c.want)
			}
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("says %v, want %q", err, c.err)
			}
		})
	}
}
