package demo

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// AssertionHeader carries the gateway's signed word on who is asking.
const AssertionHeader = "X-Gateway-Jwt-Assertion"

// visitor is who the gateway says is asking.
type visitor struct {
	User   string   `json:"user"`
	Email  string   `json:"email"`
	Name   string   `json:"name"`
	Groups []string `json:"groups"`
	Claims []claim  `json:"-"`
}

// visitorOf reads the identity headers. An app may believe them because the
// gateway removes what a client sends under these names.
func visitorOf(r *http.Request) visitor {
	v := visitor{
		User:   r.Header.Get("Remote-User"),
		Email:  r.Header.Get("Remote-Email"),
		Name:   r.Header.Get("Remote-Name"),
		Groups: []string{},
		Claims: claimsOf(r.Header.Get(AssertionHeader)),
	}
	if groups := r.Header.Get("Remote-Groups"); groups != "" {
		v.Groups = strings.Split(groups, ",")
	}
	return v
}

// Known reports whether somebody is signed in.
func (v visitor) Known() bool { return v.User != "" }

// Greeting is what to call the visitor.
func (v visitor) Greeting() string {
	if v.Name != "" {
		return v.Name
	}
	return v.User
}

// claim is one line of the assertion, for people to read.
type claim struct{ Name, Value, Hint string }

// claimsOf decodes the assertion for display. It does not verify it: an app
// that decides by it checks signature, iss, aud and exp against the portal's
// /.well-known/jwks.json.
func claimsOf(assertion string) []claim {
	claims := jwt.MapClaims{}
	if _, _, err := jwt.NewParser().ParseUnverified(assertion, claims); err != nil {
		return nil
	}
	var all []claim
	for _, name := range slices.Sorted(maps.Keys(claims)) {
		all = append(all, claim{name, plain(claims[name]), when(name, claims[name])})
	}
	return all
}

func plain(value any) string {
	if s, ok := value.(string); ok {
		return s
	}
	if n, ok := value.(float64); ok && n == float64(int64(n)) {
		value = int64(n)
	}
	text, err := json.Marshal(value)
	if err != nil {
		return "?"
	}
	return string(text)
}

// when spells the time out that a claim gives in seconds (RFC 7519, section 2).
func when(name string, value any) string {
	seconds, ok := value.(float64)
	if !ok || !slices.Contains([]string{"iat", "exp", "nbf", "auth_time"}, name) {
		return ""
	}
	return time.Unix(int64(seconds), 0).UTC().Format(time.RFC3339)
}
