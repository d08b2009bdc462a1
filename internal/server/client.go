package server

import (
	"net/http"
	"net/netip"
	"strings"
)

// maxHops bounds how much of X-Forwarded-For is looked at.
const maxHops = 32

// peer returns the TCP peer and whether it is trusted. A peer on a unix
// socket has no address.
func (s *Server) peer(r *http.Request) (addr netip.Addr, trusted bool) {
	if r.RemoteAddr == "@" || r.RemoteAddr == "" {
		return netip.Addr{}, s.Trusted.Unix
	}
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}, false
	}
	addr = ap.Addr().Unmap().WithZone("")
	return addr, s.Trusted.Contains(addr)
}

// client returns the address that the request came from: the peer, or, behind
// trusted proxies, the right-most hop of X-Forwarded-For that is not trusted.
// The zero Addr means unknown: the chain cannot be read.
func (s *Server) client(r *http.Request) netip.Addr {
	peer, trusted := s.peer(r)
	if !trusted {
		return peer
	}
	switch chain := r.Header["X-Forwarded-For"]; len(chain) {
	case 0:
		return peer
	case 1:
		return s.walk(chain[0])
	default:
		return netip.Addr{}
	}
}

// walk reads a chain of hops from the right. The first hop that is not an
// address stops it.
func (s *Server) walk(chain string) netip.Addr {
	for range maxHops {
		rest, hop, more := cutLast(chain)
		addr, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil || addr.Zone() != "" {
			return netip.Addr{}
		}
		addr = addr.Unmap()
		if !more || !s.Trusted.Contains(addr) {
			return addr
		}
		chain = rest
	}
	return netip.Addr{}
}

func cutLast(s string) (before, after string, found bool) {
	if i := strings.LastIndexByte(s, ','); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return "", s, false
}

// one returns the value of a header that must be there exactly once.
func one(h http.Header, name string) (string, bool) {
	values := h[name]
	if len(values) != 1 || values[0] == "" {
		return "", false
	}
	return values[0], true
}
