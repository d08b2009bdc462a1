package sessions

import (
	"encoding/base64"
	"encoding/json"
	"strings"
)

// IsToken reports whether a text says of itself that it is a session token, by
// its typ (RFC 7515, section 4.1.9). It vouches for nothing: it tells our own
// Bearer tokens from those that an app behind the gateway has made.
func IsToken(text string) bool {
	head, _, ok := strings.Cut(text, ".")
	if !ok || len(text) > maxToken {
		return false
	}
	raw, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil {
		return false
	}
	var header struct {
		Typ string `json:"typ"`
	}
	return json.Unmarshal(raw, &header) == nil && header.Typ == sessionType
}
