package cases

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode"

	"gateway/policy"
)

// Report is what came of all cases.
type Report struct {
	Results []Result `json:"results"`
	Failed  int      `json:"failed"`
	Rules   int      `json:"rules"`  // of the policy
	Missed  []string `json:"missed"` // rules that decided no case

	Observed   int      `json:"observed"`   // rules that are only observed
	Unobserved []string `json:"unobserved"` // those that would have decided no case
}

// Result is what came of a case.
type Result struct {
	File    string             `json:"file"`
	Line    int                `json:"line"`
	Title   string             `json:"title"`
	Holds   bool               `json:"holds"`
	Wrong   string             `json:"wrong,omitempty"` // what is not as expected
	Expect  string             `json:"expect"`
	Got     policy.Explanation `json:"got"`
	Refused string             `json:"refused,omitempty"` // why the gateway refuses before any policy is asked
}

// title names the case on one line.
func (c *Case) title() string {
	title := c.Request + " as " + c.As.String()
	if c.Client != "" {
		title += " from " + c.Client
	}
	if c.Now != "" {
		title += " at " + c.Now
	}
	if c.Name != "" {
		title = c.Name + ": " + title
	}
	return title
}

// place is where the case stands, as editors understand it.
func (r *Result) place() string { return fmt.Sprintf("%s:%d", r.File, r.Line) }

// answer is what the case came to, in a few words.
func (r *Result) answer() string {
	if r.Refused != "" {
		return "deny, before any rule: " + r.Refused
	}
	if would := r.Got.Observed; would != nil && would.Effect != r.Got.Effect {
		return fmt.Sprintf("%s, observed %s", by(r.Got.Decision), by(would.Decision))
	}
	return by(r.Got.Decision)
}

// by says a decision in a few words.
func by(d policy.Decision) string {
	return fmt.Sprintf("%v by %s", d.Effect, cmp.Or(d.Rule, "no rule"))
}

// Write writes the report for people: what failed and why, or with all every
// case; then how many there were and which rules decided none.
func (r *Report) Write(out io.Writer, all bool) error {
	var b bytes.Buffer
	for i := range r.Results {
		one := &r.Results[i]
		switch {
		case !one.Holds:
			fmt.Fprintf(&b, "FAIL  %s: %s\n      %s\n", one.place(), printable(one.Title), printable(one.Wrong))
			explain(&b, one.Got, "      ")
		case all:
			fmt.Fprintf(&b, "ok    %s: %s: %s\n", one.place(), printable(one.Title), printable(one.answer()))
		}
	}
	fmt.Fprintf(&b, "%d cases, %d failed; %d of %d rules decided one\n", len(r.Results), r.Failed, r.Rules-len(r.Missed), r.Rules)
	for _, rule := range r.Missed {
		fmt.Fprintf(&b, "never decided: %s\n", printable(rule))
	}
	if r.Observed > 0 {
		fmt.Fprintf(&b, "%d of %d observed rules would have decided one\n", r.Observed-len(r.Unobserved), r.Observed)
	}
	for _, rule := range r.Unobserved {
		fmt.Fprintf(&b, "would never have decided: %s\n", printable(rule))
	}
	_, err := out.Write(b.Bytes())
	return err
}

// Explain writes an explanation for people: the answer, what would have to
// change, and each rule with what it asks; then the same of what would be if
// what is only observed counted.
func Explain(out io.Writer, e policy.Explanation) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%v: %s, %s\n", e.Effect, printable(cmp.Or(e.Rule, "no rule")), e.Reason)
	for _, need := range e.Needs {
		fmt.Fprintf(&b, "to pass it needs %s\n", printable(need))
	}
	explain(&b, e, "")
	if would := e.Observed; would != nil {
		fmt.Fprintf(&b, "\nif what is only observed counted:\n%v: %s, %s\n", would.Effect, printable(cmp.Or(would.Rule, "no rule")), would.Reason)
		for _, need := range would.Needs {
			fmt.Fprintf(&b, "to pass it would need %s\n", printable(need))
		}
		explain(&b, *would, "")
	}
	_, err := out.Write(b.Bytes())
	return err
}

// explain writes each rule with what it asks. Of a rule that does not decide,
// what it lacks is enough.
func explain(b *bytes.Buffer, e policy.Explanation, indent string) {
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	for _, l := range e.Rules {
		if l.Observed {
			_, _ = fmt.Fprintf(w, "%s%s\t-\tobserve\tdecides nothing\tis only observed\n", indent, printable(l.Rule))
			continue
		}
		for i, f := range l.Findings {
			if !l.Decides && f.Holds {
				continue
			}
			name, word := l.Rule, "no"
			if l.Decides && i > 0 {
				name = ""
			}
			if f.Holds {
				word = "yes"
			}
			_, _ = fmt.Fprintf(w, "%s%s\t%s\t%s\tasks for %s\thas %s\n", indent, printable(name), word, f.About, printable(f.Wants), printable(f.Has))
		}
	}
	_ = w.Flush() // a buffer takes everything
}

// printable keeps what a stranger chose from driving the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, s)
}

// JUnit writes the report as the XML that continuous integration reads.
func (r *Report) JUnit() []byte {
	type failure struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
	type testcase struct {
		Class   string   `xml:"classname,attr"`
		Name    string   `xml:"name,attr"`
		File    string   `xml:"file,attr"`
		Line    int      `xml:"line,attr"`
		Failure *failure `xml:"failure"`
	}
	suite := struct {
		XMLName  xml.Name   `xml:"testsuite"`
		Name     string     `xml:"name,attr"`
		Tests    int        `xml:"tests,attr"`
		Failures int        `xml:"failures,attr"`
		Cases    []testcase `xml:"testcase"`
	}{Name: "policy", Tests: len(r.Results), Failures: r.Failed}
	for i := range r.Results {
		one := &r.Results[i]
		c := testcase{Class: one.File, Name: printable(one.Title), File: one.File, Line: one.Line}
		if !one.Holds {
			var why bytes.Buffer
			explain(&why, one.Got, "")
			c.Failure = &failure{printable(one.Wrong), why.String()}
		}
		suite.Cases = append(suite.Cases, c)
	}
	text, err := xml.MarshalIndent(suite, "", "  ")
	if err != nil { // text and numbers always encode
		return nil
	}
	return append([]byte(xml.Header), append(text, '\n')...)
}
