package server

import (
	"net/http"

	"gateway/internal/canonical"
)

// RedirectHandler serves a listener that speaks plain HTTP where the site is
// https. It sends who asks for a page there to the same host and page on https,
// if the host is one of ours, and takes nothing: what was sent by POST has been
// read on the way already, and has to fail where somebody sees it.
func (s *Server) RedirectHandler() http.Handler {
	return s.guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.own(w.Header())
		delete(w.Header(), "Strict-Transport-Security") // means nothing here (RFC 6797, section 7.2)
		to, err := s.secured(r)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		w.Header()["Location"] = []string{to}
		w.WriteHeader(http.StatusPermanentRedirect)
	}))
}

// secured returns the https address of what a request by plain HTTP asks for.
func (s *Server) secured(r *http.Request) (string, error) {
	host, err := canonical.ParseHost(r.Host)
	if err != nil {
		return "", errHost
	}
	if _, known := s.Policy.Load().App(host); !known && host != s.Site.Host {
		return "", errHost
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return "", explain(errMethod, "This address speaks plain HTTP, which takes nothing. Use https.")
	}
	target, err := canonical.ParseTarget(r.RequestURI)
	if err != nil {
		return "", err
	}
	return s.Site.Origin(host) + target.String(), nil
}
