package config

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/pflag"
)

// Load reads the configuration: defaults, then the YAML file at path (none for
// ""), then the variables of env that begin with EnvPrefix, then those of flags
// that the user has given (flags may be nil; see BindFlags). env has the form of
// os.Environ.
//
// An error is an *Error with all that is wrong, except that a file that cannot
// be read or is no YAML is the only problem reported.
func Load(path string, env []string, flags *pflag.FlagSet) (Config, error) {
	l, err := loadAll(path, env, flags)
	if err != nil {
		return Config{}, err
	}
	return l.config, nil
}

func loadAll(path string, env []string, flags *pflag.FlagSet) (*loader, error) {
	l := &loader{config: Default(), origins: make(map[string]string)}
	if path != "" {
		if err := l.file(path); err != nil {
			return nil, fmt.Errorf("read configuration: %w", err)
		}
	}
	l.environment(env)
	if flags != nil {
		l.flags(flags)
	}
	l.config.Complete()
	l.validate()
	if len(l.problems) > 0 {
		return nil, &Error{Problems: l.problems}
	}
	return l, nil
}

// loader applies one source of values after another, in rising precedence.
type loader struct {
	config   Config
	origins  map[string]string // by key path: where its value comes from
	problems []Problem
	faulty   map[string]bool // keys with a problem: their value is not validated
}

// Problem is one thing that is wrong.
type Problem struct {
	Origin string // "bridge.yaml:12", "VIBE_BRIDGE_PARTITIONS", "--partitions"; "" for a default
	Key    string // path of the key, "" when it is about no key
	Text   string // the value and what is wanted instead
}

func (p Problem) String() string {
	parts := make([]string, 0, 3)
	for _, part := range []string{p.Origin, p.Key, p.Text} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, ": ")
}

// Error is everything that is wrong with a configuration.
type Error struct{ Problems []Problem }

// Error is one line for one problem, and otherwise a line for each below the
// first.
func (e *Error) Error() string {
	if len(e.Problems) == 1 {
		return "configuration: " + e.Problems[0].String()
	}
	lines := []string{fmt.Sprintf("configuration: %d problems:", len(e.Problems))}
	for _, p := range e.Problems {
		lines = append(lines, "  "+p.String())
	}
	return strings.Join(lines, "\n")
}

// apply gives a key its value.
func (l *loader) apply(k key, origin, text string) {
	l.origins[k.path] = origin
	if err := set(k.field(&l.config), text); err != nil {
		l.refuse(k, origin, fmt.Sprintf("%s: %v", shown(k, text), err))
		return
	}
	delete(l.faulty, k.path)
}

func (l *loader) refuse(k key, origin, text string) {
	l.problem(origin, k.path, text)
	if l.faulty == nil {
		l.faulty = make(map[string]bool)
	}
	l.faulty[k.path] = true
}

func (l *loader) problem(origin, path, text string) {
	l.problems = append(l.problems, Problem{Origin: origin, Key: path, Text: text})
}

func shown(k key, text string) string {
	if k.secret {
		return "(hidden)"
	}
	return quote(text)
}

// quote shows a value on one line and not too long.
func quote(text string) string {
	const most = 80
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most]) + "…"
	}
	return fmt.Sprintf("%q", text)
}

// validate adds what Validate finds, with the origin of each key.
func (l *loader) validate() {
	for _, p := range l.config.problems() {
		if l.faulty[p.Key] {
			continue
		}
		p.Origin = l.origins[p.Key]
		l.problems = append(l.problems, p)
	}
}

// maxFileBytes bounds the configuration file.
const maxFileBytes = 1 << 20

func readFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxFileBytes+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFileBytes {
		return nil, fmt.Errorf("%s is larger than %d MiB; is it the right file?", path, maxFileBytes>>20)
	}
	return data, nil
}
