// Mutate proves that the tests of a package notice when a check is gone. It
// weakens the code at one place after another (a condition always true or
// always false, a boundary off by one, a statement left out) and runs the
// package's tests each time: somebody has to complain.
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
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

func main() {
	answered := flag.String("answered", "mutate/survivors.txt", "survivors that are answered")
	only := flag.String("only", "", "a regular expression: try these mutants alone")
	flag.Parse()
	if flag.NArg() < 2 {
		fmt.Fprintln(os.Stderr, "usage: mutate [-answered FILE] [-only REGEXP] FOLDER FILE.go …")
		os.Exit(2)
	}
	err := run(context.Background(), *answered, *only, flag.Arg(0), flag.Args()[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, answers, only, dir string, files []string) error {
	chosen, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	reasons, err := readAnswers(answers)
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
	test := tester{dir: dir, binary: binary, limit: 10 * time.Minute}
	start := time.Now()
	if out, ok := test.run(ctx, 0); !ok {
		return fmt.Errorf("the tests fail without a mutant: %s", out)
	}
	test.limit = 3*time.Since(start) + 10*time.Second
	var tried, alive, unanswered int
	for i, m := range mutants {
		name := filepath.Base(dir) + "/" + m
		if !chosen.MatchString(name) {
			continue
		}
		tried++
		_, survived := test.run(ctx, i+1)
		reason, ok := reasons[name]
		switch {
		case survived && ok:
			alive++
		case survived:
			unanswered++
			fmt.Printf("survived\t%s\n", name)
		case ok:
			unanswered++
			fmt.Printf("answered, but killed\t%s\t%s\n", name, reason)
		}
	}
	fmt.Printf("%s: %d mutants, %d survive with a reason, %d without\n", dir, tried, alive, unanswered)
	if tried == 0 {
		return errors.New("no mutants")
	}
	if unanswered > 0 {
		return errors.New("some change of the code is noticed by no test, or an answer is out of date")
	}
	return nil
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

// tester runs the tests with one mutant.
type tester struct {
	dir, binary string
	limit       time.Duration
}

// run reports what the tests said, and whether they were content. Those that
// do not come to an end are not.
func (t tester) run(ctx context.Context, mutant int) (output string, content bool) {
	ctx, cancel := context.WithTimeout(ctx, t.limit)
	defer cancel()
	tests := exec.CommandContext(ctx, t.binary, "-test.failfast", "-test.count=1")
	tests.Dir = t.dir
	tests.Env = append(os.Environ(), "MUTANT="+strconv.Itoa(mutant))
	var said strings.Builder
	tests.Stdout = &limited{&said, 8 << 10}
	tests.Stderr = tests.Stdout
	tests.WaitDelay = 5 * time.Second
	err := tests.Run()
	return said.String(), err == nil
}

// limited keeps the beginning.
type limited struct {
	io.Writer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	n := min(len(p), l.left)
	l.left -= n
	_, err := l.Writer.Write(p[:n])
	return len(p), err
}
