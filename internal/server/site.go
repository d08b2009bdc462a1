package server

import (
	"net/netip"

	"gateway/internal/canonical"
)

// Site is where the portal lives. Scheme and port are those of every app
// origin too (product: app origin).
type Site struct {
	Scheme string // "https", or "http" on localhost
	Host   canonical.Host
	Port   string // empty for the scheme's default
}

// Portal returns the portal's origin, without a trailing slash.
func (s Site) Portal() string { return s.Origin(s.Host) }

// Origin returns the origin of an app host: the audience of its tokens.
func (s Site) Origin(host canonical.Host) string {
	origin := s.Scheme + "://" + string(host)
	if s.Port != "" {
		origin += ":" + s.Port
	}
	return origin
}

// Secure reports whether cookies carry the __Host- prefix and Secure.
func (s Site) Secure() bool { return s.Scheme == "https" }

// Trusted names the peers whose forwarding headers count. The zero value
// trusts nobody.
type Trusted struct {
	Prefixes []netip.Prefix
	Unix     bool // peers on a unix socket
}

// Contains reports whether the address is that of a trusted peer.
func (t Trusted) Contains(a netip.Addr) bool {
	a = a.Unmap()
	for _, p := range t.Prefixes {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
