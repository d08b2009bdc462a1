package config

import (
	"errors"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"gateway/internal/canonical"
)

// URL is where the portal lives: a scheme, a host, a port and nothing else.
type URL struct {
	Scheme string // "https", or "http" on this machine
	Host   canonical.Host
	Port   string // empty: the scheme's own
}

// Origin returns the portal's origin (RFC 6454, section 6.2): no slash at the
// end, no port that the scheme implies.
func (u URL) Origin() string { return u.AppOrigin(string(u.Host)) }

// AppOrigin returns the origin of an app host: scheme and port of the portal
// with the app's host.
func (u URL) AppOrigin(host string) string {
	if u.Port == "" {
		return u.Scheme + "://" + host
	}
	return u.Scheme + "://" + host + ":" + u.Port
}

// parseURL reads the address of the portal.
func parseURL(raw string) (any, error) {
	u, err := parseOrigin(raw, "https", "http")
	if err != nil {
		return nil, err
	}
	if strings.HasSuffix(raw, "/") {
		return nil, errors.New("must end with its host or port: leave the slash out")
	}
	host, err := canonical.ParseHost(u.Host)
	if err != nil {
		return nil, errors.New("its host is no host name or address")
	}
	if u.Scheme == "http" && !local(string(host)) {
		return nil, errors.New("must be https: plain http is for localhost, *.localhost and loopback addresses alone")
	}
	return URL{u.Scheme, host, portOf(u)}, nil
}

// WebOrigin is the origin of pages as browsers write it (RFC 6454, section 6.2).
type WebOrigin string

// parseWebOrigin reads an origin. One without TLS is anybody's on the way to
// it, but for those of this machine.
func parseWebOrigin(raw string) (any, error) {
	if strings.Contains(raw, "*") {
		return nil, errors.New("must be one origin, like https://host: none stands for several")
	}
	u, err := parseURL(raw)
	if err != nil {
		return nil, err
	}
	origin, _ := u.(URL)
	return WebOrigin(origin.Origin()), nil
}

// parseUpstream reads the address of an app behind our own proxy.
func parseUpstream(raw string) (any, error) {
	u, err := parseOrigin(raw, "http", "https", "h2c")
	if err != nil {
		return nil, err
	}
	u.Path = ""
	return u, nil
}

// parseOrigin reads scheme, host and port. Errors never repeat what was
// written: it may hold a password.
func parseOrigin(raw string, schemes ...string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Opaque != "" || u.Hostname() == "":
		return nil, errors.New("must be an address like https://host or https://host:port")
	case !slices.Contains(schemes, u.Scheme):
		last := len(schemes) - 1
		return nil, errors.New("must begin with " + strings.Join(schemes[:last], "://, ") + ":// or " + schemes[last] + "://")
	case u.User != nil:
		return nil, errors.New("must not hold a user or password")
	case u.Path != "" && u.Path != "/", strings.ContainsAny(raw, "?#"):
		return nil, errors.New("must have neither path nor query nor fragment")
	case !validPort(u):
		return nil, errors.New("its port must be a number from 1 to 65535")
	}
	return u, nil
}

func validPort(u *url.URL) bool {
	if strings.HasSuffix(u.Host, ":") {
		return false
	}
	return u.Port() == "" || port(u.Port())
}

// portOf returns the port, empty if the scheme implies it.
func portOf(u *url.URL) string {
	switch p := u.Port(); {
	case u.Scheme == "https" && p == "443", u.Scheme == "http" && p == "80":
		return ""
	default:
		return p
	}
}

// local reports whether a host, or every host of a pattern, is this machine:
// localhost, a name below it (RFC 6761, section 6.3), or a loopback address.
func local(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && addr.IsLoopback()
}
