package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"gateway/policy"
	"gateway/sessions"
)

// App tokens that do not count, beside those that the room of sessions knows.
// Each is an ErrNone: whoever brings one is nobody.
var (
	errNoBasic   = fmt.Errorf("%w: the app takes no tokens by Basic", sessions.ErrNone)
	errOtherUser = fmt.Errorf("%w: Basic names another user than the token's", sessions.ErrNone)
)

// useless says of a token that does not count why it does not: by a word for the
// audit log and administrators, and a sentence for who brought it.
type useless struct {
	is     error
	reason policy.Reason
	detail string
}

// uselessTokens is searched in order.
var uselessTokens = []useless{
	{sessions.ErrMalformed, "token-malformed", "This is not a whole token, or not where one counts: it is sent as Authorization: Bearer."},
	{sessions.ErrTokenOver, "token-over", "This app token has expired or was revoked."},
	{sessions.ErrTokenElsewhere, "token-elsewhere", "This app token is for another app."},
	{sessions.ErrNoToken, "token-unknown", "There is no such app token."},
	{errNoBasic, "token-basic", "This app takes tokens as Authorization: Bearer alone."},
	{errOtherUser, "token-user", "The user name is not that of the person whose app token this is. It may be left empty."},
	{sessions.ErrNone, "token-person", "This app token does not count now."}, // who is disabled learns no more than who is gone
}

// uselessBy finds why a refusal was one for a token.
func uselessBy(reason policy.Reason) (useless, bool) {
	for _, u := range uselessTokens {
		if u.reason == reason {
			return u, true
		}
	}
	return useless{}, false
}

// ofTokens reports whether a refusal was one for a token, and not the policy's.
func ofTokens(reason policy.Reason) bool {
	_, yes := uselessBy(reason)
	return yes
}

// byToken finds the person that an app token speaks for, at the app that is
// asked for. The record of the token comes along, if there is one.
func (s *Server) byToken(ctx context.Context, u use, q question) visitor {
	app := s.appAt(q.host)
	find := s.Tokens.Peek
	if u == using && (app.Basic || !q.credential.basic) {
		find = s.Tokens.Verify
	}
	t, err := find(ctx, q.credential.token, app.Name)
	v := visitor{err: err}
	if t.ID != "" {
		v.token = &t
	}
	switch {
	case err != nil:
		return v
	case q.credential.basic && !app.Basic:
		v.err = errNoBasic
		return v
	}
	user, err := s.active(ctx, t.UserID, t.Provider)
	switch {
	case err != nil:
		v.err = err
	case q.credential.basic && q.credential.user != "" && q.credential.user != user.Login:
		v.err = errOtherUser
	default:
		who := principalOf(user, t)
		v.who = &who
	}
	return v
}

// refuseToken says of whom a token has made nobody why it has, where else they
// would be asked to sign in: no program can.
func (v *verdict) refuseToken() {
	for _, u := range uselessTokens {
		if errors.Is(v.err, u.is) {
			v.decision.Effect, v.decision.Reason, v.decision.Public = policy.Deny, u.reason, false
			return
		}
	}
}

// guesses reports whether somebody may be trying tokens.
func (v *verdict) guesses() bool { return !v.allowed() && errors.Is(v.err, sessions.ErrNoToken) }

// sayUseless answers who has brought a token that does not count (RFC 6750,
// section 3.1). Basic is never asked for: a browser would ask its user.
func (s *Server) sayUseless(w http.ResponseWriter, r *http.Request, q question, v verdict, u useless) {
	h := w.Header()
	h.Set(headerSignIn, s.signInURL(q, v))
	h.Set("WWW-Authenticate", `Bearer realm="gateway", error="invalid_token"`)
	s.letRead(h, q)
	s.say(w, r, problem{Status: http.StatusUnauthorized, Error: "SessionExpired", Reason: string(u.reason), Detail: u.detail, DecisionID: v.id}, nil, q.page)
}

// letAppSee tells a front proxy which Authorization the app may see: the client's
// if it is not ours, else none. The answer then has none either, which proxies
// take for one to be removed, but for Envoy, which is told.
func letAppSee(h, asked http.Header, c credential, by way) {
	theirs := asked["Authorization"]
	switch {
	case len(theirs) == 0:
	case !c.ours:
		h["Authorization"] = theirs
	case by == byExtAuthz:
		h["X-Envoy-Auth-Headers-To-Remove"] = authorizationHeader
	}
}

var authorizationHeader = []string{"authorization"}
