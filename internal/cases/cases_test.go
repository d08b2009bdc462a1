package cases_test

import (
	"bytes"
	"encoding/xml"
	"strings"
	"testing"
	"time"

	"gateway/internal/cases"
	"gateway/internal/identity"
	"gateway/policy"
)

// What the request line says is read once, and what the gateway refuses
// however it is asked is told apart from what is no request.
func TestParseAsk(t *testing.T) {
	for _, row := range []struct {
		line, want string // method host path, or refused, or wrong
	}{
		{"GET https://Wiki.example.com/a?b=c", "GET wiki.example.com /a"},
		{"https://wiki.example.com", "GET wiki.example.com /"},
		{"PUT http://wiki.example.com:8080/a/", "PUT wiki.example.com /a/"},
		{"https://wiki.example.com?a=b", "GET wiki.example.com /"},
		{"https://wiki.example.com:443./?a", "wrong"},
		{"https://WIKI.example.com.:443/%61?a", "GET wiki.example.com /a"},
		{"https://[2001:DB8::1]:443/", "GET [2001:db8::1] /"},
		{"https://[::ffff:192.0.2.1]/", "wrong"},
		{"https://wiki.example.com#a", "refused"},
		{"GET https://wiki.example.com/a%2fb", "refused"},
		{"get https://wiki.example.com/", "refused"},
		{"GET wiki.example.com/", "wrong"},
		{"GET ftp://wiki.example.com/", "wrong"},
		{"GET https:///a", "wrong"},
		{"GET https://a:b@wiki.example.com/", "wrong"},
		{"GET https://wiki.example.com/.gateway/connect", "wrong"},
		{"", "wrong"},
	} {
		a, err := cases.ParseAsk(row.line)
		got := strings.Join([]string{a.Method, string(a.Host), string(a.Path)}, " ")
		switch {
		case err != nil:
			got = "wrong"
		case a.Refuse != "":
			got = "refused"
		}
		if got != row.want {
			t.Errorf("ParseAsk(%q) = %q, want %q", row.line, got, row.want)
		}
	}
}

// A report says what failed, in three forms, and nothing in it drives a
// terminal or breaks the XML.
func TestReport(t *testing.T) {
	p, err := policy.New(policy.Config{Apps: []policy.App{{Name: "wiki", Host: "wiki.test", Rules: []policy.Rule{
		{Paths: []string{"/a"}, Allow: &policy.Subjects{Everyone: true}}, {Name: "rest", Allow: &policy.Subjects{SignedIn: true}},
	}}}})
	if err != nil {
		t.Fatal(err)
	}
	f := cases.File{Path: "x.yaml", Cases: []cases.Case{
		{Request: "GET https://wiki.test/a", Expect: "allow"},
		{Name: "a \x1b[31m<name>", Request: "GET https://wiki.test/b", As: cases.Person{Login: "bob"}, Expect: "deny", Line: 7},
	}}
	if err := f.Cases[0].As.UnmarshalText([]byte("nobody")); err != nil {
		t.Fatal(err)
	}
	if err := f.Resolve(); err != nil {
		t.Fatal(err)
	}
	run := cases.Runner{Policy: p, Now: time.Now()}
	report := run.Try(f)
	if report.Failed != 1 || len(report.Missed) != 0 || report.Rules != 2 {
		t.Errorf("the report is %+v", report)
	}
	var text bytes.Buffer
	if err := report.Write(&text, false); err != nil || strings.Contains(text.String(), "\x1b") || !strings.Contains(text.String(), "FAIL  x.yaml:7: ") {
		t.Errorf("it reads, %v:\n%q", err, text.String())
	}
	var suite struct {
		Failures int `xml:"failures,attr"`
		Cases    []struct {
			Name    string  `xml:"name,attr"`
			Failure *string `xml:"failure"`
		} `xml:"testcase"`
	}
	if err := xml.Unmarshal(report.JUnit(), &suite); err != nil || suite.Failures != 1 || len(suite.Cases) != 2 || suite.Cases[0].Failure != nil || suite.Cases[1].Failure == nil || !strings.Contains(suite.Cases[1].Name, "<name>") {
		t.Errorf("JUnit reads %+v, %v\n%s", suite, err, report.JUnit())
	}
}

// What strangers chose, a path or a login, drives no terminal from a comparison
// either, and begins no line of its own.
func TestDiffIsPrintable(t *testing.T) {
	made := func(allow policy.Subjects) *policy.Policy {
		p, err := policy.New(policy.Config{Apps: []policy.App{{Name: "wiki", Host: "wiki.test", Allow: &allow}}})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	hostile := "eve\x1b]0;x\x07\n+ GET wiki.test/ as alice\u202e\u009b31m"
	d := cases.Compare(made(policy.Subjects{SignedIn: true}), made(policy.Subjects{Users: []string{"bob"}}), []cases.Asked{{
		Title: "GET wiki.test/\u009b as " + hostile, Who: hostile,
		Request: policy.Request{Method: "GET", Host: "wiki.test", Path: "/", Who: &identity.Principal{UserID: "u", Login: hostile}, Now: time.Now()},
	}})
	var text bytes.Buffer
	if err := d.Write(&text); err != nil || len(d.Losses) != 1 {
		t.Fatalf("%+v, %v", d, err)
	}
	if got := text.String(); strings.ContainsAny(got, "\x1b\x07\u202e\u009b") || strings.Count(got, "\n") != 3 {
		t.Errorf("it reads %q", got)
	}
}
