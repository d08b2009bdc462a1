package canonical

// Path is a decoded request path in canonical form: it starts with "/", has no
// dot segments and no empty inner segments, and may end in "/".
type Path string

// Target is a request target in canonical form.
type Target struct {
	Path  Path   // what is decided on
	Query string // as sent, without "?"
	Raw   string // the escaped path as it is forwarded; ParseTarget(Raw) gives the same Path and Raw
}

// String returns the target as it stands on a request line: Raw, and the query if there is one.
func (t Target) String() string {
	if t.Query == "" {
		return t.Raw
	}
	return t.Raw + "?" + t.Query
}

// ParseTarget reads a request target in origin form (RFC 9112, section 3.2.1).
func ParseTarget(requestURI string) (Target, error) {
	return Target{}, refuse(ErrTarget, "not written yet")
}
