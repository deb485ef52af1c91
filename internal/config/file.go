package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"sort"
	"strings"

	"go.yaml.in/yaml/v3"
)

// The file is read as a tree of nodes, not into a struct: every problem then
// has a line number, and a value is the text that stands there (an unquoted
// "edition: 1.0" is the text 1.0, not a number).

func (l *loader) file(path string) error {
	data, err := readFile(path)
	if err != nil {
		return err
	}
	root, err := parseYAML(data)
	if err != nil {
		return fmt.Errorf("%s:%d: %s", path, faultyLine(data, err), problemOf(err))
	}
	if root != nil {
		l.section(path, "", root)
	}
	return nil
}

// parseYAML returns the only document's node, nil when there is none.
func parseYAML(data []byte) (*yaml.Node, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document yaml.Node
	err := decoder.Decode(&document)
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more than one YAML document in the file; want one")
	}
	return resolve(document.Content[0]), nil
}

// problemOf is what the parser says, without the number of a line: it leaves that out for the first line and some
// problems, and counts from 0 for others.
func problemOf(err error) string { return parserPrefix.ReplaceAllString(err.Error(), "not YAML: ") }

var parserPrefix = regexp.MustCompile(`^yaml: (line \d+: )?`)

// faultyLine is the first line with which what the parser has said of all of them is true.
func faultyLine(data []byte, err error) int {
	var ends []int // of lines
	for i, b := range data {
		if b == '\n' {
			ends = append(ends, i+1)
		}
	}
	n := sort.Search(len(ends), func(i int) bool {
		_, early := parseYAML(data[:ends[i]])
		return early != nil && problemOf(early) == problemOf(err)
	})
	return n + 1
}

// resolve follows an alias.
func resolve(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		return node.Alias
	}
	return node
}

// section reads a mapping whose keys lie below prefix ("" or "holds."). It ends
// however the file is made: it goes only where the table of keys does.
func (l *loader) section(file, prefix string, node *yaml.Node) {
	if isNull(node) {
		return // a section with nothing in it, or all commented out
	}
	if node.Kind != yaml.MappingNode {
		l.problem(at(file, node), strings.TrimSuffix(prefix, "."), "want a section with keys below it")
		return
	}
	seen := make(map[string]bool)
	for i := 0; i+1 < len(node.Content); i += 2 {
		name, value := node.Content[i], resolve(node.Content[i+1])
		path := prefix + name.Value
		if seen[path] {
			l.problem(at(file, name), path, "occurs twice")
			continue
		}
		seen[path] = true
		l.member(file, path, name, value)
	}
}

func (l *loader) member(file, path string, name, value *yaml.Node) {
	if isSection(path) {
		l.section(file, path+".", value)
		return
	}
	k, ok := keyOf(path)
	origin := at(file, name)
	switch {
	case !ok:
		l.problem(origin, quote(path), "there is no such key"+suggestion(path, allPaths()))
	case k.secret:
		l.refuse(k, origin, fmt.Sprintf("a password does not belong in this file: set %s in the environment, or %s_file", k.env(), path))
	default:
		l.value(k, origin, value)
	}
}

func (l *loader) value(k key, origin string, node *yaml.Node) {
	_, isList := k.field(&l.config).(*[]string)
	switch {
	case isNull(node):
		l.refuse(k, origin, `has no value: give one ("" for the empty text), or remove the key`)
	case node.Kind == yaml.ScalarNode:
		l.apply(k, origin, node.Value)
	case node.Kind == yaml.SequenceNode && isList:
		l.list(k, origin, node)
	case isList:
		l.refuse(k, origin, "want a list")
	default:
		l.refuse(k, origin, "want a single value")
	}
}

func (l *loader) list(k key, origin string, node *yaml.Node) {
	items := make([]string, 0, len(node.Content))
	for _, item := range node.Content {
		item = resolve(item)
		if item.Kind != yaml.ScalarNode || isNull(item) {
			l.refuse(k, origin, "want a list of single values")
			return
		}
		items = append(items, item.Value)
	}
	l.apply(k, origin, strings.Join(items, ","))
}

func isNull(node *yaml.Node) bool {
	return node.Kind == yaml.ScalarNode && node.Tag == "!!null"
}

func at(file string, node *yaml.Node) string { return fmt.Sprintf("%s:%d", file, node.Line) }
