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

// observing are the files that tell what would be decided under other rules. They
// make no verdict, so nothing passes by what they say.
var observing = []string{"observer.go", "differences.go"}

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
				switch n := n.(type) {
				case *ast.SelectorExpr:
					if pkg, ok := n.X.(*ast.Ident); ok && pkg.Name == "policy" && n.Sel.Name == "Allow" && !slices.Contains(observing, f.Name()) {
						said = append(said, name)
					}
				case *ast.CompositeLit:
					if made, ok := n.Type.(*ast.Ident); ok && made.Name == "verdict" && slices.Contains(observing, f.Name()) {
						said = append(said, name+", which decides nothing")
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
