package config

import (
	"reflect"
	"strings"
	"testing"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
)

// Names are derived from paths, so that two paths could meet in one variable
// (a.b_c and a_b.c) or flag.
func TestNamesAreUnambiguous(t *testing.T) {
	seen := make(map[string]string)
	for _, k := range keys {
		for _, name := range []string{k.path, k.env(), "--" + k.flag()} {
			if other, twice := seen[name]; twice {
				t.Errorf("%s is the name of %s and of %s", name, other, k.path)
			}
			seen[name] = k.path
		}
		if isSection(k.path) {
			t.Errorf("%s is a key and a section", k.path)
		}
		if k.path != strings.ToLower(k.path) || k.usage == "" && !k.secret {
			t.Errorf("%s: not in lower case, or without usage", k.path)
		}
		if isServiceLink(k.env(), "") {
			t.Errorf("%s would be taken for a variable of Kubernetes", k.env())
		}
	}
}

func TestNames(t *testing.T) {
	k, _ := keyOf("source.security.sasl.password_file")
	if k.env() != "VIBE_BRIDGE_SOURCE_SECURITY_SASL_PASSWORD_FILE" || k.flag() != "source-security-sasl-password-file" {
		t.Errorf("variable %s, flag %s", k.env(), k.flag())
	}
}

// Fields of a cluster that are no keys: Complete copies them from the
// deployment's own.
var copied = map[string]bool{"MaxMessageBytes": true, "Replication": true, "MinInsync": true}

// Every field of Config is exactly one key, and every key can be set and shown.
func TestKeysCoverConfig(t *testing.T) {
	var c Config
	keysOf := make(map[any][]string)
	for _, k := range keys {
		field := k.field(&c)
		keysOf[field] = append(keysOf[field], k.path)
		text := "1"
		switch field.(type) {
		case *bool:
			text = "true"
		}
		if kindOf(field) == "duration" {
			text = "1s"
		}
		if err := set(field, text); err != nil {
			t.Errorf("%s: %v", k.path, err)
		}
		if _, secret := field.(*kafka.Secret); secret != k.secret {
			t.Errorf("%s: secret is %t", k.path, k.secret)
			continue
		}
		if !k.secret && format(field) != text {
			t.Errorf("%s: set to %s, shown as %s", k.path, text, format(field))
		}
	}
	walkFields(reflect.ValueOf(&c).Elem(), "", func(name string, field any) {
		last := name[strings.LastIndex(name, ".")+1:]
		inCluster := strings.Count(name, ".") > 0
		if want := 1; len(keysOf[field]) != want && (!inCluster || !copied[last]) {
			t.Errorf("field %s is set by the keys %v; want one key", name, keysOf[field])
		}
		delete(keysOf, field)
	})
	for _, paths := range keysOf {
		t.Errorf("keys %v set no field", paths)
	}
}

func walkFields(v reflect.Value, name string, visit func(string, any)) {
	if v.Kind() != reflect.Struct {
		visit(name, v.Addr().Interface())
		return
	}
	for i := range v.NumField() {
		walkFields(v.Field(i), strings.TrimPrefix(name+"."+v.Type().Field(i).Name, "."), visit)
	}
}

func TestBindFlags(t *testing.T) {
	set := flags(t, "--source-header")
	if flag := set.Lookup("source-header"); !flag.Changed || flag.Value.String() != "true" {
		t.Error("--source-header without a value is not true")
	}
	if flag := set.Lookup("partitions"); flag.DefValue != "12" || flag.Value.Type() != "number" || !flag.Hidden {
		t.Errorf("--partitions: %+v", flag)
	}
	if flag := set.Lookup("name"); flag.Hidden {
		t.Error("--name does not show in the help")
	}
}

func TestDistance(t *testing.T) {
	tests := []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0}, {"abc", "abd", 1}, {"abc", "ab", 1}, {"abc", "xabc", 1}, {"kitten", "sitting", 3},
	}
	for _, tt := range tests {
		if got := distance(tt.a, tt.b); got != tt.want {
			t.Errorf("distance(%q, %q) = %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}

func FuzzLoadFile(f *testing.F) {
	f.Add(minimal)
	f.Add("a: &a [*a]\nb: *a\n")
	f.Add("? {a: b}\n: c\n")
	f.Fuzz(func(t *testing.T, text string) {
		root, err := parseYAML([]byte(text))
		if err != nil || root == nil {
			return
		}
		l := loader{config: Default(), origins: make(map[string]string)}
		l.section("x", "", root)
		l.config.Complete()
		l.checkValues()
	})
}

// checkValues is validate, without reading the files that they name.
func (l *loader) checkValues() {
	v := &validator{}
	v.output(l.config)
	v.behaviour(l.config)
	v.surroundings(l.config)
	v.topics(l.config)
	v.compare(l.config)
	v.cutover(l.config.Cutover)
}
