package policy

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
)

// networks are sorted and disjoint, so that one search answers for all.
type networks []netip.Prefix

// newNetworks sorts the prefixes and leaves out those within others.
func newNetworks(prefixes []netip.Prefix) networks {
	slices.SortFunc(prefixes, func(a, b netip.Prefix) int {
		if c := a.Addr().Compare(b.Addr()); c != 0 {
			return c
		}
		return a.Bits() - b.Bits()
	})
	var disjoint networks
	for _, p := range prefixes {
		if last := len(disjoint) - 1; last < 0 || !disjoint[last].Contains(p.Addr()) {
			disjoint = append(disjoint, p)
		}
	}
	return disjoint
}

// contain reports whether the address is in one of the networks. IPv4 within
// IPv6 (RFC 4291, section 2.5.5.2) is the IPv4 address; zones do not count.
func (n networks) contain(addr netip.Addr) bool {
	if len(n) == 0 || !addr.IsValid() {
		return false
	}
	addr = addr.Unmap().WithZone("")
	i, exact := slices.BinarySearchFunc(n, addr, func(p netip.Prefix, a netip.Addr) int { return p.Addr().Compare(a) })
	return exact || i > 0 && n[i-1].Contains(addr)
}

// parseNetwork reads a network in CIDR notation (RFC 4632, RFC 4291), or one address.
func parseNetwork(raw string) (netip.Prefix, error) {
	if !strings.Contains(raw, "/") {
		addr, err := netip.ParseAddr(raw)
		if err != nil || addr.Zone() != "" || addr.Is4In6() {
			return netip.Prefix{}, errors.New("not an address or a network such as 10.0.0.0/8 or 2001:db8::/32")
		}
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(raw)
	switch {
	case err != nil:
		return netip.Prefix{}, errors.New("not an address or a network such as 10.0.0.0/8 or 2001:db8::/32")
	case prefix.Addr().Is4In6():
		return netip.Prefix{}, errors.New("IPv4 within IPv6: write the IPv4 network")
	case prefix != prefix.Masked():
		return netip.Prefix{}, errors.New("has bits beyond its mask: did you mean " + prefix.Masked().String() + "?")
	case prefix.Bits() == 0:
		return netip.Prefix{}, errors.New("has every address: leave networks out, or say allow: everyone")
	}
	return prefix, nil
}

// String lists the networks.
func (n networks) String() string {
	words := make([]string, len(n))
	for i, p := range n {
		words[i] = p.String()
		if p.IsSingleIP() {
			words[i] = p.Addr().String()
		}
	}
	return some(words, "")
}
