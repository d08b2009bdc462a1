package demo_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gateway/internal/demo"
	"gateway/internal/secret"
)

// The client of these tests and its code verifier with the challenge that
// RFC 7636, appendix B, derives from it.
const (
	clientID     = "gateway"
	clientSecret = "between us: 100%"
	redirectURI  = "http://auth.localhost:8080/.gateway/callback/demo"
	logoutURI    = "http://auth.localhost:8080/"
	verifier     = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	challenge    = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

// rig is a provider behind a real listener, and a browser that follows nothing.
type rig struct {
	*testing.T
	issuer  string
	browser *http.Client
}

func open(t *testing.T, now func() time.Time) rig {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	issuer := "http://" + server.Listener.Addr().String() + "/id"
	p, err := demo.NewProvider(issuer, demo.Client{
		ID: clientID, Secret: secret.New(clientSecret), RedirectURI: redirectURI, LogoutURI: logoutURI,
	})
	if err != nil {
		t.Fatal(err)
	}
	p.Now = now
	server.Config.Handler = p
	server.Start()
	t.Cleanup(server.Close)
	browser := server.Client()
	browser.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return rig{t, issuer, browser}
}

// clock stands still until time passes.
type clock struct{ nanos atomic.Int64 }

func newClock() *clock {
	c := new(clock)
	c.pass(time.Duration(time.Now().UnixNano()))
	return c
}

func (c *clock) now() time.Time       { return time.Unix(0, c.nanos.Load()) }
func (c *clock) pass(d time.Duration) { c.nanos.Add(int64(d)) }

// asking is a complete authorization request, changed by pairs of name and
// value; an empty value takes the parameter away.
func asking(pairs ...string) url.Values {
	values := url.Values{
		"client_id": {clientID}, "redirect_uri": {redirectURI}, "response_type": {"code"}, "scope": {"openid email"},
		"state": {"st"}, "nonce": {"once"}, "code_challenge": {challenge}, "code_challenge_method": {"S256"},
	}
	return with(values, pairs)
}

// redeeming is a complete token request without the client's proof.
func redeeming(code string, pairs ...string) url.Values {
	return with(url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirectURI}, "code_verifier": {verifier},
	}, pairs)
}

func with(values url.Values, pairs []string) url.Values {
	for i := 0; i+1 < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
		if pairs[i+1] == "" {
			values.Del(pairs[i])
		}
	}
	return values
}

func (r rig) get(path string, query url.Values) reply {
	return r.send(http.MethodGet, path+"?"+query.Encode(), nil, nil)
}

func (r rig) post(path string, form url.Values, header ...string) reply {
	return r.send(http.MethodPost, path, form, header)
}

// redeem asks for tokens with the client's proof by Basic.
func (r rig) redeem(form url.Values) reply {
	request := r.request(http.MethodPost, "/token", form, nil)
	request.SetBasicAuth(url.QueryEscape(clientID), url.QueryEscape(clientSecret))
	return r.do(request)
}

func (r rig) send(method, path string, form url.Values, header []string) reply {
	r.Helper()
	return r.do(r.request(method, path, form, header))
}

func (r rig) request(method, path string, form url.Values, header []string) *http.Request {
	r.Helper()
	request, err := http.NewRequestWithContext(r.Context(), method, r.issuer+path, strings.NewReader(form.Encode()))
	if err != nil {
		r.Fatal(err)
	}
	if form != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	return request
}

func (r rig) do(request *http.Request) reply {
	r.Helper()
	response, err := r.browser.Do(request)
	if err != nil {
		r.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		r.Fatal(err)
	}
	return reply{response.StatusCode, response.Header, string(text)}
}

// reply is what the provider answered.
type reply struct {
	status int
	header http.Header
	text   string
}

func (a reply) location() string { return a.header.Get("Location") }

// code returns a fresh code for carol.
func (r rig) code() string {
	r.Helper()
	return query(r, r.post("/authorize", asking("person", "c4r01"))).Get("code")
}

// query returns what a redirect to the client says.
func query(r rig, response reply) url.Values {
	r.Helper()
	to, err := url.Parse(response.location())
	if err != nil || response.status != http.StatusSeeOther || !strings.HasPrefix(to.String(), redirectURI+"?") {
		r.Fatalf("status %d, Location %q, want a redirect to the client", response.status, to)
	}
	return to.Query()
}

// body returns a JSON answer.
func body(r rig, response reply) map[string]any {
	r.Helper()
	var answer map[string]any
	if err := json.Unmarshal([]byte(response.text), &answer); err != nil {
		r.Fatalf("status %d: %v", response.status, err)
	}
	return answer
}
