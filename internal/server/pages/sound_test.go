package pages_test

import (
	"encoding/xml"
	"errors"
	"html"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gateway/internal/server/pages"
)

// hostile are values that strangers choose: names, hosts, paths, tickets.
var hostile = []string{
	`"><script>alert(1)</script>`,
	`'><img src=x onerror=alert(1)>`,
	`</title></template><svg onload=alert(1)>`,
	`javascript:alert(1)`,
	`{{7*7}}`, `${7*7}`, `<%= 7*7 %>`,
	"\u202egnp.exe", `-->`, `&lt;b&gt;`, `]]>`, "a\x00b", "\xff\xfe",
}

// TestHostileValuesStayText puts each hostile value wherever a page takes text.
func TestHostileValuesStayText(t *testing.T) {
	for _, s := range samples {
		for _, value := range hostile {
			page := render(t, filled(s.value, value))
			sound(t, s.name, page)
			if plain := hash.ReplaceAllString(html.UnescapeString(page), ""); strings.Contains(plain, "49") || strings.Contains(page, "<script>") {
				t.Errorf("%s with %q came alive: %s", s.name, value, page)
			}
		}
	}
}

func TestHostileValuesAreShown(t *testing.T) {
	for _, value := range hostile[:7] {
		for _, page := range []any{
			pages.SignIn{App: value},
			pages.SignIn{ReturnTo: value},
			pages.SignIn{Notice: value},
			pages.SignIn{Origins: []pages.Origin{{Name: value}}},
			pages.Apps{Login: value},
			pages.Apps{Name: value},
			pages.Switch{Next: value, Back: value},
			pages.Refusal{Path: value},
			pages.Failure{Detail: value},
			pages.Failure{Title: value},
		} {
			if shown := html.UnescapeString(render(t, page)); !strings.Contains(shown, value) {
				t.Errorf("%+v does not show %q", page, value)
			}
		}
	}
}

func TestPagesAreSound(t *testing.T) {
	for _, s := range samples {
		sound(t, s.name, render(t, s.value))
	}
}

// filled returns a copy of a page's value with every text replaced.
func filled(value any, text string) any {
	v := reflect.New(reflect.TypeOf(value)).Elem()
	v.Set(reflect.ValueOf(value))
	fill(v, text)
	return v.Interface()
}

func fill(v reflect.Value, text string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Slice:
		fresh := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(fresh, v)
		v.Set(fresh)
		for i := range v.Len() {
			fill(v.Index(i), text)
		}
	case reflect.Struct:
		for _, f := range v.Fields() {
			if f.CanSet() {
				fill(f, text)
			}
		}
	default:
	}
}

var (
	elements = strings.Fields("html head meta title link script body header main footer img h1 p a strong small br ul li span bdi wbr " +
		"noscript form fieldset label input div button template dl dt dd code time")
	void       = strings.Fields("meta link img br wbr input")
	attributes = strings.Fields("lang charset name content rel type href src http-equiv class id alt width height title role method action value for " +
		"autocomplete autocapitalize autocorrect spellcheck maxlength required disabled hidden datetime aria-label aria-hidden aria-describedby aria-controls aria-disabled " +
		"readonly data-path data-code data-least data-iterations data-alone data-again data-say data-show data-hide data-show-label data-hide-label")
	ours = regexp.MustCompile(`^/(\.gateway/[A-Za-z0-9./_?=&;%-]*)?$|^https://(id\.corp|auth|grafana|eclair)\.[a-z.]*example[a-z.]*(:8443)?(/[a-z?_=&]*)?$|^https://grafana\.example\.com/\.gateway/sign-in\?rd=[a-zA-Z0-9%]*&max_age=900$|^/handbook\?a=1$`)
)

// sound reads a page as a browser would and complains about all that is not
// one of our elements and attributes, runs script, or leads elsewhere.
func sound(t *testing.T, name, page string) {
	t.Helper()
	page, ok := strings.CutPrefix(page, "<!doctype html>\n")
	if !ok {
		t.Errorf("%s: no doctype", name)
	}
	d := xml.NewDecoder(strings.NewReader(strings.ToValidUTF8(strings.ReplaceAll(page, "\x00", ""), "")))
	d.Strict, d.AutoClose, d.Entity = false, void, xml.HTMLEntity
	seen := map[string]int{}
	ids := map[string]bool{}
	var labels []string
	var open []xml.StartElement
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%s: %v in %s", name, err, page)
		}
		switch token := token.(type) {
		case xml.StartElement:
			open = append(open, token)
			seen[token.Name.Local]++
			element(t, name, token, open)
			if id := attr(token, "id"); id != "" {
				if ids[id] {
					t.Errorf("%s: id %q twice", name, id)
				}
				ids[id] = true
			}
			labels = append(labels, attr(token, "for"), attr(token, "aria-controls"))
			labels = append(labels, strings.Fields(attr(token, "aria-describedby"))...)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			if len(open) > 0 && open[len(open)-1].Name.Local == "script" && strings.TrimSpace(string(token)) != "" {
				t.Errorf("%s: inline script %q", name, token)
			}
		case xml.Comment, xml.Directive, xml.ProcInst:
			t.Errorf("%s: %q in the page", name, token)
		}
	}
	for _, once := range []string{"html", "head", "title", "body", "main", "h1"} {
		if seen[once] != 1 {
			t.Errorf("%s: %d of <%s>, want one", name, seen[once], once)
		}
	}
	for _, id := range labels {
		if id != "" && !ids[id] {
			t.Errorf("%s: refers to #%s, which is not there", name, id)
		}
	}
}

func element(t *testing.T, name string, e xml.StartElement, open []xml.StartElement) {
	t.Helper()
	if !slices.Contains(elements, e.Name.Local) {
		t.Errorf("%s: <%s>", name, e.Name.Local)
	}
	for _, a := range e.Attr {
		switch key := a.Name.Local; {
		case !slices.Contains(attributes, key):
			t.Errorf("%s: <%s %s=%q>", name, e.Name.Local, key, a.Value)
		case slices.Contains([]string{"href", "src", "action"}, key) && !ours.MatchString(a.Value):
			t.Errorf("%s: <%s %s=%q> leads elsewhere", name, e.Name.Local, key, a.Value)
		case key == "name" && e.Name.Local == "input" && (attr(e, "type") != "hidden" || a.Value != "ticket"):
			t.Errorf("%s: field %q would be posted", name, a.Value)
		}
	}
	switch e.Name.Local {
	case "script":
		if attr(e, "src") == "" || attr(e, "type") != "module" {
			t.Errorf("%s: a script that is no module of ours", name)
		}
	case "input":
		if attr(e, "type") != "hidden" && !inside(open, "form", "method", "dialog") {
			t.Errorf("%s: a field in a form that posts", name)
		}
	case "form":
		if m := attr(e, "method"); m != "dialog" && m != "post" {
			t.Errorf("%s: form method %q", name, m)
		}
	case "img":
		if !slices.ContainsFunc(e.Attr, func(a xml.Attr) bool { return a.Name.Local == "alt" }) {
			t.Errorf("%s: image without alt", name)
		}
	}
}

func attr(e xml.StartElement, key string) string {
	for _, a := range e.Attr {
		if a.Name.Local == key {
			return a.Value
		}
	}
	return ""
}

func inside(open []xml.StartElement, element, key, value string) bool {
	return slices.ContainsFunc(open, func(e xml.StartElement) bool { return e.Name.Local == element && attr(e, key) == value })
}

// No form sends a password: without a name and a method to be sent by, it stays
// in the page whatever the script does.
func TestNoFormSendsAPassword(t *testing.T) {
	fields := 0
	for _, s := range samples {
		var page strings.Builder
		if err := pages.Render(&page, s.value); err != nil {
			t.Fatal(err)
		}
		for form := range strings.SplitSeq(page.String(), "<form") {
			form, _, _ = strings.Cut(form, "</form>")
			if !strings.Contains(form, `type="password"`) {
				continue
			}
			fields++
			tag, rest, _ := strings.Cut(form, ">")
			if !strings.Contains(tag, `method="dialog"`) || strings.Contains(tag, "action=") {
				t.Errorf("%s: a password in <form%s>", s.name, tag)
			}
			for input := range strings.SplitSeq(rest, "<input") {
				input, _, _ = strings.Cut(input, ">")
				if strings.Contains(input, " name=") || strings.Contains(input, "formaction") || strings.Contains(input, " form=") {
					t.Errorf("%s: a field that would be sent: <input%s>", s.name, input)
				}
			}
		}
	}
	if fields == 0 {
		t.Error("no page asks for a password")
	}
}
