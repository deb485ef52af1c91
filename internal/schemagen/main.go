// Command schemagen writes the published schemas of the slim records into the folder schemas. Run it from the root of the
// repository:
//
//	go run ./internal/schemagen          write what differs, unless a reader would not understand it any more
//	go run ./internal/schemagen -check   write nothing; list what differs and exit 1
//	go run ./internal/schemagen -new     write schemas that were never published, too
//
// What is published is the baseline: a field that is gone, another number, type or name, a promise taken back are refused, and
// nothing is written then. Such a change needs another edition.
//
// Exit codes: 0 fine, 1 something differs (-check), is refused or failed, 2 wrong usage.
//
// What belongs here: the contract as data, what is made of it, and what breaks a reader. What does not: the AsyncAPI document,
// which is written by hand and kept equal by the tests of package schemas.
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
	"path/filepath"
	"strings"

	"github.com/ticketscloud/vibe-bridge/slim"
)

const (
	modulePath   = "github.com/ticketscloud/vibe-bridge"
	folder       = "schemas"
	protoSource  = "slim/vibev1/vibe.proto"
	schemaSuffix = ".schema.json"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, ".", os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, repo string, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("schemagen", flag.ContinueOnError)
	flags.SetOutput(stderr)
	checkOnly := flags.Bool("check", false, "write nothing; list the files that differ and exit 1 if there are any")
	first := flags.Bool("new", false, "write schemas that were never published, too")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(stderr, "schemagen: unexpected argument %q\n", flags.Arg(0))
		return 2
	}
	differing, err := findDifferences(ctx, repo, *first)
	if err != nil {
		fmt.Fprintf(stderr, "schemagen: %v\n", err)
		return 1
	}
	broken := 0
	for _, d := range differing {
		if *checkOnly {
			fmt.Fprintln(stdout, d.path)
		}
		for _, b := range d.breaks {
			fmt.Fprintf(stderr, "schemagen: %s: %s\n", d.path, b)
			broken++
		}
	}
	switch {
	case broken > 0:
		fmt.Fprintln(stderr, "schemagen: readers of what is published would not understand this: take it back, or make another edition")
		return 1
	case *checkOnly && len(differing) > 0:
		fmt.Fprintf(stderr, "schemagen: %d published files differ from their source: run go run ./internal/schemagen\n", len(differing))
		return 1
	case *checkOnly:
		return 0
	}
	for _, d := range differing {
		name := filepath.Join(repo, d.path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, d.want, 0o644)); err != nil {
			fmt.Fprintf(stderr, "schemagen: %v\n", err)
			return 1
		}
		fmt.Fprintf(stdout, "wrote %s\n", d.path)
	}
	return 0
}

// difference is a published file that is not what its source says.
type difference struct {
	path   string // relative to the repository
	want   []byte
	breaks []string
}

func findDifferences(ctx context.Context, repo string, first bool) ([]difference, error) {
	generated, err := generate(repo)
	if err != nil {
		return nil, err
	}
	var differing []difference
	for _, d := range generated {
		have, err := os.ReadFile(filepath.Join(repo, d.path))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			// Without what was published, nothing shows what a new version breaks.
			if isSchema := strings.HasSuffix(d.path, schemaSuffix) || strings.HasSuffix(d.path, ".proto"); isSchema && !first {
				d.breaks = []string{"is missing: restore it, or give -new if it was never published"}
			}
			differing = append(differing, d)
		case err != nil:
			return nil, fmt.Errorf("read published file: %w", err)
		case !bytes.Equal(have, d.want):
			if d.breaks, err = breaks(ctx, d.path, have, d.want); err != nil {
				return nil, err
			}
			differing = append(differing, d)
		}
	}
	return differing, nil
}

// generate returns all files, in a fixed order.
func generate(repo string) ([]difference, error) {
	proto, err := os.ReadFile(filepath.Join(repo, filepath.FromSlash(protoSource)))
	if err != nil {
		return nil, fmt.Errorf("read the Protobuf schema: %w; run it from the root of the repository", err)
	}
	files := []difference{{path: folder + "/1.0/vibe.proto", want: proto}}
	for _, edition := range []slim.Edition{slim.Edition1, slim.Edition2} {
		for _, o := range records {
			content, err := jsonSchema(o, edition)
			if err != nil {
				return nil, err
			}
			files = append(files,
				difference{path: folder + "/" + schemaName(o, edition), want: content},
				difference{path: folder + "/" + edition.String() + "/" + strings.ToLower(o.name) + ".example.json", want: indented(example(o, edition))})
		}
		files = append(files, difference{path: folder + "/" + edition.String() + "/slim.ts", want: typeScript(edition)})
	}
	return files, nil
}

// schemaName is the place of a record's schema below the folder.
func schemaName(o *object, edition slim.Edition) string {
	return edition.String() + "/" + strings.ToLower(o.name) + schemaSuffix
}
