package client_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"testing"
	"time"

	"gateway/client"
	"gateway/internal/once"
	"gateway/internal/seal"
	"gateway/localauth"
)

const (
	rounds   = 4096
	password = "correct horse battery staple"
)

// portal is as much of a gateway as a client sees: the real Local door behind
// the paths of the protocol.
type portal struct {
	*httptest.Server
	door   *localauth.Local
	heard  []heard
	answer http.HandlerFunc // not nil: what is said instead
}

// heard is a request as it arrived.
type heard struct {
	path, cookies, bearer, origin string
	body                          map[string]any
}

func open(t *testing.T) *portal {
	t.Helper()
	p := &portal{}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /.gateway/connect", p.connect)
	mux.HandleFunc("POST /.gateway/login", p.login)
	mux.HandleFunc("POST /.gateway/logout", p.logout)
	p.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body bytes.Buffer
		_, _ = body.ReadFrom(r.Body)
		h := heard{path: r.URL.Path, cookies: r.Header.Get("Cookie"), bearer: r.Header.Get("Authorization"), origin: r.Header.Get("Origin")}
		if body.Len() > 0 {
			if err := json.Unmarshal(body.Bytes(), &h.body); err != nil || r.Header.Get("Content-Type") != "application/json" {
				t.Errorf("%s: body %q as %q", h.path, body.Bytes(), r.Header.Get("Content-Type"))
			}
		}
		p.heard = append(p.heard, h)
		if p.answer != nil {
			p.answer(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(p.Close)
	p.door = door(t, p.URL)
	return p
}

func door(t *testing.T, url string) *localauth.Local {
	t.Helper()
	box, err := seal.New(bytes.Repeat([]byte{1}, seal.KeySize), "challenge")
	if err != nil {
		t.Fatal(err)
	}
	v, err := localauth.Derive(password, bytes.Repeat([]byte("s"), localauth.SaltSize), rounds)
	if err != nil {
		t.Fatal(err)
	}
	pepper := bytes.Repeat([]byte{2}, localauth.PepperSize)
	stored, server, err := localauth.Wrap(pepper, "id-alice", 1, v)
	if err != nil {
		t.Fatal(err)
	}
	alice := localauth.User{UserID: "id-alice", Version: 1, Salt: v.Salt, Iterations: rounds, StoredKey: stored, ServerKey: server}
	return &localauth.Local{
		Users: users{"alice": alice}, Seal: box, Spent: spent{}, Pepper: pepper, SaltKey: pepper, Portal: url, Iterations: rounds,
	}
}

type users map[string]localauth.User

func (u users) LocalUser(_ context.Context, name string) (localauth.User, error) {
	if user, ok := u[name]; ok {
		return user, nil
	}
	return localauth.User{}, localauth.ErrNoUser
}

type spent map[[32]byte]bool

func (s spent) Take(_ context.Context, hash [32]byte, _ time.Time) error {
	if s[hash] {
		return once.ErrSpent
	}
	s[hash] = true
	return nil
}

const (
	pre     = "__Host-gateway-pre"
	session = "__Host-gateway"
)

func (p *portal) connect(w http.ResponseWriter, _ *http.Request) {
	body := p.heard[len(p.heard)-1].body
	browser, want := "the-browser", localauth.WantCookie
	if body["want"] == "token" {
		browser, want = "", localauth.WantToken
	} else {
		cookie(w, pre, browser)
	}
	first, ok := body["client_first"].(string)
	if !ok {
		say(w, http.StatusOK, map[string]any{"challenge_id": "", "challenge": "", "features": []string{"local"}, "origins": []any{
			map[string]any{"origin": "corp", "name": "Corp", "start": "/.gateway/start/corp"},
		}})
		return
	}
	c, err := p.door.Begin(context.Background(), browser, first, want)
	if err != nil {
		refuse(w, http.StatusBadRequest, "BadRequest")
		return
	}
	say(w, http.StatusOK, map[string]any{"challenge_id": c.ID, "challenge": c.ServerFirst, "origins": []any{}, "features": []any{}})
}

func (p *portal) login(w http.ResponseWriter, r *http.Request) {
	body := p.heard[len(p.heard)-1].body
	text := func(name string) string { s, _ := body[name].(string); return s }
	if text("auth_origin") != "" {
		say(w, http.StatusOK, map[string]any{"login": "corp:1", "user_id": "id-1", "token": "ours for " + text("token"), "user_info": map[string]any{}})
		return
	}
	browser, want := "", localauth.WantToken
	if text("want") == "" {
		want = localauth.WantCookie
		if k, err := r.Cookie(pre); err == nil {
			browser = k.Value
		}
	}
	pending, err := p.door.Open(browser, localauth.Reply{
		Username: text("user"), ChallengeID: text("challenge_id"), ClientFinal: text("challenge_reply"),
	}, want)
	if err != nil {
		refuse(w, http.StatusUnauthorized, "ChallengeNotFoundOrExpired")
		return
	}
	out, err := p.door.Finish(r.Context(), pending)
	switch {
	case errors.Is(err, localauth.ErrBadCredentials):
		refuse(w, http.StatusUnauthorized, "BadUserOrPassword")
		return
	case err != nil:
		refuse(w, http.StatusUnauthorized, "ChallengeNotFoundOrExpired")
		return
	}
	ok := map[string]any{
		"login": out.Identity.Username, "user_id": out.UserID, "server_final": out.ServerFinal, "a_field_to_come": 1,
		"user_info": map[string]any{"name": "Alice", "groups": []string{"staff"}, "amr": []string{"pwd"}, "expires": "2026-11-22T12:00:00Z"},
	}
	if want == localauth.WantToken {
		ok["token"] = "the-token"
	} else {
		cookie(w, session, "the-session")
	}
	say(w, http.StatusOK, ok)
}

func (p *portal) logout(w http.ResponseWriter, _ *http.Request) {
	http.SetCookie(w, &http.Cookie{Name: session, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: -1})
	say(w, http.StatusOK, map[string]any{"challenge_id": "", "challenge": "", "end_session": "https://id.corp.example/logout"})
}

func cookie(w http.ResponseWriter, name, value string) {
	http.SetCookie(w, &http.Cookie{Name: name, Value: value, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

func say(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"type": "about:blank", "title": "no", "status": status, "error": code})
}

// client is one that trusts the portal's certificate.
func (p *portal) client(t *testing.T) *client.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	carrier := p.Client()
	carrier.Jar = jar
	return &client.Client{Portal: p.URL, HTTP: carrier, MinIterations: rounds}
}
