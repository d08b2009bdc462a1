package sessions_test

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"gateway/internal/identity"
	"gateway/sessions"
)

var person = identity.Principal{
	UserID: "u-alice", Login: "alice", Name: "Alice A", Email: "alice@example.com", EmailVerified: true,
	Groups: []string{"corp:staff", "ops"}, Origin: "corp", AMR: []string{"fed", "otp"},
}

// readAssertion is what an app does: the key from the published set, then the claims.
func readAssertion(t *testing.T, signer *sessions.Signer, text, app string) (map[string]any, error) {
	t.Helper()
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(signer.JWKS(), &set); err != nil {
		t.Fatal(err)
	}
	claims := jwt.MapClaims{}
	_, err := jwt.ParseWithClaims(text, claims, func(token *jwt.Token) (any, error) {
		kid, _ := token.Header["kid"].(string)
		if found := set.Key(kid); len(found) == 1 {
			return found[0].Key, nil
		}
		return nil, jwt.ErrTokenUnverifiable
	}, jwt.WithValidMethods([]string{"ES256"}), jwt.WithIssuer(portal), jwt.WithAudience(app), jwt.WithExpirationRequired())
	return claims, err
}

func TestAssert(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &sessions.Asserter{Signer: newSigner(t, newKey(t)), Issuer: portal}
		text, expires, err := a.Assert(person, wiki)
		if err != nil {
			t.Fatal(err)
		}
		claims, err := readAssertion(t, a.Signer, text, wiki)
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		want := map[string]any{
			"iss": portal, "aud": wiki, "sub": "u-alice", "iat": float64(now.Unix()), "exp": float64(now.Unix() + 300),
			"login": "alice", "name": "Alice A", "email": "alice@example.com", "email_verified": true,
			"groups": []any{"corp:staff", "ops"}, "origin": "corp", "amr": []any{"fed", "otp"},
		}
		if diff := cmp.Diff(claims, want); diff != "" {
			t.Errorf("claims: got -, want +\n%s", diff)
		}
		if !expires.Equal(now.Add(5 * time.Minute)) {
			t.Errorf("expires %v, want in 5 minutes", expires)
		}
		if strings.Contains(text, "sid-1") {
			t.Error("the session's id travels")
		}
		if _, err := readAssertion(t, a.Signer, text, mail); err == nil {
			t.Error("another app takes it")
		}
		time.Sleep(5 * time.Minute)
		if _, err := readAssertion(t, a.Signer, text, wiki); err == nil {
			t.Error("it counts after five minutes")
		}
	})
}

// Nobody in particular about a person is an empty list, not nothing.
func TestAssertLittle(t *testing.T) {
	a := &sessions.Asserter{Signer: newSigner(t, newKey(t)), Issuer: portal}
	text, _, err := a.Assert(identity.Principal{UserID: "u", Login: "u"}, wiki)
	if err != nil {
		t.Fatal(err)
	}
	claims, err := readAssertion(t, a.Signer, text, wiki)
	if err != nil || !cmp.Equal(claims["groups"], []any{}) || !cmp.Equal(claims["amr"], []any{}) {
		t.Errorf("%v, %v", claims, err)
	}
	for what, call := range map[string]func() (string, time.Time, error){
		"nobody":  func() (string, time.Time, error) { return a.Assert(identity.Principal{Login: "x"}, wiki) },
		"nowhere": func() (string, time.Time, error) { return a.Assert(person, "") },
		"unsigned": func() (string, time.Time, error) {
			return (&sessions.Asserter{Signer: new(sessions.Signer)}).Assert(person, wiki)
		},
	} {
		if text, _, err := call(); err == nil || text != "" {
			t.Errorf("%s: got %q and no error", what, text)
		}
	}
}

// One is reused for half its life, and only where nothing differs.
func TestAssertReuse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &sessions.Asserter{Signer: newSigner(t, newKey(t)), Issuer: portal, Lifetime: time.Minute}
		assert := func(p identity.Principal, audience string) string {
			text, _, err := a.Assert(p, audience)
			if err != nil {
				t.Fatal(err)
			}
			return text
		}
		first := assert(person, wiki)
		time.Sleep(29 * time.Second)
		if assert(person, wiki) != first {
			t.Error("made anew before half its life")
		}
		seen := map[string]string{first: "itself"}
		for what, text := range map[string]string{
			"audience":      assert(person, mail),
			"shifted":       assert(with(func(p *identity.Principal) { p.UserID = p.UserID[1:] }), wiki+person.UserID[:1]),
			"user":          assert(with(func(p *identity.Principal) { p.UserID = "u-bob" }), wiki),
			"login":         assert(with(func(p *identity.Principal) { p.Login = "bob" }), wiki),
			"name":          assert(with(func(p *identity.Principal) { p.Name = "Bob" }), wiki),
			"email":         assert(with(func(p *identity.Principal) { p.Email = "bob@example.com" }), wiki),
			"unverified":    assert(with(func(p *identity.Principal) { p.EmailVerified = false }), wiki),
			"origin":        assert(with(func(p *identity.Principal) { p.Origin = "local" }), wiki),
			"fewer groups":  assert(with(func(p *identity.Principal) { p.Groups = p.Groups[:1] }), wiki),
			"joined groups": assert(with(func(p *identity.Principal) { p.Groups = []string{"corp:staffops"} }), wiki),
			"moved groups":  assert(with(func(p *identity.Principal) { p.Groups, p.AMR = nil, append(p.Groups, p.AMR...) }), wiki),
			"factors":       assert(with(func(p *identity.Principal) { p.AMR = nil }), wiki),
		} {
			if other, dup := seen[text]; dup {
				t.Errorf("%s: gets the one of %s", what, other)
			}
			seen[text] = what
		}
		time.Sleep(time.Second)
		if assert(person, wiki) == first {
			t.Error("reused beyond half its life")
		}
		again := assert(person, wiki)
		if err := a.Signer.Replace(newKey(t), nil); err != nil {
			t.Fatal(err)
		}
		if assert(person, wiki) == again {
			t.Error("reused beyond its key")
		}
	})
}

func with(change func(*identity.Principal)) identity.Principal {
	p := person
	change(&p)
	return p
}

func TestAssertLifetime(t *testing.T) {
	for _, row := range []struct{ given, want time.Duration }{
		{0, 5 * time.Minute},
		{-time.Hour, 5 * time.Minute},
		{time.Hour, 5 * time.Minute},
		{time.Nanosecond, 5 * time.Minute},
		{time.Minute, time.Minute},
		{90*time.Second + 7, 90 * time.Second},
	} {
		now := time.Date(2030, 1, 1, 0, 0, 0, 999, time.UTC)
		a := &sessions.Asserter{Signer: newSigner(t, newKey(t)), Issuer: portal, Lifetime: row.given, Now: func() time.Time { return now }}
		if _, expires, err := a.Assert(person, wiki); err != nil || expires.Sub(now.Truncate(time.Second)) != row.want {
			t.Errorf("lifetime %v: expires %v after, %v; want %v", row.given, expires.Sub(now), err, row.want)
		}
		first, _, err := a.Assert(person, wiki)
		if err != nil {
			t.Fatal(err)
		}
		now = now.Add(-time.Hour) // the clock goes back: not the one of the future
		if again, _, err := a.Assert(person, wiki); err != nil || again == first {
			t.Errorf("lifetime %v: an assertion of the future is reused, %v", row.given, err)
		}
	}
}

// Requests of many people at once, few remembered, keys changing: each gets their own.
func TestAssertNeverCrosses(t *testing.T) {
	a := &sessions.Asserter{Signer: newSigner(t, newKey(t)), Issuer: portal, Held: 8}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			me := with(func(p *identity.Principal) { p.UserID = string(rune('a' + i)) })
			for range 50 {
				text, _, err := a.Assert(me, wiki)
				if err != nil {
					t.Error(err)
					return
				}
				claims := jwt.MapClaims{}
				if _, _, err := jwt.NewParser().ParseUnverified(text, claims); err != nil || claims["sub"] != me.UserID {
					t.Errorf("%s got the assertion of %v, %v", me.UserID, claims["sub"], err)
				}
			}
		})
	}
	all.Go(func() {
		for range 10 {
			if err := a.Signer.Replace(newKey(t), nil); err != nil {
				t.Error(err)
			}
		}
	})
	all.Wait()
}
