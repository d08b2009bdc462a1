// Package scram is the client's side of SCRAM-SHA-256 (RFC 5802, RFC 7677) as
// localauth speaks it: no channel binding, no authorization identity, no
// extensions, and bounds on whatever the server says, checked before anything
// is computed from it or sent to it.
package scram

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"gateway/internal/secret"
	"gateway/localauth"
)

var (
	// ErrServer says that the server's message is not one to go on with.
	ErrServer = errors.New("scram: unacceptable server message")
	// ErrSignature says that the server does not know the password's verifier:
	// it is not the one the password was set at. What it answered does not count.
	ErrSignature = errors.New("scram: server signature is wrong")
	// ErrOrder says that a message was asked for out of turn.
	ErrOrder = errors.New("scram: message out of turn")
)

// Client is one conversation: First, Final and Verify in this order, once each.
// It is not safe for concurrent use.
type Client struct {
	Username string // 1 to 256 bytes
	Password secret.Text
	// MinIterations are the fewest PBKDF2 rounds to go on with; 0 means
	// localauth.DefaultIterations. The most are localauth.MaxIterations.
	MinIterations int

	nonce     string // ours
	bare      string // client-first-message-bare
	signature []byte // what the server has to answer
}

// First returns the client-first message. The error is localauth.ErrPassword
// for a password that cannot be one.
func (c *Client) First() (string, error) {
	if c.bare != "" {
		return "", ErrOrder
	}
	if c.Username == "" || len(c.Username) > 256 || !utf8.ValidString(c.Username) || strings.ContainsRune(c.Username, 0) {
		return "", errors.New("scram: user name is empty, longer than 256 bytes, or not UTF-8")
	}
	if _, err := localauth.MapPassword(c.Password.Reveal()); err != nil {
		return "", err
	}
	if c.nonce == "" {
		c.nonce = rand.Text() + rand.Text() // 260 bits
	}
	c.bare = "n=" + escapes.Replace(c.Username) + ",r=" + c.nonce
	return "n,," + c.bare, nil
}

// escapes keep a name from being read as punctuation (RFC 5802, section 5.1).
var escapes = strings.NewReplacer("=", "=3D", ",", "=2C")

// Final returns the client-final message that answers the server-first one. It
// derives the keys, which takes as long as the server's iterations demand. The
// error is ErrServer for what is not to be answered.
func (c *Client) Final(serverFirst string) (string, error) {
	if c.bare == "" || c.signature != nil {
		return "", ErrOrder
	}
	f, err := c.parseFirst(serverFirst)
	if err != nil {
		return "", err
	}
	salted, err := localauth.SaltedPassword(c.Password.Reveal(), f.salt, f.iterations)
	if err != nil {
		return "", err
	}
	defer clear(salted)
	client, server := mac(salted, "Client Key"), mac(salted, "Server Key")
	defer clear(client)
	stored := sha256.Sum256(client)

	final := "c=biws,r=" + f.nonce
	message := c.bare + "," + serverFirst + "," + final
	proof := mac(stored[:], message)
	subtle.XORBytes(proof, proof, client)
	c.signature = mac(server, message)
	return final + ",p=" + base64.StdEncoding.EncodeToString(proof), nil
}

// Verify returns ErrSignature or ErrServer unless the server-final message
// proves that the server knows the password's verifier. Until then nothing
// that the server answered counts.
func (c *Client) Verify(serverFinal string) error {
	if c.signature == nil {
		return ErrOrder
	}
	text, ok := strings.CutPrefix(serverFinal, "v=")
	if !ok {
		return fmt.Errorf("%w: server-final: no signature", ErrServer)
	}
	got, err := decode(text)
	if err != nil {
		return fmt.Errorf("%w: server-final: signature is not base64", ErrServer)
	}
	if !hmac.Equal(got, c.signature) {
		return ErrSignature
	}
	return nil
}

// mac is HMAC-SHA-256.
func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}
