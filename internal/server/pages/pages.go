// Package pages renders values to the pages that people see, and holds the
// assets that the pages need: one style sheet, a few scripts, one drawing. It
// knows no routes and no sessions; the front decides what is shown when, and
// serves what Asset returns below AssetPath.
//
// No page has inline script or style, refers to another site, or lets a form
// send a password: the sign-in script turns the password into a SCRAM-SHA-256
// proof (RFC 5802, RFC 7677) and sends that. All words are in texts/en.json.
package pages

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io"
	"sync"
)

// CSP is the Content-Security-Policy of every page: what is not from this very
// host is not loaded, no page can be framed, no script can turn text to markup.
const CSP = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'; object-src 'none'; require-trusted-types-for 'script'"

//go:embed assets templates texts
var files embed.FS

// Render writes the page of a value: SignIn, Apps, SignOut, SignedOut, Switch,
// Continue, Invited, Guest, Choose, Waiting, Refusal or Failure. Nothing is written if it cannot be rendered;
// an error of w comes back as it is.
func Render(w io.Writer, value any) error {
	name, ok := pageOf(value)
	if !ok {
		return fmt.Errorf("pages: no page for %T", value)
	}
	set, err := parsed()
	if err != nil {
		return err
	}
	var page bytes.Buffer
	if err := set[name].ExecuteTemplate(&page, "layout", value); err != nil {
		return fmt.Errorf("pages: render %s: %w", name, err)
	}
	_, err = page.WriteTo(w)
	return err
}

// pageOf names the template of a value.
func pageOf(value any) (name string, ok bool) {
	switch value.(type) {
	case SignIn:
		return "sign-in", true
	case Apps:
		return "apps", true
	case SignOut:
		return "sign-out", true
	case SignedOut:
		return "signed-out", true
	case Switch:
		return "switch", true
	case Continue:
		return "continue", true
	case Invited:
		return "invited", true
	case Guest:
		return "guest", true
	case Choose:
		return "choose", true
	case Waiting:
		return "waiting", true
	case Refusal:
		return "refusal", true
	case Failure:
		return "failure", true
	default:
		return "", false
	}
}

// parsed holds one template set per page: layout, the door that most pages
// are, and the page itself, which may redefine the body.
var parsed = sync.OnceValues(func() (map[string]*template.Template, error) {
	words, err := catalogue()
	if err != nil {
		return nil, err
	}
	set := map[string]*template.Template{}
	for _, name := range []string{"sign-in", "apps", "sign-out", "signed-out", "switch", "continue", "invited", "guest", "choose", "waiting", "refusal", "failure"} {
		page := template.New(name).Funcs(words.funcs()).Option("missingkey=error")
		if _, err := page.ParseFS(files, "templates/layout.html", "templates/door.html", "templates/"+name+".html"); err != nil {
			return nil, fmt.Errorf("pages: %w", err)
		}
		set[name] = page
	}
	return set, nil
})
