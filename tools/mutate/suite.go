package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// suite are the tests of a package, with the mutants in it.
type suite struct {
	dir, binary string
	tests       []*test // the quickest first

	mu       sync.Mutex
	noticing []string // the tests that have noticed something lately, the last one first
}

// test is one of them: how long it takes, and which mutants it comes by.
type test struct {
	name    string
	took    time.Duration
	reaches map[int]bool
}

// slowest bounds a test without a mutant.
const slowest = 10 * time.Minute

// suiteOf runs each test once by itself.
func suiteOf(ctx context.Context, dir, binary, work string, atOnce int) (*suite, error) {
	s := &suite{dir: dir, binary: binary}
	list, err := s.run(ctx, slowest, nil, "-test.list", ".")
	if err != nil {
		return nil, fmt.Errorf("list the tests: %w: %s", err, list)
	}
	for name := range strings.FieldsSeq(list) {
		if !strings.HasPrefix(name, "Benchmark") {
			s.tests = append(s.tests, &test{name: name})
		}
	}
	problems := make([]error, len(s.tests))
	each(atOnce, len(s.tests), func(i int) { problems[i] = s.trace(ctx, s.tests[i], filepath.Join(work, fmt.Sprint("trace-", i))) })
	slices.SortFunc(s.tests, func(a, b *test) int { return int(a.took - b.took) })
	return s, errors.Join(problems...)
}

// trace finds out what a test comes by.
func (s *suite) trace(ctx context.Context, t *test, file string) error {
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		return err
	}
	begun := time.Now()
	if out, err := s.run(ctx, slowest, []string{"MUTANT_TRACE=" + file}, "-test.run", "^"+t.name+"$"); err != nil {
		return fmt.Errorf("%s fails without a mutant: %w: %s", t.name, err, out)
	}
	t.took, t.reaches = time.Since(begun), map[int]bool{}
	numbers, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	for line := range strings.FieldsSeq(string(numbers)) {
		n, err := strconv.Atoi(line)
		if err != nil {
			return err
		}
		t.reaches[n] = true
	}
	return os.Remove(file)
}

// survives reports whether every test that comes by a mutant is content with
// it: first those are asked that have noticed others lately, which are likely of
// the same place, and a few quick ones, then more and more. Tests that do not
// come to an end are not content.
func (s *suite) survives(ctx context.Context, mutant int) bool {
	tests := s.likely(mutant)
	for most := 4; len(tests) > 0; most *= 4 {
		some := tests[:min(most, len(tests))]
		tests = tests[len(some):]
		var names []string
		var took time.Duration
		for _, t := range some {
			names, took = append(names, t.name), took+t.took
		}
		said, err := s.run(ctx, 10*time.Second+4*took, []string{"MUTANT=" + strconv.Itoa(mutant)}, "-test.failfast", "-test.run", "^("+strings.Join(names, "|")+")$")
		if err != nil {
			s.noticed(said)
			return false
		}
	}
	return true
}

// likely are the tests that come by a mutant, in the order in which to ask them.
func (s *suite) likely(mutant int) []*test {
	s.mu.Lock()
	defer s.mu.Unlock()
	var first, others []*test
	for _, t := range s.tests {
		switch {
		case !t.reaches[mutant]:
		case slices.Contains(s.noticing, t.name):
			first = append(first, t)
		default:
			others = append(others, t)
		}
	}
	slices.SortFunc(first, func(a, b *test) int { return slices.Index(s.noticing, a.name) - slices.Index(s.noticing, b.name) })
	return append(first, others...)
}

// noticed keeps the name of a test that was not content.
func (s *suite) noticed(said string) {
	_, rest, found := strings.Cut(said, "--- FAIL: ")
	if !found {
		return // it has ended the others, too
	}
	name, _, _ := strings.Cut(rest, " ")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.noticing = slices.DeleteFunc(s.noticing, func(known string) bool { return known == name })
	s.noticing = slices.Insert(s.noticing[:min(2, len(s.noticing))], 0, name)
}

// run runs the binary and returns what it says.
func (s *suite) run(ctx context.Context, limit time.Duration, env []string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tests := exec.CommandContext(ctx, s.binary, append(args, "-test.count=1")...)
	tests.Dir = s.dir
	tests.Env = append(os.Environ(), env...)
	var said strings.Builder
	tests.Stdout = &limited{&said, 64 << 10}
	tests.Stderr = tests.Stdout
	tests.WaitDelay = 5 * time.Second
	err := tests.Run()
	return said.String(), err
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
