package accounts_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"gateway/internal/accounts"
	"gateway/internal/identity"
)

// captured is a store that is empty, and shows what would be recorded.
type captured struct {
	accounts.Store

	a accounts.Account
	l accounts.Link
}

func (c *captured) AccountByKey(context.Context, identity.Key) (accounts.Account, accounts.Link, error) {
	return accounts.Account{}, accounts.Link{}, accounts.ErrNone
}

func (c *captured) CreateUser(_ context.Context, a accounts.Account, l accounts.Link, _ *accounts.Verifier) error {
	c.a, c.l = a, l
	return nil
}

// Whatever a provider says, what is recorded of it can be sent in a header and
// names the one key.
func FuzzResolve(f *testing.F) {
	f.Add("https://id.example", "sub", "alice", "Alice A", "alice@example.com")
	f.Add("https://id.example", "a\r\nb", "al\x00ice", "Name\r\nRemote-User: root", "a@b\r\nc")
	f.Add("local", "x", "", "", "")
	f.Add("https://id.example", " \t~%\u00a0\u202e", "ad\u200bmin", "\xff\xfe", "@@")
	f.Add("https://id.example", strings.Repeat("ü", 127), strings.Repeat("A", 300), strings.Repeat("ü", 300), strings.Repeat("e", 253)+"@")
	f.Fuzz(func(t *testing.T, issuer, subject, username, name, email string) {
		c := &captured{}
		r := newRegister(t, c)
		id := identity.Identity{
			Key: identity.Key{Issuer: issuer, Subject: subject}, Provider: "corp",
			Username: username, Name: name, Email: email, EmailVerified: true,
		}
		u, err := r.Resolve(t.Context(), id)
		if err != nil {
			if !errors.Is(err, accounts.ErrNotRegistered) || c.a.ID != "" {
				t.Fatalf("Resolve = %v, recorded %+v", err, c.a)
			}
			return
		}
		if u.ID == "" || c.l.Key != id.Key || c.l.UserID != u.ID {
			t.Fatalf("Resolve = %+v, link %+v", u, c.l)
		}
		for what, text := range map[string]string{"login": u.Login, "name": u.Name, "email": u.Email, "username": c.l.Username} {
			if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) || !utf8.ValidString(text) ||
				strings.TrimSpace(text) != text || len(text) > 3*255+len("corp:") {
				t.Errorf("%s = %q", what, text)
			}
		}
		if u.Login == "" || u.EmailVerified && u.Email == "" {
			t.Errorf("login %q, verified %v, address %q", u.Login, u.EmailVerified, u.Email)
		}
	})
}
