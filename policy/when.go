package policy

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/types"

	"gateway/internal/identity"
)

// variable is a word that a when expression knows.
type variable struct {
	name     string
	typ      *cel.Type
	size     uint64 // the longest that it, or an item of it, is seen
	items    uint64 // of a list: the most that are seen
	personal bool   // of who asks
	of       func(*facts) any
}

// The sizes by which the cost of an expression is judged when it is loaded. An
// expression is in error where a request has more.
const (
	maxWord   = 255     // bytes
	maxName   = 1024    // bytes
	maxGroups = 500     // of a person
	maxPath   = 8 << 10 // bytes, as canonical has it
	maxCost   = 500_000 // in CEL's units, each some ten nanoseconds
)

// variables are all there are. Nobody signed in has empty words, no groups and
// no factors.
var variables = []variable{
	{"user.id", cel.StringType, maxWord, 0, true, func(f *facts) any { return types.String(f.who.UserID) }},
	{"user.login", cel.StringType, maxWord, 0, true, func(f *facts) any { return types.String(f.who.Login) }},
	{"user.name", cel.StringType, maxName, 0, true, func(f *facts) any { return types.String(f.who.Name) }},
	{"user.email", cel.StringType, maxWord, 0, true, func(f *facts) any { return types.String(f.who.Email) }},
	{"user.email_verified", cel.BoolType, 0, 0, true, func(f *facts) any { return types.Bool(f.who.EmailVerified) }},
	{"user.groups", cel.ListType(cel.StringType), maxWord, maxGroups, true, func(f *facts) any { return types.NewStringList(types.DefaultTypeAdapter, f.who.Groups) }},
	{"session.origin", cel.StringType, maxWord, 0, true, func(f *facts) any { return types.String(f.who.Origin) }},
	{"session.factors", cel.ListType(cel.StringType), maxWord, maxGroups, true, func(f *facts) any { return types.NewStringList(types.DefaultTypeAdapter, f.who.AMR) }},
	{"session.auth_time", cel.TimestampType, 0, 0, true, func(f *facts) any { return types.Timestamp{Time: f.who.AuthTime} }},
	{"session.token", cel.BoolType, 0, 0, true, func(f *facts) any { return types.Bool(f.who.Token) }},
	{"request.method", cel.StringType, maxWord, 0, false, func(f *facts) any { return types.String(f.Method) }},
	{"request.host", cel.StringType, maxWord, 0, false, func(f *facts) any { return types.String(f.Host) }},
	{"request.path", cel.StringType, maxPath, 0, false, func(f *facts) any { return types.String(f.Path) }},
	{"request.client", cel.StringType, maxWord, 0, false, func(f *facts) any { return types.String(f.client()) }},
	{"now", cel.TimestampType, 0, 0, false, func(f *facts) any { return types.Timestamp{Time: f.Now} }},
}

var variableByName = func() map[string]*variable {
	all := make(map[string]*variable, len(variables))
	for i := range variables {
		all[variables[i].name] = &variables[i]
	}
	return all
}()

// facts is a request as expressions see it.
type facts struct {
	Request
	who  *identity.Principal // never nil
	over bool                // something was larger than expressions are made for
}

var blank identity.Principal

// ResolveName gives an expression what a variable holds.
func (f *facts) ResolveName(name string) (any, bool) {
	v := variableByName[name]
	if v == nil {
		return nil, false
	}
	value := v.of(f)
	switch {
	case v.items > 0:
		f.over = f.over || !v.lists(f)
	case v.size > 0:
		word, _ := value.(types.String)
		f.over = f.over || uint64(len(word)) > v.size
	}
	return value, true
}

// Parent is nil: there is nothing else to know.
func (f *facts) Parent() cel.Activation { return nil }

func (f *facts) client() string {
	if !f.Client.IsValid() {
		return ""
	}
	return f.Client.Unmap().WithZone("").String()
}

// lists reports whether what the variable lists is within its sizes.
func (v *variable) lists(f *facts) bool {
	list := f.who.Groups
	if v.name == "session.factors" {
		list = f.who.AMR
	}
	for _, item := range list {
		if uint64(len(item)) > v.size {
			return false
		}
	}
	return uint64(len(list)) <= v.items
}

// condition is a when. Its program and personal are there once it is compiled.
type condition struct {
	text     string
	program  cel.Program
	personal bool // it speaks of who asks
	wrong    error
}

var (
	errBounds = errors.New("the request has more than an expression is made for")
	errTime   = errors.New("it is not known what time it is")
)

var scratch = sync.Pool{New: func() any { return new(facts) }}

// holds evaluates the expression. An error is no yes.
func (c *condition) holds(r *Request) (bool, error) {
	f, ok := scratch.Get().(*facts)
	if !ok {
		return false, errBounds
	}
	defer scratch.Put(f)
	if *f = (facts{Request: *r, who: r.Who}); f.who == nil {
		f.who = &blank
	}
	if f.Now.IsZero() {
		return false, errTime
	}
	value, _, err := c.program.Eval(f)
	over := f.over
	*f = facts{}
	switch {
	case err != nil:
		return false, err
	case over:
		return false, errBounds
	}
	return value == types.True, nil
}

// language is CEL's standard library over our variables: no extensions, so
// that an expression ends, and means the same tomorrow.
var language = sync.OnceValues(func() (*cel.Env, error) {
	options := []cel.EnvOption{
		cel.DefaultUTCTimeZone(true),
		cel.ParserRecursionLimit(50),
		cel.ParserExpressionSizeLimit(4096),
		cel.ASTValidators(cel.ValidateDurationLiterals(), cel.ValidateTimestampLiterals(), cel.ValidateRegexLiterals(), cel.ValidateHomogeneousAggregateLiterals()),
	}
	for _, v := range variables {
		options = append(options, cel.Variable(v.name, v.typ))
	}
	return cel.NewEnv(options...)
})

// compile type-checks the expression and bounds what it can cost.
func (c *condition) compile() error {
	env, err := language()
	if err != nil { // our own declarations
		return err
	}
	checked, issues := env.Compile(c.text)
	if issues.Err() != nil {
		return errors.New(complaintOf(issues))
	}
	if !checked.OutputType().IsExactType(cel.BoolType) {
		return fmt.Errorf("says %s, not true or false", checked.OutputType())
	}
	estimate, err := env.EstimateCost(checked, sizes{})
	switch {
	case zoned(checked.NativeRep()):
		return errors.New("reads a clock in a zone: times has zones")
	case err != nil:
		return err
	case estimate.Max > maxCost:
		return fmt.Errorf("could cost %s, more than %d: compare less with less", costly(estimate.Max), maxCost)
	}
	c.personal = personal(checked.NativeRep())
	c.program, err = env.Program(checked, cel.EvalOptions(cel.OptOptimize))
	return err
}

// compileAll compiles many, on every processor.
func compileAll(all []*condition) {
	var workers sync.WaitGroup
	for i := range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for j := i; j < len(all); j += runtime.GOMAXPROCS(0) {
				all[j].wrong = all[j].compile()
			}
		})
	}
	workers.Wait()
}

func costly(units uint64) string {
	if units == math.MaxUint64 {
		return "any amount"
	}
	return fmt.Sprint(units)
}

// complaintOf is the first issue, with its column.
func complaintOf(issues *cel.Issues) string {
	for _, e := range issues.Errors() {
		message, _, _ := strings.Cut(e.Message, "\n")
		message = strings.ReplaceAll(message, " (in container '')", "")
		return fmt.Sprintf("column %d: %s", e.Location.Column()+1, message)
	}
	return issues.Err().Error()
}

// zoned reports whether an expression reads a time zone, which CEL would look
// up for each request.
func zoned(a *ast.AST) bool {
	for _, reference := range a.ReferenceMap() {
		for _, overload := range reference.OverloadIDs {
			if strings.HasSuffix(overload, "_with_tz") {
				return true
			}
		}
	}
	return false
}

// personal reports whether an expression speaks of who asks.
func personal(a *ast.AST) bool {
	for _, reference := range a.ReferenceMap() {
		if v := variableByName[reference.Name]; v != nil && v.personal {
			return true
		}
	}
	return false
}

// sizes tells the estimate how long variables can be.
type sizes struct{}

// EstimateSize is the size of a variable or of its items.
func (sizes) EstimateSize(element cost.AstNode) *cost.SizeEstimate {
	path := element.Path()
	items := len(path) > 0 && path[len(path)-1] == "@items"
	if items {
		path = path[:len(path)-1]
	}
	v := variableByName[strings.Join(path, ".")]
	switch {
	case v == nil:
		return nil
	case v.items > 0 && !items:
		return &cost.SizeEstimate{Min: 0, Max: v.items}
	}
	return &cost.SizeEstimate{Min: 0, Max: v.size}
}

// EstimateCallCost leaves the cost of functions to CEL.
func (sizes) EstimateCallCost(string, string, *cost.AstNode, []cost.AstNode) *cost.CallEstimate {
	return nil
}
