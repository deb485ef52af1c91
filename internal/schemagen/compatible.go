package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// breaks lists what a new version of a published file takes away from those who read by the old one. Only schemas can be
// compared; types and examples are made of the same source.
func breaks(ctx context.Context, name string, old, new []byte) ([]string, error) {
	switch path.Ext(name) {
	case ".proto":
		before, err := compileProto(ctx, old)
		if err != nil {
			return nil, fmt.Errorf("%s as published: %w", name, err)
		}
		after, err := compileProto(ctx, new)
		if err != nil {
			return nil, fmt.Errorf("%s as it is now: %w", name, err)
		}
		return protoBreaks(before, after), nil
	case ".json":
		if !strings.HasSuffix(name, schemaSuffix) {
			return nil, nil
		}
		var before, after map[string]any
		if err := json.Unmarshal(old, &before); err != nil {
			return nil, fmt.Errorf("%s as published: %w", name, err)
		}
		if err := json.Unmarshal(new, &after); err != nil {
			return nil, fmt.Errorf("%s as it is now: %w", name, err)
		}
		c := jsonComparison{before: before, after: after}
		c.compare("", before, after)
		return c.breaks, nil
	}
	return nil, nil
}

func compileProto(ctx context.Context, source []byte) (protoreflect.FileDescriptor, error) {
	const name = "vibe.proto"
	compiler := protocompile.Compiler{Resolver: &protocompile.SourceResolver{
		Accessor: protocompile.SourceAccessorFromMap(map[string]string{name: string(source)}),
	}}
	files, err := compiler.Compile(ctx, name)
	if err != nil {
		return nil, err
	}
	return files[0], nil
}

// protoBreaks compares what is on the wire, and the names that generated code and JSON of Protobuf have.
func protoBreaks(old, new protoreflect.FileDescriptor) []string {
	var found []string
	if old.Package() != new.Package() {
		found = append(found, fmt.Sprintf("the package is %s, not %s any more", new.Package(), old.Package()))
	}
	if old.Syntax() != new.Syntax() {
		found = append(found, fmt.Sprintf("the syntax is %v, not %v any more", new.Syntax(), old.Syntax()))
	}
	before, after := protoNames(old), protoNames(new)
	for _, name := range slices.Sorted(maps.Keys(before)) {
		now, there := after[name]
		switch {
		case !there:
			found = append(found, name+" is gone")
		case now != before[name]:
			found = append(found, fmt.Sprintf("%s is %s, and was %s", name, now, before[name]))
		}
	}
	return found
}

// protoNames describes everything in a file that readers rely on, by its full name.
func protoNames(file protoreflect.FileDescriptor) map[string]string {
	names := map[string]string{}
	addEnums(names, file.Enums())
	addMessages(names, file.Messages())
	return names
}

func addMessages(names map[string]string, messages protoreflect.MessageDescriptors) {
	for i := range messages.Len() {
		m := messages.Get(i)
		names[string(m.FullName())] = "a message"
		for j := range m.Fields().Len() {
			f := m.Fields().Get(j)
			names[string(f.FullName())] = describeField(f)
		}
		addEnums(names, m.Enums())
		addMessages(names, m.Messages())
	}
}

func describeField(f protoreflect.FieldDescriptor) string {
	kind := f.Kind().String()
	switch f.Kind() {
	case protoreflect.EnumKind:
		kind += " " + string(f.Enum().FullName())
	case protoreflect.MessageKind:
		kind += " " + string(f.Message().FullName())
	}
	text := fmt.Sprintf("field %d, %v %s, %q in JSON", f.Number(), f.Cardinality(), kind, f.JSONName())
	if f.ContainingOneof() != nil {
		text += ", in " + string(f.ContainingOneof().Name())
	}
	if f.IsMap() {
		text += ", a map"
	}
	return text
}

func addEnums(names map[string]string, enums protoreflect.EnumDescriptors) {
	for i := range enums.Len() {
		e := enums.Get(i)
		names[string(e.FullName())] = "an enum"
		for j := range e.Values().Len() {
			v := e.Values().Get(j)
			// To Protobuf a value is a sibling of its enum; its enum says more.
			names[string(e.FullName())+"."+string(v.Name())] = fmt.Sprintf("value %d", v.Number())
		}
	}
}

// jsonComparison compares two versions of a schema. What is valid by the new one must be valid by the old one, and what the
// old one promises must be there: a reader of the old version then understands all records of the new one.
type jsonComparison struct {
	before, after map[string]any
	breaks        []string
}

func (c *jsonComparison) found(at, format string, args ...any) {
	if at == "" {
		at = "the record"
	}
	c.breaks = append(c.breaks, at+" "+fmt.Sprintf(format, args...))
}

func (c *jsonComparison) compare(at string, old, new map[string]any) {
	old, new = resolve(c.before, old), resolve(c.after, new)
	for _, keyword := range []string{"type", "pattern", "format"} {
		if was, is := old[keyword], new[keyword]; was != is && was != nil {
			c.found(at, "has %s %v, and had %v", keyword, is, was)
		}
	}
	for _, keyword := range []string{"minLength", "minItems"} {
		if was, is := bound(old[keyword]), bound(new[keyword]); is < was {
			c.found(at, "has %s %v, and had %v", keyword, is, was)
		}
	}
	for _, name := range list(old["required"]) {
		if !slices.Contains(list(new["required"]), name) {
			c.found(at, "does not require %v any more", name)
		}
	}
	if was := list(old["enum"]); was != nil {
		is := list(new["enum"])
		if is == nil {
			c.found(at, "may be any word, and was one of %v", was)
		}
		for _, word := range is {
			if !slices.Contains(was, word) {
				c.found(at, "may be %v, which no reader knows", word)
			}
		}
	}
	properties, _ := new["properties"].(map[string]any)
	was, _ := old["properties"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(was)) {
		is, there := properties[name].(map[string]any)
		if !there {
			c.found(at, "has no %s any more", name)
			continue
		}
		c.compare(strings.TrimPrefix(at+"."+name, "."), was[name].(map[string]any), is)
	}
	if items, ok := old["items"].(map[string]any); ok {
		is, _ := new["items"].(map[string]any)
		c.compare(at+"[]", items, is)
	}
}

// resolve follows a reference into $defs.
func resolve(root, s map[string]any) map[string]any {
	name, ok := s["$ref"].(string)
	if !ok {
		return s
	}
	defs, _ := root["$defs"].(map[string]any)
	target, _ := defs[strings.TrimPrefix(name, "#/$defs/")].(map[string]any)
	return target
}

func bound(v any) float64 {
	n, _ := v.(float64)
	return n
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}
