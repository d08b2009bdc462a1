package policy

// methodSet is a set of methods, a bit for each registered one.
type methodSet uint64

const (
	allMethods  = ^methodSet(0)
	otherMethod = methodSet(1) << 63 // any that rules cannot name
)

// methodBit returns the set of one method.
func methodBit(method string) methodSet {
	switch method { // most requests
	case "GET":
		return 1
	case "HEAD":
		return 2
	}
	if bit, ok := registered[method]; ok {
		return bit
	}
	return otherMethod
}

// methodsNamed returns the set that a rule with this method has: GET has HEAD
// (RFC 9110, section 9.3.2). ok is false for what no rule can name.
func methodsNamed(method string) (s methodSet, ok bool) {
	if method == "GET" {
		return 1 | 2, true
	}
	s, ok = registered[method]
	return s, ok
}

// registered has the bit of each method of the IANA HTTP Method Registry (RFC
// 9110, section 16.1.1) that passes the gateway. GET and HEAD come first.
var registered = number(
	"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "QUERY",
	"ACL", "BASELINE-CONTROL", "BIND", "CHECKIN", "CHECKOUT", "COPY", "LABEL", "LINK", "LOCK", "MERGE",
	"MKACTIVITY", "MKCALENDAR", "MKCOL", "MKREDIRECTREF", "MKWORKSPACE", "MOVE", "ORDERPATCH", "PROPFIND",
	"PROPPATCH", "REBIND", "REPORT", "SEARCH", "UNBIND", "UNCHECKOUT", "UNLINK", "UNLOCK", "UPDATE",
	"UPDATEREDIRECTREF", "VERSION-CONTROL",
)

func number(methods ...string) map[string]methodSet {
	bits := make(map[string]methodSet, len(methods))
	for i, method := range methods {
		bits[method] = 1 << i
	}
	return bits
}
