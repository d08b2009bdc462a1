package providertest

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// grant is what a code stands for.
type grant struct{ clientID, redirectURI, nonce, challenge string }

// ServeHTTP answers every endpoint.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm() // what cannot be read is missing
	s.mu.Lock()
	s.seen = append(s.seen, Request{Method: r.Method, Path: r.URL.Path, Header: r.Header.Clone(), Form: maps.Clone(r.Form)})
	status, wait, bend := s.status[r.URL.Path], s.delay[r.URL.Path], s.bend
	s.mu.Unlock()
	if wait > 0 {
		select {
		case <-time.After(wait):
		case <-r.Context().Done():
			return
		}
	}
	if status != 0 {
		w.WriteHeader(status)
		return
	}
	if bend.HTTP != nil && bend.HTTP(w, r) {
		return
	}
	switch r.URL.Path {
	case Discovery:
		s.discovery(w, bend)
	case Authorize:
		s.authorize(w, r, bend)
	case Token:
		s.token(w, r, bend)
	case JWKS:
		s.jwks(w, bend)
	case UserInfo:
		s.userinfo(w, r, bend)
	default:
		http.NotFound(w, r)
	}
}

func (s *Server) discovery(w http.ResponseWriter, bend Bend) {
	doc := map[string]any{
		"issuer": s.URL, "authorization_endpoint": s.URL + Authorize, "token_endpoint": s.URL + Token,
		"jwks_uri": s.URL + JWKS, "userinfo_endpoint": s.URL + UserInfo, "end_session_endpoint": s.URL + EndSession,
		"response_types_supported":              []string{"code"},
		"subject_types_supported":               []string{"public"},
		"id_token_signing_alg_values_supported": []string{"RS256", "PS256", "ES256", "EdDSA", "HS256", "none"},
		"token_endpoint_auth_methods_supported": []string{"client_secret_basic", "client_secret_post"},
		"code_challenge_methods_supported":      []string{"S256"},
	}
	apply(bend.Discovery, doc)
	answer(w, http.StatusOK, doc)
}

func (s *Server) jwks(w http.ResponseWriter, bend Bend) {
	s.mu.Lock()
	keys := make([]any, 0, len(s.keys))
	for _, k := range s.keys {
		keys = append(keys, k.JWK())
	}
	s.mu.Unlock()
	set := map[string]any{"keys": keys}
	apply(bend.JWKS, set)
	answer(w, http.StatusOK, set)
}

// authorize signs Person in without asking and sends the browser back.
func (s *Server) authorize(w http.ResponseWriter, r *http.Request, bend Bend) {
	q := r.URL.Query()
	switch {
	case q.Get("client_id") != s.ClientID || q.Get("redirect_uri") != s.RedirectURL:
		http.Error(w, "unknown client or redirect_uri", http.StatusBadRequest)
		return
	case q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" || len(q.Get("code_challenge")) != 43:
		http.Error(w, "wants response_type code with an S256 challenge", http.StatusBadRequest)
		return
	}
	code := rand.Text()
	s.mu.Lock()
	s.codes[code] = grant{s.ClientID, s.RedirectURL, q.Get("nonce"), q.Get("code_challenge")}
	s.mu.Unlock()
	back := url.Values{"code": {code}, "state": {q.Get("state")}}
	apply(bend.Callback, back)
	http.Redirect(w, r, s.RedirectURL+"?"+back.Encode(), http.StatusSeeOther)
}

// token redeems a code, once.
func (s *Server) token(w http.ResponseWriter, r *http.Request, bend Bend) {
	id, password, basic := r.BasicAuth()
	if basic {
		id, _ = url.QueryUnescape(id)
		password, _ = url.QueryUnescape(password)
	} else {
		id, password = r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	}
	if id != s.ClientID || password != s.ClientSecret {
		answer(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client"})
		return
	}
	code := r.PostForm.Get("code")
	s.mu.Lock()
	g, ok := s.codes[code]
	delete(s.codes, code)
	s.mu.Unlock()
	sum := sha256.Sum256([]byte(r.PostForm.Get("code_verifier")))
	if !ok || r.Method != http.MethodPost || r.PostForm.Get("grant_type") != "authorization_code" ||
		g.redirectURI != r.PostForm.Get("redirect_uri") || g.challenge != encode(sum[:]) {
		answer(w, http.StatusBadRequest, map[string]any{"error": "invalid_grant"})
		return
	}
	access := rand.Text()
	raw, err := s.idToken(g, access)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	s.mu.Lock()
	s.access[access] = true
	s.mu.Unlock()
	out := map[string]any{"access_token": access, "token_type": "Bearer", "expires_in": 300, "id_token": raw}
	apply(bend.Token, out)
	answer(w, http.StatusOK, out)
}

func (s *Server) userinfo(w http.ResponseWriter, r *http.Request, bend Bend) {
	access, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	s.mu.Lock()
	known, claims := s.access[access], maps.Clone(s.Person)
	s.mu.Unlock()
	if !known {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	apply(bend.UserInfo, claims)
	answer(w, http.StatusOK, claims)
}

func answer(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value) // the client is gone
}

// leftHalf is at_hash or c_hash (OpenID Connect Core 1.0, section 3.1.3.6).
func leftHalf(alg, value string) string {
	if alg == "EdDSA" {
		sum := sha512.Sum512([]byte(value))
		return encode(sum[:32])
	}
	sum := sha256.Sum256([]byte(value))
	return encode(sum[:16])
}
