package providers

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// ParseIssuer reads an issuer identifier (OpenID Connect Core 1.0, section
// 1.2): https with a host, no query, fragment or user. Plain http is taken on
// loopback alone: 127.0.0.0/8, [::1], localhost and *.localhost.
func ParseIssuer(raw string) (*url.URL, error) {
	if len(raw) > MaxIssuer {
		return nil, fmt.Errorf("longer than %d bytes", MaxIssuer)
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return nil, errors.New("not a URL")
	case u.Hostname() == "" || u.Opaque != "":
		return nil, errors.New("not an absolute URL")
	case u.User != nil:
		return nil, errors.New("must not name a user")
	case strings.ContainsAny(raw, "?#"):
		return nil, errors.New("must have neither query nor fragment")
	case u.Scheme == "http" && !Loopback(u.Hostname()):
		return nil, errors.New("must be https (http only on loopback)")
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, errors.New("must be https")
	}
	return u, nil
}

// Loopback reports whether host can only be this machine: a loopback address,
// localhost or a name below it (RFC 6761, section 6.3).
func Loopback(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Unmap().IsLoopback()
	}
	host = strings.ToLower(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}
