package server

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"gateway/internal/canonical"
	"gateway/internal/returnto"
	"gateway/internal/secret"
	"gateway/policy"
	"gateway/sessions"
)

// The hand-off of the sign-in to an app host: the app host begins a flow and
// remembers it in a cookie of its own; the portal signs the person in, asks
// the policy and stores a one-time code; the app host takes the code, once,
// and only from the browser that began the flow.

const (
	enterLifetime = 10 * time.Minute
	maxEnter      = 16   // flows that one browser may have open at one app host
	maxEnterBytes = 6144 // of their cookies together
	maxKept       = 512  // bytes of a target that the app host itself remembers
	flowLength    = 16
)

// handoffRequest is what an app host asks of the portal, sealed.
type handoffRequest struct {
	Flow    string    `json:"f"`
	Host    string    `json:"h"`
	Target  string    `json:"t"`
	Nonce   []byte    `json:"n"` // SHA-256 of the app host's cookie of this flow
	Expires time.Time `json:"x"`
	MaxAge  int64     `json:"m,omitempty"` // seconds since the proof, at most; 0: any
}

// age is how old the proof may be; 0: any age.
func (r handoffRequest) age() time.Duration { return time.Duration(r.MaxAge) * time.Second }

// begun is when the app host asked.
func (r handoffRequest) begun() time.Time { return r.Expires.Add(-enterLifetime) }

// entering is what the app host remembers, sealed in its cookie.
type entering struct {
	Target  string    `json:"t"`
	Again   bool      `json:"a"` // the flow was restarted once
	Expires time.Time `json:"x"`
	MaxAge  int64     `json:"m,omitempty"` // as of the request, should it begin anew
}

// appSignIn begins the hand-off.
func (s *Server) appSignIn(c *gin.Context) error {
	there := target(c)
	cred, err := s.credential(c.Request)
	if err != nil {
		return err
	}
	v, age := s.visitor(c.Request.Context(), cred, s.atApp(c)), askedAge(c)
	switch {
	case v.unclear():
		return v.err
	case v.who != nil && !s.helps(c, v, there, age):
		redirect(c.Writer, s.atApp(c)+there.String())
		return nil
	case v.over():
		s.clearSession(c.Writer)
	}
	return s.begin(c, there, age, false)
}

func (s *Server) begin(c *gin.Context, there returnto.Address, age time.Duration, again bool) error {
	expires := s.now().Add(enterLifetime)
	kept := there
	if len(kept.String()) > maxKept {
		kept = returnto.Address{}
	}
	cookie, err := sealJSON(s.Seals.Enter, entering{Target: kept.String(), Again: again, Expires: expires, MaxAge: int64(age / time.Second)})
	if err != nil {
		return err
	}
	nonce := sha256.Sum256([]byte(cookie))
	req := handoffRequest{
		Flow: rand.Text()[:flowLength], Host: string(hostOf(c)), Target: there.String(), Nonce: nonce[:], Expires: expires, MaxAge: int64(age / time.Second),
	}
	address, err := s.authorizePath(req)
	if err != nil {
		return err
	}
	s.makeRoom(c, len(cookie))
	s.setCookie(c.Writer, cookieEnter+req.Flow, cookie, int(enterLifetime/time.Second))
	redirect(c.Writer, s.Site.Portal()+address.String())
	return nil
}

// authorizePath is where the portal is asked. The portal returns there once
// the person has signed in, so it has to be a return address itself: a target
// too long for that gives way to the app's first page.
func (s *Server) authorizePath(req handoffRequest) (returnto.Address, error) {
	sealed, err := sealJSON(s.Seals.Request, req)
	if err != nil {
		return returnto.Address{}, err
	}
	address, err := returnto.Parse("/.gateway/authorize?req=" + sealed)
	if err != nil && req.Target != "/" {
		req.Target = "/"
		return s.authorizePath(req)
	}
	return address, err
}

// makeRoom drops the oldest flows of a browser that has too many open.
func (s *Server) makeRoom(c *gin.Context, size int) {
	prefix := s.cookieName(cookieEnter)
	var open []*http.Cookie
	total := size
	for _, k := range c.Request.Cookies() {
		if strings.HasPrefix(k.Name, prefix) {
			open = append(open, k)
			total += len(k.Name) + len(k.Value)
		}
	}
	for len(open) >= maxEnter || (total > maxEnterBytes && len(open) > 0) {
		oldest := 0
		for i := range open {
			if s.enterExpiry(open[i].Value).Before(s.enterExpiry(open[oldest].Value)) {
				oldest = i
			}
		}
		drop := open[oldest]
		total -= len(drop.Name) + len(drop.Value)
		open = append(open[:oldest], open[oldest+1:]...)
		s.setCookie(c.Writer, cookieEnter+strings.TrimPrefix(drop.Name, prefix), "", -1)
	}
}

// enterExpiry is zero for a cookie that we cannot read.
func (s *Server) enterExpiry(value string) time.Time {
	e, _ := openJSON[entering](s.Seals.Enter, value)
	return e.Expires
}

// authorize is the portal's side: it signs the person in if need be, asks the
// policy for the sealed path, and hands out a code.
func (s *Server) authorize(c *gin.Context) error {
	raw := c.Request.URL.Query()["req"]
	if len(raw) != 1 {
		return errFlow
	}
	req, err := s.openRequest(raw[0])
	if err != nil {
		return err
	}
	host := canonical.Host(req.Host)
	if _, known := s.Policy.Load().App(host); !known {
		return errHost
	}
	there := addressOf(req.Target)
	if s.now().After(req.Expires) { // a stale tab: the app host begins anew
		redirect(c.Writer, s.Site.Origin(host)+signInPath(there))
		return nil
	}
	v, err := s.portalVisitor(c.Request)
	if err != nil {
		return err
	}
	if v.who == nil {
		if v.over() {
			s.clearSession(c.Writer)
		}
		redirect(c.Writer, s.Site.Portal()+"/.gateway/sign-in?rd="+url.QueryEscape("/.gateway/authorize?req="+raw[0]))
		return nil
	}
	q, d, err := s.admission(c.Request, v, req)
	switch {
	case err != nil:
		return err
	case d.Effect == policy.StepUp:
		redirect(c.Writer, s.Site.Portal()+signInPath(addressOf("/.gateway/authorize?req="+raw[0])))
		return nil
	}
	return s.grant(c, v, q, d, req)
}

func (s *Server) grant(c *gin.Context, v visitor, q question, d policy.Decision, req handoffRequest) error {
	ctx, there := c.Request.Context(), addressOf(req.Target)
	answer := verdict{visitor: v, decision: d}
	if !answer.allowed() {
		answer.id = rand.Text()
		answer.decision.Effect = policy.Deny // they are signed in: signing in again cannot help
		s.auditRefusal(ctx, q, answer)
		s.refuse(c.Writer, c.Request, q, answer)
		return nil
	}
	if len(req.Nonce) != sha256.Size {
		return errFlow
	}
	code, err := s.Sessions.Grant(ctx, v.session.ID, q.audience, req.Flow, [32]byte(req.Nonce), there.String())
	if err != nil {
		return err
	}
	redirect(c.Writer, q.audience+"/.gateway/handoff?code="+url.QueryEscape(code.Reveal()))
	return nil
}

func (s *Server) openRequest(sealed string) (handoffRequest, error) {
	req, err := openJSON[handoffRequest](s.Seals.Request, sealed)
	if err != nil {
		return handoffRequest{}, errFlow
	}
	return req, nil
}

// handoff is the app host's side: it takes the code once, from the browser
// that began the flow, and gives it a session of its own.
func (s *Server) handoff(c *gin.Context) error {
	codes := c.Request.URL.Query()["code"]
	if len(codes) != 1 {
		return errFlow
	}
	flow, _, ok := strings.Cut(codes[0], ".")
	if !ok || len(flow) != flowLength || strings.ContainsFunc(flow, notBase32) {
		return errFlow
	}
	if _, err := s.credential(c.Request); err != nil { // before the code is spent
		return err
	}
	cookie, err := s.cookie(c.Request, cookieEnter+flow)
	if err != nil {
		return err
	}
	if cookie == "" {
		return s.recoverFlow(c, entering{Again: true}, errFlow)
	}
	kept, err := openJSON[entering](s.Seals.Enter, cookie)
	if err != nil {
		return s.recoverFlow(c, entering{Again: true}, errFlow)
	}
	s.setCookie(c.Writer, cookieEnter+flow, "", -1)
	ctx, audience := c.Request.Context(), s.atApp(c)
	_, token, goal, err := s.Sessions.Redeem(ctx, secret.New(codes[0]), audience, sha256.Sum256([]byte(cookie)))
	switch {
	case errors.Is(err, sessions.ErrNoCode), errors.Is(err, sessions.ErrNone), errors.Is(err, sessions.ErrTooLongAgo):
		return s.recoverFlow(c, kept, err)
	case err != nil:
		return err
	}
	if err := s.endChild(ctx, c); err != nil {
		return err
	}
	s.setSession(c.Writer, token)
	redirect(c.Writer, audience+addressOf(goal).String())
	return nil
}

// endChild ends the app session that this browser had before, and it alone.
func (s *Server) endChild(ctx context.Context, c *gin.Context) error {
	cred, err := s.credential(c.Request)
	if err != nil || cred.token.Empty() || cred.bearer {
		return err
	}
	before, err := s.Sessions.Peek(ctx, cred.token, s.atApp(c))
	if err != nil {
		return nil //nolint:nilerr // nothing of ours to end
	}
	_, err = s.Sessions.Store.DeleteSession(ctx, before.ID)
	return err
}

// recoverFlow helps a tab whose code failed: with a live session it goes on,
// without it the flow begins anew, once.
func (s *Server) recoverFlow(c *gin.Context, kept entering, cause error) error {
	cred, err := s.credential(c.Request)
	if err != nil {
		return err
	}
	v := s.visitor(c.Request.Context(), cred, s.atApp(c))
	there := addressOf(kept.Target)
	switch {
	case v.unclear():
		return v.err
	case v.who != nil:
		redirect(c.Writer, s.atApp(c)+there.String())
		return nil
	case kept.Again:
		return flowError{fmt.Errorf("%w: %w", errFlow, cause), there.String()}
	}
	return s.begin(c, there, time.Duration(kept.MaxAge)*time.Second, true)
}

func sealJSON(box Sealer, v any) (string, error) {
	var raw bytes.Buffer
	e := json.NewEncoder(&raw)
	e.SetEscapeHTML(false) // "&" is in many targets, and cookies are short
	if err := e.Encode(v); err != nil {
		return "", fmt.Errorf("seal: %w", err)
	}
	return box.Seal(raw.Bytes()), nil
}

func openJSON[T any](box Sealer, sealed string) (T, error) {
	var v T
	raw, err := box.Open(sealed)
	if err != nil {
		return v, err
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return v, fmt.Errorf("open: %w", err)
	}
	return v, nil
}
