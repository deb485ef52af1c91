package compare

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Expected are differences that somebody answers for, until a date. It is not changed
// after ParseExpected, and may be used by several goroutines at once.
type Expected struct {
	Rules []ExpectedRule
	// candidates are the rules that may match, in their order, by what is known before:
	// there are millions of differences.
	candidates map[expectedKey][]int
}

// ExpectedRule declares differences. Where a list is nil, it holds for all.
type ExpectedRule struct {
	ID, Owner, Reason string
	Expires           time.Time // the last day on which it holds, UTC

	Streams    []Stream
	Categories []Category
	Fields     []string        // globs: * is any text, also with dots
	IDs        map[string]bool // of entities
	Absent     string          // "left", "right": that side has no value; or ""
	// Before: only duplicates all of which were written before; zero: any. The newest record is held against the
	// left side all the same, and has to be one that can be.
	Before time.Time

	line int
}

// ExpectedQuery is a difference. Field is "" for one that concerns the entity as a whole.
type ExpectedQuery struct {
	Stream      Stream
	Category    Category
	Field       string
	ID          string
	LeftAbsent  bool
	RightAbsent bool
	Said        int64 // Difference.Said
}

type expectedKey struct {
	stream   Stream
	category Category
	field    string
}

// ExpectedMatch is the rule that a difference falls under, "" for none. One that has
// expired explains nothing.
type ExpectedMatch struct {
	Rule    string
	Expired bool
}

// Match finds the first rule that declares a difference and has not expired, else the
// first that has. A nil *Expected has no rules.
func (e *Expected) Match(d ExpectedQuery, now time.Time) (m ExpectedMatch) {
	if e == nil {
		return m
	}
	key := expectedKey{d.Stream, d.Category, d.Field}
	list, known := e.candidates[key]
	if !known { // of a field that the contract does not have
		list = e.covering(key)
	}
	for _, i := range list {
		r := &e.Rules[i]
		switch {
		case r.IDs != nil && !r.IDs[d.ID], r.Absent == "left" && !d.LeftAbsent, r.Absent == "right" && !d.RightAbsent:
		case !r.Before.IsZero() && (d.Said == 0 || d.Said >= r.Before.UnixMilli()):
		case !r.Expired(now):
			return ExpectedMatch{Rule: r.ID}
		case m.Rule == "":
			m = ExpectedMatch{Rule: r.ID, Expired: true}
		}
	}
	return m
}

// Counts are all rules in their order, with the entities that fall under each, which
// are given by its id.
func (e *Expected) Counts(entities map[string]int64, now time.Time) []ExpectedCount {
	if e == nil {
		return nil
	}
	list := make([]ExpectedCount, len(e.Rules))
	for i := range e.Rules {
		r := &e.Rules[i]
		list[i] = ExpectedCount{
			ID: r.ID, Owner: r.Owner, Reason: r.Reason, Expires: r.Expires.Format(time.DateOnly), Expired: r.Expired(now), Count: entities[r.ID],
		}
	}
	return list
}

// Expired tells whether the rule's last day is over.
func (r *ExpectedRule) Expired(now time.Time) bool {
	return !now.Before(r.Expires.Add(24 * time.Hour))
}

func (e *Expected) covering(key expectedKey) (list []int) {
	for i := range e.Rules {
		if e.Rules[i].covers(key) {
			list = append(list, i)
		}
	}
	return list
}

func (r *ExpectedRule) covers(key expectedKey) bool {
	switch {
	case r.Streams != nil && !slices.Contains(r.Streams, key.stream):
		return false
	case !slices.Contains(r.Categories, key.category) && (r.Categories != nil || !slices.Contains(Categories(), key.category)):
		return false
	}
	return r.Fields == nil || key.field != "" && slices.ContainsFunc(r.Fields, func(glob string) bool { return matchesGlob(glob, key.field) })
}

// matchesGlob: * is any text.
func matchesGlob(glob, text string) bool {
	pieces := strings.Split(glob, "*")
	rest, ok := strings.CutPrefix(text, pieces[0])
	if len(pieces) == 1 || !ok {
		return ok && rest == ""
	}
	last := len(pieces) - 1
	for _, piece := range pieces[1:last] {
		i := strings.Index(rest, piece)
		if i < 0 {
			return false
		}
		rest = rest[i+len(piece):]
	}
	return strings.HasSuffix(rest, pieces[last])
}

// fieldPaths are those of the values, headers and tickets of a stream.
func fieldPaths(s Stream) (paths []string) {
	for _, f := range Fields(s) {
		paths = append(paths, f.Path)
	}
	if s == Orders {
		for _, f := range ItemFields() {
			paths = append(paths, f.Path)
		}
	}
	return paths
}

// ParseExpected reads a YAML file of expected differences. name is its path: errors
// begin with it and the line, and ids_file is relative to its folder. Anything that
// would be ignored is an error.
func ParseExpected(name string, data []byte, readFile func(string) ([]byte, error)) (*Expected, error) {
	p := &expectedParser{name: name, readFile: readFile}
	e := &Expected{candidates: map[expectedKey][]int{}}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document, second yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil, fmt.Errorf("%s:1: want the key expected, with a list of rules", name)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", name, err) // says the line
	}
	if len(document.Content) == 0 {
		return nil, p.errorf(&document, "want the key expected, with a list of rules")
	}
	if err := decoder.Decode(&second); err == nil {
		return nil, p.errorf(&second, "a second document: put all rules under one key expected")
	} else if !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var list *yaml.Node
	err := p.mapping(document.Content[0], "the file", func(key string, value *yaml.Node) error {
		if key != "expected" {
			return errNoSuchKey
		}
		list = value
		return p.sequence(value, key, func(rule *yaml.Node) error { return p.rule(rule, e) })
	})
	if err == nil && list == nil {
		err = p.errorf(document.Content[0], "want the key expected, with a list of rules")
	}
	if err != nil {
		return nil, err
	}
	for s := Events; s < Streams; s++ {
		for _, category := range Categories() {
			for _, field := range append(fieldPaths(s), "") {
				key := expectedKey{s, category, field}
				e.candidates[key] = e.covering(key)
			}
		}
	}
	return e, nil
}

type expectedParser struct {
	name     string
	readFile func(string) ([]byte, error)
}

func (p *expectedParser) errorf(at *yaml.Node, format string, args ...any) error {
	return fmt.Errorf("%s:%d: %s", p.name, max(at.Line, 1), fmt.Sprintf(format, args...))
}

var errNoSuchKey = errors.New("there is no such key")

// mapping hands every key once to each.
func (p *expectedParser) mapping(n *yaml.Node, what string, each func(key string, value *yaml.Node) error) error {
	if n.Kind != yaml.MappingNode {
		return p.errorf(n, "%s: want keys and values", what)
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if seen[key.Value] {
			return p.errorf(key, "%.40q occurs twice", key.Value)
		}
		seen[key.Value] = true
		if err := each(key.Value, value); errors.Is(err, errNoSuchKey) {
			return p.errorf(key, "%.40q: there is no such key", key.Value)
		} else if err != nil {
			return err
		}
	}
	return nil
}

func (p *expectedParser) sequence(n *yaml.Node, what string, each func(*yaml.Node) error) error {
	if n.Kind != yaml.SequenceNode {
		return p.errorf(n, "%s: want a list", what)
	}
	for _, element := range n.Content {
		if err := each(element); err != nil {
			return err
		}
	}
	return nil
}

// word reads a text that is not empty.
func (p *expectedParser) word(n *yaml.Node, what string) (string, error) {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" || strings.TrimSpace(n.Value) == "" {
		return "", p.errorf(n, "%s: want a text", what)
	}
	return n.Value, nil
}

// words reads a list of texts that is not empty, and has none twice.
func (p *expectedParser) words(n *yaml.Node, what string, each func(at *yaml.Node, word string) error) error {
	seen := map[string]bool{}
	err := p.sequence(n, what, func(element *yaml.Node) error {
		word, err := p.word(element, what)
		if err != nil {
			return err
		}
		if seen[word] {
			return p.errorf(element, "%s: one occurs twice", what)
		}
		seen[word] = true
		return each(element, word)
	})
	if err == nil && len(seen) == 0 {
		return p.errorf(n, "%s: the list is empty; leave it out for all", what)
	}
	return err
}

var expectedID = regexp.MustCompile(`^[a-z0-9]+([-_][a-z0-9]+)*$`)

// rule reads one and adds it.
func (p *expectedParser) rule(n *yaml.Node, e *Expected) error {
	r := ExpectedRule{line: n.Line}
	fieldsAt, beforeAt := n, n
	err := p.mapping(n, "a rule", func(key string, value *yaml.Node) (err error) {
		switch key {
		case "id":
			if r.ID, err = p.word(value, key); err == nil && !expectedID.MatchString(r.ID) {
				err = p.errorf(value, "id %.40q: want small letters and digits, with - or _ between them", r.ID)
			}
		case "owner":
			r.Owner, err = p.word(value, key)
		case "reason":
			r.Reason, err = p.word(value, key)
		case "expires":
			err = p.date(value, &r.Expires)
		case "before":
			beforeAt = value
			err = p.time(value, &r.Before)
		case "streams":
			err = p.words(value, key, func(at *yaml.Node, word string) error {
				s := slices.Index(streamNames[Events:], word)
				if s < 0 {
					return p.errorf(at, "unknown stream %.40q: use %s", word, strings.Join(streamNames[Events:], ", "))
				}
				r.Streams = append(r.Streams, Events+Stream(s))
				return nil
			})
		case "categories":
			err = p.words(value, key, func(at *yaml.Node, word string) error {
				if !slices.Contains(Categories(), Category(word)) {
					return p.errorf(at, "unknown category %.40q: use one of %v", word, Categories())
				}
				r.Categories = append(r.Categories, Category(word))
				return nil
			})
		case "fields":
			fieldsAt = value
			err = p.words(value, key, func(_ *yaml.Node, word string) error {
				r.Fields = append(r.Fields, word)
				return nil
			})
		case "ids":
			err = p.words(value, key, func(_ *yaml.Node, word string) error {
				r.addID(word)
				return nil
			})
		case "ids_file":
			err = p.idsFile(value, &r)
		case "absent":
			if r.Absent, err = p.word(value, key); err == nil && r.Absent != "left" && r.Absent != "right" {
				err = p.errorf(value, "absent %.40q: use left or right", r.Absent)
			}
		default:
			err = errNoSuchKey
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, required := range []struct {
		key     string
		missing bool
	}{{"id", r.ID == ""}, {"owner", r.Owner == ""}, {"reason", r.Reason == ""}, {"expires", r.Expires.IsZero()}} {
		if required.missing {
			return p.errorf(n, "a rule without %s", required.key)
		}
	}
	if len(r.Streams)+len(r.Categories)+len(r.Fields)+len(r.IDs) == 0 {
		return p.errorf(n, "the rule %s would explain every difference: name its streams, categories, fields or ids", r.ID)
	}
	if !r.Before.IsZero() && !slices.Equal(r.Categories, []Category{Duplicate}) {
		return p.errorf(beforeAt, "before is for rules of which the only category is %s", Duplicate)
	}
	for _, other := range e.Rules {
		if other.ID == r.ID {
			return p.errorf(n, "the rule %s occurs twice, first in line %d", r.ID, other.line)
		}
	}
	for i, glob := range r.Fields {
		if !r.hasField(glob) {
			return p.errorf(fieldsAt.Content[i], "%.60q matches no field of the rule's streams", glob)
		}
	}
	e.Rules = append(e.Rules, r)
	return nil
}

func (r *ExpectedRule) addID(id string) {
	if r.IDs == nil {
		r.IDs = map[string]bool{}
	}
	r.IDs[id] = true
}

func (r *ExpectedRule) hasField(glob string) bool {
	for s := Events; s < Streams; s++ {
		if r.Streams != nil && !slices.Contains(r.Streams, s) {
			continue
		}
		if slices.ContainsFunc(fieldPaths(s), func(path string) bool { return matchesGlob(glob, path) }) {
			return true
		}
	}
	return false
}

func (p *expectedParser) date(n *yaml.Node, into *time.Time) error {
	text, err := p.word(n, "expires")
	if err != nil {
		return err
	}
	if *into, err = time.Parse(time.DateOnly, text); err != nil || into.IsZero() {
		return p.errorf(n, "expires %.40q: want a day such as 2026-12-31", text)
	}
	return nil
}

func (p *expectedParser) time(n *yaml.Node, into *time.Time) error {
	text, err := p.word(n, "before")
	if err != nil {
		return err
	}
	if *into, err = time.Parse(time.RFC3339, text); err != nil || into.IsZero() {
		return p.errorf(n, "before %.40q: want a time such as 2026-12-31T18:00:00Z", text)
	}
	return nil
}

// idsFile reads ids, one a line. Empty lines are left out.
func (p *expectedParser) idsFile(n *yaml.Node, r *ExpectedRule) error {
	path, err := p.word(n, "ids_file")
	if err != nil {
		return err
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(p.name), path)
	}
	data, err := p.readFile(path)
	if err != nil {
		return p.errorf(n, "ids_file: %v", err)
	}
	empty := true
	for line := range strings.Lines(string(data)) {
		if id := strings.TrimSpace(line); id != "" {
			r.addID(id)
			empty = false
		}
	}
	if empty {
		return p.errorf(n, "ids_file: %s has no id", path)
	}
	return nil
}
