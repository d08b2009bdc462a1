package server

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/gin-gonic/gin"

	"gateway/internal/accounts"
	"gateway/internal/audit"
	"gateway/internal/identity"
	"gateway/internal/returnto"
	"gateway/internal/server/pages"
)

// loginWait answers whoever is registered and waits for approval.
type loginWait struct {
	UserID string `json:"user_id"`
}

// waiting is what a browser remembers of somebody who waits, sealed in a
// cookie. It opens nothing: it tells whom to look for, and the way back to the
// provider, which has to speak for the person again.
type waiting struct {
	UserID  string    `json:"u"`
	Origin  string    `json:"o"`
	There   string    `json:"t"`
	Expires time.Time `json:"x"`
}

// waitLifetime is how long one page waits. The person can always begin again.
const waitLifetime = 12 * time.Hour

// askToWait sends a browser whose person waits for approval to the page that
// looks out for it.
func (s *Server) askToWait(c *gin.Context, user identity.User, origin string, there returnto.Address) error {
	w := waiting{UserID: user.ID, Origin: origin, There: there.String(), Expires: s.now().Add(waitLifetime)}
	if len(w.There) > maxKept {
		w.There = "/"
	}
	cookie, err := sealJSON(s.Seals.Wait, w)
	if err != nil {
		return err
	}
	s.setCookie(c.Writer, cookieWait, cookie, int(waitLifetime/time.Second))
	redirect(c.Writer, s.Site.Portal()+"/.gateway/wait")
	return nil
}

// waitPage looks whether the person has been let in. The page asks it by
// script, or comes again by itself where there is none.
func (s *Server) waitPage(c *gin.Context) error {
	cookie, err := s.cookie(c.Request, cookieWait)
	if err != nil {
		return err
	}
	w, err := openJSON[waiting](s.Seals.Wait, cookie)
	if err != nil || s.now().After(w.Expires) {
		if !wantsPage(c.Request) {
			return errFlow
		}
		redirect(c.Writer, s.Site.Portal()+signInPath(returnto.Address{}))
		return nil
	}
	there := addressOf(w.There)
	user, err := s.Register.User(c.Request.Context(), w.UserID)
	switch {
	case errors.Is(err, accounts.ErrNone):
		return s.waitOver(c, there, explain(accounts.ErrNotRegistered, "You were not admitted, or nobody has looked at it for a month. Ask an administrator."))
	case err != nil:
		return err
	}
	switch user.Status {
	case identity.Waiting, identity.Unverified:
		return s.showWaiting(c, user)
	case identity.Active:
		if !wantsPage(c.Request) {
			writeJSON(c.Writer, http.StatusOK, "application/json", waitAnswer{Waiting: false})
			return nil
		}
		s.setCookie(c.Writer, cookieWait, "", -1)
		redirect(c.Writer, s.Site.Portal()+"/.gateway/start/"+w.Origin+"?rd="+url.QueryEscape(there.String()))
		return nil
	case identity.Disabled:
	default:
	}
	return s.waitOver(c, there, explain(accounts.ErrDisabled, "You were not admitted. Ask an administrator."))
}

// waitAnswer tells the script of the page whether to go on waiting. Whatever
// else it is told, it loads the page anew.
type waitAnswer struct {
	Waiting bool `json:"waiting"`
}

func (s *Server) showWaiting(c *gin.Context, user identity.User) error {
	if wantsPage(c.Request) {
		s.page(c.Writer, http.StatusOK, pages.Waiting{Login: user.Login, Name: user.Name})
		return nil
	}
	writeJSON(c.Writer, http.StatusOK, "application/json", waitAnswer{Waiting: true})
	return nil
}

// waitOver ends the wait of a page.
func (s *Server) waitOver(c *gin.Context, there returnto.Address, cause error) error {
	if wantsPage(c.Request) {
		s.setCookie(c.Writer, cookieWait, "", -1)
	}
	return flowError{cause, signInPath(there)}
}

// ForgetWaiting removes those whom nobody has let in for too long, and writes
// it down.
func (s *Server) ForgetWaiting(ctx context.Context) error {
	gone, err := s.Register.Forget(ctx)
	for _, u := range gone {
		s.note(ctx, audit.Event{Kind: audit.Registration, Outcome: audit.Refused, Reason: "waited too long", Status: string(u.Status), UserID: u.ID, Login: u.Login})
	}
	return err
}

// Registered writes down that a sign-in has made a user.
func (s *Server) Registered(ctx context.Context, u identity.User, origin string) {
	s.note(ctx, audit.Event{Kind: audit.Registration, Outcome: audit.Done, Status: string(u.Status), UserID: u.ID, Login: u.Login, Origin: origin})
}
