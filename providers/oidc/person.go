package oidc

import (
	"maps"
	"strings"
	"time"
	"unicode/utf8"

	"gateway/internal/identity"
)

const (
	maxGroups = 2000
	maxEmail  = 254 // bytes (RFC 5321, section 4.5.3.1.3)
	maxText   = 255 // bytes of a name or login
)

// person reads the identity from verified claims. userinfo fills in what the
// ID token leaves out and never overrules it; it may be nil.
func (p *Provider) person(claims, userinfo object) identity.Identity {
	subject, _ := claims.text("sub")
	all := object{}
	maps.Copy(all, userinfo)
	for name := range claims {
		if claims.has(name) {
			all[name] = claims[name]
		}
	}
	who := identity.Identity{
		Key:      identity.Key{Issuer: p.c.Issuer, Subject: subject},
		Provider: p.c.ID,
		Name:     plain(all, "name"),
		Groups:   p.groups(all),
	}
	if p.c.LoginClaim != "" {
		who.Username = plain(all, p.c.LoginClaim)
	}
	who.Email, who.EmailVerified = email(claims, userinfo)
	if at, ok := claims.seconds("auth_time"); ok {
		who.AuthTime = time.Unix(at, 0).UTC()
	}
	return who
}

// plain returns a printable string claim of at most maxText bytes, or "".
func plain(o object, name string) string {
	s, _ := o.text(name)
	s = strings.TrimSpace(s)
	if len(s) > maxText || strings.ContainsFunc(s, unprintable) {
		return ""
	}
	return s
}

func unprintable(r rune) bool { return r < 0x20 || r >= 0x7f && r < 0xa0 || r == utf8.RuneError }

// email returns the address and whether the provider vouches for it. Address
// and word come from the same statement, and only the JSON value true is the
// word: not "true", not 1.
func email(claims, userinfo object) (string, bool) {
	address := addressOf(claims)
	other := addressOf(userinfo)
	switch {
	case address == "" && !claims.has("email"):
		return other, other != "" && userinfo.truth("email_verified")
	case address != "" && address == other && !claims.has("email_verified"):
		return address, userinfo.truth("email_verified")
	}
	return address, address != "" && claims.truth("email_verified")
}

// addressOf returns the email claim if it is one plain address: no display
// name, comment, quoting or list. What its domain is worth is the policy's to say.
func addressOf(o object) string {
	s, _ := o.text("email")
	local, domain, ok := strings.Cut(s, "@")
	if !ok || local == "" || domain == "" || len(s) > maxEmail || strings.Contains(domain, "@") {
		return ""
	}
	if strings.ContainsFunc(s, unprintable) || strings.ContainsAny(s, " \u00a0\u3000<>()[]\\,;:\"") {
		return ""
	}
	return s
}

// groups reads the groups claim: an array of strings, or one string. A mapped
// group is one of ours; any other carries the origin, so that no provider can
// name a group of ours. Invalid names and those past the first maxGroups are
// left out.
func (p *Provider) groups(o object) []string {
	names, _ := o.texts(p.c.groupsClaim(), true)
	if len(names) > maxGroups {
		names = names[:maxGroups]
	}
	var groups []string
	for _, name := range names {
		group, mapped := p.c.GroupMap[name]
		if !mapped && identity.ValidGroup(name) {
			group = p.c.ID + ":" + name
		}
		if identity.ValidGroup(group) {
			groups = append(groups, group)
		}
	}
	return identity.Merge(groups)
}

// wanting reports whether userinfo could tell what the ID token did not.
func (p *Provider) wanting(claims object) bool {
	for _, name := range []string{"name", "email", "email_verified", p.c.groupsClaim(), p.c.LoginClaim} {
		if name != "" && !claims.has(name) {
			return true
		}
	}
	return false
}
