package pages_test

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"gateway/internal/server/pages"
)

const (
	rightPassword = "correct horse battery"
	rounds        = 600_000
)

type step struct {
	User     string `json:"user"`
	Password string `json:"password"`
}

// seen is what testdata/drive.mjs and judge.mjs report.
type seen struct {
	Problem, Focus, Shown, Busy, Submit, Title string
	Good, Disabled                             bool
	Left                                       int
	Wrong, Times                               []string
}

// gateway serves the pages under their policy and plays the other side of the
// protocol; how it behaves depends on the user name.
type gateway struct {
	url    string
	other  string      // the same by another host name
	tour   chan string // pages to open after one another
	steps  chan step
	seen   chan seen
	salted []byte

	mu     sync.Mutex
	calls  []string
	forms  []string
	sent   []string // all that the browser sent
	report []string // what the policy blocked
	bare   string   // of the last connect
	first  string
}

func newGateway(t *testing.T) *gateway {
	t.Helper()
	salted, err := pbkdf2.Key(sha256.New, rightPassword, []byte("sixteen bytes of"), rounds, 32)
	if err != nil {
		t.Fatal(err)
	}
	g := &gateway{tour: make(chan string, 8), steps: make(chan step, 1), seen: make(chan seen, 8), salted: salted}
	s := httptest.NewServer(g.routes(t))
	t.Cleanup(s.Close)
	g.url, g.other = s.URL, strings.Replace(s.URL, "127.0.0.1", "app.localhost", 1)
	return g
}

func (g *gateway) routes(t *testing.T) http.Handler {
	mux := http.NewServeMux()
	show := func(pattern, script string, value any) {
		mux.HandleFunc("GET "+pattern, func(w http.ResponseWriter, _ *http.Request) { g.page(t, w, script, value) })
	}
	show("/{$}", "drive", pages.Apps{Login: "alice"})
	show("/test/judge", "judge", pages.SignIn{Local: true})
	show("/test/failure", "drive", pages.Failure{Status: 503, At: noon})
	show("/test/switch", "press", pages.Switch{Current: "alice", Next: "bob", Ticket: "t1"})
	show("/test/landed", "drive", pages.SignedOut{})
	mux.HandleFunc("GET /.gateway/sign-in", func(w http.ResponseWriter, r *http.Request) {
		if _, err := r.Cookie("gateway"); err == nil {
			http.Redirect(w, r, "/", http.StatusSeeOther)
			return
		}
		g.page(t, w, "drive", pages.SignIn{Local: true, Origins: providers})
	})
	mux.HandleFunc("POST /.gateway/sign-in", func(w http.ResponseWriter, r *http.Request) {
		g.page(t, w, "", pages.Continue{Target: "/test/away"})
		g.keep(&g.forms, r.PostFormValue("ticket"), "ticket=")
	})
	mux.HandleFunc("GET /test/away", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, g.other+"/test/landed", http.StatusSeeOther)
	})
	mux.HandleFunc("GET "+pages.AssetPath+"{name}", func(w http.ResponseWriter, r *http.Request) {
		content, contentType, ok := pages.Asset(r.PathValue("name"))
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		_, _ = w.Write(content) //nolint:gosec // G705: an asset is one of ours, whatever name was asked for
	})
	for path, file := range map[string]string{
		"drive.mjs": "testdata/drive.mjs", "judge.mjs": "testdata/judge.mjs", "press.mjs": "testdata/press.mjs", "vectors.mjs": "testdata/vectors.mjs",
		"passwords.json": "../../../localauth/testdata/passwords.json",
	} {
		mux.HandleFunc("GET /test/"+path, func(w http.ResponseWriter, _ *http.Request) { serveFile(t, w, file) })
	}
	mux.HandleFunc("GET /test/next", func(w http.ResponseWriter, r *http.Request) {
		select {
		case s := <-g.steps:
			answer(w, http.StatusOK, s)
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("GET /test/onward", func(w http.ResponseWriter, r *http.Request) {
		select {
		case url := <-g.tour:
			answer(w, http.StatusOK, url)
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("POST /test/seen", func(_ http.ResponseWriter, r *http.Request) {
		var s seen
		if err := json.NewDecoder(r.Body).Decode(&s); err != nil {
			t.Errorf("report: %v", err)
		}
		g.seen <- s
	})
	mux.HandleFunc("POST /test/csp", func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		g.keep(&g.report, string(body), "")
	})
	mux.HandleFunc("POST /.gateway/connect", g.connect)
	mux.HandleFunc("POST /.gateway/login", g.login)
	mux.HandleFunc("POST /.gateway/logout", g.logout)
	return g.listen(mux)
}

// listen keeps all that the browser sends to our own paths.
func (g *gateway) listen(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/test/") {
			body, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(strings.NewReader(string(body)))
			g.keep(&g.sent, fmt.Sprintf("%s %s %v %s", r.Method, r.URL, r.Header, body), "")
		}
		next.ServeHTTP(w, r)
	})
}

func (g *gateway) page(t *testing.T, w http.ResponseWriter, script string, value any) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", pages.CSP+"; report-uri /test/csp")
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("Cache-Control", "no-store")
	page := render(t, value)
	if script != "" {
		page = strings.Replace(page, "</head>", `<script type="module" src="/test/`+script+`.mjs"></script></head>`, 1)
	}
	_, _ = io.WriteString(w, page)
}

func (g *gateway) connect(w http.ResponseWriter, r *http.Request) {
	var in struct {
		ClientFirst string `json:"client_first"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("Origin") != g.url {
		answer(w, http.StatusBadRequest, problem("BadRequest"))
		return
	}
	g.keep(&g.calls, "connect", "")
	bare := strings.TrimPrefix(in.ClientFirst, "n,,")
	user, nonce, _ := strings.Cut(strings.TrimPrefix(bare, "n="), ",r=")
	i := rounds
	switch user {
	case "throttled":
		w.Header().Set("Retry-After", "45")
		answer(w, http.StatusTooManyRequests, problem("TooManyAttempts"))
		return
	case "throttled-long":
		w.Header().Set("Retry-After", "121")
		answer(w, http.StatusTooManyRequests, problem("TooManyAttempts"))
		return
	case "cut-off":
		nonsense(w)
		return
	case "redirected":
		http.Redirect(w, r, "/", http.StatusTemporaryRedirect)
		return
	case "puzzling":
		_, _ = io.WriteString(w, "<!doctype html>")
		return
	case "hostile":
		answer(w, http.StatusBadRequest, problem(`<img src=x onerror=alert(1)>`))
		return
	case "weak":
		i = 4096
	case "costly":
		i = 1_000_000_000
	case "stolen-nonce":
		nonce = strings.ToLower(nonce)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.bare = bare
	g.first = fmt.Sprintf("r=%sserver-nonce-of-24-chars,s=%s,i=%d", nonce, base64.StdEncoding.EncodeToString([]byte("sixteen bytes of")), i)
	answer(w, http.StatusOK, map[string]any{"challenge_id": "sealed", "challenge": g.first, "origins": []any{}, "features": []any{}})
}

func (g *gateway) login(w http.ResponseWriter, r *http.Request) {
	var in struct {
		User           string `json:"user"`
		ChallengeID    string `json:"challenge_id"`
		ChallengeReply string `json:"challenge_reply"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.ChallengeID != "sealed" {
		answer(w, http.StatusBadRequest, problem("BadRequest"))
		return
	}
	g.keep(&g.calls, "login", "")
	switch in.User {
	case "late":
		answer(w, http.StatusUnauthorized, problem("ChallengeNotFoundOrExpired"))
		return
	case "down":
		answer(w, http.StatusServiceUnavailable, problem("Unavailable"))
		return
	case "new":
		answer(w, http.StatusAccepted, map[string]string{"user_id": "u2"})
		return
	}
	signature, ok := g.verify(in.ChallengeReply)
	if !ok {
		answer(w, http.StatusUnauthorized, problem("BadUserOrPassword"))
		return
	}
	if in.User == "impostor" {
		signature[0] ^= 1
	}
	http.SetCookie(w, &http.Cookie{Name: "gateway", Value: "session", Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
	answer(w, http.StatusOK, map[string]any{"login": in.User, "user_id": "u1", "server_final": "v=" + base64.StdEncoding.EncodeToString(signature)})
}

func (g *gateway) logout(w http.ResponseWriter, _ *http.Request) {
	g.keep(&g.calls, "logout", "")
	http.SetCookie(w, &http.Cookie{Name: "gateway", Path: "/", MaxAge: -1, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
	answer(w, http.StatusOK, map[string]string{"challenge_id": "", "challenge": ""})
}

// verify is the server's side of RFC 5802, section 3.
func (g *gateway) verify(reply string) (signature []byte, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	withoutProof, proof64, _ := strings.Cut(reply, ",p=")
	proof, err := base64.StdEncoding.DecodeString(proof64)
	message := g.bare + "," + g.first + "," + withoutProof
	stored := sha256.Sum256(mac(g.salted, "Client Key"))
	client := make([]byte, sha256.Size)
	if err != nil || subtle.XORBytes(client, proof, mac(stored[:], message)) != sha256.Size || sha256.Sum256(client) != stored {
		return nil, false
	}
	return mac(mac(g.salted, "Server Key"), message), true
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func (g *gateway) keep(list *[]string, value, prefix string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	*list = append(*list, prefix+value)
}

// next waits for what the page reports.
func (g *gateway) next(t *testing.T) seen {
	t.Helper()
	select {
	case s := <-g.seen:
		return s
	case <-time.After(2 * time.Minute):
		t.Fatalf("the page reports nothing; blocked by the policy: %q", g.report)
		return seen{}
	}
}

func (g *gateway) takeCalls() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	calls := strings.Join(g.calls, " ")
	g.calls = nil
	return calls
}

func (g *gateway) takeForms() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.forms
}

// check looks for what must never have happened.
func (g *gateway) check(t *testing.T) {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, r := range g.report {
		t.Errorf("blocked by the policy: %s", r)
	}
	for _, s := range g.sent {
		for _, password := range []string{rightPassword, "wrong horse", "tab\t", base64.StdEncoding.EncodeToString([]byte(rightPassword))} {
			if strings.Contains(s, password) || strings.Contains(s, strings.ReplaceAll(password, " ", "+")) || strings.Contains(s, strings.ReplaceAll(password, " ", "%20")) {
				t.Errorf("the browser sent the password: %s", s)
			}
		}
	}
}

// nonsense answers with what is not HTTP. A connection that is merely closed
// makes browsers try again by themselves.
func nonsense(w http.ResponseWriter) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_, _ = io.WriteString(conn, "out of order\r\n")
		_ = conn.Close()
	}
}

func problem(word string) map[string]string { return map[string]string{"error": word} }

func answer(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value)
}

func serveFile(t *testing.T, w http.ResponseWriter, file string) {
	content, err := os.ReadFile(file)
	if err != nil {
		t.Error(err)
	}
	w.Header().Set("Content-Type", "application/json")
	if strings.HasSuffix(file, ".mjs") {
		w.Header().Set("Content-Type", "text/javascript")
	}
	_, _ = w.Write(content)
}
