package proxy

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// Headers is an operator's say about the names by which an app learns who is
// there.
type Headers struct {
	Preset string `yaml:"preset"`  // names that another gateway uses
	User   string `yaml:"user"`    // each name instead of the preset's
	Email  string `yaml:"email"`   //
	Name   string `yaml:"name"`    //
	Groups string `yaml:"groups"`  //
	UserIs string `yaml:"user_is"` // what user carries: login, email or user_id; default login
}

// Names are the names, in the form that http.Header keeps them in.
type Names struct {
	User, Email, Name, Groups string
	UserIs                    string
}

// presets are what other gateways call the same four things. All of them are
// managed: a client can send none.
var presets = map[string]Names{
	"remote":       {User: "Remote-User", Email: "Remote-Email", Name: "Remote-Name", Groups: "Remote-Groups"},
	"oauth2-proxy": {User: "X-Forwarded-User", Email: "X-Forwarded-Email", Name: "X-Forwarded-Preferred-Username", Groups: "X-Forwarded-Groups"},
	"auth-request": {User: "X-Auth-Request-User", Email: "X-Auth-Request-Email", Name: "X-Auth-Request-Preferred-Username", Groups: "X-Auth-Request-Groups"},
	"authentik":    {User: "X-Authentik-Username", Email: "X-Authentik-Email", Name: "X-Authentik-Name", Groups: "X-Authentik-Groups"},
	"pomerium":     {User: "X-Pomerium-Claim-User", Email: "X-Pomerium-Claim-Email", Name: "X-Pomerium-Claim-Name", Groups: "X-Pomerium-Claim-Groups"},
	"webauth":      {User: "X-Webauth-User", Email: "X-Webauth-Email", Name: "X-Webauth-Name", Groups: "X-Webauth-Groups"},
}

// Resolve returns the names, or all complaints, joined, each beginning with its
// key. Nothing said is the preset remote.
func (h Headers) Resolve() (Names, error) {
	var complaints []error
	names, known := presets[cmp.Or(h.Preset, "remote")]
	if !known {
		complaints = append(complaints, fmt.Errorf("preset: must be one of %s", strings.Join(slices.Sorted(maps.Keys(presets)), ", ")))
	}
	seen := map[string]bool{}
	for _, one := range []struct {
		key, name string
		into      *string
	}{{"user", h.User, &names.User}, {"email", h.Email, &names.Email}, {"name", h.Name, &names.Name}, {"groups", h.Groups, &names.Groups}} {
		if one.name != "" {
			*one.into = http.CanonicalHeaderKey(one.name)
		}
		switch {
		case *one.into == "":
		case one.name != "" && (!Managed(one.name) || ours(*one.into) || strings.ContainsAny(one.name, "_.")):
			complaints = append(complaints, errors.New(one.key+": is no header that the gateway keeps clients from sending; docs/apps.md lists those"))
		case seen[*one.into]:
			complaints = append(complaints, errors.New(one.key+": another one has this name"))
		}
		seen[*one.into] = true
	}
	switch names.UserIs = h.UserIs; h.UserIs {
	case "", "login", "email", "user_id":
	default:
		complaints = append(complaints, errors.New("user_is: must be login, email or user_id"))
	}
	return names, errors.Join(complaints...)
}

// ours reports whether a name is one that the gateway itself speaks by.
func ours(name string) bool { return strings.HasPrefix(name, "X-Gateway-") }
