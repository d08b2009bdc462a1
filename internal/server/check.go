package server

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"gateway/internal/audit"
	"gateway/internal/canonical"
	"gateway/internal/identity"
	"gateway/internal/server/pages"
	"gateway/internal/throttle"
	"gateway/policy"
)

// question is one request as the guard sees it, whichever way it came in:
// parsed once, canonical.
type question struct {
	method     string
	host       canonical.Host
	audience   string // the host's app origin
	target     canonical.Target
	client     netip.Addr
	credential credential
	guest      string // sealed; of a guest link
	from       sender
	page       bool // a person navigates: a redirect helps
}

// verdict is the guard's decision about a question, and who asked it.
type verdict struct {
	visitor
	decision  policy.Decision
	guest     bool   // decided as nobody's, who has a guest link for it: it passes where signing in could help
	preflight bool   // decided as the request that it announces: it passes where signing in could help
	id        string // decision_id of a refusal
}

// allowed is the one place where a request may pass. The zero verdict may not.
func (v verdict) allowed() bool {
	return v.decision.Effect == policy.Allow || (v.preflight || v.guest) && v.decision.Effect == policy.Login
}

// check decides a question. An error means that it cannot be told, or that the
// question is not one: either refuses.
func (s *Server) check(ctx context.Context, q question) (verdict, error) {
	if strings.HasPrefix(string(q.target.Path), "/.gateway/") {
		return verdict{}, explain(errNoPage, "Paths below /.gateway/ belong to the gateway: the proxy in front must send them to the gateway's public listener, without a check.")
	}
	v, err := s.judge(ctx, q, using)
	if err == nil && v.guesses() {
		err = s.admit(ctx, throttle.Tokens(q.client)...)
	}
	if err == nil && v.decision.Effect == policy.Deny {
		v.id = rand.Text()
		s.auditRefusal(ctx, q, v)
	}
	return v, err
}

// judge asks the guard. An error means that it cannot be told.
func (s *Server) judge(ctx context.Context, q question, u use) (verdict, error) {
	var v verdict
	if q.credential.bearer { // which a page may have made up, if somebody has not given it one
		v.visitor = s.asks(ctx, u, q)
	}
	elsewhere := s.elsewhere(&q)
	if elsewhere && v.who == nil {
		if anybody := s.anywhere(q, nil); anybody.allowed() {
			anybody.err = v.err
			return anybody, nil
		}
	}
	if !q.credential.bearer {
		v.visitor = s.asks(ctx, u, q)
	}
	v.decision = s.ruling(q, v.who)
	if !v.allowed() && q.guest != "" {
		var err error
		if v, err = s.asGuest(ctx, q, v); err != nil {
			return verdict{}, err
		}
	}
	switch {
	case v.allowed() && elsewhere && (!q.credential.bearer || !s.anywhere(q, v.who).allowed()):
		v.decision.Effect, v.decision.Reason, v.decision.Public = policy.Deny, crossOrigin, false
	case !v.allowed() && v.unclear():
		return verdict{}, fmt.Errorf("%w: %w", errUnavailable, v.err)
	case q.credential.script && v.decision.Effect == policy.Login && !v.allowed():
		v.refuseToken()
	case !v.allowed() && q.from.announces != "":
		v = s.preflight(q, v)
	}
	return v, nil
}

// ruling is what the guard says of somebody who asks now.
func (s *Server) ruling(q question, who *identity.Principal) policy.Decision {
	return s.Policy.Load().Decide(s.request(q, who))
}

// request is a question as the guard takes it. Whoever is signed in can do so once more.
func (s *Server) request(q question, who *identity.Principal) policy.Request {
	return policy.Request{Method: q.method, Host: q.host, Path: q.target.Path, Client: q.client, Who: who, Now: s.now(), Reach: reach}
}

// auditRefusal writes a refusal into the book, and keeps it to be explained.
func (s *Server) auditRefusal(ctx context.Context, q question, v verdict) {
	kept := Refused{At: s.now(), Request: s.request(q, v.who), Decision: v.decision}
	e := audit.Event{
		Kind: audit.Refusal, Outcome: audit.Refused, Reason: string(v.decision.Reason), Decision: v.id, App: v.decision.App, Rule: v.decision.Rule,
		Method: q.method, Host: string(q.host), Path: string(q.target.Path), Client: q.client,
	}
	if v.who != nil {
		e.UserID, e.Login, e.Session = v.who.UserID, v.who.Login, v.session.ID
	}
	if v.token != nil {
		kept.Token, kept.Login = v.token.ID, s.loginOf(ctx, v.token.UserID)
		e.UserID, e.Login, e.Token = v.token.UserID, kept.Login, v.token.ID
	}
	s.Refusals.Keep(v.id, kept)
	s.note(ctx, e)
}

// record writes an audit line. If it cannot be written, what it is about must
// not happen, or not be said to have happened.
func (s *Server) record(ctx context.Context, e audit.Event) error {
	err := s.Audit.Record(ctx, e)
	if err != nil {
		s.log().ErrorContext(ctx, "audit line could not be written", slog.Any("cause", err))
		e.Outcome = audit.Failed
		err = fmt.Errorf("%w: audit: %w", errUnavailable, err)
	}
	s.Metrics.recorded(e)
	return err
}

// note writes an audit line about what is as it is, whether it can be written
// or not: a refusal, the end of a session.
func (s *Server) note(ctx context.Context, e audit.Event) { _ = s.record(ctx, e) }

// assertion returns the signed identity for the app; nobody has none.
func (s *Server) assertion(v verdict, audience string) (string, error) {
	if v.who == nil {
		return "", nil
	}
	token, _, err := s.Asserter.Assert(*v.who, audience)
	if err != nil {
		return "", fmt.Errorf("%w: %w", errUnavailable, err)
	}
	return token, nil
}

// refuse answers a question that is not allowed: a page for people, a problem
// for programs.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, q question, v verdict) {
	switch v.decision.Effect { //nolint:exhaustive // the others are a no
	case policy.Login:
		s.askToSignIn(w, r, q)
		return
	case policy.StepUp:
		s.askToProve(w, r, q, v)
		return
	}
	if v.id != "" {
		w.Header().Set(headerDecision, v.id)
	}
	if u, ok := uselessBy(v.decision.Reason); ok {
		s.sayUseless(w, r, q, v, u)
		return
	}
	answer := s.forbidden(v)
	elsewhere := v.decision.Reason == crossOrigin
	if page := q.page || elsewhere && wantsPage(r); !page { // a form's answer is a page, too
		s.letRead(w.Header(), q)
		s.say(w, r, answer, nil, false)
		return
	}
	refusal := pages.Refusal{
		At: s.now().UTC(), Host: string(q.host), Path: string(q.target.Path), DecisionID: v.id, Portal: s.Site.Portal(), Elsewhere: elsewhere,
		FewFactors: v.decision.Reason == policy.FewFactors,
	}
	switch v.decision.Reason { //nolint:exhaustive // of the others their words say enough
	case policy.TooLongAgo, tooLongAgo:
		refusal.TooLongAgo, refusal.Again = true, s.signInURL(q, v)
	case policy.WrongOrigin:
		refusal.Doors = s.doorNames(s.Policy.Load().Doors(q.host))
	}
	if v.who != nil {
		refusal.Login, refusal.SignedIn = v.who.Login, true
	}
	if !elsewhere && s.administers(r.Context(), v.who) {
		refusal.Because = s.because(q, v)
	}
	s.page(w, answer.Status, refusal)
}

// because is an explanation as its page shows it.
func (s *Server) because(q question, v verdict) *pages.Because {
	e := s.Policy.Load().Explain(s.request(q, v.who))
	because := &pages.Because{Rule: e.Rule, Reason: string(e.Reason), Needs: e.Needs}
	for _, l := range e.Rules {
		if l.Observed {
			continue
		}
		for _, f := range l.Findings {
			if l.Decides || !f.Holds {
				because.Findings = append(because.Findings, pages.Finding{Rule: l.Rule, About: f.About, Wants: f.Wants, Has: f.Has, Holds: f.Holds})
			}
		}
	}
	return because
}

// administers reports whether somebody is an administrator: by a group of our
// own that an administrator has given, or by a provider's where it is named as
// such. What a provider calls a group is never taken for one of ours.
func (s *Server) administers(ctx context.Context, who *identity.Principal) bool {
	if who == nil || len(s.Admins) == 0 {
		return false
	}
	user, err := s.Register.User(ctx, who.UserID)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(s.Admins, func(group string) bool {
		return slices.Contains(user.Groups, group) || strings.Contains(group, ":") && slices.Contains(who.Groups, group)
	})
}

// forbidden is the policy's no. Who has proved too little is told so.
func (s *Server) forbidden(v verdict) problem {
	p := problem{
		Status: http.StatusForbidden, Error: "Forbidden", DecisionID: v.id,
		Detail: "The policy does not allow this. Give the decision_id to an administrator to learn why.",
	}
	switch v.decision.Reason { //nolint:exhaustive // the others are told to administrators alone
	case crossOrigin:
		p.Reason = string(crossOrigin)
		p.Detail = "A page of another site asked for this in your name. An administrator can let it, by naming its origin under cross_origin of the app."
	case policy.FewFactors:
		p.Error, p.Detail = "FactorNeeded", "This asks for more factors than the session has."
	case policy.TooLongAgo, tooLongAgo:
		p.Error, p.Detail = "FactorNeeded", "This asks for a more recent sign-in."
	}
	if p.Error == "FactorNeeded" && v.token != nil {
		p.Detail = "This asks for factors or a recent sign-in, and an app token has neither."
	}
	if v.decision.Effect == policy.StepUp {
		p.Status = http.StatusUnauthorized
		p.Detail = "This asks for a more recent sign-in. Sign in again at the address in X-Gateway-Sign-In."
	}
	return p
}

func (s *Server) askToSignIn(w http.ResponseWriter, r *http.Request, q question) {
	there := s.signInURL(q, verdict{})
	if q.page {
		redirect(w, there)
		return
	}
	w.Header().Set(headerSignIn, there)
	s.letRead(w.Header(), q)
	w.Header().Set("WWW-Authenticate", `Bearer realm="gateway"`)
	s.say(w, r, problem{Status: http.StatusUnauthorized, Error: "SessionExpired", Detail: "Nobody is signed in. Sign in at the address in X-Gateway-Sign-In."}, nil, false)
}

// redirect sends the browser to an address that we made: 303, so that no
// method and no body travels along (RFC 9700, section 4.12).
func redirect(w http.ResponseWriter, to string) {
	w.Header()["Location"] = []string{to}
	w.WriteHeader(http.StatusSeeOther)
}

// navigates reports whether a person's browser asks for a page of its own:
// by Fetch Metadata where the browser sends it, else by Accept.
func navigates(method string, h http.Header) bool {
	if method != http.MethodGet && method != http.MethodHead {
		return false
	}
	if mode := h.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate" && h.Get("Sec-Fetch-Dest") == "document"
	}
	if h.Get("X-Requested-With") != "" || h.Get("Upgrade") != "" {
		return false
	}
	return strings.Contains(h.Get("Accept"), "text/html")
}

// wantsPage reports whether an error is best shown as a page. Form posts
// without script count too.
func wantsPage(r *http.Request) bool {
	if r.Header.Get("Sec-Fetch-Mode") == "navigate" {
		return true
	}
	return navigates(http.MethodGet, r.Header)
}
