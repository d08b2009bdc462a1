package canonical

import (
	"net/netip"
	"strings"

	"golang.org/x/net/idna"
)

const (
	maxHost  = 253 // bytes (RFC 1035, section 2.3.4, without the root's)
	maxLabel = 63  // bytes
)

// Host is a host in canonical form: lower case, A-labels (RFC 5890, section
// 2.3.2.1), no port, no trailing dot; an IPv4 address in dotted decimal; an IPv6
// address in square brackets in the form of RFC 5952. The empty Host is no host.
type Host string

// ParseHost reads a Host header, an X-Forwarded-Host or an authority (RFC 3986,
// section 3.2, without user information). One port (1 to 65535, without leading zeros) and one trailing dot are cut
// off. A name has labels of letters, digits and inner hyphens of 1 to 63 bytes
// each, at most 253 in all; labels that begin with "xn--" must be the one
// spelling of an internationalised label (RFC 5891, section 5.4).
//
// Everything else is ErrHost: raw Unicode, addresses in other notations (octal,
// hexadecimal, short, IPv4 within IPv6, with a zone), lists, spaces, controls.
func ParseHost(raw string) (Host, error) {
	name, err := cutPort(raw)
	if err != nil {
		return "", err
	}
	if strings.HasPrefix(name, "[") {
		return parseIPv6(name)
	}
	name = strings.TrimSuffix(name, ".")
	if name == "" {
		return "", refuse(ErrHost, "empty")
	}
	if len(name) > maxHost {
		return "", refuse(ErrHost, "longer than 253 bytes")
	}
	for i := range len(name) {
		if !hostBytes[name[i]] {
			return "", refuse(ErrHost, "a character other than letters, digits, hyphens and dots")
		}
	}
	name = strings.ToLower(name)
	for label := range strings.SplitSeq(name, ".") {
		if err := checkLabel(label); err != nil {
			return "", err
		}
	}
	if !endsInNumber(name) {
		return Host(name), nil
	}
	if addr, err := netip.ParseAddr(name); err != nil || !addr.Is4() {
		return "", refuse(ErrHost, "a number that is no IPv4 address in dotted decimal")
	}
	return Host(name), nil
}

// hostBytes are the characters of names and IPv4 addresses.
var hostBytes = byteSet("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-")

// cutPort returns host without its port.
func cutPort(host string) (string, error) {
	colon := strings.LastIndexByte(host, ':')
	if colon < 0 || strings.HasSuffix(host, "]") {
		return host, nil
	}
	port, number := host[colon+1:], 0
	for i := range len(port) {
		if port[i] < '0' || port[i] > '9' || number > 65535 {
			return "", refuse(ErrHost, "a port that is no number")
		}
		number = number*10 + int(port[i]-'0')
	}
	if number < 1 || number > 65535 || port[0] == '0' {
		return "", refuse(ErrHost, "a port outside 1 to 65535")
	}
	return host[:colon], nil
}

// parseIPv6 reads an address in square brackets.
func parseIPv6(literal string) (Host, error) {
	inner, ok := strings.CutSuffix(literal[1:], "]")
	addr, err := netip.ParseAddr(inner)
	if !ok || err != nil || !addr.Is6() || addr.Is4In6() || addr.Zone() != "" {
		return "", refuse(ErrHost, "brackets without an IPv6 address")
	}
	return Host("[" + addr.String() + "]"), nil
}

// checkLabel refuses what is no label of a lower-case name.
func checkLabel(label string) error {
	switch {
	case label == "":
		return refuse(ErrHost, "an empty label")
	case len(label) > maxLabel:
		return refuse(ErrHost, "a label longer than 63 bytes")
	case label[0] == '-' || label[len(label)-1] == '-':
		return refuse(ErrHost, "a label that begins or ends with a hyphen")
	case strings.HasPrefix(label, "xn--"):
		return checkALabel(label)
	}
	return nil
}

// checkALabel refuses what only looks like an A-label: each has one spelling,
// the one that its Unicode form is encoded to.
func checkALabel(label string) error {
	unicode, err := idna.Lookup.ToUnicode(label)
	if err != nil {
		return refuse(ErrHost, "a label that is no A-label")
	}
	if ascii, err := idna.Lookup.ToASCII(unicode); err != nil || ascii != label {
		return refuse(ErrHost, "a label that is no A-label")
	}
	return nil
}

// endsInNumber reports whether software would read the name as an IPv4 address
// (WHATWG URL, "ends in a number"): its last label is decimal or hexadecimal.
func endsInNumber(name string) bool {
	last := name[strings.LastIndexByte(name, '.')+1:]
	if hex, ok := strings.CutPrefix(last, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return strings.Trim(last, "0123456789") == ""
}
