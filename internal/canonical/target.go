package canonical

import (
	"strconv"
	"strings"
)

const maxTarget = 8 << 10 // bytes

// Path is a decoded request path in canonical form: it starts with "/", has no
// dot segments and no empty inner segments, and may end in "/". CheckSegment
// says what its segments may be.
type Path string

// Target is a request target in canonical form.
type Target struct {
	Path  Path   // what is decided on
	Query string // as sent, without "?"
	Raw   string // the escaped path as it is forwarded; ParseTarget(Raw) gives the same Path and Raw
}

// String returns the target as it stands on a request line: Raw, and the query
// if there is one.
func (t Target) String() string {
	if t.Query == "" {
		return t.Raw
	}
	return t.Raw + "?" + t.Query
}

// ParseTarget reads a request target in origin form (RFC 9112, section 3.2.1),
// exactly as it stands on a request line or in X-Forwarded-Uri, of at most 8192
// bytes. Its path has only characters that a path may have (RFC 3986, section
// 3.3), and "[", "]", "|" and "^", which browsers leave raw, and decodes to a
// Path; Raw is it with unreserved characters decoded, these four encoded, and
// hexadecimal digits in upper case (section 6.2.2). The query is passed on as
// it is, once it is ASCII without space, controls and "#".
//
// Everything else is ErrTarget: other forms ("*", an absolute URL), a raw "#",
// an encoded slash ("%2f"), broken percent-encoding, empty inner segments, and
// whatever CheckSegment refuses, raw or encoded. A plain path is not copied.
func ParseTarget(requestURI string) (Target, error) {
	switch {
	case requestURI == "":
		return Target{}, refuse(ErrTarget, "empty")
	case len(requestURI) > maxTarget:
		return Target{}, refuse(ErrTarget, "longer than 8192 bytes")
	case requestURI[0] != '/':
		return Target{}, refuse(ErrTarget, "does not begin with a slash")
	}
	escaped, query, _ := strings.Cut(requestURI, "?")
	if err := checkQuery(query); err != nil {
		return Target{}, err
	}
	encoded, err := checkEscaped(escaped)
	if err != nil {
		return Target{}, err
	}
	path, raw := escaped, escaped
	if encoded {
		if path, raw, err = decode(escaped); err != nil {
			return Target{}, err
		}
	}
	if err := checkSegments(path); err != nil {
		return Target{}, err
	}
	return Target{Path: Path(path), Query: query, Raw: raw}, nil
}

const unreservedChars = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"

var (
	unreserved = byteSet(unreservedChars)
	// pathBytes are the characters of an escaped path, ";" left out.
	pathBytes = byteSet(unreservedChars + "!$&'()*+,=:@/%")
	// leftRaw are those that browsers leave as they are where RFC 3986 wants them
	// percent-encoded (WHATWG URL, path percent-encode set, old and new).
	leftRaw = byteSet("[]|^")
)

// checkEscaped refuses characters that no path has, and reports whether
// something in the path is percent-encoded, or should be.
func checkEscaped(path string) (encoded bool, err error) {
	for i := range len(path) {
		c := path[i]
		if !pathBytes[c] && !leftRaw[c] {
			return false, refuse(ErrTarget, whyNot(c))
		}
		encoded = encoded || c == '%' || leftRaw[c]
	}
	return encoded, nil
}

// whyNot names the kind of a character that no path has.
func whyNot(c byte) string {
	switch {
	case c == '#':
		return "a raw fragment sign"
	case c == '\\':
		return "a raw backslash"
	case c == ';':
		return "a semicolon in the path"
	case c < ' ' || c == 0x7f:
		return "a raw control character"
	case c > 0x7f:
		return "a raw character outside ASCII"
	}
	return "a character that must be percent-encoded"
}

// checkQuery refuses what would end the query, or the request line, for some reader.
func checkQuery(query string) error {
	for i := range len(query) {
		if c := query[i]; c <= ' ' || c >= 0x7f || c == '#' {
			return refuse(ErrTarget, "a fragment sign, space, control or raw Unicode in the query")
		}
	}
	return nil
}

// decode returns the path decoded, and in its one escaped spelling.
func decode(escaped string) (path, raw string, err error) {
	var decoded, respelled strings.Builder
	decoded.Grow(len(escaped))
	respelled.Grow(len(escaped))
	for i := 0; i < len(escaped); i++ {
		c := escaped[i]
		if c != '%' {
			decoded.WriteByte(c)
			if leftRaw[c] {
				respelled.WriteString("%" + strings.ToUpper(strconv.FormatUint(uint64(c), 16)))
				continue
			}
			respelled.WriteByte(c)
			continue
		}
		if i+2 >= len(escaped) || !isHex(escaped[i+1]) || !isHex(escaped[i+2]) {
			return "", "", refuse(ErrTarget, "broken percent-encoding")
		}
		triplet := strings.ToUpper(escaped[i : i+3])
		c = unhex(triplet[1])<<4 | unhex(triplet[2])
		if c == '/' {
			return "", "", refuse(ErrTarget, "an encoded slash")
		}
		decoded.WriteByte(c)
		if unreserved[c] {
			respelled.WriteByte(c)
		} else {
			respelled.WriteString(triplet)
		}
		i += 2
	}
	return decoded.String(), respelled.String(), nil
}

// unhex returns the value of an upper-case hexadecimal digit.
func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c - 'A' + 10
}
