package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// migrationPage is what TestMigration follows.
const migrationPage = "../../docs/migration.md"

// pageStep is something to do that a page says: a line of a block of commands, an item
// of a numbered list, or a paragraph that begins with a bold word.
type pageStep struct{ section, text string }

func (s pageStep) command() bool { return strings.HasPrefix(s.text, "$ ") }

var (
	pageItem = regexp.MustCompile(`^(\d+\. |\*\*[^*]+\*\* ?)`)
	// A command with flags in the middle of a text would not be run.
	commandInText = regexp.MustCompile("`vibe-bridge [^`]* --?[^`]*`")
)

// parsePage gives the steps of a page in their order. Commands begin with "$ ".
func parsePage(text string) (steps []pageStep, err error) {
	section, fence := "", ""
	for n, line := range strings.Split(text, "\n") {
		switch {
		case strings.HasPrefix(line, "```"):
			switch {
			case fence != "":
				fence = ""
			case line == "```sh":
				fence = line
			default:
				return nil, fmt.Errorf("line %d: a block that is not ```sh: %s", n+1, line)
			}
		case fence != "":
			if strings.HasSuffix(line, `\`) {
				return nil, fmt.Errorf("line %d: a command of several lines", n+1)
			}
			if line != "" {
				steps = append(steps, pageStep{section, "$ " + line})
			}
		case strings.HasPrefix(line, "## "):
			section = strings.TrimPrefix(line, "## ")
		case commandInText.MatchString(line):
			return nil, fmt.Errorf("line %d: a command that is not in a ```sh block: %s", n+1, line)
		case pageItem.MatchString(line):
			steps = append(steps, pageStep{section, line})
		}
	}
	if fence != "" {
		return nil, errors.New("a block without an end")
	}
	return steps, nil
}

// rehearsed is what the test does for a step. A command's text is all of it, other texts
// only have to begin so.
type rehearsed struct {
	section, text string
	do            func() // of a command: after it was run
}

// drift says where a page and what is done differ; "" when they do not.
func drift(page []pageStep, done []rehearsed) string {
	for i := range max(len(page), len(done)) {
		switch {
		case i >= len(page):
			return fmt.Sprintf("the page does not say: %s: %s", done[i].section, done[i].text)
		case i >= len(done):
			return fmt.Sprintf("the test does not do: %s: %s", page[i].section, page[i].text)
		}
		p, d := page[i], done[i]
		same := p.text == d.text || !p.command() && strings.HasPrefix(p.text, d.text) && d.text != ""
		if p.section != d.section || !same {
			return fmt.Sprintf("the page says %s: %s\nthe test does %s: %s", p.section, p.text, d.section, d.text)
		}
	}
	return ""
}

func TestPageAndRehearsalDriftApart(t *testing.T) {
	const page = "# T\n\n## 1. A\n\n```sh\nx --y\nz\n```\n\ntext `vibe-bridge run`\n\n1. Stop it.\n\n**Look at** it.\n**Back:** no.\n\n## B\n"
	steps, err := parsePage(page)
	if err != nil {
		t.Fatal(err)
	}
	done := []rehearsed{{"1. A", "$ x --y", nil}, {"1. A", "$ z", nil}, {"1. A", "1. Stop", nil}, {"1. A", "**Look at** it", nil}, {"1. A", "**Back:** no.", nil}}
	if got := drift(steps, done); got != "" {
		t.Error(got)
	}
	for i := range done {
		if drift(steps, slices.Delete(slices.Clone(done), i, i+1)) == "" {
			t.Errorf("without step %d of the test there is no difference", i)
		}
		if drift(slices.Delete(slices.Clone(steps), i, i+1), done) == "" {
			t.Errorf("without step %d of the page there is no difference", i)
		}
	}
	for _, other := range []rehearsed{{"1. A", "$ x", nil}, {"2. A", "$ x --y", nil}, {"1. A", "$ x --y --z", nil}} {
		if drift(steps, append([]rehearsed{other}, done[1:]...)) == "" {
			t.Errorf("%+v makes no difference", other)
		}
	}
	for _, bad := range []string{"```\nx\n```\n", "```sh\nx\n", "```sh\nx \\\n  y\n```\n", "say `vibe-bridge verify --config x` now\n"} {
		if _, err := parsePage(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
