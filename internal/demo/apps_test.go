package demo_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"gateway/internal/demo"
)

const portal = "http://auth.localhost:8080"

func visit(t *testing.T, app http.Handler, path string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://app.localhost:8080"+path, nil)
	r.Header.Set("Accept", "text/html")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	app.ServeHTTP(w, r)
	return w
}

// asCarol are the headers that the gateway adds for carol.
func asCarol(t *testing.T) []string {
	t.Helper()
	assertion, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"aud": "http://app.localhost:8080", "sub": "u1", "exp": 1900000000, "groups": []string{"demo:engineering"},
	}).SignedString([]byte("any key: the page does not verify"))
	if err != nil {
		t.Fatal(err)
	}
	return []string{
		"Remote-User", "carol", "Remote-Name", "Carol <Demo>", "Remote-Email", "carol@corp.example",
		"Remote-Groups", "demo:engineering,staff", demo.AssertionHeader, assertion,
	}
}

func TestWhoamiShowsWhatTheGatewaySays(t *testing.T) {
	got := visit(t, demo.Whoami{Portal: portal}, "/any?x=1", asCarol(t)...)
	for _, want := range []string{
		"You are Carol &lt;Demo&gt;", "carol@corp.example", "<span class=\"tag\">demo:engineering</span>", "<span class=\"tag\">staff</span>",
		"<dt>aud</dt><dd><code>http://app.localhost:8080</code>", "2030-03-17T17:46:40Z", `[&#34;demo:engineering&#34;]`,
		`href="http://auth.localhost:8080"`, `href="http://auth.localhost:8080/.well-known/jwks.json"`, "Sign out Carol &lt;Demo&gt;<", "GET http://app.localhost:8080/any?x=1",
	} {
		if !strings.Contains(got.Body.String(), want) {
			t.Errorf("the page does not say %q:\n%s", want, got.Body)
		}
	}
}

func TestWhoamiShowsNobody(t *testing.T) {
	for _, assertion := range []string{"", "not.a.jwt", "e30"} {
		got := visit(t, demo.Whoami{Portal: portal}, "/", "Remote-User", "", demo.AssertionHeader, assertion)
		if got.Code != http.StatusOK || !strings.Contains(got.Body.String(), "nobody in particular") {
			t.Errorf("assertion %q: status %d, want a page for nobody:\n%s", assertion, got.Code, got.Body)
		}
	}
}

func TestWhoamiAnswersScripts(t *testing.T) {
	got := visit(t, demo.Whoami{Portal: portal}, "/any", append(asCarol(t), "Accept", "*/*")...)
	var seen struct {
		Visitor struct {
			User, Email, Name string
			Groups            []string
		}
		Headers http.Header
	}
	if err := json.Unmarshal(got.Body.Bytes(), &seen); err != nil {
		t.Fatal(err)
	}
	if seen.Visitor.User != "carol" || len(seen.Visitor.Groups) != 2 || seen.Headers.Get("Remote-User") != "carol" {
		t.Errorf("answer %s, want carol with two groups and the headers", got.Body)
	}
}

func TestWiki(t *testing.T) {
	for _, row := range []struct {
		path   string
		status int
		says   string
	}{
		{"/", http.StatusOK, "Members&#39; page"},
		{"/public/welcome", http.StatusOK, "Public page"},
		{"/public/anything/below", http.StatusOK, "Public page"},
		{"/admin", http.StatusOK, "Administration"},
		{"/admin/users", http.StatusOK, "Administration"},
		{"/administrator", http.StatusNotFound, "No such page"},
		{"/public", http.StatusNotFound, "No such page"},
	} {
		got := visit(t, demo.Wiki{Portal: portal}, row.path)
		if got.Code != row.status || !strings.Contains(got.Body.String(), row.says) {
			t.Errorf("%s: status %d, want %d and %q:\n%s", row.path, got.Code, row.status, row.says, got.Body)
		}
	}
}

func TestWikiGreetsWhoIsSignedIn(t *testing.T) {
	named := visit(t, demo.Wiki{Portal: portal}, "/public/welcome", asCarol(t)...)
	if !strings.Contains(named.Body.String(), "Hello Carol &lt;Demo&gt;") {
		t.Errorf("carol is not greeted:\n%s", named.Body)
	}
	if !strings.Contains(named.Body.String(), ">Sign out Carol &lt;Demo&gt;</a>") {
		t.Errorf("carol is not offered to sign out by her name:\n%s", named.Body)
	}
	unnamed := visit(t, demo.Wiki{Portal: portal}, "/public/welcome", "Remote-User", "demo:c4r01")
	if !strings.Contains(unnamed.Body.String(), ">Sign out demo:c4r01</a>") {
		t.Errorf("who has no name is not offered to sign out by their login:\n%s", unnamed.Body)
	}
	nobody := visit(t, demo.Wiki{Portal: portal}, "/public/welcome")
	if !strings.Contains(nobody.Body.String(), `href="/.gateway/sign-in?rd=%2fpublic%2fwelcome"`) {
		t.Errorf("nobody is not offered the sign-in:\n%s", nobody.Body)
	}
}
