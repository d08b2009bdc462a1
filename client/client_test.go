package client_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gateway/client"
	"gateway/localauth"
	"gateway/localauth/scram"
)

var right = client.NewSecret(password)

func TestLoginLocalForAToken(t *testing.T) {
	p := open(t)
	c := p.client(t)
	c.App = "https://wiki.example.com"
	jar(t, c).SetCookies(address(t, p.URL), []*http.Cookie{kept("another")})
	s, err := c.LoginLocal(t.Context(), "Alice", right, client.WantToken)
	if err != nil {
		t.Fatal(err)
	}
	if s.Login != "alice" || s.UserID != "id-alice" || s.Token.Reveal() != "the-token" {
		t.Errorf("LoginLocal = %+v, want alice with her token", s)
	}
	if want := (client.UserInfo{
		Name: "Alice", Groups: []string{"staff"}, AMR: []string{"pwd"}, Expires: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC),
	}); !cmp.Equal(s.UserInfo, want) {
		t.Errorf("UserInfo: %s", cmp.Diff(want, s.UserInfo))
	}
	for _, h := range p.heard {
		if h.cookies != "" || h.origin != "" || h.bearer != "" || h.body["want"] != "token" {
			t.Errorf("%s: %+v, want a request for a token without cookies", h.path, h)
		}
	}
	if got := p.heard[1].body["app"]; got != "https://wiki.example.com" {
		t.Errorf("app = %v, want the client's", got)
	}
	if got := names(t, c); got != "another" {
		t.Errorf("cookies = %s, want none of the sign-in", got)
	}
}

func TestLoginLocalForACookie(t *testing.T) {
	p := open(t)
	c := p.client(t)
	s, err := c.LoginLocal(t.Context(), "alice", right, client.WantCookie)
	if err != nil {
		t.Fatal(err)
	}
	if s.Login != "alice" || !s.Token.Empty() {
		t.Errorf("LoginLocal = %+v, want alice without a token", s)
	}
	if got := p.heard[1].cookies; got != pre+"=the-browser" {
		t.Errorf("login sent the cookies %q, want the one that connect set", got)
	}
	if got := names(t, c); got != session {
		t.Errorf("cookies = %s, want the session's alone", got)
	}
	end, err := c.Logout(t.Context(), client.Secret{})
	if err != nil || end != "https://id.corp.example/logout" {
		t.Errorf("Logout = %q, %v, want the provider's logout page", end, err)
	}
	if got := p.heard[2].cookies; got != session+"=the-session" {
		t.Errorf("logout sent the cookies %q, want the session's", got)
	}
	if got := names(t, c); got != "" {
		t.Errorf("cookies after logout = %s, want none", got)
	}
	if _, err := (&client.Client{Portal: p.URL}).LoginLocal(t.Context(), "alice", right, client.WantCookie); err == nil {
		t.Error("LoginLocal without a Jar = nil, want an error")
	}
}

func TestLogoutOfAToken(t *testing.T) {
	p := open(t)
	c := p.client(t)
	jar(t, c).SetCookies(address(t, p.URL), []*http.Cookie{kept(session)})
	if _, err := c.Logout(t.Context(), client.NewSecret("the-token")); err != nil {
		t.Fatal(err)
	}
	if h := p.heard[0]; h.bearer != "Bearer the-token" || h.cookies != "" {
		t.Errorf("logout sent %+v, want the token alone", h)
	}
	if got := names(t, c); got != session {
		t.Errorf("cookies = %s, want the other session's still", got)
	}
}

func TestLoginToken(t *testing.T) {
	p := open(t)
	s, err := p.client(t).LoginToken(t.Context(), "corp", client.NewSecret("theirs"))
	if err != nil || s.Login != "corp:1" || s.Token.Reveal() != "ours for theirs" {
		t.Errorf("LoginToken = %+v, %v, want corp:1 with a token", s, err)
	}
	want := map[string]any{"auth_origin": "corp", "token": "theirs", "want": "token"}
	if got := p.heard[0].body; !cmp.Equal(got, want) {
		t.Errorf("login sent %s", cmp.Diff(want, got))
	}
}

func TestConnect(t *testing.T) {
	p := open(t)
	c := p.client(t)
	a, err := c.Connect(t.Context(), client.ConnectRequest{})
	if err != nil || a.SignedIn() || len(a.Origins) != 1 || a.Origins[0].Name != "Corp" {
		t.Errorf("Connect = %+v, %v, want a chooser", a, err)
	}
	if p.heard[0].body != nil {
		t.Errorf("connect sent %v, want no body", p.heard[0].body)
	}
	if got := names(t, c); got != pre {
		t.Errorf("cookies = %s, want %s", got, pre)
	}
	p.answer = func(w http.ResponseWriter, _ *http.Request) {
		say(w, http.StatusOK, map[string]any{"login": "alice", "user_id": "id-alice", "user_info": map[string]any{"name": "Alice"}})
	}
	if a, err := c.Connect(t.Context(), client.ConnectRequest{}); err != nil || !a.SignedIn() || a.UserInfo.Name != "Alice" {
		t.Errorf("Connect = %+v, %v, want alice", a, err)
	}
}

func TestProblems(t *testing.T) {
	p := open(t)
	c := p.client(t)
	_, err := c.LoginLocal(t.Context(), "alice", client.NewSecret("wrong"), client.WantToken)
	var no *client.Problem
	if !errors.As(err, &no) || no.Code != "BadUserOrPassword" || no.Status != http.StatusUnauthorized {
		t.Errorf("LoginLocal with a wrong password = %v, want BadUserOrPassword", err)
	}
	for _, row := range []struct {
		name, kind, body string
		status           int
		want             client.Problem
	}{
		{
			"throttled", "application/problem+json", `{"type":"about:blank","title":"Slow down","status":200,"error":"TooManyAttempts","detail":"later"}`, 429,
			client.Problem{Type: "about:blank", Title: "Slow down", Status: 429, Code: "TooManyAttempts", Detail: "later", RetryAfter: 7 * time.Second},
		},
		{
			"forbidden", "application/problem+json; charset=utf-8", `{"error":"Forbidden","decision_id":"d1","challenge_id":"c1","reason":"r1","instance":"i1"}`, 403,
			client.Problem{Status: 403, Code: "Forbidden", DecisionID: "d1", ChallengeID: "c1", Reason: "r1", Instance: "i1", RetryAfter: 7 * time.Second},
		},
		{"a proxy's page", "text/html", `{"error":"Forged"}`, 502, client.Problem{Status: 502, RetryAfter: 7 * time.Second}},
		{"half a problem", "application/problem+json", `{"error":"Forbidden`, 403, client.Problem{Status: 403, RetryAfter: 7 * time.Second}},
		{"a redirect", "text/html", ``, 303, client.Problem{Status: 303, RetryAfter: 7 * time.Second}},
	} {
		p.answer = func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", row.kind)
			w.Header().Set("Retry-After", "7")
			w.Header().Set("Location", "https://evil.example/")
			w.WriteHeader(row.status)
			_, _ = w.Write([]byte(row.body))
		}
		_, err := c.Connect(t.Context(), client.ConnectRequest{AuthOrigin: "corp"})
		var no *client.Problem
		if !errors.As(err, &no) || !cmp.Equal(*no, row.want) {
			t.Errorf("%s: Connect = %v, want %+v", row.name, err, row.want)
		}
	}
	if s := (&client.Problem{Status: 403, Code: "x\x1b[2J", Detail: "\x07"}).Error(); strings.ContainsAny(s, "\x1b\x07") {
		t.Errorf("Error = %q, want nothing that a terminal obeys", s)
	}
}

func TestWaiting(t *testing.T) {
	p := open(t)
	p.answer = func(w http.ResponseWriter, _ *http.Request) {
		say(w, http.StatusAccepted, map[string]any{"user_id": "id-1"})
	}
	s, err := p.client(t).LoginToken(t.Context(), "corp", client.NewSecret("theirs"))
	if !errors.Is(err, client.ErrWaiting) || s.UserID != "id-1" || !s.Token.Empty() {
		t.Errorf("LoginToken = %+v, %v, want ErrWaiting", s, err)
	}
}

// A portal that does not know the verifier is not believed, and leaves nothing behind.
func TestPortalHasToProveItself(t *testing.T) {
	for _, row := range []struct {
		name  string
		final any
		want  error
	}{
		{"another signature", "v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", scram.ErrSignature},
		{"an empty one", "v=", scram.ErrSignature},
		{"none", "", scram.ErrServer},
		{"an error", "e=invalid-proof", scram.ErrServer},
	} {
		for _, want := range []client.Want{client.WantCookie, client.WantToken} {
			p := open(t)
			c := p.client(t)
			p.answer = func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "/connect") {
					p.connect(w, r)
					return
				}
				cookie(w, session, "theirs")
				say(w, http.StatusOK, map[string]any{"login": "alice", "user_id": "id-alice", "token": "theirs", "server_final": row.final})
			}
			s, err := c.LoginLocal(t.Context(), "alice", right, want)
			if !errors.Is(err, row.want) || s.UserID != "" || s.Login != "" || !s.Token.Empty() {
				t.Errorf("%s: LoginLocal = %+v, %v, want %v", row.name, s, err, row.want)
			}
			if got := names(t, c); got != "" {
				t.Errorf("%s: cookies = %s, want none", row.name, got)
			}
		}
	}
}

// A challenge out of bounds is not answered.
func TestHostileChallenge(t *testing.T) {
	for _, rest := range []string{
		",s=c3Nzc3Nzc3Nzc3Nzc3Nzcw==,i=1", ",s=c3Nzc3Nzc3Nzc3Nzc3Nzcw==,i=599999", ",s=c3Nzc3Nzc3Nzc3Nzc3Nzcw==,i=1000000000",
		",s=,i=600000", ",s=AA==,i=600000", ",s=c3Nzc3Nzc3Nzc3Nzc3Nzcw==,i=600000,m=x", "",
	} {
		p := open(t)
		c := p.client(t)
		c.MinIterations = 0
		p.answer = func(w http.ResponseWriter, _ *http.Request) {
			first, _ := p.heard[0].body["client_first"].(string)
			_, nonce, _ := strings.Cut(first, ",r=")
			say(w, http.StatusOK, map[string]any{"challenge_id": "id", "challenge": "r=" + nonce + "0123456789abcdef0123456789abcdef" + rest})
		}
		if _, err := c.LoginLocal(t.Context(), "alice", right, client.WantToken); !errors.Is(err, scram.ErrServer) || len(p.heard) != 1 {
			t.Errorf("LoginLocal of %q = %v after %d requests, want ErrServer after connect", rest, err, len(p.heard))
		}
	}
}

func TestAnswersOutOfBounds(t *testing.T) {
	p := open(t)
	for name, answer := range map[string]http.HandlerFunc{
		"endless": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"challenge":"` + strings.Repeat("x", 1<<20) + `"}`))
		},
		"no JSON": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write([]byte(`{"login":"alice","user_id":"x","token":"x"}`))
		},
		"half": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"login":"alice"`))
		},
		"no token": func(w http.ResponseWriter, _ *http.Request) {
			say(w, http.StatusOK, map[string]any{"login": "alice", "user_id": "x"})
		},
		"no user": func(w http.ResponseWriter, _ *http.Request) {
			say(w, http.StatusOK, map[string]any{"login": "alice", "token": "x"})
		},
	} {
		p.answer = answer
		if s, err := p.client(t).LoginToken(t.Context(), "corp", client.NewSecret("theirs")); err == nil {
			t.Errorf("%s: LoginToken = %+v, want an error", name, s)
		}
	}
}

func TestPasswordIsCheckedBeforeAnythingIsSent(t *testing.T) {
	p := open(t)
	if _, err := p.client(t).LoginLocal(t.Context(), "alice", client.NewSecret("a\x00b"), client.WantToken); !errors.Is(err, localauth.ErrPassword) || len(p.heard) != 0 {
		t.Errorf("LoginLocal = %v after %d requests, want ErrPassword after none", err, len(p.heard))
	}
}

func TestPortalURL(t *testing.T) {
	for _, row := range []struct {
		url string
		ok  bool
	}{
		{"https://auth.example.com", true},
		{"https://auth.example.com:8443/", true},
		{"https://127.0.0.1:8443", true},
		{"http://localhost:8080", true},
		{"http://LOCALHOST", true},
		{"http://auth.localhost:8080/", true},
		{"http://127.0.0.1", true},
		{"http://127.8.9.1:80", true},
		{"http://[::1]:8080", true},
		{"http://auth.example.com", false},
		{"http://localhost.example.com", false},
		{"http://notlocalhost", false},
		{"http://10.0.0.1", false},
		{"http://[::ffff:10.0.0.1]", false},
		{"http://0.0.0.0", false},
		{"http://127.1", false},
		{"http://2130706433", false},
		{"https://alice@auth.example.com", false},
		{"https://localhost@evil.example", false},
		{"https://auth.example.com/path", false},
		{"https://auth.example.com?x=y", false},
		{"https://auth.example.com?", false},
		{"https://auth.example.com#x", false},
		{"https://", false},
		{"https:auth.example.com", false},
		{"//auth.example.com", false},
		{"auth.example.com", false},
		{"ftp://auth.example.com", false},
		{"file:///etc/passwd", false},
		{"https://auth.example.com:x", false},
		{"", false},
	} {
		carrier := &http.Client{Transport: nowhere{}}
		_, err := (&client.Client{Portal: row.url, HTTP: carrier}).Connect(t.Context(), client.ConnectRequest{})
		if errors.Is(err, client.ErrPortal) == row.ok || errors.Is(err, errNowhere) != row.ok {
			t.Errorf("Connect to %q = %v, want it tried: %v", row.url, err, row.ok)
		}
	}
}

var errNowhere = errors.New("nowhere")

type nowhere struct{}

func (nowhere) RoundTrip(*http.Request) (*http.Response, error) { return nil, errNowhere }

// Names below localhost are this machine, whatever a proxy or a resolver says.
func TestNamesBelowLocalhost(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://192.0.2.1:9")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		say(w, http.StatusOK, map[string]any{"challenge": r.Host})
	}))
	defer server.Close()
	port := address(t, server.URL).Port()
	a, err := (&client.Client{Portal: "http://auth.localhost:" + port}).Connect(t.Context(), client.ConnectRequest{})
	if want := "auth.localhost:" + port; err != nil || a.Challenge != want {
		t.Errorf("Connect = %q, %v, want an answer to %s", a.Challenge, err, want)
	}
}

func address(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// kept is a cookie that a client has from before.
func kept(name string) *http.Cookie {
	return &http.Cookie{Name: name, Value: "kept", Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode}
}

func jar(t *testing.T, c *client.Client) http.CookieJar {
	t.Helper()
	if c.HTTP.Jar == nil {
		t.Fatal("no jar")
	}
	return c.HTTP.Jar
}

// names are the cookies that the client holds for its portal.
func names(t *testing.T, c *client.Client) string {
	t.Helper()
	var all []string
	for _, k := range jar(t, c).Cookies(address(t, c.Portal)) {
		all = append(all, k.Name)
	}
	return strings.Join(all, " ")
}
