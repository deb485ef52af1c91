package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// What pages say must be there: commands with their flags, metrics, other pages and their
// chapters. docs/migration.md has its commands run as well: see TestMigration.

// pages are all documents for people, from this folder.
func pages(t *testing.T) []string {
	t.Helper()
	found := []string{"../../README.md", "../../deploy/README.md"}
	for _, pattern := range []string{"../../docs/*.md", "../../docs/decisions/*.md"} {
		more, err := filepath.Glob(pattern)
		must(t, err)
		found = append(found, more...)
	}
	for _, page := range []string{"operations", "security", "configuration", "how-it-works"} {
		if !slices.Contains(found, "../../docs/"+page+".md") {
			t.Fatalf("docs/%s.md is not among the pages", page)
		}
	}
	return found
}

// pageCommand is a command line of vibe-bridge that a page has.
type pageCommand struct {
	line  int
	args  []string
	block bool // to be copied as it stands; otherwise named in a text
}

var (
	codeSpan   = regexp.MustCompile("`([^`]+)`")
	assignment = regexp.MustCompile(`^[A-Z_][A-Z0-9_]*=`)
)

// pageCommands finds the commands of a page: in blocks, where a line begins with one, behind
// "$ ", variables or the "--" of another command; and in texts, as `vibe-bridge ...`.
func pageCommands(text string) (found []pageCommand, err error) {
	block, pending := false, ""
	for n, line := range strings.Split(text, "\n") {
		switch {
		case strings.HasPrefix(strings.TrimSpace(line), "```"):
			block = !block
		case block && strings.HasSuffix(line, `\`):
			pending += strings.TrimSuffix(line, `\`) + " "
		case block && strings.Contains(pending+line, "vibe-bridge "): // others need not be a shell's
			var words []string
			if words, err = shellWords(strings.TrimPrefix(pending+line, "$ ")); err != nil {
				return nil, fmt.Errorf("line %d: %w", n+1, err)
			}
			pending = ""
			if args, is := bridgeArgs(words); is {
				found = append(found, pageCommand{n + 1, args, true})
			}
		case block:
			pending = ""
		default:
			for _, span := range codeSpan.FindAllStringSubmatch(line, -1) {
				if !strings.HasPrefix(span[1], "vibe-bridge ") {
					continue
				}
				var words []string
				if words, err = shellWords(span[1]); err != nil {
					return nil, fmt.Errorf("line %d: %w", n+1, err)
				}
				found = append(found, pageCommand{n + 1, words[1:], false})
			}
		}
	}
	if block {
		return nil, fmt.Errorf("a block without an end")
	}
	return found, nil
}

// bridgeArgs are the arguments of the vibe-bridge that a line of a block calls.
func bridgeArgs(words []string) (args []string, is bool) {
	if at := slices.Index(words, "--"); at >= 0 && words[0] != "vibe-bridge" {
		words = words[at+1:]
	}
	for len(words) > 0 && assignment.MatchString(words[0]) {
		words = words[1:]
	}
	if len(words) == 0 || words[0] != "vibe-bridge" && !strings.HasSuffix(words[0], "/bin/vibe-bridge") {
		return nil, false
	}
	return words[1:], true
}

// shellWords splits the first command of a line as a shell would, with variables left as they are.
func shellWords(line string) (words []string, err error) {
	word, in, quote := "", false, rune(0)
	end := func() {
		if in {
			words = append(words, word)
		}
		word, in = "", false
	}
	for _, c := range line {
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word += string(c)
		case c == '\'' || c == '"':
			quote, in = c, true
		case unicode.IsSpace(c):
			end()
		case c == '#' && !in, strings.ContainsRune("|;&<>", c):
			end()
			return words, nil
		default:
			word, in = word+string(c), true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("a quote without an end: %s", line)
	}
	end()
	return words, nil
}

// commandFault says what the program would not take of a command line; "" when it takes all of it.
// Nothing is run. A text may name a group of commands, such as compare.
func commandFault(c pageCommand) string {
	cmd, rest, err := newRoot(&app{}).Find(c.args)
	if err != nil {
		return err.Error()
	}
	if cmd.HasSubCommands() && len(rest) > 0 && !strings.HasPrefix(rest[0], "-") {
		return fmt.Sprintf("%s has no command %s", cmd.CommandPath(), rest[0])
	}
	cmd.InitDefaultHelpFlag()
	if err := cmd.ParseFlags(rest); err != nil {
		return err.Error()
	}
	left := cmd.Flags().Args()
	switch help := cmd.Flags().Changed("help"); {
	case help || !cmd.HasSubCommands() && !c.block && len(rest) == 0: // named alone
		return ""
	case cmd.HasSubCommands() && c.block:
		return cmd.CommandPath() + " wants a command"
	}
	if err := cmd.ValidateArgs(left); err != nil {
		return err.Error()
	}
	if err := cmd.ValidateRequiredFlags(); err != nil {
		return err.Error()
	}
	return ""
}

func TestCommandsOfPages(t *testing.T) {
	known := 0
	for _, page := range pages(t) {
		found, err := pageCommands(mustRead(t, page))
		if err != nil {
			t.Errorf("%s: %v", page, err)
		}
		for _, c := range found {
			known++
			if fault := commandFault(c); fault != "" {
				t.Errorf("%s:%d: vibe-bridge %s: %s", page, c.line, strings.Join(c.args, " "), fault)
			}
		}
	}
	if known < 100 {
		t.Errorf("%d commands were found in all pages: some are not seen", known)
	}
}

func TestCommandFault(t *testing.T) {
	for text, want := range map[string]string{
		"```sh\nvibe-bridge parked --config b.yaml --event E # why\n```":                      "",
		"```sh\nvibe-bridge resync --since 2h --rate 50\n```":                                 "",
		"```sh\nA=b vibe-bridge verify --grace 1m | less\n```":                                "",
		"```\n$ vibe-bridge quarantine show \\\n  --config b.yaml 3/1041\n```":                "",
		"```sh\nkubectl exec p-0 -- /usr/bin/vibe-bridge parked --config b.yaml\n```":         "",
		"so `vibe-bridge compare` and `vibe-bridge quarantine show` are":                      "",
		"see `vibe-bridge run --help`":                                                        "",
		"```sh\nvibe-bridge parked --evnt E\n```":                                             "unknown flag: --evnt",
		"```sh\nkubectl exec p-0 -- /usr/bin/vibe-bridge parked --evnt E\n```":                "unknown flag: --evnt",
		"```sh\nvibe-bridge parked \\\n  --evnt E\n```":                                       "unknown flag: --evnt",
		"```sh\nvibe-bridge compare onse\n```":                                                "no command onse",
		"```sh\nvibe-bridge compare\n```":                                                     "wants a command",
		"```sh\nvibe-bridge park --config b.yaml\n```":                                        "no command park",
		"```sh\nvibe-bridge resync --rate fast\n```":                                          "invalid argument",
		"```sh\nvibe-bridge parked more\n```":                                                 "more",
		"run `vibe-bridge quarantine resume --topics events` then":                            "unknown flag: --topics",
		"the flag of `vibe-bridge parked 'x`":                                                 "quote without an end",
		"```sh\nvibe-bridge run\n":                                                            "block without an end",
		"```sh\nvibe-bridge quarantine show --config b.yaml --topic t --at\n```":              "needs an argument",
		"```sh\nkubectl scale statefulset/vibe-bridge --replicas 3 # no command of ours\n```": "",
	} {
		found, err := pageCommands(text)
		faults := fmt.Sprint(err)
		for _, c := range found {
			faults += commandFault(c)
		}
		if want == "" && faults != "<nil>" || !strings.Contains(faults, want) {
			t.Errorf("%s\n\tis told %q, want %q", text, faults, want)
		}
		if want == "" && len(found) == 0 && strings.Contains(text, "vibe-bridge ") && !strings.Contains(text, "scale") {
			t.Errorf("%s\n\tno command is seen", text)
		}
	}
}

var (
	metricName  = regexp.MustCompile(`\bvibe_bridge[_:][a-z0-9_:]+`)
	recordsRule = regexp.MustCompile(`(?m)^\s*- record: (\S+)`)
)

// knownMetrics are those of the golden lists, with what a histogram has, and the recording rules.
func knownMetrics(t *testing.T) map[string]bool {
	t.Helper()
	known := map[string]bool{}
	for _, list := range []string{"../../processors/testdata/metrics.golden", "../../compare/live/testdata/metrics.golden"} {
		for _, line := range strings.Split(strings.TrimSpace(mustRead(t, list)), "\n") {
			name, kind, _ := strings.Cut(line, " ")
			known[name] = true
			if strings.HasPrefix(kind, "histogram") {
				known[name+"_bucket"], known[name+"_sum"], known[name+"_count"] = true, true, true
			}
		}
	}
	for _, rule := range recordsRule.FindAllStringSubmatch(mustRead(t, "../../deploy/prometheus/rules.yaml"), -1) {
		known[rule[1]] = true
	}
	return known
}

// unknownMetrics are the names in a text that nothing has. One that ends in an underscore or a colon stands for all that begin so.
func unknownMetrics(text string, known map[string]bool) (unknown []string) {
	for _, name := range metricName.FindAllString(text, -1) {
		is := known[name]
		if strings.HasSuffix(name, "_") || strings.HasSuffix(name, ":") {
			for k := range known {
				is = is || strings.HasPrefix(k, name)
			}
		}
		if !is {
			unknown = append(unknown, name)
		}
	}
	return unknown
}

func TestMetricsOfPages(t *testing.T) {
	known := knownMetrics(t)
	for _, page := range pages(t) {
		for _, name := range unknownMetrics(mustRead(t, page), known) {
			t.Errorf("%s: there is no metric %s", page, name)
		}
	}
	const text = "`vibe_bridge_ready` vibe_bridge_compare_* vibe_bridge:lag_seconds:max{a=\"b\"} vibe_bridge_rebalance_duration_seconds_bucket " +
		"vibe_bridge_red vibe_bridge:lag:max vibe_bridge_ready_bucket vibe_bridge_none_*"
	if got, want := unknownMetrics(text, known), []string{"vibe_bridge_red", "vibe_bridge:lag:max", "vibe_bridge_ready_bucket", "vibe_bridge_none_"}; !slices.Equal(got, want) {
		t.Errorf("unknown are %s, want %s", got, want)
	}
}

var (
	pageLink    = regexp.MustCompile(`(?:\]\(|src(?:set)?=")([^)\s"]+)`)
	pageHeading = regexp.MustCompile(`(?m)^#+ (.+?)\s*$`)
)

// anchors are what forges make of the headings of a page.
func anchors(text string) map[string]bool {
	found, block := map[string]bool{"": true}, false
	for _, line := range strings.Split(text, "\n") {
		if strings.HasPrefix(line, "```") {
			block = !block
		}
		if heading := pageHeading.FindStringSubmatch(line); heading != nil && !block {
			found[strings.Map(func(c rune) rune {
				switch {
				case c == ' ':
					return '-'
				case unicode.IsLetter(c) || unicode.IsDigit(c) || c == '-' || c == '_':
					return unicode.ToLower(c)
				}
				return -1
			}, heading[1])] = true
		}
	}
	return found
}

// linkFaults says which links of a page lead nowhere. Those to other hosts are not looked at.
func linkFaults(page, text string) (faults []string) {
	for _, link := range pageLink.FindAllStringSubmatch(text, -1) {
		if strings.Contains(link[1], "://") {
			continue
		}
		path, anchor, _ := strings.Cut(link[1], "#")
		target := text
		if path != "" {
			path = filepath.Join(filepath.Dir(page), path)
			if _, err := os.Stat(path); err != nil {
				faults = append(faults, link[1]+": there is no such file")
				continue
			}
			if anchor == "" || filepath.Ext(path) != ".md" {
				continue
			}
			data, err := os.ReadFile(path)
			if err != nil {
				faults = append(faults, err.Error())
				continue
			}
			target = string(data)
		}
		if !anchors(target)[anchor] {
			faults = append(faults, link[1]+": there is no such heading")
		}
	}
	return faults
}

func TestLinksOfPages(t *testing.T) {
	for _, page := range pages(t) {
		for _, fault := range linkFaults(page, mustRead(t, page)) {
			t.Errorf("%s: %s", page, fault)
		}
	}
	const text = "# A b, c\n[x](#a-b-c) [y](docs_test.go) ![z](none.svg) [h](https://example.com/none) [x](#a-b) <img src=\"gone.png\"> [r](../../README.md#licence)\n"
	if got := linkFaults("page.md", text); len(got) != 4 {
		t.Errorf("faults are %q, want four", got)
	}
}

func mustRead(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	return string(data)
}
