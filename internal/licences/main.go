// Command licences writes docs/licences.md, the list of all modules that are linked into vibe-bridge with their
// licences, and fails when one of them has none, or one that is not allowed.
//
//	go run ./internal/licences [-check]
//
// With -check it writes nothing, and fails when the list is not as it would write it.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/google/licensecheck"
)

const list = "docs/licences.md"

// allowed are the licences whose terms a copyright notice beside the program fulfils. MPL-2.0 asks for the source of
// its own files too, which are used as they are published.
var allowed = []string{"Apache-2.0", "BSD-2-Clause", "BSD-2-Clause-Views", "BSD-3-Clause", "ISC", "MIT", "MPL-2.0"}

// leastKnown is how much of a file, in percent, has to be known text.
const leastKnown = 75

func main() {
	check := flag.Bool("check", false, "only see whether "+list+" is up to date")
	flag.Parse()
	if err := run(*check); err != nil {
		fmt.Fprintln(os.Stderr, "licences:", err)
		os.Exit(1)
	}
}

func run(check bool) error {
	modules, err := linked("./cmd/vibe-bridge")
	if err != nil {
		return err
	}
	text, err := table(modules)
	if err != nil {
		return err
	}
	if !check {
		return os.WriteFile(list, text, 0o644)
	}
	if old, err := os.ReadFile(list); err != nil || !bytes.Equal(old, text) {
		return fmt.Errorf("%s is not up to date: run make licences", list)
	}
	return nil
}

// linked are the folders of the modules that a program is linked from, by path: with and without cgo, as they differ.
func linked(program string) (map[string]string, error) {
	modules := map[string]string{}
	for _, cgo := range []string{"0", "1"} {
		cmd := exec.Command("go", "list", "-deps", "-json=Module,Standard", program)
		cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED="+cgo)
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
			var p struct {
				Standard bool
				Module   *struct {
					Path, Dir string
					Main      bool
				}
			}
			if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return nil, fmt.Errorf("go list: %w", err)
			}
			if p.Module != nil && !p.Module.Main {
				modules[p.Module.Path] = p.Module.Dir
			}
		}
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	modules["the Go standard library"] = strings.TrimSpace(string(root))
	return modules, nil
}

// table is the list. The error says of every module what is wrong with its licence.
func table(modules map[string]string) ([]byte, error) {
	b := bytes.NewBufferString(`# Licences

What is linked into ` + "`vibe-bridge`" + `, and under which licence. Written by ` + "`make licences`" + `, which refuses others than
` + strings.Join(allowed, ", ") + `; versions are in go.mod, and in every binary: ` + "`go version -m vibe-bridge`" + `.

| module | licence |
|---|---|
`)
	var problems []error
	for _, path := range slices.Sorted(maps.Keys(modules)) {
		found, err := licencesOf(modules[path])
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", path, err))
		}
		fmt.Fprintf(b, "| %s | %s |\n", path, strings.Join(found, ", "))
	}
	return b.Bytes(), errors.Join(problems...)
}

// licenceFile is the name of a file that holds a licence.
var licenceFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying)([.-].*)?$`)

// licencesOf reads the licences in a folder; all that are found have to be allowed.
func licencesOf(folder string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	found := map[string]bool{}
	for _, e := range entries {
		if e.IsDir() || !licenceFile.MatchString(e.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(folder, e.Name()))
		if err != nil {
			return nil, err
		}
		known := licensecheck.Scan(text)
		if known.Percent < leastKnown {
			return nil, fmt.Errorf("%s: only %.0f %% of it is the text of a known licence", e.Name(), known.Percent)
		}
		for _, m := range known.Match {
			found[m.ID] = true
		}
	}
	names := slices.Sorted(maps.Keys(found))
	if len(names) == 0 {
		return nil, errors.New("no licence")
	}
	for _, name := range names {
		if !slices.Contains(allowed, name) {
			return names, fmt.Errorf("%s is not allowed", name)
		}
	}
	return names, nil
}
