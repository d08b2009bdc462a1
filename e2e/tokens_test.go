package e2e

import (
	"encoding/base64"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Behind each front proxy, and at the gateway's own, a script with a token is its
// person; the app never sees the token, and sees an Authorization that is its own.
func TestTokensAtFrontProxies(t *testing.T) {
	const apps = `apps:
  one:
    host: one.localhost
    basic: true
    rules:
      - {paths: [/public/**], allow: everyone}
      - {allow: signed-in}
  two: {host: two.other.localhost, allow: signed-in}
`
	own := front{name: "the gateway itself"}
	for _, f := range append(slices.Clip(fronts), own) {
		t.Run(f.name, func(t *testing.T) {
			app, other := startEcho(t), startEcho(t)
			rest := apps
			if f.start == nil {
				rest = strings.NewReplacer("    basic", "    upstream: "+app.URL+"\n    basic", "localhost, allow", "localhost, upstream: \""+other.URL+"\", allow").Replace(apps)
			}
			s := newSite(t, f.start != nil, rest).serve()
			s.addAlice()
			if f.start != nil {
				f.start(t, s, app, other)
			}
			token := regexp.MustCompile(`(?m)^gw_[A-Z2-7]{56}$`).FindString(mustCLI(t, "", "token", "create", "--user", "alice", "--app", "one", "--name", "backup", "--config", s.config))
			basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("alice:"+token))
			odd := "Basic " + base64.StdEncoding.EncodeToString([]byte(token+":"))
			for _, row := range []struct {
				story, host, path, sent string
				status                  int
				user, seen              string
			}{
				{"as Bearer", "one.localhost", "/x", "Bearer " + token, 200, "alice", ""},
				{"as a password", "one.localhost", "/x", basic, 200, "alice", ""},
				{"where everybody may", "one.localhost", "/public/x", "Bearer " + token, 200, "alice", ""},
				{"in the wrong place, where everybody may", "one.localhost", "/public/x", odd, 200, "", ""},
				{"that is none, where everybody may", "one.localhost", "/public/x", "Bearer " + token + "x", 200, "", ""},
				{"in somebody's brackets, where everybody may", "one.localhost", "/public/x", "Bearer <" + token + ">", 200, "", ""},
				{"beside another, where everybody may", "one.localhost", "/public/x", basic + ", Basic YTpi", 200, "", ""},
				{"at another app", "two.other.localhost", "/x", "Bearer " + token, 401, "", ""},
				{"the app's own", "one.localhost", "/public/x", "Bearer of.another.kind", 200, "", "Bearer of.another.kind"},
				{"the app's own password", "one.localhost", "/public/x", "Basic YWxpY2U6c2VjcmV0", 200, "", "Basic YWxpY2U6c2VjcmV0"},
				{"none", "one.localhost", "/public/x", "", 200, "", ""},
			} {
				hits := app.hits() + other.hits()
				header := map[string]string{}
				if row.sent != "" {
					header["Authorization"] = row.sent
				}
				resp, body := visit(t, "GET", s.at(row.host)+row.path, header)
				if resp.StatusCode != row.status {
					t.Errorf("%s: status %d, want %d: %.300s", row.story, resp.StatusCode, row.status, body)
					continue
				}
				if strings.Contains(strings.Join(resp.Header["Www-Authenticate"], ","), "Basic") {
					t.Errorf("%s: asked for Basic", row.story)
				}
				if row.status != 200 {
					if got := app.hits() + other.hits() - hits; got != 0 {
						t.Errorf("%s: the app was asked", row.story)
					}
					continue
				}
				got := app.last(t)
				if got.Header.Get("Remote-User") != row.user || got.Header.Get("Authorization") != row.seen || strings.Contains(strings.Join(got.Header["Authorization"], ","), "gw_") {
					t.Errorf("%s: the app sees %q as %q, want %q as %q", row.story, got.Header["Authorization"], got.Header.Get("Remote-User"), row.seen, row.user)
				}
				for name, values := range got.Header {
					if strings.Contains(strings.Join(values, ","), token) || name == "X-Gateway-Authorization" {
						t.Errorf("%s: the app sees %s: %q", row.story, name, values)
					}
				}
			}
		})
	}
}
