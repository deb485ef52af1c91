package schemas_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var typeNames = map[string]string{"event": "Event", "order": "Order", "refund": "Refund"}

// TestTypeScript has the compiler say of every field, in both editions, whether its type fits, its absence and its like.
func TestTypeScript(t *testing.T) {
	text, expected := typeScriptCases(t)
	dir := t.TempDir()
	compile := func(text string) (string, error) {
		file := filepath.Join(dir, "cases.ts")
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return readersTool(t, "typescript/package.json", "testdata/node/node_modules/typescript/bin/tsc", "--noEmit", "--strict", "--noUncheckedIndexedAccess",
			"--types", "", "--target", "es2022", "--module", "nodenext", "--allowImportingTsExtensions", "--pretty", "false", file)
	}
	if out, err := compile(text); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	// Without the marks, every mutation is an error, and nothing else is.
	out, err := compile(strings.ReplaceAll(text, "// @ts-expect-error\n", "\n"))
	if found := strings.Count(out, "error TS"); err == nil || expected < 100 || found != expected {
		t.Errorf("%d errors, want %d: %s", found, expected, out)
	}
}

// typeScriptCases are assignments of examples and of changed examples, those that must not compile under a mark.
func typeScriptCases(t *testing.T) (text string, bad int) {
	var b strings.Builder
	for i := range editions {
		abs, err := filepath.Abs(editions[i].String() + "/slim.ts")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.ReadFile(abs); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "import type * as V%d from %q;\n", i+1, abs)
	}
	n := 0
	assign := func(good bool, edition int, stream string, document any) {
		value, err := json.Marshal(document)
		if err != nil {
			t.Fatal(err)
		}
		if !good {
			b.WriteString("// @ts-expect-error\n")
			bad++
		}
		n++
		fmt.Fprintf(&b, "export const c%d: V%d.%s = %s;\n", n, edition+1, typeNames[stream], value)
	}
	for i, edition := range editions {
		for _, stream := range streams {
			name := fmt.Sprintf("%v/%s", edition, stream)
			schema := decoded(t, published(t, name+".schema.json")).(map[string]any)
			example := func() map[string]any { return decoded(t, published(t, name+".example.json")).(map[string]any) }
			assign(true, i, string(stream), example())
			// visit walks through the objects of the schema; at returns the object of a fresh example.
			var visit func(object map[string]any, at func(root map[string]any) map[string]any)
			visit = func(object map[string]any, at func(map[string]any) map[string]any) {
				with := func(good bool, change func(map[string]any)) {
					root := example()
					change(at(root))
					assign(good, i, string(stream), root)
				}
				required, _ := object["required"].([]any)
				with(false, func(o map[string]any) { o["more"] = 1 })
				properties := object["properties"].(map[string]any)
				for _, field := range slices.Sorted(maps.Keys(properties)) {
					property := resolved(schema, properties[field].(map[string]any))
					with(!slices.Contains(required, any(field)), func(o map[string]any) { delete(o, field) })
					with(false, func(o map[string]any) { o[field] = nil })
					with(false, func(o map[string]any) { o[field] = true })
					switch {
					case property["enum"] != nil:
						with(false, func(o map[string]any) { o[field] = "unheard-of" })
						for _, word := range property["enum"].([]any) {
							with(true, func(o map[string]any) { o[field] = word })
						}
					case property["type"] == "object":
						visit(property, func(root map[string]any) map[string]any { return at(root)[field].(map[string]any) })
					case property["type"] == "array":
						with(false, func(o map[string]any) { o[field] = []any{} })
						items := resolved(schema, property["items"].(map[string]any))
						if items["type"] == "object" {
							visit(items, func(root map[string]any) map[string]any { return at(root)[field].([]any)[0].(map[string]any) })
						}
					}
				}
			}
			visit(schema, func(root map[string]any) map[string]any { return root })
		}
	}
	return b.String(), bad
}

func resolved(root, schema map[string]any) map[string]any {
	if ref, ok := schema["$ref"].(string); ok {
		return root["$defs"].(map[string]any)[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any)
	}
	return schema
}
