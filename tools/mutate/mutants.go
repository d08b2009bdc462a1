package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/printer"
	"go/token"
	"slices"
	"strconv"
	"strings"
)

// switches are compiled into the package: each call is a place where MUTANT
// may change what happens. Mutants count from 1. Where MUTANT_TRACE names a file
// it gets the numbers of the places that are reached, each once.
const switches = `
import (
	"os"
	"strconv"
	"sync/atomic"
)

var (
	mutantOfThisRun, _ = strconv.Atoi(os.Getenv("MUTANT"))
	mutantTrace, _     = os.OpenFile(os.Getenv("MUTANT_TRACE"), os.O_WRONLY|os.O_APPEND, 0)
	mutantsReached     [1 << 16]atomic.Bool
)

// mutantReached costs no memory once it knows a place: some tests count that.
func mutantReached(n int) {
	if mutantTrace != nil && !mutantsReached[n].Swap(true) {
		mutantTrace.WriteString(strconv.Itoa(n) + "\n")
	}
}

// mutantBool is never when the mutant is n, always when it is the next.
func mutantBool(n int, value bool) bool {
	mutantReached(n)
	mutantReached(n + 1)
	switch mutantOfThisRun {
	case n:
		return false
	case n + 1:
		return true
	}
	return value
}

// mutantBound compares in one way or the other: to compare may change something.
func mutantBound(n int, compare, moved func() bool) bool {
	mutantReached(n)
	if mutantOfThisRun == n {
		return moved()
	}
	return compare()
}

// mutantOne is 1 when the mutant is n.
func mutantOne(n, value int) int {
	mutantReached(n)
	if mutantOfThisRun == n {
		return 1
	}
	return value
}

// mutantDoes reports whether a statement stays.
func mutantDoes(n int) bool {
	mutantReached(n)
	return mutantOfThisRun != n
}
`

// mutated is a file with all its mutants.
type mutated struct {
	pkg    string
	source []byte
	names  []string
}

// mutate writes the switches into a file. Its first mutant is the one after
// those that there are already.
func mutate(file string, source []byte, before int) (mutated, error) {
	fset := token.NewFileSet()
	tree, err := parser.ParseFile(fset, file, source, parser.SkipObjectResolution)
	if err != nil {
		return mutated{}, err
	}
	m := &mutator{fset: fset, file: file, before: before, seen: map[string]int{}}
	for _, d := range tree.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Body != nil {
			m.function = f.Name.Name
			m.block(f.Body.List)
		}
	}
	tree.Comments = nil // they would end up between other words
	var out bytes.Buffer
	if err := format.Node(&out, fset, tree); err != nil {
		return mutated{}, err
	}
	return mutated{tree.Name.Name, out.Bytes(), m.names}, nil
}

type mutator struct {
	fset           *token.FileSet
	file, function string
	before         int
	names          []string
	seen           map[string]int
}

// name notes a mutant and returns its number. Names last as long as the code
// they speak of; a second one of the same function says so.
func (m *mutator) name(what ast.Node, how string) int {
	var text bytes.Buffer
	_ = printer.Fprint(&text, token.NewFileSet(), what) // what was parsed is printed
	words := strings.Join(strings.Fields(text.String()), " ")
	name := fmt.Sprintf("%s %s: %s: %s", m.file, m.function, words, how)
	m.seen[name]++
	if n := m.seen[name]; n > 1 {
		name += " (" + strconv.Itoa(n) + ")"
	}
	m.names = append(m.names, name)
	return m.before + len(m.names)
}

func call(name string, args ...ast.Expr) *ast.CallExpr {
	return &ast.CallExpr{Fun: ast.NewIdent(name), Args: args}
}

func number(n int) ast.Expr { return &ast.BasicLit{Kind: token.INT, Value: strconv.Itoa(n)} }

// lazy is a function that returns a condition.
func lazy(e ast.Expr) ast.Expr {
	return &ast.FuncLit{
		Type: &ast.FuncType{Params: &ast.FieldList{}, Results: &ast.FieldList{List: []*ast.Field{{Type: ast.NewIdent("bool")}}}},
		Body: &ast.BlockStmt{List: []ast.Stmt{&ast.ReturnStmt{Results: []ast.Expr{e}}}},
	}
}

// block changes statements in place.
func (m *mutator) block(list []ast.Stmt) {
	for i, s := range list {
		list[i] = m.statement(s)
	}
}

func (m *mutator) statement(s ast.Stmt) ast.Stmt {
	switch s := s.(type) {
	case nil:
		return nil
	case *ast.BlockStmt:
		m.block(s.List)
	case *ast.IfStmt:
		s.Init = m.init(s.Init)
		s.Cond = m.truth(s.Cond)
		m.block(s.Body.List)
		s.Else = m.statement(s.Else)
	case *ast.ForStmt:
		m.block(s.Body.List)
	case *ast.RangeStmt:
		s.X = m.value(s.X)
		m.block(s.Body.List)
	case *ast.SwitchStmt:
		s.Init = m.init(s.Init)
		for _, c := range s.Body.List {
			clause := c.(*ast.CaseClause)
			for i, e := range clause.List {
				if s.Tag == nil {
					clause.List[i] = m.truth(e)
				}
			}
			m.block(clause.Body)
		}
	case *ast.TypeSwitchStmt:
		for _, c := range s.Body.List {
			m.block(c.(*ast.CaseClause).Body)
		}
	case *ast.SelectStmt:
		for _, c := range s.Body.List {
			m.block(c.(*ast.CommClause).Body)
		}
	case *ast.ReturnStmt:
		m.values(s.Results)
	case *ast.AssignStmt:
		return m.assignment(s)
	case *ast.ExprStmt, *ast.IncDecStmt:
		return m.optional(s, func() {
			if e, ok := s.(*ast.ExprStmt); ok {
				e.X = m.value(e.X)
			}
		})
	case *ast.DeferStmt:
		m.values(s.Call.Args)
	case *ast.DeclStmt, *ast.BranchStmt, *ast.GoStmt, *ast.LabeledStmt, *ast.SendStmt, *ast.EmptyStmt:
	}
	return s
}

// init is a statement that cannot be left out.
func (m *mutator) init(s ast.Stmt) ast.Stmt {
	if a, ok := s.(*ast.AssignStmt); ok {
		m.values(a.Rhs)
	}
	return s
}

func (m *mutator) assignment(s *ast.AssignStmt) ast.Stmt {
	nothing := !slices.ContainsFunc(s.Lhs, func(e ast.Expr) bool {
		id, ok := e.(*ast.Ident)
		return !ok || id.Name != "_"
	})
	if s.Tok == token.DEFINE || nothing {
		m.values(s.Rhs)
		return s
	}
	return m.optional(s, func() { m.values(s.Rhs) })
}

// optional leaves a statement out.
func (m *mutator) optional(s ast.Stmt, inner func()) ast.Stmt {
	n := m.name(s, "left out")
	inner()
	return &ast.IfStmt{Cond: call("mutantDoes", number(n)), Body: &ast.BlockStmt{List: []ast.Stmt{s}}}
}

// truth changes an expression that is a condition as a whole.
func (m *mutator) truth(e ast.Expr) ast.Expr {
	switch x := e.(type) {
	case *ast.ParenExpr:
		x.X = m.truth(x.X)
		return x
	case *ast.UnaryExpr:
		if x.Op == token.NOT {
			x.X = m.truth(x.X)
			return x
		}
	case *ast.BinaryExpr:
		if x.Op == token.LAND || x.Op == token.LOR {
			x.X, x.Y = m.truth(x.X), m.truth(x.Y)
			return x
		}
	}
	n := m.name(e, "never")
	m.name(e, "always")
	return call("mutantBool", number(n), m.bound(e))
}

var conditions = []token.Token{token.LAND, token.LOR, token.EQL, token.NEQ, token.LSS, token.LEQ, token.GTR, token.GEQ}

var moved = map[token.Token]token.Token{token.LSS: token.LEQ, token.LEQ: token.LSS, token.GTR: token.GEQ, token.GEQ: token.GTR}

// bound moves the boundary of a comparison by one.
func (m *mutator) bound(e ast.Expr) ast.Expr {
	x, ok := e.(*ast.BinaryExpr)
	if !ok {
		return m.value(e)
	}
	op, ok := moved[x.Op]
	if !ok {
		x.X, x.Y = m.value(x.X), m.value(x.Y)
		return x
	}
	n := m.name(e, op.String())
	return call("mutantBound", number(n), lazy(x), lazy(&ast.BinaryExpr{X: x.X, Op: op, Y: x.Y}))
}

func (m *mutator) values(list []ast.Expr) {
	for i, e := range list {
		list[i] = m.value(e)
	}
}

// value looks for conditions inside an expression.
func (m *mutator) value(e ast.Expr) ast.Expr {
	switch x := e.(type) {
	case *ast.ParenExpr:
		x.X = m.value(x.X)
	case *ast.UnaryExpr:
		if x.Op == token.NOT {
			return m.truth(x)
		}
		x.X = m.value(x.X)
	case *ast.BinaryExpr:
		if slices.Contains(conditions, x.Op) {
			return m.truth(x)
		}
		x.X, x.Y = m.value(x.X), m.value(x.Y)
	case *ast.CallExpr:
		if constantTime(x) {
			n := m.name(x, "always 1")
			m.values(x.Args)
			return call("mutantOne", number(n), x)
		}
		if s, ok := x.Fun.(*ast.SelectorExpr); ok {
			s.X = m.value(s.X)
		}
		m.values(x.Args)
	case *ast.FuncLit:
		m.block(x.Body.List)
	case *ast.CompositeLit:
		for i, part := range x.Elts {
			if kv, ok := part.(*ast.KeyValueExpr); ok {
				kv.Value = m.value(kv.Value)
				continue
			}
			x.Elts[i] = m.value(part)
		}
	}
	return e
}

// constantTime reports whether a call answers 1 for yes, as crypto/subtle does.
func constantTime(x *ast.CallExpr) bool {
	switch f := x.Fun.(type) {
	case *ast.SelectorExpr:
		id, ok := f.X.(*ast.Ident)
		return ok && id.Name == "subtle" && strings.HasPrefix(f.Sel.Name, "ConstantTime")
	case *ast.Ident:
		return f.Name == "one" && len(x.Args) == 1
	}
	return false
}
