package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// ErrPortal says that a URL is not one to sign in at.
var ErrPortal = errors.New("client: not a portal's URL")

// parsePortal accepts https://host[:port] and, for this machine alone, http.
func parsePortal(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, ErrPortal // the cause would quote what may hold a password
	}
	switch {
	case u.Hostname() == "" || u.User != nil || u.Opaque != "" || (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, fmt.Errorf("%w: want https://host", ErrPortal)
	case u.Scheme == "https", u.Scheme == "http" && thisMachine(u.Hostname()):
		return u, nil
	case u.Scheme == "http":
		return nil, fmt.Errorf("%w: plain http is for localhost alone", ErrPortal)
	}
	return nil, fmt.Errorf("%w: want https://host", ErrPortal)
}

// thisMachine reports whether host can be nothing but this machine.
func thisMachine(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.IsLoopback()
	}
	return local(host)
}

// local reports whether host is localhost or a name below it (RFC 6761, section 6.3).
func local(host string) bool {
	host = strings.ToLower(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// transport finds localhost and names below it on this machine, whatever a
// resolver or a proxy would make of them.
func transport() *http.Transport {
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	return &http.Transport{
		Proxy: func(r *http.Request) (*url.URL, error) {
			if thisMachine(r.URL.Hostname()) {
				return nil, nil //nolint:nilnil // how net/http says: no proxy
			}
			return http.ProxyFromEnvironment(r)
		},
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			host, port, err := net.SplitHostPort(address)
			if err != nil || !local(host) {
				return dialer.DialContext(ctx, network, address)
			}
			conn, err := dialer.DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
			if err != nil {
				return dialer.DialContext(ctx, network, net.JoinHostPort("::1", port))
			}
			return conn, nil
		},
		ForceAttemptHTTP2:   true,
		TLSHandshakeTimeout: 10 * time.Second,
		IdleConnTimeout:     patience,
		MaxIdleConns:        4,
	}
}
