package server_test

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"strings"

	"gateway/internal/accounts"
	"gateway/localauth"
)

// person is somebody with a password, or rather with the keys that one gives
// (RFC 5802, section 3): deriving them is the business of other tests.
type person struct {
	login, id             string
	salt, client, signing []byte
}

// add makes a user as the command line would.
func (h *house) add(login, email string, groups ...string) person {
	h.Helper()
	p := person{login: login, salt: random()[:localauth.SaltSize], client: random(), signing: random()}
	sum := sha256.Sum256(p.client)
	p.id = h.record(login, localauth.Verifier{Salt: p.salt, Iterations: localauth.DefaultIterations, StoredKey: sum[:], ServerKey: p.signing}, email, groups...)
	return p
}

// record records a user with a verifier, and returns the user_id.
func (h *house) record(login string, v localauth.Verifier, email string, groups ...string) string {
	h.Helper()
	id := accounts.NewID()
	stored, signing, err := localauth.Wrap(h.server.Pepper, id, 1, v)
	h.must(err)
	_, err = h.server.Register.Add(h.Context(), accounts.New{
		ID: id, Login: login, Name: strings.ToUpper(login[:1]) + login[1:], Email: email, Groups: groups,
		Verifier: accounts.Verifier{Salt: v.Salt, Iterations: v.Iterations, StoredKey: stored, ServerKey: signing, Version: 1},
	})
	h.must(err)
	return id
}

// challenge is what connect said, and what it was asked.
type challenge struct {
	id, bare, first string
	answer          answer
}

// again asks for a challenge for a browser where somebody is signed in
// already: connect would only say who.
func (b *browser) again(login string) challenge {
	b.Helper()
	fresh := b.browser()
	fresh.keep(b.Portal, b.site.pre, b.kept(b.Portal, b.site.pre))
	return fresh.connect(login)
}

// nonce returns the nonces of both sides.
func (c challenge) nonce() string {
	nonce, _, _ := strings.Cut(strings.TrimPrefix(c.first, "r="), ",")
	return nonce
}

// connect asks for a challenge; more are fields of the request.
func (b *browser) connect(login string, more ...string) challenge {
	b.Helper()
	bare := "n=" + login + ",r=" + rand.Text()
	a := b.post(b.Portal+"/.gateway/connect", object(append([]string{"client_first", "n,," + bare}, more...)...)).wants(200)
	c := challenge{id: a.field("challenge_id"), bare: bare, first: a.field("challenge"), answer: a}
	if c.id == "" || !strings.HasPrefix(c.first, "r=") {
		b.Fatalf("connect as %s: %s, want a challenge", login, a.body)
	}
	return c
}

// reply is the right answer to a challenge: the client-final message.
func (p person) reply(c challenge) string {
	message := c.bare + "," + c.first + ",c=biws,r=" + c.nonce()
	stored := sha256.Sum256(p.client)
	proof := mac(stored[:], message)
	subtle.XORBytes(proof, proof, p.client)
	return final(c.nonce(), proof)
}

// signature is what proves to the client that the server knows its verifier.
func (p person) signature(c challenge) string {
	return "v=" + base64.StdEncoding.EncodeToString(mac(p.signing, c.bare+","+c.first+",c=biws,r="+c.nonce()))
}

func final(nonce string, proof []byte) string {
	return "c=biws,r=" + nonce + ",p=" + base64.StdEncoding.EncodeToString(proof)
}

func mac(key []byte, message string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(message))
	return h.Sum(nil)
}

// nobody answers challenges wrongly.
func nobody(login string) person { return person{login: login, client: random()} }

// answers returns the body of a login.
func (p person) answers(c challenge, more ...string) string {
	return object(append([]string{"user", p.login, "challenge_id", c.id, "challenge_reply", p.reply(c)}, more...)...)
}

// login connects and answers.
func (b *browser) login(p person) answer {
	b.Helper()
	return b.post(b.Portal+"/.gateway/login", p.answers(b.connect(p.login)))
}

// as returns a browser in which somebody is signed in at the portal.
func (h *house) as(p person) *browser {
	h.Helper()
	b := h.browser()
	b.login(p).wants(200)
	return b
}

// token returns a session token of somebody, for the portal or an app.
func (h *house) token(p person, app string) string {
	h.Helper()
	b := h.program()
	more := []string{"want", "token"}
	c := b.connect(p.login, more...)
	if app != "" {
		more = append(more, "app", app)
	}
	return b.post(h.Portal+"/.gateway/login", p.answers(c, more...)).wants(200).field("token")
}

// object writes a JSON object of texts.
func object(pairs ...string) string {
	all := map[string]string{}
	for i := 0; i+1 < len(pairs); i += 2 {
		all[pairs[i]] = pairs[i+1]
	}
	raw, _ := json.Marshal(all) // texts always encode
	return string(raw)
}
