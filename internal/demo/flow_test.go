package demo_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"gateway/internal/demo"
	"gateway/internal/secret"
)

func TestSignIn(t *testing.T) {
	r := open(t, nil)
	page := r.get("/authorize", asking()).text
	for _, want := range []string{"Carol Demo", "Dave Demo", "engineering", "gateway demo", "asks nobody for a password"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q:\n%s", want, page)
		}
	}
	back := query(r, r.post("/authorize", asking("person", "c4r01")))
	if back.Get("state") != "st" || back.Get("iss") != r.issuer || back.Has("error") {
		t.Errorf("callback %v, want state st and iss %s", back, r.issuer)
	}
	got := body(r, r.redeem(redeeming(back.Get("code"))))
	if got["token_type"] != "Bearer" {
		t.Errorf("token answer %v, want a Bearer token", got)
	}
	claims := verified(r, got["id_token"])
	for name, want := range map[string]any{
		"iss": r.issuer, "aud": clientID, "sub": "c4r01", "nonce": "once", "email": "carol@corp.example",
		"email_verified": true, "name": "Carol Demo", "preferred_username": "carol",
	} {
		if claims[name] != want {
			t.Errorf("claim %s = %v, want %v", name, claims[name], want)
		}
	}
	if groups, ok := claims["groups"].([]any); !ok || len(groups) != 1 || groups[0] != "engineering" {
		t.Errorf("claim groups = %v, want [engineering]", claims["groups"])
	}
	access, _ := got["access_token"].(string)
	info := body(r, r.post("/userinfo", nil, "Authorization", "Bearer "+access))
	if info["sub"] != claims["sub"] || info["email"] != claims["email"] {
		t.Errorf("userinfo %v, want the person of the ID token", info)
	}
}

// verified returns the claims of an ID token whose signature holds against the
// provider's published key.
func verified(r rig, token any) jwt.MapClaims {
	r.Helper()
	raw, ok := token.(string)
	if !ok {
		r.Fatalf("id_token is %v", token)
	}
	claims := jwt.MapClaims{}
	_, err := jwt.ParseWithClaims(raw, claims, func(t *jwt.Token) (any, error) { return publishedKey(r, t.Header["kid"]), nil },
		jwt.WithValidMethods([]string{"ES256"}), jwt.WithExpirationRequired())
	if err != nil {
		r.Fatal(err)
	}
	return claims
}

func TestCodesAreGoodOnceForOneMinute(t *testing.T) {
	clock := newClock()
	r := open(t, clock.now)
	spent, late := r.code(), r.code()
	if got := r.redeem(redeeming(spent)).status; got != http.StatusOK {
		t.Fatalf("first use: status %d, want 200", got)
	}
	if got := body(r, r.redeem(redeeming(spent)))["error"]; got != "invalid_grant" {
		t.Errorf("second use: error %v, want invalid_grant", got)
	}
	clock.pass(time.Minute)
	if got := body(r, r.redeem(redeeming(late)))["error"]; got != "invalid_grant" {
		t.Errorf("use after a minute: error %v, want invalid_grant", got)
	}
}

func TestRedeeming(t *testing.T) {
	const other = "other-verifier-other-verifier-other-verifier"
	for _, row := range []struct {
		story string
		form  func(code string) url.Values
		want  string
	}{
		{"another redirect URI", func(c string) url.Values { return redeeming(c, "redirect_uri", redirectURI+"2") }, "invalid_grant"},
		{"no redirect URI", func(c string) url.Values { return redeeming(c, "redirect_uri", "") }, "invalid_grant"},
		{"another verifier", func(c string) url.Values { return redeeming(c, "code_verifier", other) }, "invalid_grant"},
		{"no verifier", func(c string) url.Values { return redeeming(c, "code_verifier", "") }, "invalid_grant"},
		{"the challenge as verifier", func(c string) url.Values { return redeeming(c, "code_verifier", challenge) }, "invalid_grant"},
		{"no code", func(string) url.Values { return redeeming("") }, "invalid_grant"},
		{"a made-up code", func(string) url.Values { return redeeming("made-up") }, "invalid_grant"},
		{"another grant", func(c string) url.Values { return redeeming(c, "grant_type", "password") }, "unsupported_grant_type"},
		{"two codes", func(c string) url.Values { v := redeeming(c); v.Add("code", c); return v }, "invalid_request"},
		{"proof in both places", func(c string) url.Values { return redeeming(c, "client_secret", clientSecret) }, "invalid_client"},
	} {
		t.Run(row.story, func(t *testing.T) {
			r := open(t, nil)
			code := r.code()
			response := r.redeem(row.form(code))
			if got := body(r, response); got["error"] != row.want || response.status < 400 {
				t.Errorf("status %d, %v, want error %s", response.status, got, row.want)
			}
		})
	}
}

func TestClientProof(t *testing.T) {
	for _, row := range []struct {
		story, id, secret string
		want              int
	}{
		{"ours", clientID, clientSecret, http.StatusOK},
		{"another secret", clientID, "guessed", http.StatusUnauthorized},
		{"no secret", clientID, "", http.StatusUnauthorized},
		{"another client", "other", clientSecret, http.StatusUnauthorized},
		{"nobody", "", "", http.StatusUnauthorized},
	} {
		t.Run(row.story, func(t *testing.T) {
			r := open(t, nil)
			posted := r.post("/token", redeeming(r.code(), "client_id", row.id, "client_secret", row.secret))
			if posted.status != row.want {
				t.Errorf("in the body: status %d, want %d", posted.status, row.want)
			}
			request := r.request(http.MethodPost, "/token", redeeming(r.code()), nil)
			request.SetBasicAuth(url.QueryEscape(row.id), url.QueryEscape(row.secret))
			if got := r.do(request).status; got != row.want {
				t.Errorf("by Basic: status %d, want %d", got, row.want)
			}
		})
	}
}

func TestAuthorizationRequests(t *testing.T) {
	for _, row := range []struct {
		story string
		asked url.Values
		want  string // the error on the redirect; "page" for an answer without one
	}{
		{"another client", asking("client_id", "other"), "page"},
		{"another redirect URI", asking("redirect_uri", "http://evil.example/"), "page"},
		{"a longer redirect URI", asking("redirect_uri", redirectURI+"/more"), "page"},
		{"two redirect URIs", twice("redirect_uri", redirectURI), "page"},
		{"no PKCE", asking("code_challenge", "", "code_challenge_method", ""), "invalid_request"},
		{"plain PKCE", asking("code_challenge_method", "plain"), "invalid_request"},
		{"a short challenge", asking("code_challenge", "short"), "invalid_request"},
		{"two nonces", twice("nonce", "another"), "invalid_request"},
		{"implicit flow", asking("response_type", "id_token"), "unsupported_response_type"},
		{"form_post", asking("response_mode", "form_post"), "invalid_request"},
		{"no openid", asking("scope", "email"), "invalid_scope"},
		{"prompt none", asking("prompt", "none"), "login_required"},
		{"a request object", asking("request", "e30.e30."), "request_not_supported"},
	} {
		t.Run(row.story, func(t *testing.T) {
			r := open(t, nil)
			row.asked.Set("person", "c4r01")
			for _, response := range []reply{r.get("/authorize", row.asked), r.post("/authorize", row.asked)} {
				if row.want == "page" {
					if response.status != http.StatusBadRequest || response.location() != "" {
						t.Errorf("status %d, Location %q, want a page", response.status, response.location())
					}
					continue
				}
				got := query(r, response)
				if got.Get("error") != row.want || got.Has("code") || got.Get("iss") != r.issuer || got.Get("state") != "st" {
					t.Errorf("callback %v, want error %s, iss and state", got, row.want)
				}
			}
		})
	}
}

func twice(name, value string) url.Values {
	values := asking()
	values.Add(name, value)
	return values
}

func TestChoosing(t *testing.T) {
	r := open(t, nil)
	for _, person := range []string{"", "mallory"} {
		if got := query(r, r.post("/authorize", asking("person", person))); got.Get("error") != "access_denied" {
			t.Errorf("person %q: callback %v, want access_denied", person, got)
		}
	}
	crossed := r.post("/authorize", asking("person", "c4r01"), "Sec-Fetch-Site", "cross-site")
	if crossed.status != http.StatusForbidden {
		t.Errorf("from another site: status %d, want 403", crossed.status)
	}
}

func TestPageShowsWhatItIsToldAsText(t *testing.T) {
	r := open(t, nil)
	response := r.get("/authorize", asking("state", `"><script>alert(1)</script>`))
	if page := response.text; strings.Contains(page, "<script") {
		t.Errorf("the page runs what the request says:\n%s", page)
	}
	if policy := response.header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'") {
		t.Errorf("Content-Security-Policy %q, want nothing allowed by default", policy)
	}
}

func TestUserinfoWantsItsToken(t *testing.T) {
	clock := newClock()
	r := open(t, clock.now)
	access, _ := body(r, r.redeem(redeeming(r.code())))["access_token"].(string)
	for _, row := range []struct{ story, authorization string }{
		{"none", ""},
		{"empty", "Bearer "},
		{"made up", "Bearer made-up"},
		{"as Basic", "Basic " + access},
	} {
		if got := r.post("/userinfo", nil, "Authorization", row.authorization).status; got != http.StatusUnauthorized {
			t.Errorf("%s: status %d, want 401", row.story, got)
		}
	}
	clock.pass(10 * time.Minute)
	if got := r.post("/userinfo", nil, "Authorization", "Bearer "+access).status; got != http.StatusUnauthorized {
		t.Errorf("after ten minutes: status %d, want 401", got)
	}
}

func TestEndSession(t *testing.T) {
	r := open(t, nil)
	other := open(t, nil)
	hint, _ := body(r, r.redeem(redeeming(r.code())))["id_token"].(string)
	foreign, _ := body(other, other.redeem(redeeming(other.code())))["id_token"].(string)
	for _, row := range []struct {
		story  string
		asked  url.Values
		status int
		to     string
	}{
		{"nothing asked", url.Values{}, http.StatusOK, ""},
		{"by hint", url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {logoutURI}, "state": {"s"}}, http.StatusSeeOther, logoutURI + "?state=s"},
		{"by client", url.Values{"client_id": {clientID}, "post_logout_redirect_uri": {logoutURI}}, http.StatusSeeOther, logoutURI},
		{"by nobody", url.Values{"post_logout_redirect_uri": {logoutURI}}, http.StatusBadRequest, ""},
		{"another provider's hint", url.Values{"id_token_hint": {foreign}, "post_logout_redirect_uri": {logoutURI}}, http.StatusBadRequest, ""},
		{"another address", url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {"http://evil.example/"}}, http.StatusBadRequest, ""},
	} {
		got := r.get("/end-session", row.asked)
		if got.status != row.status || got.location() != row.to {
			t.Errorf("%s: status %d, Location %q, want %d, %q", row.story, got.status, got.location(), row.status, row.to)
		}
	}
}

func TestDiscoverySaysWhereThingsAre(t *testing.T) {
	r := open(t, nil)
	got := body(r, r.get("/.well-known/openid-configuration", nil))
	for name, want := range map[string]any{
		"issuer": r.issuer, "authorization_endpoint": r.issuer + "/authorize", "token_endpoint": r.issuer + "/token",
		"userinfo_endpoint": r.issuer + "/userinfo", "end_session_endpoint": r.issuer + "/end-session", "jwks_uri": r.issuer + "/jwks",
		"authorization_response_iss_parameter_supported": true,
	} {
		if got[name] != want {
			t.Errorf("%s = %v, want %v", name, got[name], want)
		}
	}
}

func TestNewProviderRefuses(t *testing.T) {
	good := demo.Client{ID: clientID, Secret: secret.New(clientSecret), RedirectURI: redirectURI}
	for _, issuer := range []string{"", "id.localhost", "ftp://id.localhost", "http://id.localhost/", "http://id.localhost?x=1", "http://id.localhost#x"} {
		if _, err := demo.NewProvider(issuer, good); err == nil {
			t.Errorf("NewProvider(%q) is fine, want an error", issuer)
		}
	}
	if _, err := demo.NewProvider("http://id.localhost:8080", demo.Client{}); err == nil {
		t.Error("NewProvider without a client is fine, want an error")
	}
}
