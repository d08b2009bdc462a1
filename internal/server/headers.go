package server

import (
	"net/http"
	"strings"

	"gateway/internal/identity"
)

// Identity headers that apps receive.
const (
	headerUser      = "Remote-User"
	headerEmail     = "Remote-Email"
	headerName      = "Remote-Name"
	headerGroups    = "Remote-Groups"
	headerAssertion = "X-Gateway-Jwt-Assertion"
	headerSignIn    = "X-Gateway-Sign-In"
	headerDecision  = "X-Gateway-Decision"
)

// identityHeaders writes every managed header that we send, empty where there
// is nothing to say, so that no front proxy lets a forged one through.
func identityHeaders(h http.Header, who *identity.Principal, assertion string) {
	if who == nil {
		who = &identity.Principal{}
	}
	values := [...]string{clean(who.Login), clean(who.Email), clean(who.Name), clean(strings.Join(who.Groups, ",")), assertion}
	// One backing array for all five; direct keys, they are canonical already.
	backing := values
	h[headerUser] = backing[0:1:1]
	h[headerEmail] = backing[1:2:2]
	h[headerName] = backing[2:3:3]
	h[headerGroups] = backing[3:4:4]
	h[headerAssertion] = backing[4:5:5]
}

// clean drops control characters, which would end a header line.
func clean(s string) string {
	if strings.IndexFunc(s, control) < 0 {
		return s
	}
	return strings.Map(func(r rune) rune {
		if control(r) {
			return -1
		}
		return r
	}, s)
}

func control(r rune) bool { return r < 0x20 || r == 0x7f }
