package audit

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Filter chooses lines. The zero Filter chooses all; a line has to fit every
// field that is set.
type Filter struct {
	Since, Until time.Time // Until is not part of it
	Kind         Kind
	User         string // login or user_id
	App          string
	Outcome      Outcome
	Decision     string
}

func (f Filter) fits(l *Line) bool {
	fits := func(want, got string) bool { return want == "" || want == got }
	return (f.Since.IsZero() || !l.Time.Before(f.Since)) && (f.Until.IsZero() || l.Time.Before(f.Until)) &&
		fits(string(f.Kind), string(l.Kind)) && fits(f.App, l.App) && fits(string(f.Outcome), string(l.Outcome)) && fits(f.Decision, l.Decision) &&
		(fits(f.User, l.Login) || fits(f.User, l.UserID))
}

// Find returns the newest lines of the book in a folder that the filter
// chooses, at most so many, oldest first. Whoever has the book open may go on
// writing. It takes lines as they stand; Verify says whether they can be believed.
func Find(dir string, f Filter, limit int) ([]Line, error) {
	numbers, err := files(dir)
	if err != nil {
		return nil, err
	}
	var found []Line
	for i := len(numbers) - 1; i >= 0 && len(found) < limit; i-- {
		var here []Line
		err := each(filepath.Join(dir, fileName(numbers[i])), func(text []byte, _ int) {
			l, _, err := parse(text)
			if err == nil && (l.Kind != Opened || f.Kind == Opened) && f.fits(&l) {
				here = append(here, l)
			}
		})
		if errors.Is(err, fs.ErrNotExist) { // it has given way meanwhile
			break
		}
		if err != nil {
			return nil, err
		}
		found = append(here, found...)
	}
	return found[max(0, len(found)-limit):], nil
}

// each calls do for every whole line of a file, without its newline, and its
// number from 1. A line that is still being written is none yet.
func each(path string, do func(text []byte, number int)) error {
	f, err := os.Open(path) //nolint:gosec // G304: the folder is the operator's choice
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 64<<10)
	for n := 1; ; n++ {
		text, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("audit: %w", err)
		}
		do(text[:len(text)-1], n)
	}
}

// files returns the numbers of the book's files in order. A folder that is not
// there has none.
func files(dir string) ([]int, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	var numbers []int
	for _, e := range entries {
		digits, ok := strings.CutSuffix(e.Name(), ".jsonl")
		if n, err := strconv.Atoi(digits); ok && err == nil && n > 0 && fileName(n) == e.Name() {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

func fileName(number int) string { return fmt.Sprintf("%08d.jsonl", number) }

// firstLine returns the first line of a file.
func firstLine(path string) (Line, error) {
	f, err := os.Open(path) //nolint:gosec // G304: the folder is the operator's choice
	if err != nil {
		return Line{}, fmt.Errorf("audit: %w", err)
	}
	defer f.Close()
	text, err := bufio.NewReader(f).ReadBytes('\n')
	if err != nil {
		return Line{}, fmt.Errorf("audit: first line of %s: %w", path, err)
	}
	l, _, err := parse(text[:len(text)-1])
	return l, err
}
