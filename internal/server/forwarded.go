package server

import (
	"fmt"
	"net/http"
	"strings"

	"gateway/internal/canonical"
	"gateway/internal/proxy"
)

// original reads a front proxy's question. Each dialect reads exactly its own
// headers; one that is missing or there twice makes it no question.
type original func(s *Server, r *http.Request) (question, error)

// forwardAuth reads the dialect of Traefik's ForwardAuth and Caddy's
// forward_auth.
func forwardAuth(s *Server, r *http.Request) (question, error) {
	method, ok1 := one(r.Header, "X-Forwarded-Method")
	proto, ok2 := one(r.Header, "X-Forwarded-Proto")
	host, ok3 := one(r.Header, "X-Forwarded-Host")
	uri, ok4 := one(r.Header, "X-Forwarded-Uri")
	_, ok5 := one(r.Header, "X-Forwarded-For")
	if !ok1 || !ok2 || !ok3 || !ok4 || !ok5 {
		return question{}, explain(errBad, "X-Forwarded-Method, -Proto, -Host, -Uri and -For must each be there once.")
	}
	return s.original(r, [2]string{"X-Forwarded-Method", "X-Forwarded-Uri"}, method, proto, host, uri)
}

// authRequest reads the dialect of nginx's auth_request, which HAProxy speaks
// too.
func authRequest(s *Server, r *http.Request) (question, error) {
	method, ok1 := one(r.Header, "X-Original-Method")
	address, ok2 := one(r.Header, "X-Original-Url")
	_, ok3 := one(r.Header, "X-Forwarded-For")
	if !ok1 || !ok2 || !ok3 {
		return question{}, explain(errBad, "X-Original-URL, X-Original-Method and X-Forwarded-For must each be there once.")
	}
	proto, host, uri, ok := splitURL(address)
	if !ok {
		return question{}, explain(errBad, "X-Original-URL must be an absolute URL: $scheme://$host$request_uri.")
	}
	return s.original(r, ofAuthRequest, method, proto, host, uri)
}

// ofAuthRequest are the headers by which its proxies say what was asked.
var ofAuthRequest = [2]string{"X-Original-Method", "X-Original-Url"}

// extAuthzPrefix is what Envoy puts before the path that it asks about.
const extAuthzPrefix = "/.gateway/authz/ext-authz"

// extAuthz reads the dialect of Envoy's ext_authz over HTTP: the request itself,
// its path behind our prefix, as it was sent. Only where it came from, and by
// which scheme, is said by headers.
func extAuthz(s *Server, r *http.Request) (question, error) {
	proto, ok1 := one(r.Header, "X-Forwarded-Proto")
	_, ok2 := one(r.Header, "X-Forwarded-For")
	uri, ok3 := strings.CutPrefix(r.RequestURI, extAuthzPrefix)
	if !ok1 || !ok2 || !ok3 {
		return question{}, explain(errBad, "X-Forwarded-Proto and X-Forwarded-For must each be there once: name them in allowed_headers.")
	}
	return s.original(r, [2]string{}, r.Method, proto, r.Host, uri)
}

// splitURL cuts an absolute URL without reading anything into it.
func splitURL(address string) (scheme, host, uri string, ok bool) {
	scheme, rest, ok := strings.Cut(address, "://")
	if !ok {
		return "", "", "", false
	}
	i := strings.IndexByte(rest, '/')
	if i <= 0 {
		return "", "", "", false
	}
	return scheme, rest[:i], rest[i:], true
}

func (s *Server) original(r *http.Request, own [2]string, method, proto, host, uri string) (question, error) {
	if err := noForgery(r.Header, own); err != nil {
		return question{}, err
	}
	if scheme := strings.Replace(proto, "ws", "http", 1); scheme != s.Site.Scheme { // ws is http, wss is https
		return question{}, explain(errBad, "The request came by "+s.otherScheme()+", the site is served by "+s.Site.Scheme+" only.")
	}
	q := question{client: s.client(r)}
	var err error
	if q.method, err = canonical.ParseMethod(method); err != nil {
		return question{}, err
	}
	if q.host, err = canonical.ParseHost(host); err != nil {
		return question{}, err
	}
	q.audience = s.audience(q.host)
	if q.target, err = canonical.ParseTarget(uri); err != nil {
		return question{}, err
	}
	if q.credential, err = s.credential(r); err != nil {
		return question{}, err
	}
	if q.guest, err = s.cookie(r, cookieGuest); err != nil {
		return question{}, err
	}
	q.from = senderOf(r.Header, q.method, q.audience)
	return q, nil
}

func (s *Server) otherScheme() string {
	if s.Site.Secure() {
		return "another scheme than https"
	}
	return "another scheme than http"
}

// noForgery refuses identity headers that a client forged, other spellings of
// forwarding headers, and those that speak of another request, but for the
// dialect's own: some app behind would believe them.
func noForgery(h http.Header, own [2]string) error {
	for name := range h {
		switch {
		case proxy.Ordinary(name):
		case proxy.Managed(name):
			return explain(fmt.Errorf("%w: header %.64q", errBad, name), "The request carries an identity header. Only the gateway may set those.")
		case proxy.Alias(name), proxy.Rerouting(name) && name != own[0] && name != own[1]:
			return explain(fmt.Errorf("%w: header %.64q", errBad, name), "The request carries a header that speaks of another request. Only proxies may set those, and the one in front should remove it.")
		}
	}
	return nil
}
