package config

import (
	"reflect"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

var lineOfFile = regexp.MustCompile(`^fuzz\.yaml:[1-9][0-9]*$`)

// FuzzFile reads any bytes as a configuration file. Every problem names the line,
// takes one line itself and shows no password. A configuration without a problem,
// written key by key and read again, is the same, and validates or does not in the
// same words.
func FuzzFile(f *testing.F) {
	f.Add([]byte(minimal))
	f.Add([]byte("name: \"a\\u0085\\nb\"\nsource: {brokers: ' a:1 ,, b:2'}\nholds: {set: 1h0m0.000000001s}\n"))
	f.Add([]byte("source: {security: {sasl: {password: hunter-two}}}\n"))
	f.Add([]byte("? [x]\n: y\npartitions: 0x10\nslim: {partitions: 007}\n"))
	f.Add([]byte("a: &a {brokers: [x:1]}\nsource: *a\ntarget: *a\nstate: {<<: *a}\n"))
	f.Add([]byte("!!binary aGk=: !!str 1\nlog:\n\tlevel: x"))
	f.Add([]byte("--- {}\n--- {}\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		first, err := readConfig(file)
		if err != nil {
			if n := faultyLine(file, err); n < 1 || n > strings.Count(string(file), "\n")+1 {
				t.Errorf("%v is in line %d", err, n)
			}
			return
		}
		for _, p := range first.problems {
			if k, _ := keyOf(p.Key); !lineOfFile.MatchString(p.Origin) || strings.Contains(p.String(), "\n") || k.secret && strings.Contains(p.Text, "hunter-two") {
				t.Errorf("the problem is %q", p)
			}
		}
		first.checkValues()
		if len(first.problems) > 0 {
			return
		}
		again, err := readConfig(written(t, first.config))
		if err != nil || len(again.problems) > 0 || !reflect.DeepEqual(again.config, first.config) {
			t.Fatalf("read %+v, and of what was written %+v (%v, %v)", first.config, again.config, again.problems, err)
		}
		if now, before := again.config.CheckOutput(), first.config.CheckOutput(); !reflect.DeepEqual(now, before) {
			t.Errorf("the output is %v, and then %v", before, now)
		}
	})
}

// readConfig is Load, without reading the files that the configuration names.
func readConfig(file []byte) (*loader, error) {
	root, err := parseYAML(file)
	if err != nil {
		return nil, err
	}
	l := &loader{config: Default(), origins: make(map[string]string)}
	if root != nil {
		l.section("fuzz.yaml", "", root)
	}
	l.config.Complete()
	return l, nil
}

// written is a file that has all keys of the configuration.
func written(t *testing.T, c Config) []byte {
	t.Helper()
	root := map[string]any{}
	for _, k := range keys {
		if k.secret {
			continue
		}
		section, name := root, k.path
		for {
			first, rest, deeper := strings.Cut(name, ".")
			if !deeper {
				break
			}
			if section[first] == nil {
				section[first] = map[string]any{}
			}
			section, name = section[first].(map[string]any), rest
		}
		section[name] = quotedNode(k.field(&c))
	}
	b, err := yaml.Marshal(root)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func quotedNode(field any) *yaml.Node {
	text := func(s string) *yaml.Node {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.DoubleQuotedStyle, Value: s}
	}
	items, isList := field.(*[]string)
	if !isList {
		return text(format(field))
	}
	list := &yaml.Node{Kind: yaml.SequenceNode}
	for _, item := range *items {
		list.Content = append(list.Content, text(item))
	}
	return list
}
