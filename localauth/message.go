package localauth

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	header   = "n,," // RFC 5802, section 7: gs2-header without channel binding or authorization identity
	minNonce = 18    // characters of a client's nonce
	maxNonce = 128
	maxBare  = len("n=") + maxName + len(",r=") + maxNonce
	maxFinal = 1024 // bytes of a client-final message
)

// clientFirst is a client-first message (RFC 5802, section 7).
type clientFirst struct {
	bare  string // client-first-message-bare, which the proof covers
	name  string // as sent, unescaped
	nonce string
}

// parseClientFirst accepts exactly "n,,n=<saslname>,r=<nonce>".
func parseClientFirst(raw string) (clientFirst, error) {
	bare, ok := strings.CutPrefix(raw, header)
	if !ok {
		return clientFirst{}, fmt.Errorf("%w: client-first: does not begin with %q", ErrMalformed, header)
	}
	return parseBare(bare)
}

func parseBare(bare string) (clientFirst, error) {
	name, nonce, ok := strings.Cut(bare, ",")
	name, named := strings.CutPrefix(name, "n=")
	nonce, nonced := strings.CutPrefix(nonce, "r=")
	if !ok || !named || !nonced {
		return clientFirst{}, fmt.Errorf("%w: client-first: is not n=,r=", ErrMalformed)
	}
	if len(nonce) < minNonce || len(nonce) > maxNonce || !printable(nonce) {
		return clientFirst{}, fmt.Errorf("%w: client-first: nonce is not %d to %d printable characters", ErrMalformed, minNonce, maxNonce)
	}
	plain, err := unescape(name)
	if err != nil {
		return clientFirst{}, err
	}
	return clientFirst{bare: bare, name: plain, nonce: nonce}, nil
}

// escapes are how a name spells what the message is punctuated with (RFC 5802, section 5.1).
var escapes = strings.NewReplacer("=2C", ",", "=3D", "=")

// unescape reads a saslname.
func unescape(name string) (string, error) {
	if name == "" || len(name) > maxName || !utf8.ValidString(name) || strings.ContainsRune(name, 0) {
		return "", fmt.Errorf("%w: client-first: name is empty, too long, or not UTF-8", ErrMalformed)
	}
	if strings.Count(name, "=") != strings.Count(name, "=2C")+strings.Count(name, "=3D") {
		return "", fmt.Errorf("%w: client-first: stray '=' in the name", ErrMalformed)
	}
	return escapes.Replace(name), nil
}

// clientFinal is a client-final message (RFC 5802, section 7).
type clientFinal struct {
	nonce string
	proof []byte // of any length
}

// parseClientFinal accepts exactly "c=biws,r=<nonce>,p=<base64>".
func parseClientFinal(raw string) (clientFinal, error) {
	if len(raw) > maxFinal {
		return clientFinal{}, fmt.Errorf("%w: client-final: longer than %d bytes", ErrMalformed, maxFinal)
	}
	rest, bound := strings.CutPrefix(raw, "c=biws,r=") // base64 of the header
	nonce, rest, ok := strings.Cut(rest, ",")
	text, proved := strings.CutPrefix(rest, "p=")
	if !bound || !ok || !proved || nonce == "" || !printable(nonce) {
		return clientFinal{}, fmt.Errorf("%w: client-final: is not c=biws,r=,p=", ErrMalformed)
	}
	proof, err := decode(text)
	if err != nil {
		return clientFinal{}, fmt.Errorf("%w: client-final: proof is not base64", ErrMalformed)
	}
	return clientFinal{nonce: nonce, proof: proof}, nil
}

// serverFirst is the server-first message (RFC 5802, section 7).
func serverFirst(nonce string, salt []byte, iterations int) string {
	return "r=" + nonce + ",s=" + base64.StdEncoding.EncodeToString(salt) + ",i=" + strconv.Itoa(iterations)
}

// authMessage is what proof and server signature are computed over (RFC 5802, section 3).
func authMessage(bare, serverFirst, nonce string) string {
	return bare + "," + serverFirst + ",c=biws,r=" + nonce
}

// printable reports whether s is printable ASCII without comma and space
// (RFC 5802, section 7: printable).
func printable(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' || s[i] == ',' {
			return false
		}
	}
	return true
}

// decode reads base64 in its one spelling.
func decode(text string) ([]byte, error) {
	if !printable(text) { // encoding/base64 would skip line breaks
		return nil, base64.CorruptInputError(0)
	}
	return base64.StdEncoding.Strict().DecodeString(text)
}
