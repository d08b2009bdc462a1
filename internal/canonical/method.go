package canonical

const maxMethod = 32 // bytes

// ParseMethod returns raw if it is a method (RFC 9110, section 9.1: a token)
// that may pass the gateway: upper case, at most 32 bytes, and neither CONNECT
// nor TRACE. Everything else is ErrMethod. Methods are case-sensitive, so "get"
// is refused rather than read as GET.
func ParseMethod(raw string) (string, error) {
	switch {
	case raw == "":
		return "", refuse(ErrMethod, "empty")
	case len(raw) > maxMethod:
		return "", refuse(ErrMethod, "longer than 32 bytes")
	case raw == "CONNECT" || raw == "TRACE":
		return "", refuse(ErrMethod, "CONNECT and TRACE do not pass")
	}
	for i := range len(raw) {
		if !methodBytes[raw[i]] {
			return "", refuse(ErrMethod, "not an upper-case token")
		}
	}
	return raw, nil
}

// methodBytes are the characters of a token (RFC 9110, section 5.6.2) without a to z.
var methodBytes = byteSet("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~")

// byteSet returns the set of the bytes of chars.
func byteSet(chars string) (set [256]bool) {
	for i := range len(chars) {
		set[chars[i]] = true
	}
	return set
}
