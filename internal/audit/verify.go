package audit

import (
	"crypto/hmac"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"
)

// Report says what a book looks like to who has its key.
type Report struct {
	Lines  int       `json:"lines"`
	First  uint64    `json:"first,omitempty"`
	Last   uint64    `json:"last,omitempty"`
	From   time.Time `json:"from,omitzero"`
	To     time.Time `json:"to,omitzero"`
	MAC    string    `json:"mac,omitempty"` // of the last line: whoever wrote it down elsewhere can compare
	Breaks []Break   `json:"breaks"`        // the first hundred
	Notes  []string  `json:"notes"`         // what the book itself found, and could live with
}

// Break is a place where the chain does not hold.
type Break struct {
	File string `json:"file"`
	Line int    `json:"line,omitempty"` // in the file; 0: the file as a whole
	Says string `json:"says"`
}

// Verify reads the whole book in a folder and says where its chain breaks: no
// break, and nobody without the key has changed, added, removed or moved a
// line, or cut off the end. Whoever has the book open may go on writing.
func Verify(dir string, key []byte) (Report, error) {
	for {
		r, err := verify(dir, key)
		if !errors.Is(err, fs.ErrNotExist) {
			return r, err
		}
	} // the oldest file has given way while we looked
}

func verify(dir string, key []byte) (Report, error) {
	known, err := readHead(dir, newChain(key)) // before the lines: it is never ahead of them
	noHead := errors.Is(err, errHead)
	if err != nil && !noHead {
		return Report{}, err
	}
	numbers, err := files(dir)
	if err != nil {
		return Report{}, err
	}
	v := verifier{chain: newChain(key), head: known, report: Report{Breaks: []Break{}, Notes: []string{}}}
	for _, n := range numbers {
		v.file = fileName(n)
		if err := each(filepath.Join(dir, v.file), v.line); err != nil {
			return Report{}, err
		}
	}
	v.end(noHead, len(numbers))
	return v.report, nil
}

// verifier follows the chain.
type verifier struct {
	chain  chain
	head   head
	file   string
	seq    uint64 // of the line before, 0 at the beginning
	mac    string
	report Report
}

// maxBreaks is how many are told: after the first nobody believes the rest.
const maxBreaks = 100

func (v *verifier) broken(line int, format string, args ...any) {
	if len(v.report.Breaks) == maxBreaks {
		return
	}
	v.report.Breaks = append(v.report.Breaks, Break{v.file, line, fmt.Sprintf(format, args...)})
}

func (v *verifier) line(text []byte, number int) {
	l, body, err := parse(text)
	if err != nil {
		v.broken(number, "is no line of the book")
		return
	}
	r := &v.report
	if r.Lines++; r.Lines == 1 {
		v.begin(&l)
		r.First, r.From = l.Seq, l.Time
	}
	holds := hmac.Equal([]byte(l.MAC), []byte(v.chain.mac(v.mac, body)))
	switch {
	case l.Seq <= v.seq:
		v.broken(number, "has number %d, though %d stands before it: it was moved or put in", l.Seq, v.seq)
		return // what follows is held against what stood there before
	case l.Seq > v.seq+1:
		v.broken(number, "lines %d to %d are missing", v.seq+1, l.Seq-1)
	case !holds:
		v.broken(number, "line %d was changed or put in", l.Seq)
	}
	if l.Seq == v.head.Seq && l.MAC != v.head.MAC {
		v.broken(number, "line %d is not the one that was written", l.Seq)
	}
	if l.Kind == Note {
		v.note(number, &l)
	}
	v.seq, v.mac = l.Seq, l.MAC
	r.Last, r.To, r.MAC = l.Seq, l.Time, l.MAC
}

// begin takes the first line that is kept: it says what stood before.
func (v *verifier) begin(l *Line) {
	v.mac, v.seq = l.Previous, l.Seq-1
	if v.head.First != 0 && l.Seq > v.head.First {
		v.broken(1, "lines %d to %d are missing", v.head.First, l.Seq-1)
	}
}

// note repeats what the book found when it was opened. That lines may be
// missing is a break; half a line is what a kill leaves.
func (v *verifier) note(number int, l *Line) {
	v.report.Notes = append(v.report.Notes, l.Time.UTC().Format(time.RFC3339)+" "+l.Reason)
	if l.Reason == noteHead {
		v.broken(number, "%s", l.Reason)
	}
}

func (v *verifier) end(noHead bool, files int) {
	switch {
	case noHead && files > 0:
		v.file = headName
		v.broken(0, "is missing or was changed: lines at the end may be missing")
	case v.seq < v.head.Seq:
		v.broken(0, "ends with line %d, though %d were written: lines are missing", v.seq, v.head.Seq)
	}
}
