package server_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"gateway/internal/identity"
	"gateway/internal/server"
	"gateway/policy"
	"gateway/sessions"
)

// issues makes an app token of somebody, and returns it with its record.
func (h *house) issues(login, app string, seconds ...int) server.AdminToken {
	h.Helper()
	n := server.AdminNewToken{User: login, App: app, Name: "backup", Seconds: 3600}
	if len(seconds) > 0 {
		n.Seconds = seconds[0]
	}
	var made server.AdminToken
	h.command(http.MethodPost, "/tokens", n).wants(http.StatusCreated).decode(&made)
	return made
}

func bearer(token string) []string { return []string{"Authorization", "Bearer " + token} }

func basic(user, password string) []string {
	return []string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))}
}

// lets makes an app take tokens by Basic.
func (h *house) lets(app string) {
	h.between(func() {
		a := h.server.Apps[app]
		a.Basic = true
		h.server.Apps[app] = a
	})
}

// A token is its person, at its app alone, by every way in; and where it does
// not count nothing of it reaches an app.
func TestAppTokens(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		h.lets("wiki")
		alice, bob := h.issues("alice", "wiki").Token, h.issues("bob", "wiki").Token
		board := h.issues("bob", "board").Token
		erin := h.unnamed("erin-1")
		erins := h.issues(erin, "wiki").Token
		cookie := h.at(h.bob)
		last := bob[len(bob)-1:]
		bent := bob[:len(bob)-1] + map[bool]string{true: "A", false: "B"}[last != "A"]
		for _, row := range []struct {
			story, method, host, target string
			lines                       []string
			want                        string
		}{
			{"as Bearer", "GET", h.site.wiki, "/x", bearer(bob), "allow bob"},
			{"to change something", "DELETE", h.site.wiki, "/x", bearer(bob), "allow bob"},
			{"in small letters, with spaces", "GET", h.site.wiki, "/x", []string{"Authorization", "bearer   " + bob + "  "}, "allow bob"},
			{"in capitals", "GET", h.site.wiki, "/x", []string{"Authorization", "BEARER " + bob}, "allow bob"},
			{"what the person may", "GET", h.site.wiki, "/admin/x", bearer(alice), "allow alice"},
			{"what the person may not", "GET", h.site.wiki, "/admin/x", bearer(bob), "deny"},
			{"what nobody may", "GET", h.site.wiki, "/closed/x", bearer(alice), "deny"},
			{"what everybody may", "GET", h.site.wiki, "/public/x", bearer(bob), "allow bob"},
			{"from a page of another origin, which was given it", "POST", h.site.wiki, "/x", append(bearer(bob), sends("https://evil.test", "cross-site")...), "allow bob"},
			{"at its other app", "GET", h.site.board, "/x", bearer(board), "allow bob"},

			{"another app's", "GET", h.site.wiki, "/x", bearer(board), "login"},
			{"at another app", "GET", h.site.board, "/x", bearer(bob), "login"},
			{"another app's, where everybody may", "GET", h.site.wiki, "/public/x", bearer(board), "allow "},
			{"a letter wrong", "GET", h.site.wiki, "/x", bearer(bent), "login"},
			{"a letter too many", "GET", h.site.wiki, "/x", bearer(bob + "A"), "login"},
			{"padding", "GET", h.site.wiki, "/x", bearer(bob + "="), "login"},
			{"small letters", "GET", h.site.wiki, "/x", bearer("gw_" + strings.ToLower(bob[3:])), "login"},
			{"its name alone", "GET", h.site.wiki, "/x", bearer("gw_"), "login"},
			{"huge", "GET", h.site.wiki, "/x", bearer("gw_" + strings.Repeat("A", 30_000)), "login"},
			{"as another scheme", "GET", h.site.wiki, "/x", []string{"Authorization", "Token " + bob}, "login"},
			{"without a scheme", "GET", h.site.wiki, "/x", []string{"Authorization", bob}, "login"},
			{"behind a tab", "GET", h.site.wiki, "/x", []string{"Authorization", "Bearer\t" + bob}, "login"},
			{"as a parameter", "GET", h.site.wiki, "/x", []string{"Authorization", `Bearer token="` + bob + `"`}, "login"},
			{"after another", "GET", h.site.wiki, "/x", []string{"Authorization", "Bearer abc, Bearer " + bob}, "login"},
			{"where everybody may, misspelt", "GET", h.site.wiki, "/public/x", []string{"Authorization", "Token " + bob}, "allow "},
			{"as our cookie", "GET", h.site.wiki, "/x", []string{"Cookie", h.site.sessionCookie + "=" + bob}, "login"},
			{"in the query", "GET", h.site.wiki, "/x?access_token=" + bob + "&token=" + bob, nil, "login"},
			{"beside a session", "GET", h.site.wiki, "/x", append(bearer(bob), cookie...), "no question"},
			{"beside an empty cookie", "GET", h.site.wiki, "/x", append(bearer(bob), "Cookie", h.site.sessionCookie+"="), "allow bob"},
			{"twice", "GET", h.site.wiki, "/x", append(bearer(bob), bearer(bob)...), "no question"},
			{"beside an app's own", "GET", h.site.wiki, "/x", append(bearer(bob), "Authorization", "Basic YTpi"), "no question"},

			{"as the password", "GET", h.site.wiki, "/x", basic("bob", bob), "allow bob"},
			{"as the password of no user", "GET", h.site.wiki, "/x", basic("", bob), "allow bob"},
			{"as the password of somebody else", "GET", h.site.wiki, "/x", basic("alice", bob), "login"},
			{"as the password of a user in capitals", "GET", h.site.wiki, "/x", basic("BOB", bob), "login"},
			{"as the password of a user with a zero byte", "GET", h.site.wiki, "/x", basic("bob\x00", bob), "login"},
			{"as the password of no text", "GET", h.site.wiki, "/x", basic("\xff", bob), "login"},
			{"as the user", "GET", h.site.wiki, "/x", basic(bob, ""), "login"},
			{"as a password with something behind", "GET", h.site.wiki, "/x", basic("bob", bob+":x"), "login"},
			{"as the password, without padding", "GET", h.site.wiki, "/x", []string{"Authorization", strings.TrimRight(basic("bobby", bob)[1], "=")}, "login"},
			{"another app's, as the password", "GET", h.site.wiki, "/x", basic("bob", board), "login"},
			{"as the password, where the app says nothing", "GET", h.site.board, "/x", basic("bob", board), "login"},
			{"as the password, beside a session", "GET", h.site.wiki, "/x", append(basic("bob", bob), cookie...), "no question"},
			{"as the password, brought by a page of another origin", "POST", h.site.wiki, "/x", append(basic("bob", bob), sends("https://evil.test", "cross-site")...), "deny"},
			{"as the password of a login with a colon", "GET", h.site.wiki, "/x", basic(erin, erins), "allow " + erin},
			{"as the password of half such a login", "GET", h.site.wiki, "/x", basic("erin-1", erins), "login"},
			{"named as of this connection alone", "GET", h.site.wiki, "/x", append(bearer(bob), "Connection", "Authorization"), "allow bob"},
			{"no password of ours", "GET", h.site.wiki, "/x", basic("bob", "secret"), "login"},
			{"an app's own password, beside a session", "GET", h.site.wiki, "/x", append(basic("bob", "secret"), cookie...), "allow bob"},
			{"an app's own token, beside a session", "GET", h.site.wiki, "/x", append(bearer("ey.gw_x.y"), cookie...), "allow bob"},
			{"no base64", "GET", h.site.wiki, "/x", append([]string{"Authorization", "Basic ***"}, cookie...), "allow bob"},
		} {
			hits := h.echo.count()
			for way, got := range h.ways(question{row.method, h.site.scheme, row.host, row.target, "192.0.2.7", row.lines}) {
				if got != row.want {
					t.Errorf("%s, %s: %s, want %s", row.story, way, got, row.want)
				}
			}
			for _, hit := range h.echo.seen()[hits:] { // what we have taken, and what looks like it, no app sees
				sent, theirs := hit.Header["Authorization"], strings.HasPrefix(row.story, "an app's own") || row.story == "no base64"
				if theirs && (len(sent) != 1 || sent[0] != row.lines[1]) || !theirs && sent != nil {
					t.Errorf("%s: the app sees %q", row.story, sent)
				}
			}
		}
	})
}

// What a front proxy is told of Authorization is what the app may see.
func TestAuthorizationBehindFrontProxies(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	h.lets("wiki")
	bob, session := h.issues("bob", "wiki").Token, h.token(h.bob, "wiki")
	cookie := h.at(h.bob)
	for _, row := range []struct {
		story  string
		target string
		lines  []string
		want   []string
	}{
		{"a token", "/x", bearer(bob), nil},
		{"a token as a password", "/x", basic("bob", bob), nil},
		{"a session", "/x", bearer(session), nil},
		{"a token that does not count", "/public/x", bearer(bob + "x"), nil},
		{"a token in the wrong place", "/public/x", []string{"Authorization", "Token " + bob}, nil},
		{"none", "/x", cookie, nil},
		{"the app's own", "/x", append(bearer("of.another.kind"), cookie...), []string{"Bearer of.another.kind"}},
		{"the app's own, of nobody", "/public/x", basic("a", "b"), []string{"Basic YTpi"}},
		{"the app's own, by a scheme of its own", "/public/x", []string{"Authorization", "Negotiate " + basic("bob", "gw_A")[1][len("Basic "):]}, []string{"Negotiate " + basic("bob", "gw_A")[1][len("Basic "):]}},
		{"half a token as a password", "/public/x", basic("bob", "gw_A"), nil},
		{"half a token as a password with something behind", "/public/x", basic("bob", "gw_A:x"), nil},
		{"half a token as the user", "/public/x", basic("gw_A", ""), nil},
		{"half a token in brackets", "/public/x", []string{"Authorization", "Token {gw_A}"}, nil},
		{"what calls itself a session, by another scheme", "/public/x", []string{"Authorization", "Token " + base64.RawURLEncoding.EncodeToString([]byte(`{  "typ":"gateway-session+jwt"}`)) + ".A.A"}, nil},
		{"a token as a password, by another scheme", "/public/x", []string{"Authorization", "Negotiate " + basic("bob", bob)[1][len("Basic "):]}, nil},
		{"a token as a password, by another scheme, with something behind", "/public/x", []string{"Authorization", "Negotiate " + strings.TrimRight(basic("bob", bob)[1][len("Basic "):], "=") + "."}, nil},
		{"an empty one", "/x", append([]string{"Authorization", ""}, cookie...), []string{""}},
	} {
		for _, dialect := range dialects {
			a := h.asks(dialect, h.about(row.target, row.lines...)).wants(http.StatusOK)
			if got := a.header["Authorization"]; !slices.Equal(got, row.want) {
				t.Errorf("%s, %s: Authorization %q, want %q", row.story, dialect, got, row.want)
			}
			told := dialect == extAuthz && row.want == nil && row.story != "none"
			if got := a.header.Get("X-Envoy-Auth-Headers-To-Remove") == "authorization"; got != told {
				t.Errorf("%s, %s: told to remove it: %v, want %v", row.story, dialect, got, told)
			}
		}
	}
	for _, dialect := range dialects {
		if a := h.asks(dialect, h.about("/admin/x", append(bearer("of.another.kind"), cookie...)...)); a.header["Authorization"] != nil {
			t.Errorf("%s: a refusal repeats it: %v", dialect, a.header)
		}
	}
}

// unnamed adds somebody whose provider tells no name, and returns the login.
func (h *house) unnamed(subject string) string {
	h.Helper()
	u, err := h.server.Register.Resolve(h.Context(), identity.Identity{Key: identity.Key{Issuer: h.corp.URL, Subject: subject}, Provider: "corp"})
	h.must(err)
	if u.Login != "corp:"+subject {
		h.Fatalf("the login is %q", u.Login)
	}
	return u.Login
}

// What a token is good for is what its person may at this moment.
func TestAppTokensFollowTheirPerson(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	token := bearer(h.issues("bob", "wiki").Token)
	may := func(story, want string) {
		t.Helper()
		for way, got := range h.ways(question{"GET", h.site.scheme, h.site.wiki, "/admin/x", "192.0.2.7", token}) {
			if got != want {
				t.Errorf("%s, %s: %s, want %s", story, way, got, want)
			}
		}
	}
	may("of nothing", "deny")
	h.command(http.MethodPost, "/users/bob/groups", map[string]any{"add": []string{"admins"}}).wants(http.StatusOK)
	may("of the group", "allow bob")
	h.command(http.MethodPost, "/users/bob/groups", map[string]any{"remove": []string{"admins"}}).wants(http.StatusOK)
	may("of the group no more", "deny")
	h.command(http.MethodPost, "/users/bob/disable", nil).wants(http.StatusOK)
	may("disabled", "login")
	h.command(http.MethodPost, "/users/bob/enable", nil).wants(http.StatusOK)
	h.command(http.MethodPost, "/users/bob/groups", map[string]any{"add": []string{"admins"}}).wants(http.StatusOK)
	may("enabled", "login")
	token = bearer(h.issues("bob", "wiki").Token)
	may("of a new token", "allow bob")
	h.command(http.MethodDelete, "/users/bob", nil).wants(http.StatusOK)
	may("deleted", "login")
}

// To the app a token is its person; the assertion says that it was one.
func TestAppTokensSpeakForTheirPerson(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	a := h.asks(forwardAuth, h.about("/x", bearer(h.issues("alice", "wiki").Token)...)).wants(http.StatusOK)
	a.says("a token", "alice", aliceMail, "Alice", "admins")
	body, err := base64.RawURLEncoding.DecodeString(strings.Split(a.header.Get("X-Gateway-Jwt-Assertion"), ".")[1])
	h.must(err)
	var claims struct {
		Login, Aud, Origin string
		AMR                []string
	}
	h.must(json.Unmarshal(body, &claims))
	if claims.Login != "alice" || claims.Aud != h.Wiki || claims.Origin != "local" || !slices.Equal(claims.AMR, []string{identity.ByToken}) {
		t.Errorf("the assertion says %+v", claims)
	}
	if got := h.rows(); len(got.sessions) != 0 {
		t.Errorf("a token has a session: %+v", got.sessions)
	}
	var all []server.AdminToken
	h.command(http.MethodGet, "/tokens?user=alice", nil).wants(http.StatusOK).decode(&all)
	if len(all) != 1 || all[0].LastUsed == nil || all[0].Token != "" {
		t.Errorf("listed: %+v", all)
	}
}

// At the portal, and on our own paths, a token is nobody's: it opens an app.
func TestAppTokensAreNoSessions(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		h.lets("wiki")
		token := h.issues("bob", "wiki").Token
		for story, lines := range map[string][]string{"Bearer": bearer(token), "Basic": basic("bob", token), "another scheme": {"Authorization", "Token " + token}} {
			for _, origin := range []string{h.Portal, h.Wiki} {
				h.program().get(origin+"/.gateway/connect", lines...).refuses(story, http.StatusBadRequest, "InvalidSession")
				h.program().post(origin+"/.gateway/logout", "", lines...).refuses(story, http.StatusBadRequest, "InvalidSession")
			}
			if a := h.program().get(h.Portal+"/", lines...); a.status == http.StatusOK && strings.Contains(a.body, "bob") {
				t.Errorf("%s: the portal knows bob: %s", story, a.body)
			}
			begun := h.program().get(h.Wiki+"/.gateway/sign-in?rd=/x", lines...).wants(http.StatusSeeOther)
			if a := h.program().get(begun.location(), lines...); strings.Contains(a.location(), "/.gateway/handoff") {
				t.Errorf("%s: a hand-off for a token: %s", story, a.location())
			}
		}
		h.program().get(h.Wiki+"/x", bearer(token)...).wants(http.StatusOK) // a sign-out ends no token
	})
}

// What does not count is refused with a reason, which an administrator can ask
// for by the decision id, and nobody is ever asked for Basic.
func TestAppTokensThatDoNotCount(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	h.lets("board")
	late, revoked, dead, gone, kept := h.issues("bob", "wiki", 60), h.issues("bob", "wiki"), h.issues("alice", "wiki"), h.issues("dave", "wiki"), h.issues("bob", "board")
	wrong := h.issues("bob", "board").Token
	h.command(http.MethodDelete, "/tokens/"+revoked.ID, nil).wants(http.StatusOK)
	h.program().get(h.Wiki+"/x", bearer(late.Token)...).wants(http.StatusOK)
	h.program().get(h.Wiki+"/x", bearer(gone.Token)...).wants(http.StatusOK)
	h.clock.pass(time.Minute)
	h.command(http.MethodPost, "/users/alice/disable", nil).wants(http.StatusOK)
	unknown := wrong
	for _, row := range []struct {
		story, host string
		lines       []string
		token       server.AdminToken
		before      func()
		reason      string
	}{
		{"expired", h.site.wiki, bearer(late.Token), late, nil, "token-over"},
		{"expired, the clock set back", h.site.wiki, bearer(late.Token), late, func() { h.clock.pass(-time.Minute) }, "token-over"},
		{"revoked", h.site.wiki, bearer(revoked.Token), revoked, nil, "token-over"},
		{"of somebody who was disabled", h.site.wiki, bearer(dead.Token), dead, nil, "token-over"},
		{"of another app", h.site.wiki, bearer(kept.Token), kept, nil, "token-elsewhere"},
		{"no such", h.site.board, bearer(unknown), server.AdminToken{}, func() {
			h.command(http.MethodDelete, "/tokens?app=board&user=bob", nil).wants(http.StatusOK)
			_, err := h.store.Sweep(h.Context(), h.clock.now().Add(40*24*time.Hour))
			h.must(err)
		}, "token-unknown"},
		{"malformed", h.site.wiki, bearer("gw_A"), server.AdminToken{}, nil, "token-malformed"},
		{"of somebody who waits", h.site.wiki, bearer(gone.Token), server.AdminToken{}, func() {
			gone = h.issues("dave", "wiki")
			_, err := h.server.Register.SetStatus(h.Context(), h.dave, identity.Waiting)
			h.must(err)
		}, ""},
	} {
		if row.before != nil {
			row.before()
		}
		if row.reason == "" {
			row.lines, row.token, row.reason = bearer(gone.Token), gone, "token-person"
		}
		for _, dialect := range dialects {
			q := h.about("/x", row.lines...)
			q.host = row.host
			h.wantsUseless(row.story, h.asks(dialect, q), row.reason, row.token)
		}
		address := "https://" + row.host
		h.wantsUseless(row.story, h.program().get(address+"/x", row.lines...), row.reason, row.token)
		a := h.program().get(address+"/x", append(slices.Clone(navigation), row.lines...)...).wants(http.StatusUnauthorized)
		if !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") || a.location() != "" {
			t.Errorf("%s: a page is answered %v", row.story, a.header)
		}
	}
	h.wantsUseless("Basic where the app says nothing", h.program().get(h.Wiki+"/x", basic("bob", h.issues("bob", "wiki").Token)...), "token-basic", server.AdminToken{})
	bobs := h.issues("bob", "board")
	h.wantsUseless("Basic of somebody else", h.program().get(h.Board+"/x", basic("alice", bobs.Token)...), "token-user", bobs)
	twice := h.program().get(h.Board+"/x", append(bearer(bobs.Token), bearer(bobs.Token)...)...)
	if twice.refuses("twice", http.StatusBadRequest, "BadRequest"); !strings.Contains(twice.field("detail"), "more than one Authorization header") {
		t.Errorf("twice: %s", twice.body)
	}
}

// wantsUseless checks the refusal of a token, and what is known of it by its id.
func (h *house) wantsUseless(story string, a answer, reason string, token server.AdminToken) {
	h.Helper()
	a.refuses(story, http.StatusUnauthorized, "SessionExpired")
	if got := a.header["Www-Authenticate"]; len(got) != 1 || got[0] != `Bearer realm="gateway", error="invalid_token"` {
		h.Errorf("%s: WWW-Authenticate %q", story, got)
	}
	if a.field("reason") != reason || a.header.Get("X-Gateway-Sign-In") == "" {
		h.Errorf("%s: reason %q, want %q: %v", story, a.field("reason"), reason, a.header)
	}
	d := h.explained(a.field("decision_id"))
	if string(d.Then.Reason) != reason || d.Unknown == "" || token.ID != "" && (d.Token != token.ID || d.Login != token.Login) {
		h.Errorf("%s: explained as %+v, want %s of %+v", story, d, reason, token)
	}
	if lines := h.audited("decision_id", d.ID); len(lines) != 1 || lines[0]["reason"] != reason || token.ID != "" && (lines[0]["token_id"] != token.ID || lines[0]["login"] != token.Login) {
		h.Errorf("%s: the book has %v", story, lines)
	}
}

// Nobody is asked for Basic, whether the app takes it or not: a browser would
// ask its user for a password.
func TestNobodyIsAskedForBasic(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	h.lets("wiki")
	for _, lines := range [][]string{nil, basic("alice", "wrong"), basic("", ""), bearer("gw_x"), {"Authorization", "Basic"}, append(slices.Clone(navigation), basic("alice", "wrong")...)} {
		for _, dialect := range dialects {
			if a := h.asks(dialect, h.about("/x", lines...)); strings.Contains(strings.Join(a.header["Www-Authenticate"], ","), "Basic") || a.decision() != "login" {
				t.Errorf("%q: %d %v", lines, a.status, a.header)
			}
		}
		if a := h.program().get(h.Wiki+"/x", lines...); strings.Contains(strings.Join(a.header["Www-Authenticate"], ","), "Basic") {
			t.Errorf("%q: %v", lines, a.header)
		}
	}
}

// A token has no factors: where they are asked for it is refused, with 403 and
// never a loop, unless the rule says otherwise.
func TestAppTokensAndFactors(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	signedIn := &policy.Subjects{SignedIn: true}
	guard, err := policy.New(policy.Config{Apps: []policy.App{{Name: "wiki", Host: h.site.wiki, Rules: []policy.Rule{
		{Paths: []string{"/factors"}, Allow: signedIn, Factors: 1},
		{Paths: []string{"/age"}, Allow: signedIn, MaxAge: time.Hour},
		{Paths: []string{"/both"}, Allow: signedIn, Factors: 3, MaxAge: time.Minute, Tokens: policy.AllowTokens},
		{Paths: []string{"/people"}, Allow: signedIn, Tokens: policy.RefuseTokens},
		{Paths: []string{"/scripts"}, Allow: signedIn, When: "session.token"},
		{Paths: []string{"/open"}, Allow: &policy.Subjects{Everyone: true}, Tokens: policy.RefuseTokens},
		{Allow: signedIn},
	}}}})
	h.must(err)
	h.server.Policy.Store(guard)
	token, cookie := bearer(h.issues("bob", "wiki").Token), h.at(h.bob)
	for _, row := range []struct {
		target         string
		token, session string // the answer: allow, or the error
	}{
		{"/", "allow", "allow"},
		{"/factors", "FactorNeeded few-factors", "allow"},
		{"/age", "FactorNeeded too-long-ago", "allow"},
		{"/both", "allow", "FactorNeeded few-factors"},
		{"/people", "Forbidden no-tokens", "allow"},
		{"/open", "Forbidden no-tokens", "allow"},
		{"/scripts", "allow", "Forbidden not-true"},
	} {
		for _, dialect := range dialects {
			for _, one := range []struct {
				lines       []string
				want, needs string
			}{
				{token, row.token, "This asks for factors or a recent sign-in, and an app token has neither."},
				{cookie, row.session, "This asks for more factors than the session has."},
			} {
				a := h.asks(dialect, h.about(row.target, one.lines...))
				word, reason, refused := strings.Cut(one.want, " ")
				if !refused {
					a.wants(http.StatusOK)
					continue
				}
				a.refuses(row.target, http.StatusForbidden, word)
				detail := "The policy does not allow this. Give the decision_id to an administrator to learn why."
				if word == "FactorNeeded" {
					detail = one.needs
				}
				if a.field("detail") != detail {
					t.Errorf("%s, %q: %q, want %q", row.target, one.lines[0], a.field("detail"), detail)
				}
				if d := h.explained(a.field("decision_id")); string(d.Then.Reason) != reason || d.Changed || len(d.Now.Needs) == 0 {
					t.Errorf("%s, %q: explained as %+v", row.target, one.lines[0], d)
				}
			}
		}
	}
}

// Where nobody may, no better token would help, and none is asked for.
func TestUselessTokensWhereNobodyMay(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	for _, dialect := range dialects {
		a := h.asks(dialect, h.about("/closed/x", bearer("gw_x")...))
		a.refuses(dialect, http.StatusForbidden, "Forbidden")
		if d := h.explained(a.field("decision_id")); d.Then.Reason != policy.RuleDenies {
			t.Errorf("%s: explained as %+v", dialect, d)
		}
	}
}

// An open stream ends with the token that it was opened by, and others go on.
func TestStreamsEndWithTheirToken(t *testing.T) {
	for story, end := range map[string]func(*house, server.AdminToken){
		"revoked": func(h *house, n server.AdminToken) {
			h.command(http.MethodDelete, "/tokens/"+n.ID, nil).wants(http.StatusOK)
		},
		"expired": func(h *house, _ server.AdminToken) { h.clock.pass(time.Hour) },
		"disabled": func(h *house, _ server.AdminToken) {
			h.command(http.MethodPost, "/users/bob/disable", nil).wants(http.StatusOK)
		},
	} {
		t.Run(story, func(t *testing.T) {
			t.Parallel()
			h := open(t, https)
			app := &lasting{}
			app.behind(h)
			token, other := h.issues("bob", "wiki"), h.issues("alice", "wiki", 7200)
			var all []*lastingRequest
			for _, way := range []string{"websocket", "events", "download", "poll"} {
				all = append(all, h.lasts(way, "/x", bearer(token.Token)...))
			}
			h.lasts("events", "/x", bearer(other.Token)...)
			app.idle(t, int64(len(all))+1)
			end(h, token)
			late := lag()
			app.idle(t, 1)
			if took, lost := late(); took > time.Second+lost {
				t.Errorf("%s: the app was let go after %v, want a second at most (the machine itself lost %v)", story, took, lost)
			}
			for _, one := range all {
				one.wantsEnd(t, story, http.StatusUnauthorized)
			}
		})
	}
}

// Cannot tell is never yes, for tokens too.
func TestAppTokensWhenTheStoreIsDown(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	token := bearer(h.issues("bob", "wiki").Token)
	h.watch.failing.Store(true)
	h.must(h.store.Close())
	for _, dialect := range dialects {
		h.asks(dialect, h.about("/x", token...)).refuses("in a dialect", http.StatusServiceUnavailable, "Unavailable")
	}
	h.program().get(h.Wiki+"/x", token...).refuses("at the own proxy", http.StatusServiceUnavailable, "Unavailable")
	h.program().get(h.Wiki+"/public/x", token...).wants(http.StatusOK)
	if got := h.echo.last(t).Header; got.Get("Remote-User") != "" || got["Authorization"] != nil {
		t.Errorf("the app sees %v", got)
	}
}

// Whoever tries tokens is slowed down, and nobody else at the same address: no
// token that counts, and no sign-in.
func TestWrongTokensAreThrottled(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	good := bearer(h.issues("bob", "wiki").Token)
	wrong := bearer(h.issues("alice", "wiki").Token)
	h.must(h.store.DeleteUser(h.Context(), h.alice.id)) // and with her the token
	h.known()
	before := h.metrics()
	limited := 0
	for range 120 {
		if a := h.program().get(h.Wiki+"/x", wrong...); a.status == http.StatusTooManyRequests {
			limited++
			if a.header.Get("Retry-After") == "" || a.field("error") != "TooManyAttempts" {
				t.Errorf("%v %s", a.header, a.body)
			}
		}
	}
	if limited < 10 {
		t.Errorf("%d of 120 tries were told to wait", limited)
	}
	h.program().get(h.Wiki+"/x", good...).wants(http.StatusOK)
	h.program().get(h.Wiki+"/public/x", wrong...).wants(http.StatusOK)
	h.as(h.bob)
	counted := h.counted(before)
	if got := counted[`gateway_checks_total{app="wiki",outcome="refused",way="proxy"}`]; got != 120 {
		t.Errorf("%v refusals were counted, want 120: %v", got, counted)
	}
}

// A door that is shut shuts its people's tokens out, too.
func TestAppTokensOfAShutDoor(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	bob, dave := bearer(h.issues("bob", "wiki").Token), bearer(h.issues("dave", "wiki").Token)
	h.between(func() { h.server.Local = nil })
	h.program().get(h.Wiki+"/x", bob...).refuses("by password", http.StatusUnauthorized, "SessionExpired")
	h.program().get(h.Wiki+"/x", dave...).wants(http.StatusOK)
	h.command(http.MethodPost, "/tokens", server.AdminNewToken{User: "bob", App: "wiki", Name: "x", Seconds: 60}).refuses("a new one", http.StatusBadRequest, "BadRequest")
	h.issues("dave", "wiki")
}

// The limits that an app has for its sessions are none of a token.
func TestAppTokensAndLimits(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	token, cookie := bearer(h.issues("bob", "wiki").Token), h.at(h.bob)
	h.limits(sessions.Limits{Idle: 10 * time.Minute, Lifetime: 20 * time.Minute})
	h.clock.pass(30 * time.Minute)
	for _, dialect := range dialects {
		h.asks(dialect, h.about("/x", token...)).wants(http.StatusOK)
		if a := h.asks(dialect, h.about("/x", cookie...)); a.decision() != "login" {
			t.Errorf("%s: a session of half an hour: %s", dialect, a.decision())
		}
	}
}
