package config

import (
	"errors"
	"net/netip"
)

// TrustedProxies names the peers whose forwarding headers count. The zero
// value trusts nobody.
type TrustedProxies struct {
	Prefixes []netip.Prefix
	Unix     bool // peers on a socket
}

// add takes one entry of the list: a network, an address or the word unix.
func (t *TrustedProxies) add(entry string) error {
	if entry == "unix" {
		t.Unix = true
		return nil
	}
	prefix, err := netip.ParsePrefix(entry)
	if addr, failed := netip.ParseAddr(entry); failed == nil && addr.Zone() == "" {
		prefix, err = netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	switch {
	case err != nil:
		return errors.New("must be a network like 10.0.0.0/8, an address, or unix")
	case prefix.Addr().Is4In6():
		return errors.New("must be written as an IPv4 network")
	case prefix.Bits() < widest(prefix.Addr()):
		return errors.New("trusts too many: name the proxies (10.0.0.0/8 and fc00::/7 are the widest)")
	case prefix.Masked() != prefix:
		return errors.New("has bits set beyond its length: write " + prefix.Masked().String())
	}
	t.Prefixes = append(t.Prefixes, prefix)
	return nil
}

// widest is the shortest prefix that still names a network of one's own:
// 10.0.0.0/8 (RFC 1918) and fc00::/7 (RFC 4193). Whatever is wider, /0 above
// all, trusts the internet.
func widest(a netip.Addr) int {
	if a.Is4() {
		return 8
	}
	return 7
}

// entries returns the list as it could be written.
func (t TrustedProxies) entries() []string {
	var all []string
	for _, prefix := range t.Prefixes {
		all = append(all, prefix.String())
	}
	if t.Unix {
		all = append(all, "unix")
	}
	return all
}
