package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ticketscloud/vibe-bridge/slim"
)

// typeScript returns the types of an edition.
func typeScript(edition slim.Edition) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "// The slim records of Ticketscloud in JSON, edition %v. Ignore fields that you do not know: new ones may come.\n", edition)
	var objects []*object
	for _, o := range records {
		for _, each := range append([]*object{o}, o.within(edition)...) {
			if !slices.Contains(objects, each) {
				objects = append(objects, each)
			}
		}
	}
	for _, o := range objects {
		writeInterface(&b, o, edition)
	}
	seen := map[string]bool{}
	for _, o := range objects {
		for _, f := range o.fieldsOf(edition) {
			if f.words != nil && !seen[f.words.name] {
				seen[f.words.name] = true
				writeUnion(&b, f.words, edition)
			}
		}
	}
	return []byte(b.String())
}

func writeInterface(b *strings.Builder, o *object, edition slim.Edition) {
	fmt.Fprintf(b, "\n/** %s */\nexport interface %s {\n", o.doc, o.name)
	for _, f := range o.fieldsOf(edition) {
		optional := "?"
		if f.required.has(edition) {
			optional = ""
		}
		fmt.Fprintf(b, "  /** %s */\n  %s%s: %s;\n", f.doc, f.name, optional, f.typeScript())
	}
	b.WriteString("}\n")
}

func (f field) typeScript() string {
	name := "string"
	switch {
	case f.object != nil:
		name = f.object.name
	case f.words != nil:
		name = f.words.name
	case f.kind != text:
		name = "number"
	}
	if f.list {
		name = "[" + name + ", ..." + name + "[]]" // one at least
	}
	return name
}

func writeUnion(b *strings.Builder, v *vocabulary, edition slim.Edition) {
	fmt.Fprintf(b, "\nexport type %s =", v.name)
	for _, word := range v.of(edition) {
		fmt.Fprintf(b, "\n  | %q", word)
	}
	b.WriteString(";\n")
}
