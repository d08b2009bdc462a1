package sessions_test

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"gateway/internal/identity"
	"gateway/internal/secret"
	"gateway/sessions"
)

var b64 = base64.RawURLEncoding

// signed returns a token of these very texts, signed with our own key.
func signed(t testing.TB, key sessions.Key, header, claims string) string {
	t.Helper()
	text := b64.EncodeToString([]byte(header)) + "." + b64.EncodeToString([]byte(claims))
	sig, err := jwt.SigningMethodES256.Sign(text, key.Private)
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + b64.EncodeToString(sig)
}

// claimsOf returns the claims that our token of s has.
func claimsOf(s sessions.Session) map[string]any {
	return map[string]any{
		"iss": portal, "aud": s.Audience, "sub": s.UserID, "sid": s.ID, "iat": s.Created.Unix(),
		"exp": s.Expires.Unix(), "auth_time": s.AuthTime.Unix(), "amr": []string{"fed"},
	}
}

func headerOf(kid string) string {
	return fmt.Sprintf(`{"alg":"ES256","kid":%q,"typ":"gateway-session+jwt"}`, kid)
}

// What our own key signed is still refused unless it is exactly what we write.
func TestBentHeaders(t *testing.T) {
	h := newHouse(t)
	s, _ := h.signIn(t)
	claims := encoded(t, claimsOf(s))
	kid := h.key.ID
	h.verify(t, secret.New(signed(t, h.key, headerOf(kid), claims)), portal, s.ID, nil)

	with := func(alg, kid, typ string) string {
		return fmt.Sprintf(`{"alg":%s,"kid":%s,"typ":%s}`, alg, kid, typ)
	}
	const es, typ = `"ES256"`, `"gateway-session+jwt"`
	k := fmt.Sprintf("%q", kid)
	for _, row := range []struct{ what, header string }{
		{"alg none", with(`"none"`, k, typ)},
		{"alg None", with(`"None"`, k, typ)},
		{"alg HS256", with(`"HS256"`, k, typ)},
		{"alg ES384", with(`"ES384"`, k, typ)},
		{"alg es256", with(`"es256"`, k, typ)},
		{"alg empty", with(`""`, k, typ)},
		{"alg null", with(`null`, k, typ)},
		{"alg list", with(`["ES256"]`, k, typ)},
		{"list of names and values", `["alg",` + es + `,"kid",` + k + `,"typ",` + typ + `]`},
		{"no alg", `{"kid":` + k + `,"typ":` + typ + `}`},
		{"other kid", with(es, `"other"`, typ)},
		{"kid traversal", with(es, `"../../../../dev/null"`, typ)},
		{"kid query", with(es, `"' OR 1=1 --"`, typ)},
		{"kid empty", with(es, `""`, typ)},
		{"kid number", with(es, `1`, typ)},
		{"kid null", with(es, `null`, typ)},
		{"kid list", with(es, `[`+k+`]`, typ)},
		{"no kid", `{"alg":` + es + `,"typ":` + typ + `}`},
		{"kid in other case", with(es, fmt.Sprintf("%q", strings.ToLower(kid)), typ)},
		{"typ JWT", with(es, k, `"JWT"`)},
		{"typ assertion", with(es, k, `"gateway-assertion+jwt"`)},
		{"typ upper case", with(es, k, `"GATEWAY-SESSION+JWT"`)},
		{"typ media type", with(es, k, `"application/gateway-session+jwt"`)},
		{"typ empty", with(es, k, `""`)},
		{"no typ", `{"alg":` + es + `,"kid":` + k + `}`},
		{"crit", `{"crit":["exp"],` + headerOf(kid)[1:]},
		{"embedded key", `{"jwk":{"kty":"EC"},` + headerOf(kid)[1:]},
		{"key elsewhere", `{"jku":"https://evil.test/jwks","x5u":"https://evil.test/x",` + headerOf(kid)[1:]},
		{"compressed", `{"zip":"DEF",` + headerOf(kid)[1:]},
		{"unencoded", `{"b64":false,` + headerOf(kid)[1:]},
		{"alg twice", `{"alg":"none",` + headerOf(kid)[1:]},
		{"kid twice", `{"kid":"other",` + headerOf(kid)[1:]},
		{"kid escaped twice", `{"\u006bid":"other",` + headerOf(kid)[1:]},
		{"KID overrides", headerOf(kid)[:len(headerOf(kid))-1] + `,"KID":"other"}`},
		{"ALG for alg", strings.Replace(headerOf(kid), `"alg"`, `"ALG"`, 1)},
		{"list", `[` + headerOf(kid) + `]`},
		{"text after", headerOf(kid) + `{}`},
		{"null", `null`},
		{"text", `"ES256"`},
		{"nothing", ``},
		{"cut", headerOf(kid)[:20]},
		{"deep", strings.Repeat("[", 1000)},
	} {
		t.Log(row.what)
		h.verify(t, secret.New(signed(t, h.key, row.header, claims)), portal, "", sessions.ErrMalformed)
	}
}

func TestBentClaims(t *testing.T) {
	h := newHouse(t)
	s, _ := h.signIn(t)
	now := time.Now().Unix()
	good := encoded(t, claimsOf(s))
	put := func(name string, value any) string {
		c := claimsOf(s)
		c[name] = value
		return encoded(t, c)
	}
	without := func(name string) string {
		c := claimsOf(s)
		delete(c, name)
		return encoded(t, c)
	}
	also := func(members string) string { return good[:len(good)-1] + "," + members + "}" }
	ahead := func(members string) string { return "{" + members + "," + good[1:] }

	rows := []struct{ what, claims string }{
		{"aud list", put("aud", []string{portal})},
		{"aud list, ours second", put("aud", []string{wiki, portal})},
		{"aud list, ours first", put("aud", []string{portal, wiki})},
		{"aud of an app", put("aud", wiki)},
		{"aud with a slash", put("aud", portal+"/")},
		{"aud object", put("aud", map[string]string{portal: portal})},
		{"iss other", put("iss", "https://evil.test")},
		{"iss with a slash", put("iss", portal+"/")},
		{"iss list", put("iss", []string{portal})},
		{"exp text", put("exp", fmt.Sprint(now+1000))},
		{"exp fraction", strings.Replace(good, fmt.Sprint(s.Expires.Unix()), fmt.Sprint(s.Expires.Unix())+".5", 1)},
		{"exp exponent", strings.Replace(good, fmt.Sprint(s.Expires.Unix()), "9e99", 1)},
		{"exp too large", put("exp", int64(1)<<60)},
		{"exp zero", put("exp", 0)},
		{"exp negative", put("exp", -1)},
		{"iat in two minutes", put("iat", now+120)},
		{"iat negative", put("iat", -now)},
		{"auth_time negative", put("auth_time", -1)},
		{"auth_time after the last year", put("auth_time", 253402300800)},
		{"sub number", put("sub", 17)},
		{"amr text", put("amr", "fed")},
		{"amr numbers", put("amr", []int{1})},
		{"amr nulls", put("amr", []any{nil})},
		{"amr deep", put("amr", json.RawMessage(strings.Repeat("[", 500)+strings.Repeat("]", 500)))},
		{"SUB overrides", also(`"SUB":"u-admin"`)},
		{"Sid overrides", also(`"Sid":"other"`)},
		{"sub twice", also(`"sub":"u-admin"`)},
		{"sub twice, ours last", ahead(`"sub":"u-admin"`)},
		{"sub twice, the same", also(`"sub":"u-alice"`)},
		{"sub escaped twice", also(`"s\u0075b":"u-admin"`)},
		{"\u017fub, which folds to sub", also(`"\u017fub":"u-admin"`)},
		{"SUB for sub", strings.Replace(good, `"sub"`, `"SUB"`, 1)},
		{"nbf", put("nbf", now+1000)},
		{"jti", put("jti", "x")},
		{"e-mail", put("email", "a@example.com")},
		{"list", "[" + good + "]"},
		{"list of names and values", "[" + strings.ReplaceAll(good[1:len(good)-1], `":`, `",`) + "]"},
		{"longer than any of ours", put("amr", []string{strings.Repeat("x", 4096)})},
		{"text after", good + "{}"},
		{"null", "null"},
		{"text", `"sub"`},
		{"nothing", ""},
		{"cut", good[:len(good)-1]},
		{"empty object", "{}"},
	}
	for name := range claimsOf(s) {
		rows = append(rows, []struct{ what, claims string }{
			{"no " + name, without(name)},
			{name + " null", put(name, nil)},
			{name + " empty", put(name, "")},
			{name + " true", put(name, true)},
		}...)
	}
	for _, row := range rows {
		t.Log(row.what)
		h.verify(t, secret.New(signed(t, h.key, headerOf(h.key.ID), row.claims)), portal, "", sessions.ErrMalformed)
	}

	// Sound tokens of ours without a record.
	for _, row := range []struct{ what, claims string }{
		{"sid other", put("sid", "nosuch")},
		{"sub other", put("sub", "u-admin")},
	} {
		t.Log(row.what)
		h.verify(t, secret.New(signed(t, h.key, headerOf(h.key.ID), row.claims)), portal, "", sessions.ErrNone)
	}
	h.verify(t, secret.New(signed(t, h.key, headerOf(h.key.ID), put("iat", now+30))), portal, s.ID, nil)
	for _, told := range []int64{0, 253402300799} { // auth_time only informs
		h.verify(t, secret.New(signed(t, h.key, headerOf(h.key.ID), put("auth_time", told))), portal, s.ID, nil)
	}
}

// exp counts by itself, to the second, also for remembered tokens and beside a record that lives on.
func TestExpIsAbsolute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		s, _ := h.signIn(t)
		c := claimsOf(s)
		c["exp"] = time.Now().Add(time.Minute).Unix()
		token := secret.New(signed(t, h.key, headerOf(h.key.ID), encoded(t, c)))
		h.verify(t, token, portal, s.ID, nil)
		time.Sleep(59 * time.Second)
		h.verify(t, token, portal, s.ID, nil)
		time.Sleep(time.Second)
		h.verify(t, token, portal, "", sessions.ErrExpired)
		h.verify(t, token, wiki, "", sessions.ErrMalformed) // expired and not for here: not told apart from garbage

		c["sub"] = ""
		h.verify(t, secret.New(signed(t, h.key, headerOf(h.key.ID), encoded(t, c))), portal, "", sessions.ErrMalformed)
	})
}

// An expired token whose signature is not ours says nothing about time.
func TestExpiredForgery(t *testing.T) {
	h := newHouse(t)
	s, _ := h.signIn(t)
	c := claimsOf(s)
	c["exp"] = time.Now().Add(-time.Minute).Unix()
	h.verify(t, secret.New(signed(t, newKey(t), headerOf(h.key.ID), encoded(t, c))), portal, "", sessions.ErrMalformed)
	h.verify(t, secret.New(signed(t, h.key, headerOf(h.key.ID), encoded(t, c))), portal, "", sessions.ErrExpired)
}

// Nobody without the private key makes a token.
func TestForgeries(t *testing.T) {
	h := newHouse(t)
	s, token := h.signIn(t)
	other := newKey(t)
	other.ID = h.key.ID
	claims := encoded(t, claimsOf(s))
	h.verify(t, secret.New(signed(t, other, headerOf(h.key.ID), claims)), portal, "", sessions.ErrMalformed)

	public, ok := h.key.Private.Public().(*ecdsa.PublicKey)
	if !ok {
		t.Fatal("the key is of another kind")
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	point, err := public.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	for _, alg := range []string{"HS256", "ES256"} {
		text := b64.EncodeToString([]byte(strings.Replace(headerOf(h.key.ID), "ES256", alg, 1))) + "." + b64.EncodeToString([]byte(claims))
		for what, password := range map[string][]byte{
			"nothing": {}, "DER": der, "point": point, "JWKS": h.Signer.JWKS(), "kid": []byte(h.key.ID),
			"PEM": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}),
		} {
			sig, err := jwt.SigningMethodHS256.Sign(text, password)
			if err != nil {
				t.Fatal(err)
			}
			for _, sig := range [][]byte{sig, append(sig, sig...)} {
				t.Log(alg, "HMAC with", what)
				h.verify(t, secret.New(text+"."+b64.EncodeToString(sig)), portal, "", sessions.ErrMalformed)
			}
		}
	}

	parts := strings.Split(token.Reveal(), ".")
	none := b64.EncodeToString([]byte(strings.Replace(headerOf(h.key.ID), "ES256", "none", 1)))
	for _, row := range []struct{ what, text string }{
		{"nothing", ""},
		{"none, unsigned", none + "." + parts[1] + "."},
		{"none, signed", none + "." + parts[1] + "." + parts[2]},
		{"unsigned", parts[0] + "." + parts[1] + "."},
		{"two parts", parts[0] + "." + parts[1]},
		{"four parts", token.Reveal() + "."},
		{"five parts", token.Reveal() + "..e"},
		{"no claims", parts[0] + ".." + parts[2]},
		{"no header", "." + parts[1] + "." + parts[2]},
		{"trailing newline", token.Reveal() + "\n"},
		{"newline within", parts[0] + ".\n" + parts[1] + "." + parts[2]},
		{"carriage return within", parts[0] + "." + parts[1] + ".\r" + parts[2]},
		{"leading space", " " + token.Reveal()},
		{"trailing space", token.Reveal() + " "},
		{"trailing NUL", token.Reveal() + "\x00"},
		{"quoted", `"` + token.Reveal() + `"`},
		{"padding", token.Reveal() + "=="},
		{"escaped", strings.ReplaceAll(token.Reveal(), ".", "%2e")},
		{"full-width stop", strings.ReplaceAll(token.Reveal(), ".", "．")},
		{"zero signature", parts[0] + "." + parts[1] + "." + b64.EncodeToString(make([]byte, 64))},
		{"short signature", parts[0] + "." + parts[1] + "." + parts[2][:80]},
		{"long signature", parts[0] + "." + parts[1] + "." + parts[2] + "AAAA"},
		{"JSON serialization", `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`},
		{"dots", strings.Repeat(".", 4096)},
		{"letters", strings.Repeat("a", 4096)},
		{"too long", parts[0] + "." + parts[1] + "." + strings.Repeat("A", 4097)},
		{"a megabyte of dots", strings.Repeat(".", 1<<20)},
	} {
		t.Log(row.what)
		h.verify(t, secret.New(row.text), portal, "", sessions.ErrMalformed)
	}
	h.verify(t, token, portal, s.ID, nil)
}

// Cut anywhere, or with any character changed, a token is nothing.
func TestCutAndFlipped(t *testing.T) {
	h := newHouse(t)
	s, token := h.signIn(t)
	text := token.Reveal()
	for n := range len(text) {
		for _, cut := range []string{text[:n], text[n+1:], text[:n] + text[n+1:]} {
			if _, err := h.Verify(t.Context(), secret.New(cut), portal); err == nil {
				t.Errorf("cut at %d: verified", n)
			}
		}
		flipped := []byte(text)
		flipped[n] ^= 1 << (n % 8)
		h.verify(t, secret.New(string(flipped)), portal, "", sessions.ErrMalformed)
	}
	for i := range 4 { // the spare bits of the last character too
		for bit := range 8 {
			flipped := []byte(text)
			flipped[len(text)-1-i] ^= 1 << bit
			h.verify(t, secret.New(string(flipped)), portal, "", sessions.ErrMalformed)
		}
	}
	h.verify(t, token, portal, s.ID, nil)
}

// An assertion is no session and a session no assertion, even of one key.
func TestTypesApart(t *testing.T) {
	h := newHouse(t)
	root, _ := h.signIn(t)
	s, token := h.enter(t, root, wiki)
	a := &sessions.Asserter{Signer: h.Signer, Issuer: portal}
	assertion, _, err := a.Assert(identity.Principal{UserID: s.UserID, Login: "alice"}, wiki)
	if err != nil {
		t.Fatal(err)
	}
	h.verify(t, secret.New(assertion), wiki, "", sessions.ErrMalformed)
	h.verify(t, secret.New(assertion), portal, "", sessions.ErrMalformed)
	if typ := typeOf(t, token.Reveal()); typ != "gateway-session+jwt" {
		t.Errorf("typ of a session = %q", typ)
	}
	if typ := typeOf(t, assertion); typ != "gateway-assertion+jwt" {
		t.Errorf("typ of an assertion = %q", typ)
	}
}

// What says of itself that it is ours, and need not be.
func TestIsToken(t *testing.T) {
	h := newHouse(t)
	_, token := h.signIn(t)
	for _, row := range []struct {
		what, text string
		want       bool
	}{
		{"ours", token.Reveal(), true},
		{"ours, cut", token.Reveal()[:len(token.Reveal())/2], true},
		{"ours, forged", signed(t, newKey(t), headerOf("other"), "{}"), true},
		{"an app's", signed(t, h.key, `{"alg":"ES256","typ":"JWT"}`, "{}"), false},
		{"an assertion", signed(t, h.key, `{"alg":"ES256","typ":"gateway-assertion+jwt"}`, "{}"), false},
		{"an app's opaque one", "gho_16C7e42F292c6912E7710c838347Ae178B4a", false},
		{"an app's with stops", "a.b.c", false},
		{"nothing", "", false},
		{"too long", token.Reveal() + strings.Repeat("A", 4096), false},
	} {
		if got := sessions.IsToken(row.text); got != row.want {
			t.Errorf("IsToken(%s) = %v, want %v", row.what, got, row.want)
		}
	}
}

// A session token tells no more than it has to.
func TestTokenTells(t *testing.T) {
	h := newHouse(t)
	s, token := h.signIn(t)
	raw, err := b64.DecodeString(strings.Split(token.Reveal(), ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(raw), encoded(t, claimsOf(s)); !sameJSON(t, got, want) {
		t.Errorf("claims %s, want %s", got, want)
	}
}

func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	var x, y map[string]any
	if err := json.Unmarshal([]byte(a), &x); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(b), &y); err != nil {
		t.Fatal(err)
	}
	return encoded(t, x) == encoded(t, y)
}

func typeOf(t *testing.T, token string) string {
	t.Helper()
	raw, err := b64.DecodeString(strings.Split(token, ".")[0])
	if err != nil {
		t.Fatal(err)
	}
	var header struct{ Typ string }
	if err := json.Unmarshal(raw, &header); err != nil {
		t.Fatal(err)
	}
	return header.Typ
}
