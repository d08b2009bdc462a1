package server

import (
	"net/http"
	"net/netip"
	"slices"

	"gateway/internal/canonical"
	"gateway/internal/identity"
	"gateway/policy"
)

// A browser sends cookies, and speaks from inside your network, whoever's page
// makes it ask. It says whose page that is (Fetch Metadata; RFC 6454, section
// 7; RFC 6455, section 10.2), so what a page of another origin does in a
// person's name is refused, siblings included: SameSite keeps other sites out
// alone. Safe methods pass, or no link would lead here. A request that says
// nothing comes from no browser of today, and whoever has a cookie to put into
// one needs no page to do it.

// crossOrigin is why such a request is refused.
const crossOrigin policy.Reason = "cross-origin"

// sender is what a browser says of the page that makes it ask.
type sender struct {
	origin    string // as the browser wrote it; empty: not once
	acts      bool   // a page of another origin makes a request that may change something
	announces string // of a preflight (Fetch, section 4.8): the method to come
}

// senderOf reads who makes the browser ask; own is the origin that is asked.
func senderOf(h http.Header, method, own string) sender {
	var from sender
	origins := h["Origin"]
	if len(origins) == 1 {
		from.origin = origins[0]
	}
	handshake := len(h["Upgrade"]) > 0 || len(h["Sec-Websocket-Key"]) > 0 || len(h["Sec-Websocket-Version"]) > 0
	foreign := len(origins) > 0 && from.origin != own
	if sites := h["Sec-Fetch-Site"]; len(sites) > 0 {
		elsewhere := len(sites) > 1 || sites[0] != "same-origin" && sites[0] != "none"
		// Of a form on a page without referrer the origin is "null" (Fetch, section 3.1).
		foreign = elsewhere || handshake && foreign
	}
	from.acts = foreign && (handshake || changing(method))
	if announced := h["Access-Control-Request-Method"]; method == http.MethodOptions && len(announced) == 1 && from.origin != "" && !handshake {
		from.announces, _ = canonical.ParseMethod(announced[0]) // one that passes nowhere announces nothing
	}
	return from
}

// changing reports whether a method may change something (RFC 9110, section
// 9.2.1); one that we do not know may.
func changing(method string) bool {
	return method != http.MethodGet && method != http.MethodHead && method != http.MethodOptions
}

// lists reports whether pages of an origin may use the app in a person's name.
func (a App) lists(origin string) bool { return origin != "" && slices.Contains(a.CrossOrigin, origin) }

// appAt returns the app that has a host.
func (s *Server) appAt(host canonical.Host) App {
	name, _ := s.Policy.Load().App(host)
	return s.Apps[name]
}

// elsewhere reports whether a page of another origin makes the request, and may
// not use the app in a person's name.
func (s *Server) elsewhere(q *question) bool {
	if !q.from.acts {
		return false
	}
	app := s.appAt(q.host)
	return !app.lists(q.from.origin) && !app.InsecureCrossOrigin
}

// anywhere decides a question without what a browser brings by itself: its
// cookies, and where it is.
func (s *Server) anywhere(q question, who *identity.Principal) verdict {
	q.client = netip.Addr{}
	return verdict{decision: s.ruling(q, who)}
}

// preflight decides a browser's question whether a page may ask, which brings
// no credentials: as the request that it announces, if the rules say nothing
// of it. The app answers.
func (s *Server) preflight(q question, v verdict) verdict {
	silent := v.decision.Effect == policy.Login || v.decision.Reason == policy.NoRule
	if !silent || !s.appAt(q.host).lists(q.from.origin) {
		return v
	}
	q.method = q.from.announces
	announced := s.ruling(q, nil)
	if announced.Effect == policy.Deny {
		return v
	}
	return verdict{decision: announced, preflight: true}
}

// letRead lets pages of an origin that the app lists read a refusal (Fetch,
// section 3.2): what the app itself answers is the app's to share.
func (s *Server) letRead(h http.Header, q question) {
	app := s.appAt(q.host)
	if len(app.CrossOrigin) == 0 {
		return
	}
	h.Add("Vary", "Origin")
	if !app.lists(q.from.origin) {
		return
	}
	h.Set("Access-Control-Allow-Origin", q.from.origin)
	h.Set("Access-Control-Allow-Credentials", "true")
	h.Set("Access-Control-Expose-Headers", "WWW-Authenticate, "+headerSignIn+", "+headerDecision)
}

// letReadError is letRead for an error that is a refusal, or says that the app
// does not answer.
func (s *Server) letReadError(h http.Header, q question, err error) {
	switch answerFor(err).status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusServiceUnavailable, http.StatusBadGateway, http.StatusGatewayTimeout:
		s.letRead(h, q)
	}
}
