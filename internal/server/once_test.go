package server_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strings"
	"testing"
)

// Allow is said in one place: nothing else in the front looks for it, or makes
// it up.
func TestAllowIsSaidOnce(t *testing.T) {
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		tree, err := parser.ParseFile(token.NewFileSet(), f.Name(), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range tree.Decls {
			name := f.Name()
			if fn, ok := d.(*ast.FuncDecl); ok {
				name += " " + fn.Name.Name
			}
			ast.Inspect(d, func(n ast.Node) bool {
				if s, ok := n.(*ast.SelectorExpr); ok && s.Sel.Name == "Allow" {
					if pkg, ok := s.X.(*ast.Ident); ok && pkg.Name == "policy" {
						said = append(said, name)
					}
				}
				return true
			})
		}
	}
	if want := []string{"check.go allowed"}; !slices.Equal(said, want) {
		t.Errorf("policy.Allow stands in %q, want %q", said, want)
	}
}
