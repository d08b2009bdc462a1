package server

import (
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"gateway/internal/accounts"
	"gateway/internal/audit"
	"gateway/internal/canonical"
	"gateway/internal/identity"
	"gateway/internal/secret"
	"gateway/internal/throttle"
	"gateway/localauth"
	"gateway/providers"
	"gateway/sessions"
)

type loginRequest struct {
	User           string `json:"user"`
	ChallengeID    string `json:"challenge_id"`
	ChallengeReply string `json:"challenge_reply"`
	AuthOrigin     string `json:"auth_origin"`
	Token          string `json:"token"`
	Want           string `json:"want"`
	App            string `json:"app"`
}

type loginOk struct {
	Login       string   `json:"login"`
	UserID      string   `json:"user_id"`
	Token       string   `json:"token,omitempty"`
	UserInfo    userInfo `json:"user_info"`
	ServerFinal string   `json:"server_final,omitempty"`
}

// login opens a session for whoever comes through a door: Local with a reply
// to a challenge, Foreign with a token.
func (s *Server) login(c *gin.Context) error {
	var req loginRequest
	if err := readJSON(c.Request, &req); errors.Is(err, io.EOF) {
		return explain(errBad, "Send the answer to a challenge, or a foreign token.")
	} else if err != nil {
		return err
	}
	g, err := s.goal(c, req)
	if err != nil {
		return err
	}
	e, serverFinal, err := s.enter(c, req, g)
	switch {
	case errors.Is(err, accounts.ErrWaiting):
		writeJSON(c.Writer, http.StatusAccepted, "application/json", loginWait{UserID: e.user.ID})
		return nil
	case err != nil:
		return err
	}
	answer, err := s.open(c, e, g)
	if err != nil {
		return err
	}
	answer.ServerFinal = serverFinal
	writeJSON(c.Writer, http.StatusOK, "application/json", answer)
	return nil
}

// goal is what a sign-in is to give, and to whom: known before any proof is
// looked at, so that a bad request spends nothing.
type goal struct {
	want   localauth.Want
	app    canonical.Host // the token's audience; empty: the portal
	before visitor        // who is signed in on this browser
}

func (s *Server) goal(c *gin.Context, req loginRequest) (g goal, err error) {
	if g.want, err = wantOf(c.Request, req.Want); err != nil {
		return goal{}, err
	}
	if g.want == localauth.WantToken {
		if req.App != "" {
			g.app, err = s.audienceOf(req.App)
		}
		return g, err
	}
	if req.App != "" {
		return goal{}, explain(errBad, `"app" goes with "want":"token".`)
	}
	g.before, err = s.portalVisitor(c.Request)
	return g, err
}

// changesUser reports whether somebody else than this user is signed in.
func (g goal) changesUser(userID string) bool {
	return g.before.who != nil && g.before.who.UserID != userID
}

// enter leads through the door that the request names.
func (s *Server) enter(c *gin.Context, req loginRequest, g goal) (entry, string, error) {
	local := req.User != "" || req.ChallengeReply != ""
	foreign := req.AuthOrigin != "" || req.Token != ""
	switch {
	case local == foreign:
		return entry{}, "", explain(errBad, "Send user, challenge_id and challenge_reply, or auth_origin and token.")
	case foreign:
		e, err := s.enterForeign(c, req, g.want)
		return e, "", err
	case req.User == "" || req.ChallengeID == "" || req.ChallengeReply == "":
		return entry{}, "", explain(errBad, "user, challenge_id and challenge_reply go together.")
	}
	return s.enterLocal(c, req, g)
}

func (s *Server) enterLocal(c *gin.Context, req loginRequest, g goal) (entry, string, error) {
	if s.Local == nil {
		return entry{}, "", explain(providers.ErrUnknownOrigin, "Signing in by password is switched off here.")
	}
	ctx := c.Request.Context()
	browser, err := s.present(c.Request, g.want)
	if err != nil {
		return entry{}, "", err
	}
	if browser == "" && g.want == localauth.WantCookie {
		return entry{}, "", challengeError{localauth.ErrNoChallenge, bounded(req.ChallengeID)}
	}
	reply := localauth.Reply{Username: req.User, ChallengeID: req.ChallengeID, ClientFinal: req.ChallengeReply}
	pending, err := s.Local.Open(browser, reply, g.want)
	if err != nil {
		return entry{}, "", challengeError{err, bounded(req.ChallengeID)}
	}
	buckets := append(throttle.Sources(s.client(c.Request)), s.tries(c.Request, pending.Login, g.want)...)
	if err := s.admit(ctx, buckets...); err != nil {
		s.auditFailedSignIn(c, identity.Local, pending.Login, err)
		return entry{}, "", err
	}
	outcome, err := s.Local.Finish(ctx, pending)
	if err != nil {
		s.auditFailedSignIn(c, identity.Local, pending.Login, err)
		if errors.Is(err, localauth.ErrNoChallenge) {
			return entry{}, "", challengeError{err, bounded(req.ChallengeID)}
		}
		return entry{}, "", err
	}
	s.Throttle.Forgive(buckets...)
	if g.changesUser(outcome.UserID) {
		return entry{}, "", errSignedIn
	}
	user, err := s.resolve(c, outcome.Identity)
	switch {
	case errors.Is(err, accounts.ErrDisabled), errors.Is(err, accounts.ErrNotRegistered): // since a moment ago
		return entry{}, "", localauth.ErrBadCredentials
	case err != nil:
		return entry{user: user}, "", err
	}
	return entry{user: user, identity: outcome.Identity, factor: "pwd"}, outcome.ServerFinal, nil
}

func (s *Server) enterForeign(c *gin.Context, req loginRequest, want localauth.Want) (entry, error) {
	if req.AuthOrigin == "" || req.Token == "" {
		return entry{}, explain(errBad, "auth_origin and token go together.")
	}
	if s.Foreign == nil {
		return entry{}, providers.ErrUnknownOrigin
	}
	ctx := c.Request.Context()
	browser, err := s.present(c.Request, want)
	if err != nil {
		return entry{}, err
	}
	if browser == "" && want == localauth.WantCookie && req.ChallengeID != "" { // made for a token, it redeems to nothing else
		return entry{}, challengeError{providers.ErrNoRequest, bounded(req.ChallengeID)}
	}
	sources := throttle.Sources(s.client(c.Request))
	if err := s.admit(ctx, sources...); err != nil {
		s.auditFailedSignIn(c, req.AuthOrigin, "", err)
		return entry{}, err
	}
	assertion, err := s.Foreign.FinishToken(ctx, req.AuthOrigin, browser, req.ChallengeID, secret.New(req.Token))
	if err != nil {
		s.auditFailedSignIn(c, req.AuthOrigin, "", err)
		if errors.Is(err, providers.ErrNoRequest) {
			return entry{}, challengeError{err, bounded(req.ChallengeID)}
		}
		return entry{}, err
	}
	s.Throttle.Forgive(sources...)
	user, err := s.resolve(c, assertion.Identity)
	if err != nil {
		return entry{user: user}, err
	}
	return entry{user: user, identity: assertion.Identity, foreignID: assertion.SessionID, factor: "fed"}, nil
}

// resolve asks the register whose identity this is. With accounts.ErrWaiting
// and accounts.ErrUnverified it says whose, and the person gets no session.
func (s *Server) resolve(c *gin.Context, who identity.Identity) (identity.User, error) {
	user, err := s.Register.Resolve(c.Request.Context(), who)
	return s.resolved(c, who, user, err)
}

// resolved writes down what the register said if it was no.
func (s *Server) resolved(c *gin.Context, who identity.Identity, user identity.User, err error) (identity.User, error) {
	switch {
	case errors.Is(err, accounts.ErrWaiting), errors.Is(err, accounts.ErrUnverified):
		reason := identity.Waiting
		if errors.Is(err, accounts.ErrUnverified) {
			reason = identity.Unverified
		}
		s.note(c.Request.Context(), audit.Event{
			Kind: audit.SignIn, Outcome: audit.Refused, Reason: string(reason), UserID: user.ID, Login: user.Login,
			Origin: who.Provider, Client: s.client(c.Request),
		})
		return user, err
	case err != nil:
		s.auditFailedSignIn(c, who.Provider, "", err)
		return identity.User{}, err
	}
	return user, nil
}

// present returns the browser that a challenge must have been made for.
func (s *Server) present(r *http.Request, want localauth.Want) (string, error) {
	if want == localauth.WantToken {
		return "", nil
	}
	return s.cookie(r, cookieBrowser)
}

// open issues the session and answers with it: as a cookie, or as a token.
func (s *Server) open(c *gin.Context, e entry, g goal) (loginOk, error) {
	ctx := c.Request.Context()
	if g.want == localauth.WantToken {
		return s.openToken(c, e, g.app)
	}
	if g.changesUser(e.user.ID) {
		return loginOk{}, errSignedIn
	}
	session, token, err := s.openSession(ctx, c.Request, e, s.Site.Portal())
	if err != nil {
		return loginOk{}, err
	}
	if err := s.endPrevious(ctx, g.before); err != nil {
		return loginOk{}, err
	}
	s.setSession(c.Writer, token)
	if e.identity.Provider == identity.Local {
		s.know(c.Writer, c.Request, e.identity.Username)
	}
	return s.loginOk(c, session), nil
}

// openToken issues a session whose token goes to a program, for the portal or,
// if the policy lets the person in, for an app.
func (s *Server) openToken(c *gin.Context, e entry, host canonical.Host) (loginOk, error) {
	ctx := c.Request.Context()
	session, token, err := s.openSession(ctx, c.Request, e, s.Site.Portal())
	if err != nil {
		return loginOk{}, err
	}
	if host != "" {
		if err := s.mayEnter(c, session, host); err != nil {
			return loginOk{}, errors.Join(err, s.Sessions.Revoke(ctx, session.ID))
		}
		child, its, err := s.Sessions.IssueChild(ctx, session.ID, s.Site.Origin(host))
		if err != nil {
			return loginOk{}, errors.Join(err, s.Sessions.Revoke(ctx, session.ID))
		}
		session, token = child, its
	}
	answer := s.loginOk(c, session)
	answer.Token = token.Reveal()
	return answer, nil
}

// mayEnter asks the policy whether the person of a new session may open the
// app's root.
func (s *Server) mayEnter(c *gin.Context, session sessions.Session, host canonical.Host) error {
	ctx := c.Request.Context()
	v := verdict{visitor: s.person(ctx, session)}
	q := question{method: http.MethodGet, host: host, target: canonical.Target{Path: "/", Raw: "/"}, client: s.client(c.Request)}
	v.decision = s.ruling(q, v.who)
	if v.allowed() {
		return nil
	}
	v.id = rand.Text()
	s.auditRefusal(ctx, q, v)
	return decisionError{errForbidden, v.id}
}

// audienceOf finds the host that an app's name, host or origin stands for.
func (s *Server) audienceOf(app string) (canonical.Host, error) {
	unknown := explain(errBad, `"app" is the name, the host or the origin of an app.`)
	if hosts := s.Apps[app].Hosts; len(hosts) == 1 {
		app = hosts[0]
	}
	authority, isOrigin := strings.CutPrefix(app, s.Site.Scheme+"://")
	host, err := canonical.ParseHost(authority)
	if err != nil || (isOrigin && app != s.Site.Origin(host)) {
		return "", unknown
	}
	if _, ok := s.Policy.Load().App(host); !ok {
		return "", unknown
	}
	return host, nil
}

func (s *Server) loginOk(c *gin.Context, session sessions.Session) loginOk {
	v := s.person(c.Request.Context(), session)
	if v.who == nil { // disabled this very moment: the session is dead already
		return loginOk{UserID: session.UserID}
	}
	return loginOk{Login: v.who.Login, UserID: v.who.UserID, UserInfo: infoOf(v)}
}

func (s *Server) auditFailedSignIn(c *gin.Context, origin, login string, cause error) {
	outcome, reason := outcomeOf(cause)
	if limited, ok := errors.AsType[*throttle.Limited](cause); ok && limited.Shut {
		reason = reasonShut
	}
	if refusal, ok := errors.AsType[*localauth.Refusal](cause); ok {
		reason = string(refusal.Reason)
	}
	switch { // what strangers are told in fewer words
	case errors.Is(cause, accounts.ErrDisabled):
		reason = string(identity.Disabled)
	case errors.Is(cause, accounts.ErrFull):
		reason = "no room to wait"
	case errors.Is(cause, accounts.ErrOtherEmail):
		reason = "invited by another address"
	case errors.Is(cause, accounts.ErrNoInvitation):
		reason = noLink
	}
	s.note(c.Request.Context(), audit.Event{
		Kind: audit.SignIn, Outcome: outcome, Reason: reason, Origin: origin, Login: s.known(c, login, cause), Client: s.client(c.Request),
	})
}

// reasonShut is why a sign-in by password fails after too many that did.
const reasonShut = "shut"

// outcomeOf is how the book tells an error: whether it is a no, and the word
// that strangers are told.
func outcomeOf(cause error) (audit.Outcome, string) {
	word := describe(http.Header{}, cause).Error
	if word == cannotTell.code {
		return audit.Failed, word
	}
	return audit.Refused, word
}

// known returns a login that failed if somebody has it, else "": any other may
// be a password in the wrong field.
func (s *Server) known(c *gin.Context, login string, cause error) string {
	if login == "" {
		return ""
	}
	if refusal, ok := errors.AsType[*localauth.Refusal](cause); ok {
		if refusal.Reason == localauth.Unknown {
			return ""
		}
		return login
	}
	if _, err := s.Register.ByLogin(c.Request.Context(), login); err != nil { // whose proof was not looked at
		return ""
	}
	return login
}

// bounded keeps what we echo short.
func bounded(id string) string {
	if len(id) > 1024 {
		return ""
	}
	return id
}
