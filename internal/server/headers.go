package server

import (
	"net/http"
	"strings"

	"gateway/internal/identity"
	"gateway/internal/proxy"
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
// is nothing to say, so that no front proxy lets a forged one through. An app
// that calls them otherwise gets those besides, and ours empty.
func identityHeaders(h http.Header, names *proxy.Names, who *identity.Principal, assertion string) {
	if who == nil {
		who = &identity.Principal{}
	}
	values := [...]string{clean(who.Login), clean(who.Email), clean(who.Name), clean(strings.Join(who.Groups, ",")), assertion}
	if names != nil {
		renamed(h, names, who, values[:4])
		values[0], values[1], values[2], values[3] = "", "", "", ""
	}
	// One backing array for all five; direct keys, they are canonical already.
	backing := values
	for i, name := range [...]string{headerUser, headerEmail, headerName, headerGroups, headerAssertion} {
		if names == nil || h[name] == nil {
			h[name] = backing[i : i+1 : i+1]
		}
	}
}

// renamed writes what an app learns by the names that it knows. An address that
// nobody has verified names no user.
func renamed(h http.Header, names *proxy.Names, who *identity.Principal, values []string) {
	user := values[0]
	switch names.UserIs {
	case "email":
		user = ""
		if who.EmailVerified {
			user = values[1]
		}
	case "user_id":
		user = clean(who.UserID)
	}
	h[names.User], h[names.Email], h[names.Name], h[names.Groups] = []string{user}, []string{values[1]}, []string{values[2]}, []string{values[3]}
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
