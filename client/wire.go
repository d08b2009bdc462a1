package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Want says what a sign-in is redeemed for.
type Want string

// What a sign-in is redeemed for.
const (
	WantCookie Want = ""      // a cookie in the Jar
	WantToken  Want = "token" // a token in the answer, to be sent as Bearer
)

// ConnectRequest asks for a challenge: for a password with ClientFirst, for a
// foreign token with AuthOrigin; with neither it asks who is signed in.
type ConnectRequest struct {
	ClientFirst string `json:"client_first,omitempty"` // RFC 5802, section 7
	AuthOrigin  string `json:"auth_origin,omitempty"`
	Want        Want   `json:"want,omitempty"`
}

// LoginRequest answers a challenge: User, ChallengeID and ChallengeReply for a
// password, AuthOrigin and Token, ChallengeID if it has one, for a foreign token.
type LoginRequest struct {
	User           string
	AuthOrigin     string
	Token          Secret
	ChallengeID    string
	ChallengeReply string // RFC 5802, section 7: client-final-message
	Want           Want
	App            string // an app's origin: the token's audience; empty means the portal
}

// MarshalJSON writes the request as it travels, its token readable.
func (r LoginRequest) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		User           string `json:"user,omitempty"`
		AuthOrigin     string `json:"auth_origin,omitempty"`
		Token          string `json:"token,omitempty"`
		ChallengeID    string `json:"challenge_id,omitempty"`
		ChallengeReply string `json:"challenge_reply,omitempty"`
		Want           Want   `json:"want,omitempty"`
		App            string `json:"app,omitempty"`
	}{r.User, r.AuthOrigin, r.Token.Reveal(), r.ChallengeID, r.ChallengeReply, r.Want, r.App})
}

// Answer is what connect and logout say: a session (AuthOk), or how to get one (AuthNeeded).
type Answer struct {
	Login    string   `json:"login"` // empty: AuthNeeded
	UserID   string   `json:"user_id"`
	UserInfo UserInfo `json:"user_info"`

	ChallengeID string   `json:"challenge_id"`
	Challenge   string   `json:"challenge"` // RFC 5802, section 7: server-first-message; or a bare nonce
	Origins     []Origin `json:"origins"`
	Features    []string `json:"features"`
	EndSession  string   `json:"end_session"` // the provider's logout page
}

// SignedIn reports whether there is a session.
func (a Answer) SignedIn() bool { return a.Login != "" && a.UserID != "" }

// Origin is a foreign provider to sign in with.
type Origin struct {
	Origin string `json:"origin"`
	Name   string `json:"name"`
	Start  string `json:"start"` // where a browser begins
}

// Session is a sign-in that succeeded.
type Session struct {
	Login         string
	UserID        string
	Token         Secret // empty where a cookie was wanted
	UserInfo      UserInfo
	ServerFinal   string   // RFC 5802, section 7; LoginLocal has checked it
	FactorsNeeded []string // not empty: the session is pending until they are given
}

// UserInfo is what the portal tells a person's own program of the person.
type UserInfo struct {
	Name          string    `json:"name"`
	Email         string    `json:"email"`
	EmailVerified bool      `json:"email_verified"`
	Groups        []string  `json:"groups"`
	Origin        string    `json:"origin"`
	AMR           []string  `json:"amr"`
	AuthTime      time.Time `json:"auth_time"`
	LastUsed      time.Time `json:"last_used"`
	Expires       time.Time `json:"expires"`
}

// UnmarshalJSON reads LoginOk and LoginWait.
func (s *Session) UnmarshalJSON(b []byte) error {
	var wire struct {
		Login         string   `json:"login"`
		UserID        string   `json:"user_id"`
		Token         string   `json:"token"`
		UserInfo      UserInfo `json:"user_info"`
		ServerFinal   string   `json:"server_final"`
		FactorsNeeded []string `json:"factors_needed"`
	}
	if err := json.Unmarshal(b, &wire); err != nil {
		return fmt.Errorf("session: %w", err)
	}
	*s = Session{
		Login: wire.Login, UserID: wire.UserID, Token: NewSecret(wire.Token), UserInfo: wire.UserInfo,
		ServerFinal: wire.ServerFinal, FactorsNeeded: wire.FactorsNeeded,
	}
	return nil
}

// has reports what is missing of a session that was to be redeemed for want.
func (s Session) has(want Want) error {
	if s.UserID == "" || (want == WantToken && s.Token.Empty()) {
		return errors.New("client: login: the portal's answer lacks user_id or token")
	}
	return nil
}

// live are the cookies that an answer sets, without those that it clears.
func live(set []*http.Cookie) []*http.Cookie {
	var kept []*http.Cookie
	for _, k := range set {
		if k.Value != "" && k.MaxAge >= 0 {
			kept = append(kept, k)
		}
	}
	return kept
}
