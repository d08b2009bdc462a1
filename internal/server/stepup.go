package server

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"gateway/internal/canonical"
	"gateway/internal/identity"
	"gateway/internal/returnto"
	"gateway/policy"
)

// A step-up is a sign-in of somebody who is signed in: the policy, the limits of
// an app or the app itself ask for a more recent proof than the session has. The
// app host begins the hand-off as for anybody, and the portal, which judges the
// sealed request by the session, asks for the proof before it hands off. What a
// sign-in during the very same hand-off has not helped is refused: nobody goes
// round in circles.

// reach is how many factors a sign-in brings: one, by the door that somebody has
// come through before.
const reach = 1

// maxAsked is the oldest proof that an address of a sign-in may ask for.
const maxAsked = 365 * 24 * time.Hour

// signInURL is where a request is sent that a sign-in would help. An address
// that is too long to return to gives way to the app's first page. The age of
// the proof is said for a request that the sign-in cannot judge by its address.
func (s *Server) signInURL(q question, v verdict) string {
	there := q.audience + signInPath(addressOf(q.target.String()))
	if v.who != nil {
		if age := s.Policy.Load().MaxAge(s.request(q, v.who)); age >= time.Second {
			there += "&max_age=" + strconv.FormatInt(int64(age/time.Second), 10)
		}
	}
	return there
}

// askedAge reads max_age: how old a proof may be, 0 for any.
func askedAge(c *gin.Context) time.Duration {
	values := c.Request.URL.Query()["max_age"]
	if len(values) != 1 {
		return 0
	}
	seconds, err := strconv.ParseUint(values[0], 10, 32)
	if err != nil {
		return 0
	}
	return min(time.Duration(seconds)*time.Second, maxAsked)
}

// stale reports whether somebody's proof is older than that. One that nobody
// knows the time of is: zero is older than any age.
func (s *Server) stale(who *identity.Principal, age time.Duration) bool {
	return age > 0 && s.now().Sub(who.AuthTime) > age
}

// helps reports whether another sign-in would help somebody who is signed in at
// an app's host to open an address there.
func (s *Server) helps(c *gin.Context, v visitor, there returnto.Address, age time.Duration) bool {
	if s.stale(v.who, age) {
		return true
	}
	goal, err := canonical.ParseTarget(there.String())
	if err != nil {
		return false
	}
	q := question{method: http.MethodGet, host: hostOf(c), target: goal, client: s.client(c.Request)}
	return s.ruling(q, v.who).Effect == policy.StepUp
}

// admission judges what an app host asks for somebody who is signed in at the portal.
// StepUp: another sign-in could help, and there was none since the app host asked.
func (s *Server) admission(r *http.Request, v visitor, req handoffRequest) (question, policy.Decision, error) {
	host := canonical.Host(req.Host)
	goal, err := canonical.ParseTarget(addressOf(req.Target).String())
	if err != nil {
		return question{}, policy.Decision{}, err
	}
	q := question{method: http.MethodGet, host: host, audience: s.Site.Origin(host), target: goal, client: s.client(r), page: true}
	d := s.ruling(q, v.who)
	if (verdict{decision: d}).allowed() && (!s.Sessions.Admits(v.session, q.audience) || s.stale(v.who, req.age())) {
		d.Effect, d.Reason, d.Public = policy.StepUp, tooLongAgo, false
	}
	if d.Effect == policy.StepUp && v.session.Created.After(req.begun()) {
		d.Effect = policy.Deny
	}
	return q, d, nil
}

// tooLongAgo is why a sign-in that the rules would let pass does not do: the app
// asks for a more recent one.
const tooLongAgo policy.Reason = "session-too-old"

// requested opens the request of an app host that a return address leads to.
func (s *Server) requested(there returnto.Address) (handoffRequest, bool) {
	u, err := url.Parse(there.String())
	if err != nil || u.Path != "/.gateway/authorize" {
		return handoffRequest{}, false
	}
	req, err := s.openRequest(u.Query().Get("req"))
	if err != nil || s.now().After(req.Expires) {
		return handoffRequest{}, false
	}
	return req, true
}

// oldest is how long ago whoever signs in to go on to an address may have proved
// who they are; 0: however long.
func (s *Server) oldest(there returnto.Address) time.Duration {
	req, ok := s.requested(there)
	if !ok {
		return 0
	}
	host := canonical.Host(req.Host)
	ages := []time.Duration{req.age()}
	if goal, err := canonical.ParseTarget(addressOf(req.Target).String()); err == nil {
		ages = append(ages, s.Policy.Load().MaxAge(policy.Request{Method: http.MethodGet, Host: host, Path: goal.Path}))
	}
	if s.Sessions.Limits != nil {
		ages = append(ages, s.Sessions.Limits(s.Site.Origin(host)).Oldest())
	}
	ages = slices.DeleteFunc(ages, func(age time.Duration) bool { return age == 0 })
	if len(ages) == 0 {
		return 0
	}
	return slices.Min(ages)
}

// toAsk is the age that a provider is asked for: what comes back is good for a
// while then, and not for the blink of an eye.
func toAsk(oldest time.Duration) time.Duration {
	if oldest == 0 {
		return 0
	}
	return max(oldest/2, time.Second)
}

// doors are those that somebody could come through again, to an app. Some may be
// shut by now.
func (s *Server) doors(ctx context.Context, userID string, host canonical.Host) ([]string, error) {
	_, links, err := s.Register.Show(ctx, userID)
	if err != nil {
		return nil, err
	}
	var doors []string
	for _, l := range links {
		if s.Policy.Load().TakesDoor(host, l.Provider) {
			doors = append(doors, l.Provider)
		}
	}
	return doors, nil
}

// doorNames are doors as people know them: that of passwords has none.
func (s *Server) doorNames(doors []string) []string {
	names := make([]string, 0, len(doors))
	for _, door := range doors {
		name := door
		if door == identity.Local {
			name = ""
		} else if s.Foreign != nil {
			for i := range s.Foreign.Providers {
				if s.Foreign.Providers[i].ID == door {
					name = s.Foreign.Providers[i].Name
				}
			}
		}
		names = append(names, name)
	}
	return names
}

// askToConfirm shows somebody who is signed in the sign-in, if that is what an
// app asks for; done reports whether it is.
func (s *Server) askToConfirm(c *gin.Context, v visitor, there returnto.Address) (done bool, err error) {
	req, ok := s.requested(there)
	if !ok {
		return false, nil
	}
	_, d, err := s.admission(c.Request, v, req)
	if d.Effect != policy.StepUp {
		return false, err
	}
	doors, err := s.doors(c.Request.Context(), v.who.UserID, canonical.Host(req.Host))
	if err != nil {
		return false, err
	}
	page := s.chooser(there, func(door string) bool { return slices.Contains(doors, door) })
	page.Confirm = v.who.Login
	s.page(c.Writer, http.StatusOK, page)
	return true, nil
}

// askToProve answers a question that another sign-in would help: a page for
// people, else a problem (RFC 9470, section 3).
func (s *Server) askToProve(w http.ResponseWriter, r *http.Request, q question, v verdict) {
	there := s.signInURL(q, v)
	if q.page {
		redirect(w, there)
		return
	}
	w.Header().Set(headerSignIn, there)
	s.letRead(w.Header(), q)
	needs := []string{`Bearer realm="gateway"`, `error="insufficient_user_authentication"`}
	if age := s.Policy.Load().MaxAge(s.request(q, v.who)); age >= time.Second {
		needs = append(needs, `max_age="`+strconv.FormatInt(int64(age/time.Second), 10)+`"`)
	}
	w.Header().Set("WWW-Authenticate", strings.Join(needs, ", "))
	s.say(w, r, s.forbidden(v), nil, false)
}
