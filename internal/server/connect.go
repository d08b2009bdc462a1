package server

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"gateway/internal/strictjson"
	"gateway/localauth"
	"gateway/providers"
)

// maxBody bounds the protocol's requests, in bytes; tokens are the largest part.
const maxBody = 32 << 10

// features names the optional fields that this server knows.
var features = []string{"want", "app", "again"}

type connectRequest struct {
	ClientFirst string `json:"client_first"`
	AuthOrigin  string `json:"auth_origin"`
	Want        string `json:"want"`
	Again       bool   `json:"again"` // whoever is signed in wants to sign in once more
}

type authOk struct {
	Login    string   `json:"login"`
	UserID   string   `json:"user_id"`
	UserInfo userInfo `json:"user_info"`
}

type authNeeded struct {
	ChallengeID string   `json:"challenge_id"`
	Challenge   string   `json:"challenge"`
	Origins     []origin `json:"origins"`
	Features    []string `json:"features"`
	EndSession  string   `json:"end_session,omitempty"`
}

// connect says who is signed in, or hands out a challenge: to somebody who is
// signed in, too, who asks for it by again. It stores nothing and does not count
// as use of the session.
func (s *Server) connect(c *gin.Context) error {
	var req connectRequest
	if err := readJSON(c.Request, &req); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	want, err := wantOf(c.Request, req.Want)
	if err != nil {
		return err
	}
	if req.ClientFirst != "" && req.AuthOrigin != "" {
		return explain(errBad, "Send client_first or auth_origin, not both.")
	}
	v, err := s.mine(c, s.Site.Portal())
	switch {
	case err != nil:
		return err
	case v.who != nil && !req.Again:
		writeAuthOk(c, v)
		return nil
	}
	answer := s.needed(c)
	switch {
	case req.ClientFirst != "":
		err = s.challengeLocal(c, req.ClientFirst, want, &answer)
	case req.AuthOrigin != "":
		err = s.challengeForeign(c, req.AuthOrigin, want, &answer)
	}
	if err != nil {
		return err
	}
	writeJSON(c.Writer, http.StatusOK, "application/json", answer)
	return nil
}

// mine is whose session of the audience the request brings; nobody, if it brings
// none. One that is over is an error, and cleared.
func (s *Server) mine(c *gin.Context, audience string) (visitor, error) {
	cred, err := s.credential(c.Request)
	if err != nil || cred.token.Empty() {
		return visitor{}, err
	}
	session, err := s.Sessions.Peek(c.Request.Context(), cred.token, audience)
	v := visitor{err: err}
	if err == nil {
		v = s.person(c.Request.Context(), session)
	}
	if v.over() {
		s.clearSession(c.Writer)
	}
	return v, v.err
}

func writeAuthOk(c *gin.Context, v visitor) {
	writeJSON(c.Writer, http.StatusOK, "application/json", authOk{Login: v.who.Login, UserID: v.who.UserID, UserInfo: infoOf(v)})
}

// connectGet is who-am-I without a challenge.
func (s *Server) connectGet(audience func(*gin.Context) string) func(*gin.Context) error {
	return func(c *gin.Context) error {
		v, err := s.mine(c, audience(c))
		switch {
		case err != nil:
			return err
		case v.who != nil:
			writeAuthOk(c, v)
			return nil
		}
		writeJSON(c.Writer, http.StatusOK, "application/json", s.needed(c))
		return nil
	}
}

// needed says how to sign in: at the portal, whichever host was asked.
func (s *Server) needed(*gin.Context) authNeeded {
	origins := s.origins("/")
	for i := range origins {
		origins[i].Start = s.Site.Portal() + origins[i].Start
	}
	return authNeeded{Origins: origins, Features: features}
}

func (s *Server) challengeLocal(c *gin.Context, clientFirst string, want localauth.Want, answer *authNeeded) error {
	if s.Local == nil {
		return explain(providers.ErrUnknownOrigin, "Signing in by password is switched off here.")
	}
	browser, err := s.bound(c, want)
	if err != nil {
		return err
	}
	challenge, err := s.Local.Begin(c.Request.Context(), browser, clientFirst, want)
	if err != nil {
		return err
	}
	answer.ChallengeID, answer.Challenge = challenge.ID, challenge.ServerFirst
	return nil
}

func (s *Server) challengeForeign(c *gin.Context, id string, want localauth.Want, answer *authNeeded) error {
	if s.Foreign == nil {
		return providers.ErrUnknownOrigin
	}
	browser, err := s.bound(c, want)
	if err != nil {
		return err
	}
	answer.ChallengeID, answer.Challenge, err = s.Foreign.BeginToken(c.Request.Context(), id, browser)
	return err
}

// bound returns what a challenge is bound to: the browser, or, for a token,
// nothing, since no cookie is set then.
func (s *Server) bound(c *gin.Context, want localauth.Want) (string, error) {
	if want == localauth.WantToken {
		return "", nil
	}
	return s.browser(c.Writer, c.Request)
}

// wantOf reads what a sign-in is to give. A token goes to programs only: a
// browser, which sends cookies, Origin or Sec-Fetch-*, cannot have one.
func wantOf(r *http.Request, want string) (localauth.Want, error) {
	switch want {
	case "":
		return localauth.WantCookie, nil
	case "token":
	default:
		return 0, explain(errBad, `"want" can be "token", or left out.`)
	}
	for _, name := range []string{"Cookie", "Origin", "Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest", "Sec-Fetch-User"} {
		if len(r.Header[name]) > 0 {
			return 0, explain(errBad, "A token in the answer is for programs: send no "+name+" header.")
		}
	}
	return localauth.WantToken, nil
}

// readJSON reads the body under the rules of the protocol. An empty body is io.EOF.
func readJSON(r *http.Request, into any) error {
	if r.Header.Get("Content-Encoding") != "" {
		return errMediaType
	}
	if r.Body == nil || r.ContentLength == 0 {
		return io.EOF
	}
	if r.ContentLength > maxBody {
		return strictjson.ErrTooLarge
	}
	if len(r.Header["Content-Type"]) > 1 {
		return errMediaType
	}
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" || (params["charset"] != "" && !strings.EqualFold(params["charset"], "utf-8")) {
		return errMediaType
	}
	return strictjson.Decode(r.Body, maxBody, into)
}
