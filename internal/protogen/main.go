// Command protogen writes the Go code of the repository's protobuf schemas
// beside them. Run it from the root of the repository:
//
//	go run ./internal/protogen          write what differs
//	go run ./internal/protogen -check   write nothing; list what differs and exit 1
//
// It needs the Go toolchain and nothing else: schemas are compiled in process,
// and protoc-gen-go and protoc-gen-go-vtproto come from the modules that go.mod pins. The same schemas
// give the same bytes on every machine.
//
// Exit codes: 0 fine, 1 something differs (-check) or failed, 2 wrong usage.
//
// What belongs here: finding schemas, compiling them, running the generator.
// What does not: the schemas themselves, and code generation for anything
// other than protobuf messages.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

const modulePath = "github.com/ticketscloud/vibe-bridge"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, ".", os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, repo string, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("protogen", flag.ContinueOnError)
	flags.SetOutput(stderr)
	checkOnly := flags.Bool("check", false, "write nothing; list the files that differ and exit 1 if there are any")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(stderr, "protogen: unexpected argument %q: the schemas are a fixed list, see importRoots\n", flags.Arg(0))
		return 2
	}
	if err := requireModuleRoot(repo); err != nil {
		fmt.Fprintf(stderr, "protogen: %v\n", err)
		return 1
	}
	differing, err := findDifferences(ctx, repo)
	if err != nil {
		fmt.Fprintf(stderr, "protogen: %v\n", err)
		return 1
	}
	if *checkOnly {
		return report(differing, stdout, stderr)
	}
	if err := apply(repo, differing, stdout); err != nil {
		fmt.Fprintf(stderr, "protogen: %v\n", err)
		return 1
	}
	return 0
}

func requireModuleRoot(repo string) error {
	content, err := os.ReadFile(filepath.Join(repo, "go.mod"))
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("there is no go.mod here: run it from the root of the repository")
	}
	if err != nil {
		return fmt.Errorf("read go.mod: %w", err)
	}
	if !bytes.Contains(content, []byte("module "+modulePath+"\n")) {
		return fmt.Errorf("the go.mod here is not that of %s: run it from the root of the repository", modulePath)
	}
	return nil
}

// difference is a generated file that is missing or outdated, or, with nil
// want, one whose schema is gone.
type difference struct {
	path string
	want []byte
}

func findDifferences(ctx context.Context, repo string) ([]difference, error) {
	generated, err := generate(ctx, repo)
	if err != nil {
		return nil, err
	}
	var differing []difference
	expected := map[string]bool{}
	for _, file := range generated {
		expected[file.path] = true
		have, err := os.ReadFile(filepath.Join(repo, filepath.FromSlash(file.path)))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("read generated file: %w", err)
		}
		if err != nil || !bytes.Equal(have, file.content) {
			differing = append(differing, difference{path: file.path, want: file.content})
		}
	}
	stale, err := findStale(repo, expected)
	if err != nil {
		return nil, err
	}
	differing = append(differing, stale...)
	slices.SortFunc(differing, func(a, b difference) int { return strings.Compare(a.path, b.path) })
	return differing, nil
}

// findStale returns the generated files that no schema accounts for.
func findStale(repo string, expected map[string]bool) ([]difference, error) {
	var stale []difference
	for _, root := range importRoots {
		names, err := root.match(repo, generatedSuffix)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if p := path.Join(root.dir, name); !expected[p] {
				stale = append(stale, difference{path: p})
			}
		}
	}
	return stale, nil
}

func report(differing []difference, stdout, stderr io.Writer) int {
	if len(differing) == 0 {
		return 0
	}
	for _, d := range differing {
		fmt.Fprintln(stdout, d.path)
	}
	fmt.Fprintf(stderr, "protogen: %d generated files differ from their schemas: run go run ./internal/protogen\n", len(differing))
	return 1
}

func apply(repo string, differing []difference, stdout io.Writer) error {
	for _, d := range differing {
		name := filepath.Join(repo, filepath.FromSlash(d.path))
		if d.want == nil {
			if err := os.Remove(name); err != nil {
				return fmt.Errorf("remove generated file without a schema: %w", err)
			}
			fmt.Fprintf(stdout, "removed %s\n", d.path)
			continue
		}
		if err := os.WriteFile(name, d.want, 0o644); err != nil {
			return fmt.Errorf("write generated file: %w", err)
		}
		fmt.Fprintf(stdout, "wrote %s\n", d.path)
	}
	return nil
}
