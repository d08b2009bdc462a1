package canonical

// Host is a host in canonical form: lower case, A-labels (RFC 5890, section
// 2.3.2.1), no port, no trailing dot; an IPv4 address in dotted decimal; an IPv6
// address in square brackets in the form of RFC 5952. The empty Host is no host.
type Host string

// ParseHost reads a Host header, an X-Forwarded-Host or an authority.
func ParseHost(raw string) (Host, error) {
	return "", refuse(ErrHost, "not written yet")
}
