package server

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"gateway/internal/canonical"
	"gateway/internal/proxy"
	"gateway/policy"
)

// ask reads a request that came to the public listener itself.
func (s *Server) ask(r *http.Request) (question, error) {
	q := question{client: s.client(r), page: navigates(r.Method, r.Header)}
	var err error
	if q.method, err = canonical.ParseMethod(r.Method); err != nil {
		return question{}, err
	}
	if q.host, err = canonical.ParseHost(r.Host); err != nil {
		return question{}, err
	}
	q.audience = s.audience(q.host)
	if q.target, err = canonical.ParseTarget(r.RequestURI); err != nil {
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

// app serves what is not below /.gateway/ at an app's host.
func (s *Server) app(w http.ResponseWriter, r *http.Request) {
	if err := s.serveApp(w, r); err != nil {
		s.own(w.Header())
		s.fail(w, r, err)
	}
}

// serveApp is the reverse proxy: ask the guard, then pass the request on as
// it was decided.
func (s *Server) serveApp(w http.ResponseWriter, r *http.Request) error {
	r, span := s.span(r, spanProxy)
	defer span.End(false)
	t := s.tally(byProxy)
	defer t.lost()
	var asked *http.Request
	asked, t.span = s.below(r, spanCheck)
	q, v, assertion, err := s.decide(asked, (*Server).ask)
	t.decided(q, v, err)
	if err != nil {
		s.letReadError(w.Header(), q, err)
		return err
	}
	if !v.allowed() {
		s.own(w.Header())
		s.refuse(w, r, q, v)
		return nil
	}
	app := s.Apps[v.decision.App]
	if app.Upstream == nil {
		return errNoUpstream
	}
	way := app.Upstream.Way(q.target.Path)
	if way == nil {
		return explain(errNoUpstream, "This app has no upstream for this path.")
	}
	identity := make(http.Header, 5)
	identityHeaders(identity, app.Headers, v.who, assertion)
	if r.ContentLength != 0 { // what the app may receive may take its time
		_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	}
	s.Tracer.Pass(r.Context(), r.Header)
	under := s.Streams.enter(q, v)
	defer s.Streams.leave(under)
	whole := way.Serve(&under.Stream, w, r, proxy.Forward{
		Target: q.target, Host: q.audience[strings.Index(q.audience, "://")+3:], Scheme: s.Site.Scheme, Client: q.client,
		Identity: identity, DropAuthorization: q.credential.ours, OwnCookie: ownCookie,
	})
	if !whole {
		s.endBody(w, r, under.WasCut())
	}
	return nil
}

// UpstreamFailed answers for an app that does not, or may not any more.
func (s *Server) UpstreamFailed(w http.ResponseWriter, r *http.Request, err error) {
	s.own(w.Header())
	if cut, ok := errors.AsType[cutError](err); ok {
		s.sayCut(w, r, cut)
		return
	}
	if errors.Is(err, proxy.ErrLeft) { // everyday life
		s.log().Debug("client left before the answer", slog.String("asked", asked(r)))
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	err = fmt.Errorf("%w: %w", errUpstream, err)
	host, _ := canonical.ParseHost(r.Host) // it was decided on
	s.letReadError(w.Header(), question{host: host, from: senderOf(r.Header, r.Method, s.audience(host))}, err)
	if r.Method == http.MethodGet {
		err = flowError{err, r.URL.RequestURI()}
	}
	s.fail(w, r, err)
}

// refusePage is what a front proxy shows when its check said 401 or 403. It
// sees the browser's own headers, and decides again.
func (s *Server) refusePage(c *gin.Context) error {
	w, r := c.Writer, c.Request
	q := question{
		method: http.MethodGet, host: hostOf(c), audience: s.atApp(c), target: canonical.Target{Path: "/", Raw: "/"},
		client: s.client(r), page: navigates(http.MethodGet, r.Header),
	}
	peer, trusted := s.peer(r)
	if !trusted && len(r.Header["X-Original-Url"]) > 0 {
		return explain(fmt.Errorf("%w: %s", errPeer, address(peer)), "The proxy in front of the gateway is not named in trusted_proxies, so its word does not count.")
	}
	if trusted {
		if err := noForgery(r.Header, ofAuthRequest); err != nil {
			return err
		}
		if err := s.originalURL(r, &q); err != nil {
			return err
		}
	}
	var err error
	if q.credential, err = s.credential(r); err != nil {
		return err
	}
	if q.guest, err = s.cookie(r, cookieGuest); err != nil {
		return err
	}
	q.from = senderOf(r.Header, q.method, q.audience)
	v, err := s.check(r.Context(), q)
	switch {
	case err != nil:
		s.letReadError(w.Header(), q, err)
		return err
	case !v.allowed():
		s.refuse(w, r, q, v)
	case q.page: // the session has come back in the meantime
		redirect(w, q.audience+addressOf(q.target.String()).String())
	default:
		s.say(w, r, problem{Status: http.StatusServiceUnavailable, Error: "Unavailable", Detail: "Try again."}, nil, false)
	}
	return nil
}

// originalURL reads what the proxy says it was asked for, on this very host.
func (s *Server) originalURL(r *http.Request, q *question) error {
	if len(r.Header["X-Original-Url"]) == 0 {
		return nil
	}
	address, ok := one(r.Header, "X-Original-Url")
	_, host, uri, split := splitURL(address)
	if !ok || !split {
		return explain(errBad, "X-Original-URL must be an absolute URL, once.")
	}
	h, err := canonical.ParseHost(host)
	if err != nil {
		return err
	}
	if h != q.host {
		return explain(errBad, "X-Original-URL names another host than the request.")
	}
	if q.target, err = canonical.ParseTarget(uri); err != nil {
		return err
	}
	if len(r.Header["X-Original-Method"]) == 0 {
		return nil
	}
	method, ok := one(r.Header, "X-Original-Method")
	if !ok {
		return explain(errBad, "X-Original-Method must be a method, once.")
	}
	if q.method, err = canonical.ParseMethod(method); err != nil {
		return err
	}
	q.page = navigates(q.method, r.Header)
	return nil
}

// mayOpen reports whether the person could open the app's root, if need be by
// signing in once more.
func (s *Server) mayOpen(v visitor, r *http.Request, host canonical.Host) bool {
	q := question{method: http.MethodGet, host: host, target: canonical.Target{Path: "/", Raw: "/"}, client: s.client(r)}
	d := s.ruling(q, v.who)
	return verdict{decision: d}.allowed() || d.Effect == policy.StepUp
}
