package oidc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"gateway/providers"
)

// errAddress says that the provider's word leads where it must not.
var errAddress = errors.New("address not allowed")

// perAddress bounds each attempt to connect but the last.
const perAddress = 3 * time.Second

// dialer connects to the provider. What its discovery document names is the
// provider's word, so beyond the issuer's own host and port it connects to
// public addresses only, and judges the address that is really dialled. Whether
// the issuer itself is public it remembers for checkEndpoint.
type dialer struct {
	issuer  *url.URL
	lookup  func(ctx context.Context, host string) ([]netip.Addr, error)
	connect func(ctx context.Context, network, address string) (net.Conn, error)
	private atomic.Bool // what the issuer's host is by its name, or was when last dialled
}

func newDialer(c Config, issuer *url.URL) *dialer {
	d := &dialer{issuer: issuer, lookup: c.Lookup, connect: c.Dial}
	ip, err := netip.ParseAddr(issuer.Hostname())
	d.private.Store(providers.Loopback(issuer.Hostname()) || err == nil && !public(ip))
	if d.lookup == nil {
		d.lookup = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	if d.connect == nil {
		d.connect = (&net.Dialer{}).DialContext
	}
	return d
}

// dial connects to the first address of the host that answers and is allowed.
func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errAddress, err)
	}
	addrs, err := d.resolve(ctx, host)
	if err != nil {
		return nil, err
	}
	own := strings.EqualFold(address, authority(d.issuer))
	err = fmt.Errorf("%w: no address", errAddress)
	for i, ip := range addrs {
		ip = ip.Unmap()
		if !d.allowed(ip, own) {
			err = fmt.Errorf("%w: %s", errAddress, host)
			continue
		}
		if own {
			d.private.Store(!public(ip))
		}
		var conn net.Conn
		target := net.JoinHostPort(ip.String(), port)
		if i == len(addrs)-1 {
			return d.connect(ctx, network, target)
		}
		if conn, err = d.attempt(ctx, network, target); err == nil {
			return conn, nil
		}
	}
	return nil, err
}

func (d *dialer) attempt(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, perAddress)
	defer cancel()
	return d.connect(ctx, network, address)
}

// resolve never asks anybody for localhost (RFC 6761, section 6.3), so that an
// http issuer is on this machine for certain.
func (d *dialer) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{ip}, nil
	}
	if providers.Loopback(host) {
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}, nil
	}
	return d.lookup(ctx, host)
}

func (d *dialer) allowed(ip netip.Addr, own bool) bool {
	if own {
		return ip.Zone() == "" && !ip.IsUnspecified() && !ip.IsMulticast() && !ip.IsLinkLocalUnicast()
	}
	return public(ip)
}

// special are the networks that are not public though netip calls them global
// unicast (IANA special-purpose registries, RFC 6890).
var special = prefixes(
	"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15",
	"198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
	"64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fec0::/10",
)

func prefixes(all ...string) []netip.Prefix {
	list := make([]netip.Prefix, 0, len(all))
	for _, p := range all {
		list = append(list, netip.MustParsePrefix(p))
	}
	return list
}

// public reports whether an address belongs to the public internet.
func public(ip netip.Addr) bool {
	ip = ip.Unmap()
	if !ip.IsGlobalUnicast() || ip.IsPrivate() || ip.Zone() != "" {
		return false
	}
	for _, p := range special {
		if p.Contains(ip) {
			return false
		}
	}
	return true
}

// authority returns host:port of a URL, with the scheme's own port if it names none.
func authority(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	return strings.ToLower(net.JoinHostPort(u.Hostname(), port))
}
