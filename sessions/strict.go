package sessions

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"slices"
)

// encoding/json takes SUB for sub, the last of two equal names, and null for
// nothing. Our tokens are read member by member, each name exactly once.

// errShape says that a JSON text is not exactly what we write.
var errShape = errors.New("sessions: not the JSON we write")

// header of a token (RFC 7515, section 4).
type header struct{ Algorithm, KeyID, Type string }

func parseHeader(part string) (header, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return header{}, errShape
	}
	var h header
	err = members(raw, map[string]any{"alg": &h.Algorithm, "kid": &h.KeyID, "typ": &h.Type})
	return h, err
}

// UnmarshalJSON reads exactly the claims of a session token.
func (c *claims) UnmarshalJSON(raw []byte) error {
	return members(raw, map[string]any{
		"iss": &c.Issuer, "aud": &c.Audience, "sub": &c.Subject, "sid": &c.SessionID,
		"iat": &c.IssuedAt, "exp": &c.Expires, "auth_time": &c.AuthTime, "amr": &c.AMR,
	})
}

// members reads an object that has exactly the named members, each once, into
// *string, *int64 (seconds since 1970), *said and *[]string.
func members(raw []byte, into map[string]any) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if start, err := dec.Token(); err != nil || start != json.Delim('{') {
		return errShape
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return errShape
		}
		key, ok := name.(string)
		if !ok || into[key] == nil {
			return errShape
		}
		if err := member(dec, into[key]); err != nil {
			return err
		}
		delete(into, key) // a second one is unknown
	}
	if _, err := dec.Token(); err != nil || len(into) != 0 {
		return errShape
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errShape
	}
	return nil
}

// maxSeconds is the end of the year 9999.
const maxSeconds = 253402300799

func member(dec *json.Decoder, into any) error {
	var raw json.RawMessage
	if err := dec.Decode(&raw); err != nil || len(raw) == 0 || raw[0] == 'n' {
		return errShape
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return errShape
	}
	switch v := into.(type) {
	case *string:
		if *v == "" {
			return errShape
		}
	case *int64:
		if *v < 1 || *v > maxSeconds {
			return errShape
		}
	case *said:
		if *v < 0 || *v > maxSeconds {
			return errShape
		}
	case *[]string:
		if slices.Contains(*v, "") {
			return errShape
		}
	}
	return nil
}
