package policy_test

import (
	"errors"
	"strings"
	"testing"

	"gateway/internal/canonical"
	"gateway/policy"
)

// only returns an app whose one rule has the paths.
func only(paths ...string) policy.App {
	return policy.App{Name: "app", Host: "ex.test", Rules: []policy.Rule{{Paths: paths, Allow: &policy.Subjects{Everyone: true}}}}
}

func TestPaths(t *testing.T) {
	for _, row := range []struct{ pattern, covers, not string }{
		{"/", "/", "/a /a/"},
		{"/admin", "/admin", "/ /admin/ /admin/x /administrator /admin.php /Admin /ADMIN /adm /x/admin /admin%20x /adm%C4%B1n"},
		{"/admin/", "/admin/", "/ /admin /admin/x /admin/x/"},
		{"/admin/*", "/admin/x /admin/.x /admin/x.php", "/admin /admin/ /admin/x/ /admin/x/y /administrator/x /x"},
		{"/admin/*/", "/admin/x/", "/admin/ /admin/x /admin/x/y"},
		{"/admin/**", "/admin /admin/ /admin/x /admin/x/ /admin/x/y/z", "/ /administrator /admin.php /administrator/x /x/admin"},
		{"/admin/**/", "/admin/ /admin/x/ /admin/x/y/", "/admin /admin/x /admin/x/y"},
		{"/**", "/ /a /a/ /a/b/c", ""},
		{"/*", "/a /admin", "/ /a/ /a/b"},
		{"/*/*", "/a/b", "/ /a /a/ /a/b/ /a/b/c"},
		{"/*/**", "/a /a/ /a/b /a/b/", "/"},
		{"/**/*", "/a /a/b", "/ /a/ /a/b/"},
		{"/*/edit", "/a/edit", "/edit /a/b/edit /a/edit/ /a/editor"},
		{"/**/edit", "/edit /a/edit /a/b/edit /edit/edit", "/edit/ /a/edit/b /xedit"},
		{"/a/**/z", "/a/z /a/b/z /a/b/c/z /a/z/z", "/a /z /a/b /a/z/ /a/z/b"},
		{"/a/**/m/**/z", "/a/m/z /a/b/m/c/z /a/m/m/z /a/m/z/z /a/z/m/z", "/a/z /a/m /a/z/m /m/z"},
		{"/**/.git/**", "/.git /.git/config /a/.git/ /a/b/.git/c/d /.git/.git", "/ /git /a/.github/x /.gitignore"},
		{"/a/**/*/z", "/a/b/z /a/b/c/z /a/z/z", "/a/z /a//z"},
		{"/**/a/*/b", "/a/x/b /c/a/x/b /a/a/x/b /a/a/b/b", "/a/b /a/x/y/b"},
		{"/my file/**", "/my%20file /my%20file/x", "/my+file"},
		{"/café", "/caf%C3%A9 /caf%c3%a9", "/cafe%CC%81 /cafe"},
		{"/100%", "/100%25", "/100"},
		{"/.well-known/x", "/.well-known/x /%2ewell-known/x", "/well-known/x"},
		{"/a:b@c/[d]", "/a:b@c/%5Bd%5D /a%3Ab%40c/%5bd%5d", "/a:b@c/d"},
	} {
		p := build(t, only(row.pattern))
		for raw := range strings.FieldsSeq(row.covers) {
			if got := p.Decide(request(t, nobody, "", "GET", "ex.test"+raw)); got.Effect != policy.Allow {
				t.Errorf("%s does not cover %s", row.pattern, raw)
			}
		}
		for raw := range strings.FieldsSeq(row.not) {
			target, err := canonical.ParseTarget(raw)
			if err != nil {
				continue // refused before it is matched
			}
			if got := p.Decide(policy.Request{Method: "GET", Host: "ex.test", Path: target.Path}); got.Effect != policy.Deny {
				t.Errorf("%s covers %s", row.pattern, raw)
			}
		}
	}
}

// The first rule decides, by whichever way its pattern and the others' run
// through the tree.
func TestFirstRuleDecides(t *testing.T) {
	app := policy.App{Name: "app", Host: "ex.test"}
	for _, paths := range [][]string{
		{"/a/*/c"}, {"/a/b/c", "/z/**/y"}, {"/**/c"}, {"/a/**"}, {"/*/b/*", "/z/*"}, {"/**/y"}, {"/**"},
	} {
		app.Rules = append(app.Rules, policy.Rule{Paths: paths, Deny: true})
	}
	app.Rules[1].Paths[0] = "/a/b/d"
	p := build(t, app)
	for url, want := range map[string]string{
		"/a/b/c": "app[0]", "/a/x/c": "app[0]", "/a/b/d": "app[1]", "/a/c": "app[2]", "/x/b/c": "app[2]", "/a": "app[3]", "/a/": "app[3]", "/a/b/x": "app[3]",
		"/x/b/d": "app[4]", "/z/x": "app[4]", "/z/y": "app[1]", "/z/x/y": "app[1]", "/z/x/y/": "app[6]", "/y": "app[5]", "/q/y": "app[5]", "/": "app[6]", "/q": "app[6]",
	} {
		if got := p.Decide(request(t, nobody, "", "GET", "ex.test"+url)).Rule; got != want {
			t.Errorf("%s is decided by %s, want %s", url, got, want)
		}
	}
}

func TestPatternsRefused(t *testing.T) {
	for _, pattern := range []string{
		"", "admin", "*", "**", "^/public/", "https://ex.test/x", "//", "/a//b", "//a", "/a/.", "/a/../b", "/./a", "/a*", "/*a", "/a/*.php", "/a/***", "/a**", "/**/**", "/a/**/**/b",
		"/a;b", "/a\\b", "/a\x00", "/a\n", "/ a", "/a ", "/a/ ", "/a%2fb", "/%61dmin", "/caf%C3%A9", "/a%20b", "/a?x=y", "/a#b", "/users/{id}", "/\xff", "/public/.*", "/public/.*$",
	} {
		_, err := policy.New(policy.Config{Apps: []policy.App{only(pattern)}})
		if complaint := (*policy.Complaint)(nil); !errors.As(err, &complaint) || complaint.Path != "apps.app.rules[0].paths[0]" {
			t.Errorf("New with the path %q = %v, want a complaint about apps.app.rules[0].paths[0]", pattern, err)
		}
	}
}
