// Mutate proves that the tests of a package notice when a check is gone. It
// weakens the code at one place after another (a condition always true or
// always false, a boundary off by one, a statement left out) and runs the
// tests that come by the place each time: somebody has to complain.
//
//	go run ./mutate ../sessions verify.go token.go
//
// All mutants of a package are compiled into one test binary, by an overlay, so
// that the sources stay as they are; MUTANT chooses one at run time. Survivors
// that are answered in survivors.txt, each with its reason, are fine.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// options are the flags.
type options struct {
	answered string
	only     *regexp.Regexp
	atOnce   int
}

func main() {
	var o options
	flag.StringVar(&o.answered, "answered", "mutate/survivors.txt", "survivors that are answered")
	only := flag.String("only", "", "a regular expression: try these mutants alone")
	flag.IntVar(&o.atOnce, "at-once", 2, "how many mutants are tried at a time")
	flag.Parse()
	var err error
	if o.only, err = regexp.Compile(*only); err != nil || flag.NArg() < 2 || o.atOnce < 1 {
		fmt.Fprintln(os.Stderr, "usage: mutate [-answered FILE] [-only REGEXP] [-at-once N] FOLDER FILE.go …")
		os.Exit(2)
	}
	if err := run(context.Background(), o, flag.Arg(0), flag.Args()[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options, dir string, files []string) error {
	reasons, err := readAnswers(o.answered)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "mutate-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }()
	mutants, binary, err := build(ctx, work, dir, files)
	if err != nil {
		return err
	}
	s, err := suiteOf(ctx, dir, binary, work, o.atOnce)
	if err != nil {
		return err
	}
	t := tally{unanswered: obsolete(dir, files, mutants, reasons)}
	each(o.atOnce, len(mutants), func(i int) {
		if name := filepath.Base(dir) + "/" + mutants[i]; o.only.MatchString(name) {
			t.tried(ctx, s, name, i+1, reasons)
		}
	})
	fmt.Printf("%s: %d mutants, %d survive with a reason, %d without\n", dir, t.all, t.alive, t.unanswered)
	if t.all == 0 {
		return errors.New("no mutants")
	}
	if t.unanswered > 0 {
		return errors.New("some change of the code is noticed by no test, or an answer is out of date")
	}
	return nil
}

// each calls for all numbers below n, some at a time.
func each(atOnce, n int, do func(int)) {
	next := make(chan int)
	var all sync.WaitGroup
	for range atOnce {
		all.Go(func() {
			for i := range next {
				do(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	all.Wait()
}

// tally counts mutants by what became of them.
type tally struct {
	mu                     sync.Mutex
	all, alive, unanswered int
}

func (t *tally) tried(ctx context.Context, s *suite, name string, mutant int, reasons map[string]string) {
	survived := s.survives(ctx, mutant)
	reason, answered := reasons[name]
	if !survived && answered { // a test that failed by chance is no answer
		survived = s.survives(ctx, mutant)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all++
	switch {
	case survived && answered:
		t.alive++
	case survived:
		t.unanswered++
		fmt.Printf("survived\t%s\n", name)
	case answered:
		t.unanswered++
		fmt.Printf("answered, but killed\t%s\t%s\n", name, reason)
	}
}

// obsolete tells of answers about these files that no mutant needs any more.
func obsolete(dir string, files, mutants []string, reasons map[string]string) (found int) {
	for _, answered := range slices.Sorted(maps.Keys(reasons)) {
		file, mutant, _ := strings.Cut(strings.TrimPrefix(answered, filepath.Base(dir)+"/"), " ")
		if slices.Contains(files, file) && !slices.Contains(mutants, file+" "+mutant) {
			found++
			fmt.Printf("answered, but there is no such mutant\t%s\n", answered)
		}
	}
	return found
}

// readAnswers reads the survivors that are answered: a reason, and below it,
// behind a tab each, the mutants that it is true of.
func readAnswers(path string) (map[string]string, error) {
	file, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	answers, reason := map[string]string{}, ""
	for line := range strings.Lines(string(file)) {
		line = strings.TrimRight(line, "\n")
		mutant, indented := strings.CutPrefix(line, "\t")
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case !indented:
			reason = line
		case reason == "":
			return nil, fmt.Errorf("%s: no reason: %s", path, mutant)
		default:
			answers[mutant] = reason
		}
	}
	return answers, nil
}

// build compiles the package's tests with every mutant in them.
func build(ctx context.Context, work, dir string, files []string) (mutants []string, binary string, err error) {
	overlay := map[string]string{}
	var pkg string
	for _, name := range files {
		path, err := filepath.Abs(filepath.Join(dir, name))
		if err != nil {
			return nil, "", err
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return nil, "", err
		}
		m, err := mutate(name, source, len(mutants))
		if err != nil {
			return nil, "", err
		}
		pkg, mutants = m.pkg, append(mutants, m.names...)
		overlay[path] = filepath.Join(work, name)
		if err := os.WriteFile(overlay[path], m.source, 0o600); err != nil {
			return nil, "", err
		}
	}
	path, err := filepath.Abs(filepath.Join(dir, "mutants_of_this_run.go"))
	if err != nil {
		return nil, "", err
	}
	overlay[path] = filepath.Join(work, "mutants_of_this_run.go")
	if err := os.WriteFile(overlay[path], []byte("package "+pkg+"\n"+switches), 0o600); err != nil {
		return nil, "", err
	}
	table, err := json.Marshal(map[string]any{"Replace": overlay})
	if err != nil {
		return nil, "", err
	}
	if err := os.WriteFile(filepath.Join(work, "overlay.json"), table, 0o600); err != nil {
		return nil, "", err
	}
	binary = filepath.Join(work, "mutants.test")
	compile := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-overlay", filepath.Join(work, "overlay.json"), "-o", binary, ".")
	compile.Dir = dir
	compile.Stderr = os.Stderr
	return mutants, binary, compile.Run()
}
