package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Place says where a value was written: a line of the file, or a variable of
// the environment. A line of 0 is the file as a whole.
type Place struct {
	File     string
	Line     int
	Variable string
}

// String gives the place as editors understand it: file:line, or the variable.
func (p Place) String() string {
	switch {
	case p.Variable != "":
		return p.Variable
	case p.Line == 0:
		return p.File
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}

// Complaint is one thing that is wrong with a configuration. It names keys and
// says what is expected, and never repeats a value, which may be a secret.
type Complaint struct {
	Place   Place
	Path    string // the key, as in apps.wiki.rules[1].paths; empty for the file as a whole
	Message string
}

// Error reads gateway.yaml:12: apps.wiki.rules[1].path: unknown key.
func (c *Complaint) Error() string { return sentence(c.Place, c.Path, c.Message) }

// Warning is a thing that is allowed and probably not meant.
type Warning struct {
	Place   Place
	Path    string
	Message string
}

// String reads like a complaint.
func (w Warning) String() string { return sentence(w.Place, w.Path, w.Message) }

func sentence(place Place, path, message string) string {
	if path == "" {
		return place.String() + ": " + message
	}
	return place.String() + ": " + path + ": " + message
}

// Complaints is everything that is wrong with a configuration, in the order of
// its lines.
type Complaints []*Complaint

// Error lists the complaints, one on a line.
func (c Complaints) Error() string {
	lines := make([]string, len(c))
	for i, complaint := range c {
		lines[i] = complaint.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives the complaints to errors.As.
func (c Complaints) Unwrap() []error {
	all := make([]error, len(c))
	for i, complaint := range c {
		all[i] = complaint
	}
	return all
}

// report gathers what is found while a configuration is read.
type report struct {
	file       string
	complaints Complaints
	warnings   []Warning
}

func (r *report) complain(place Place, path, format string, args ...any) {
	r.complaints = append(r.complaints, &Complaint{place, path, fmt.Sprintf(format, args...)})
}

func (r *report) warn(place Place, path, format string, args ...any) {
	r.warnings = append(r.warnings, Warning{place, path, fmt.Sprintf(format, args...)})
}

// line is a place in the file.
func (r *report) line(n int) Place { return Place{File: r.file, Line: n} }

// err returns the complaints by line, those about the environment first; nil
// if there are none.
func (r *report) err() error {
	if len(r.complaints) == 0 {
		return nil
	}
	slices.SortStableFunc(r.complaints, func(a, b *Complaint) int { return cmp.Compare(a.Place.Line, b.Place.Line) })
	return r.complaints
}
