package mapping

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"testing"
)

// Commands refuse a reason that is not in the list: it has every one that is declared.
func TestQuarantineReasonsAreAll(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "reasons.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var declared []Reason
	for _, d := range file.Decls {
		block, ok := d.(*ast.GenDecl)
		if !ok || block.Doc.Text() != "Why a record goes to quarantine.\n" {
			continue
		}
		for _, spec := range block.Specs {
			text, err := strconv.Unquote(spec.(*ast.ValueSpec).Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			declared = append(declared, Reason(text))
		}
	}
	if len(declared) == 0 || !slices.Equal(declared, QuarantineReasons) {
		t.Errorf("declared are %s, listed %s", declared, QuarantineReasons)
	}
}
