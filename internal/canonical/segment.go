package canonical

import (
	"strings"
	"unicode"
)

// CheckSegment tells why a decoded segment cannot stand between two slashes of
// a Path, as an ErrTarget; nil if it can. The empty segment cannot, although a
// Path may end in a slash. It promises that no further decoding, cleaning or
// stripping of parameters turns the segment into another one:
//
//   - "." and ".." are refused (RFC 3986, section 5.2.4), and every ";", since
//     some servers cut parameters off before they clean ("/..;a=b/");
//   - slash and backslash, control characters (U+0000 to U+001F, U+007F to
//     U+009F), and space at either end, which some file systems ignore;
//   - "%" before two hexadecimal digits: it would decode once more;
//   - what is not UTF-8.
//
// Case and Unicode forms are kept: other spellings are other paths.
func CheckSegment(segment string) error {
	switch segment {
	case "":
		return refuse(ErrTarget, "an empty path segment")
	case ".", "..":
		return refuse(ErrTarget, "a dot segment")
	}
	if segment[0] == ' ' || segment[len(segment)-1] == ' ' {
		return refuse(ErrTarget, "a path segment that begins or ends with a space")
	}
	for i, r := range segment {
		switch {
		case r == '/' || r == '\\':
			return refuse(ErrTarget, "a slash or backslash within a path segment")
		case r == ';':
			return refuse(ErrTarget, "a semicolon in the path")
		case unicode.IsControl(r):
			return refuse(ErrTarget, "a control character in the path")
		case r == unicode.ReplacementChar && !strings.HasPrefix(segment[i:], "\uFFFD"):
			return refuse(ErrTarget, "a path that is not UTF-8")
		case r == '%' && i+2 < len(segment) && isHex(segment[i+1]) && isHex(segment[i+2]):
			return refuse(ErrTarget, "a path that is encoded twice")
		}
	}
	return nil
}

// checkSegments applies CheckSegment to each segment of a decoded path, whose
// last may be empty.
func checkSegments(path string) error {
	for rest := path[1:]; rest != ""; {
		segment, after, found := strings.Cut(rest, "/")
		if err := CheckSegment(segment); err != nil {
			return err
		}
		if !found {
			break
		}
		rest = after
	}
	return nil
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}
