package scram

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"gateway/localauth"
)

const (
	maxMessage  = 1024 // bytes of a server-first message
	serverNonce = 16   // characters that the server adds to our nonce at least
)

// serverFirst is a server-first message (RFC 5802, section 7).
type serverFirst struct {
	nonce      string
	salt       []byte
	iterations int
}

// parseFirst accepts exactly "r=<nonce>,s=<base64>,i=<number>", within bounds.
func (c *Client) parseFirst(raw string) (serverFirst, error) {
	parts := strings.Split(raw, ",")
	if len(raw) > maxMessage || len(parts) != 3 {
		return serverFirst{}, fmt.Errorf("%w: server-first: is not r=,s=,i=", ErrServer)
	}
	nonce, nonced := strings.CutPrefix(parts[0], "r=")
	salt, salted := strings.CutPrefix(parts[1], "s=")
	count, counted := strings.CutPrefix(parts[2], "i=")
	if !nonced || !salted || !counted {
		return serverFirst{}, fmt.Errorf("%w: server-first: is not r=,s=,i=", ErrServer)
	}
	if !strings.HasPrefix(nonce, c.nonce) || len(nonce) < len(c.nonce)+serverNonce || !printable(nonce) {
		return serverFirst{}, fmt.Errorf("%w: server-first: nonce does not extend ours", ErrServer)
	}
	f := serverFirst{nonce: nonce}
	var err error
	if f.salt, err = decode(salt); err != nil || len(f.salt) < localauth.SaltSize || len(f.salt) > 64 {
		return serverFirst{}, fmt.Errorf("%w: server-first: salt is not base64 of %d to 64 bytes", ErrServer, localauth.SaltSize)
	}
	if f.iterations, err = c.parseIterations(count); err != nil {
		return serverFirst{}, err
	}
	return f, nil
}

// parseIterations accepts a number within bounds in its one spelling.
func (c *Client) parseIterations(text string) (int, error) {
	fewest := c.MinIterations
	if fewest <= 0 {
		fewest = localauth.DefaultIterations
	}
	n, err := strconv.Atoi(text)
	if err != nil || strconv.Itoa(n) != text || n < fewest || n > localauth.MaxIterations {
		return 0, fmt.Errorf("%w: server-first: iterations are not %d to %d", ErrServer, fewest, localauth.MaxIterations)
	}
	return n, nil
}

// printable reports whether s is printable ASCII (RFC 5802, section 7: printable).
func printable(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
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
