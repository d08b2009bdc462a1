package server

import (
	"encoding/base64"
	"net/http"
	"strings"

	"gateway/internal/secret"
	"gateway/sessions"
)

// credential is what a request brings to prove who asks: our cookie, our session
// token as Bearer (RFC 6750, section 2.1), or an app token as Bearer or as the
// password of HTTP Basic (RFC 7617). A token in the query never counts.
type credential struct {
	token  secret.Text
	bearer bool   // it came as Bearer, which no browser brings by itself
	ours   bool   // it stands in the Authorization header, which no app sees then
	script bool   // it is an app token, or means to be one
	basic  bool   // it came by HTTP Basic
	user   string // whom Basic names
}

// credential reads the request's credential. Both a cookie and a token of ours
// is an error; an Authorization of somebody else is the app's business.
func (s *Server) credential(r *http.Request) (credential, error) {
	value, err := s.cookie(r, cookieSession)
	if err != nil {
		return credential{}, err
	}
	c, err := authorization(r.Header)
	switch {
	case err != nil:
		return credential{}, err
	case !c.ours:
		return credential{token: secret.New(value)}, nil
	case value != "":
		return credential{}, errTwoTokens
	}
	return c, nil
}

// authorization returns what the Authorization header holds of ours. What looks
// like a token of ours anywhere in it is ours, too, though it counts in the right
// place alone: no app is told the secret of somebody who has mistaken the form.
func authorization(h http.Header) (credential, error) {
	values := h["Authorization"]
	switch len(values) {
	case 0:
		return credential{}, nil
	case 1:
	default:
		return credential{}, explain(errTwoTokens, "The request carries more than one Authorization header.")
	}
	scheme, rest, _ := strings.Cut(values[0], " ")
	rest = strings.Trim(rest, " ")
	bearer := strings.EqualFold(scheme, "Bearer")
	switch {
	case bearer && sessions.IsToken(rest):
		return credential{token: secret.New(rest), bearer: true, ours: true}, nil
	case bearer && sessions.IsAppToken(rest):
		return credential{token: secret.New(rest), bearer: true, ours: true, script: true}, nil
	case strings.EqualFold(scheme, "Basic"):
		if c := basic(rest); c.ours {
			return c, nil
		}
	}
	for word := range strings.FieldsFuncSeq(values[0], between) {
		if sessions.IsAppToken(word) || sessions.IsToken(word) || sessions.HoldsAppToken(word) || sessions.HoldsAppToken(unpacked(word)) {
			return credential{token: oddToken, ours: true, script: true}, nil
		}
	}
	return credential{}, nil
}

// oddToken stands for one that is not where it counts: it is malformed.
var oddToken = secret.New("gw_")

// between reports what parts the words of a credential (token68; RFC 9110,
// section 11.2), a client's own quotes and brackets among it.
func between(r rune) bool {
	return (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && (r < '0' || r > '9') && !strings.ContainsRune("-._~+/", r)
}

// basic returns the app token in what Basic carries. The password is what stands
// behind the last colon, since a login may have colons and a token has none.
func basic(text string) credential {
	pair := unpacked(text)
	i := strings.LastIndexByte(pair, ':')
	switch password := pair[i+1:]; {
	case i >= 0 && sessions.IsAppToken(password) && base64.StdEncoding.EncodeToString([]byte(pair)) == text:
		return credential{token: secret.New(password), ours: true, script: true, basic: true, user: pair[:i]}
	case sessions.IsAppToken(pair), sessions.IsToken(password), strings.Contains(pair, ":"+oddToken.Reveal()): // looked for, and told to nobody
		return credential{token: oddToken, ours: true, script: true, basic: true}
	}
	return credential{}
}

// unpacked returns what base64 says, in either alphabet (RFC 4648, section 5), as
// far as it is any: who writes a token in the wrong one, or something behind it,
// may not be heard, but has told us.
func unpacked(text string) string {
	raw, _ := base64.RawStdEncoding.DecodeString(strings.TrimRight(plainBase64.Replace(text), "="))
	return string(raw)
}

var plainBase64 = strings.NewReplacer("-", "+", "_", "/")
