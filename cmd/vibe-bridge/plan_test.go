package main

import (
	"bytes"
	"flag"
	"strings"
	"testing"

	"github.com/ticketscloud/vibe-bridge/internal/capacity"
	"github.com/ticketscloud/vibe-bridge/internal/golden"
)

var updateScaling = flag.Bool("update", false, "write what docs/scaling.md quotes")

const (
	scalingPage    = "../../docs/scaling.md"
	scalingPicture = "../../docs/images/on-sale.svg"
)

// quotation is what a command prints, as the page has it: all, or the lines from one that begins so until before another.
type quotation struct{ section, command, from, until string }

var quotes = []quotation{
	{"plan", "vibe-bridge plan --orders-per-second 500 --events 20000 --orders-kept 20000000", "", ""},
	{"on-sale", "vibe-bridge plan --orders-per-second 500 --events 20000 --orders-kept 20000000 --instances 4 --cores 4 --disk 100 --on-sale 50000 --on-sale-for 10m", "ON-SALE", "NOT KNOWN"},
}

// planOutput runs a command, which has to end with exit code 0.
func planOutput(t *testing.T, command string, more ...string) string {
	t.Helper()
	words, err := shellWords(command)
	must(t, err)
	var stdout, stderr bytes.Buffer
	if code := run(append(words[1:], more...), nil, &stdout, &stderr, nil); code != codeOK {
		t.Fatalf("%s: exit code %d: %s", command, code, stderr.String())
	}
	return stdout.String()
}

// part is the lines from the first that begins with from, until before one that begins with until.
func part(text, from, until string) string {
	if from == "" {
		return text
	}
	var b strings.Builder
	in := false
	for line := range strings.Lines(text) {
		in = (in || strings.HasPrefix(line, from)) && !strings.HasPrefix(line, until)
		if in {
			b.WriteString(line)
		}
	}
	return "…\n" + strings.TrimRight(b.String(), "\n") + "\n…\n"
}

// The page quotes the program as it is, with the figures that it was built with.
func TestScalingPage(t *testing.T) {
	for _, q := range quotes {
		text := "\n```\n$ " + q.command + "\n" + part(planOutput(t, q.command), q.from, q.until) + "```\n"
		golden.Section(t, scalingPage, "<!-- output: "+q.section+" -->", "<!-- end of output -->", text, *updateScaling)
	}
	m, err := capacity.Default()
	must(t, err)
	golden.Section(t, scalingPage, "<!-- predictions -->", "<!-- end of predictions -->", "\n"+m.About()+"\n"+m.Table(), *updateScaling)
	picture := t.TempDir() + "/on-sale.svg"
	planOutput(t, quotes[1].command, "--plot", picture)
	golden.File(t, scalingPicture, mustRead(t, picture), *updateScaling)
}

func TestPart(t *testing.T) {
	const text = "A\n a\nB of\n b\n\nC\n"
	if got := part(text, "B", "C"); got != "…\nB of\n b\n…\n" {
		t.Errorf("%q", got)
	}
	if got := part(text, "", ""); got != text {
		t.Errorf("%q", got)
	}
}
