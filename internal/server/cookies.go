package server

import (
	"crypto/rand"
	"net/http"
	"strings"

	"gateway/internal/secret"
)

// Cookie names without their prefix.
const (
	cookieSession = "gateway"
	cookieBrowser = "gateway-pre"    // binds challenges and provider flows to the browser
	cookieDevice  = "gateway-device" // tells a browser that has signed in by password from those of strangers
	cookieWait    = "gateway-wait"   // what a browser remembers of somebody who waits for approval
	cookieInvite  = "gateway-invite" // an invitation on its way to the provider and back
	cookieGuest   = "gateway-guest"  // what a browser remembers of a guest link that it has opened
	cookieEnter   = "gateway-enter-" // and the flow: what an app host remembers of a sign-in it began
)

const hostPrefix = "__Host-"

// cookieName returns the full name: __Host- (RFC 6265bis, section 4.1.3.2)
// wherever the site is secure.
func (s *Server) cookieName(base string) string {
	if s.Site.Secure() {
		return hostPrefix + base
	}
	return base
}

// ownCookie reports whether a cookie is one of ours, in either spelling.
func ownCookie(name string) bool {
	name = strings.TrimPrefix(name, hostPrefix)
	return name == cookieSession || name == cookieBrowser || name == cookieDevice || name == cookieWait || name == cookieInvite || name == cookieGuest || strings.HasPrefix(name, cookieEnter)
}

// cookie returns the value of our cookie; there twice is an error, since
// nobody can say whose the second one is.
func (s *Server) cookie(r *http.Request, base string) (string, error) {
	name, value, found := s.cookieName(base), "", false
	for _, line := range r.Header["Cookie"] {
		for pair := range strings.SplitSeq(line, ";") {
			k, v, _ := strings.Cut(strings.Trim(pair, " \t"), "=")
			if k != name {
				continue
			}
			if found {
				return "", errTwoTokens
			}
			value, found = v, true
		}
	}
	return value, nil
}

func (s *Server) setCookie(w http.ResponseWriter, base, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // Secure wherever the site is; plain http is refused but on localhost
		Name: s.cookieName(base), Value: value, Path: "/", MaxAge: maxAge,
		Secure: s.Site.Secure(), HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

func (s *Server) setSession(w http.ResponseWriter, token secret.Text) {
	s.setCookie(w, cookieSession, token.Reveal(), 0)
}

func (s *Server) clearSession(w http.ResponseWriter) { s.setCookie(w, cookieSession, "", -1) }

// browser returns the value that binds a flow to this browser, setting a
// fresh one where there is none.
func (s *Server) browser(w http.ResponseWriter, r *http.Request) (string, error) {
	value, err := s.cookie(r, cookieBrowser)
	if err != nil {
		return "", err
	}
	if len(value) == len(rand.Text()) && !strings.ContainsFunc(value, notBase32) {
		return value, nil
	}
	value = rand.Text()
	s.setCookie(w, cookieBrowser, value, 0)
	return value, nil
}

func notBase32(r rune) bool { return (r < 'A' || r > 'Z') && (r < '2' || r > '7') }
