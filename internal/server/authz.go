package server

import (
	"fmt"
	"net/http"
	"strings"

	"gateway/policy"
)

// AuthzHandler serves the check for front proxies. Only trusted peers are
// answered. Every request to every app passes here, so there is no router
// between: there are two paths, and one that others lie behind.
func (s *Server) AuthzHandler() http.Handler {
	return s.guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Cache-Control"] = noStore // an allow carries little else: it is all that most checks say
		if peer, trusted := s.peer(r); !trusted {
			s.Metrics.strangerAsked()
			s.own(w.Header())
			s.fail(w, r, fmt.Errorf("%w: %s", errPeer, address(peer)))
			return
		}
		switch r.URL.Path {
		case "/.gateway/authz/forward-auth":
			s.answer(w, r, byForwardAuth, forwardAuth, s.plain)
		case "/.gateway/authz/auth-request":
			s.answer(w, r, byAuthRequest, authRequest, s.subrequest)
		default:
			if strings.HasPrefix(r.RequestURI, extAuthzPrefix+"/") {
				s.answer(w, r, byExtAuthz, extAuthz, s.plain)
				return
			}
			s.own(w.Header())
			s.fail(w, r, errNoPage)
		}
	}))
}

// speak writes what a dialect says where the request may not pass.
type speak func(w http.ResponseWriter, r *http.Request, q question, v verdict, err error)

// answer is the check: read the dialect, ask the guard, answer once.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, by way, read original, refuse speak) {
	t := s.tally(by)
	defer t.lost()
	r, t.span = s.span(r, spanCheck)
	q, v, assertion, err := s.decide(r, read)
	t.decided(q, v, err)
	if err != nil || !v.allowed() {
		refuse(w, r, q, v, err)
		return
	}
	identityHeaders(w.Header(), s.Apps[v.decision.App].Headers, v.who, assertion)
	letAppSee(w.Header(), r.Header, q.credential, by)
	w.WriteHeader(http.StatusOK)
}

// decide reads a question and answers it; who is allowed has an assertion.
func (s *Server) decide(r *http.Request, read original) (question, verdict, string, error) {
	q, err := read(s, r)
	if err != nil {
		return q, verdict{}, "", err
	}
	v, err := s.check(r.Context(), q)
	if err != nil {
		return q, v, "", err
	}
	s.observe(&q, &v)
	s.allow(&q, &v)
	if !v.allowed() {
		return q, v, "", nil
	}
	assertion, err := s.assertion(v, q.audience)
	if err != nil {
		return q, verdict{}, "", err
	}
	return q, v, assertion, nil
}

// plain refuses in the words of HTTP: 303, 400, 401, 403, 503.
func (s *Server) plain(w http.ResponseWriter, r *http.Request, q question, v verdict, err error) {
	s.own(w.Header())
	identityHeaders(w.Header(), nil, nil, "")
	if err != nil {
		s.letReadError(w.Header(), q, err)
		s.fail(w, r, err)
		return
	}
	q.page = navigates(q.method, r.Header)
	s.refuse(w, r, q, v)
}

// subrequest refuses as nginx's auth_request can bear it: 401, 403 or 503, and
// never a redirect.
func (s *Server) subrequest(w http.ResponseWriter, r *http.Request, q question, v verdict, err error) {
	s.own(w.Header())
	identityHeaders(w.Header(), nil, nil, "")
	switch {
	case err != nil:
		p := describe(w.Header(), err)
		if p.Status != http.StatusServiceUnavailable {
			p.Status = http.StatusForbidden
		}
		s.say(w, r, p, err, false)
	case v.decision.Effect == policy.Login:
		s.askToSignIn(w, r, q)
	default: // q is no page here, whoever asks
		s.refuse(w, r, q, v)
	}
}
