package server_test

import (
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gateway/client"
	"gateway/internal/secret"
	"gateway/internal/throttle"
	"gateway/localauth"
)

// who is AuthOk and LoginOk.
type who struct {
	Login       string `json:"login"`
	UserID      string `json:"user_id"`
	Token       string `json:"token"`
	ServerFinal string `json:"server_final"`
	UserInfo    struct {
		Name          string    `json:"name"`
		Email         string    `json:"email"`
		EmailVerified bool      `json:"email_verified"`
		Groups        []string  `json:"groups"`
		Origin        string    `json:"origin"`
		AMR           []string  `json:"amr"`
		AuthTime      time.Time `json:"auth_time"`
		LastUsed      time.Time `json:"last_used"`
		Expires       time.Time `json:"expires"`
	} `json:"user_info"`
}

func (a answer) who() who {
	a.Helper()
	var w who
	a.wants(http.StatusOK).decode(&w)
	return w
}

// isAuthNeeded fails the test unless the answer says that nobody is signed in.
func (a answer) isAuthNeeded(story string) {
	a.Helper()
	var needed struct {
		ChallengeID *string `json:"challenge_id"`
		Challenge   *string `json:"challenge"`
		Origins     []struct{ Origin, Name, Start string }
		Features    []string
	}
	a.wants(http.StatusOK).decode(&needed)
	if needed.ChallengeID == nil || needed.Challenge == nil || len(needed.Origins) != 2 || needed.Features == nil || a.field("login") != "" {
		a.Errorf("%s: %s: %s, want AuthNeeded", story, a.asked, a.body)
	}
	for _, o := range needed.Origins { // on an app host too: providers are begun at the portal alone
		if !strings.HasPrefix(o.Start, "https://auth.example.com/.gateway/start/"+o.Origin+"?") && !strings.HasPrefix(o.Start, "http://auth.localhost:8080/.gateway/start/"+o.Origin+"?") {
			a.Errorf("%s: %s: %s begins at %s", story, a.asked, o.Name, o.Start)
		}
	}
}

func TestSignInByCookie(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		b := h.browser()
		c := b.connect("alice")
		a := b.post(h.Portal+"/.gateway/login", h.alice.answers(c))
		got := a.who()
		if got.Login != "alice" || got.UserID != h.alice.id || got.Token != "" || got.ServerFinal != h.alice.signature(c) {
			t.Errorf("login: %s, want alice, and the signature of her verifier", a.body)
		}
		info := got.UserInfo
		if info.Name != "Alice" || info.Email != aliceMail || !info.EmailVerified || !slices.Equal(info.Groups, []string{"admins"}) || info.Origin != "local" || !slices.Equal(info.AMR, []string{"pwd"}) {
			t.Errorf("user_info: %+v", info)
		}
		if info.AuthTime.IsZero() || info.LastUsed.Before(info.AuthTime) || info.Expires.Sub(info.AuthTime).Round(time.Minute) != 24*time.Hour {
			t.Errorf("times of user_info: %+v", info)
		}
		secure := ""
		if h.site.scheme == "https" {
			secure = "; Secure"
		}
		session := b.kept(h.Portal, h.site.sessionCookie)
		want := h.site.sessionCookie + "=" + session + "; Path=/; HttpOnly" + secure + "; SameSite=Lax"
		device := h.site.sessionCookie + "-device=" + b.kept(h.Portal, h.site.sessionCookie+"-device") + "; Path=/; Max-Age=7776000; HttpOnly" + secure + "; SameSite=Lax"
		if got := a.header["Set-Cookie"]; !slices.Equal(got, []string{want, device}) {
			t.Errorf("Set-Cookie: %q, want %q and %q", got, want, device)
		}
		if session == "" || strings.Contains(a.body, session) {
			t.Errorf("login says the session of a cookie: %s", a.body)
		}
		for _, again := range []answer{b.get(h.Portal + "/.gateway/connect"), b.post(h.Portal+"/.gateway/connect", "")} {
			if got := again.who(); got.Login != "alice" || got.UserID != h.alice.id || got.Token != "" || got.UserInfo.Email != aliceMail {
				t.Errorf("%s: %s, want AuthOk for alice", again.asked, again.body)
			}
		}
		if got := h.live(h.alice.id); got != 1 {
			t.Errorf("alice has %d sessions, want 1", got)
		}
	})
}

// The client library of the house speaks with the server of the house, a
// password is derived from, and nothing is faked.
func TestSignInWithTheClient(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	password := secret.New("correct horse battery staple")
	const rounds = 4096 // what is tested does not depend on them
	v, err := localauth.Derive(password.Reveal(), random()[:localauth.SaltSize], rounds)
	h.must(err)
	h.record("erin", v, "")

	inBrowser := h.browser()
	for _, row := range []struct {
		story    string
		c        *client.Client
		user     string
		password secret.Text
		want     client.Want
		problem  string
	}{
		{"a cookie", &client.Client{Portal: h.Portal, HTTP: inBrowser.client}, "erin", password, client.WantCookie, ""},
		{"a token", &client.Client{Portal: h.Portal, HTTP: h.program().client}, "ERIN", password, client.WantToken, ""},
		{"a token of an app, by its origin", &client.Client{Portal: h.Portal, HTTP: h.program().client, App: h.Wiki}, "erin", password, client.WantToken, ""},
		{"a wrong password", &client.Client{Portal: h.Portal, HTTP: h.program().client}, "erin", secret.New("correct horse battery stable"), client.WantToken, "BadUserOrPassword"},
	} {
		row.c.MinIterations = rounds
		s, err := row.c.LoginLocal(t.Context(), row.user, row.password, row.want)
		if row.problem != "" {
			if p, ok := errors.AsType[*client.Problem](err); !ok || p.Code != row.problem {
				t.Errorf("%s: LoginLocal = %v, want %s", row.story, err, row.problem)
			}
			continue
		}
		if err != nil || s.Login != "erin" || s.Token.Empty() != (row.want == client.WantCookie) {
			t.Errorf("%s: LoginLocal = %+v, %v", row.story, s, err)
		}
	}
	if got := inBrowser.get(h.Portal + "/.gateway/connect").who().Login; got != "erin" {
		t.Errorf("the cookie's session is of %q, want erin", got)
	}
}

func TestSignInByToken(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		p := h.program()
		c := p.connect("alice", "want", "token")
		if got := c.answer.header["Set-Cookie"]; got != nil {
			t.Errorf("connect for a token sets %q", got)
		}
		a := p.post(h.Portal+"/.gateway/login", h.alice.answers(c, "want", "token"))
		if got := a.who(); got.Token == "" || got.Login != "alice" || got.ServerFinal == "" || a.header["Set-Cookie"] != nil {
			t.Errorf("login: %s, %q, want a token and no cookie", a.body, a.header["Set-Cookie"])
		}
		if got := p.get(h.Portal+"/.gateway/connect", "Authorization", "Bearer "+a.field("token")).who().Login; got != "alice" {
			t.Errorf("the token's session is of %q, want alice", got)
		}
		for _, app := range []string{"wiki", h.site.wiki, h.Wiki} {
			token := h.token(h.alice, app)
			p.get(h.Wiki+"/x", "Authorization", "Bearer "+token).wants(http.StatusOK)
			if got := h.echo.last(t).Header.Get("Authorization"); got != "" {
				t.Errorf("the app gets %q, which is ours", got)
			}
			p.get(h.Board+"/x", "Authorization", "Bearer "+token).refuses("of another app", http.StatusUnauthorized, "SessionExpired")
			p.get(h.Portal+"/.gateway/connect", "Authorization", "Bearer "+token).refuses("at the portal", http.StatusBadRequest, "InvalidSession")
			p.get(h.Wiki+"/x?token="+token+"&access_token="+token+"&session="+token).refuses("in the query", http.StatusUnauthorized, "SessionExpired")
		}
	})
}

func TestTokensAreForPrograms(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	p := h.program()
	for _, header := range [][]string{
		{"Cookie", "theme=dark"},
		{"Origin", h.Portal},
		{"Sec-Fetch-Site", "same-origin"},
		{"Sec-Fetch-Site", "none"},
		{"Sec-Fetch-Mode", "cors"},
		{"Sec-Fetch-Dest", "empty"},
		{"Sec-Fetch-User", "?1"},
	} {
		p.post(h.Portal+"/.gateway/connect", `{"want":"token"}`, header...).refuses(header[0], http.StatusBadRequest, "BadRequest")
		c := p.connect("alice", "want", "token")
		a := p.post(h.Portal+"/.gateway/login", h.alice.answers(c, "want", "token"), header...)
		a.refuses(header[0], http.StatusBadRequest, "BadRequest")
		p.post(h.Portal+"/.gateway/login", h.alice.answers(c, "want", "token")).wants(http.StatusOK) // nothing was spent
	}
	for _, row := range []struct {
		story string
		more  []string
	}{
		{"a token that nobody asked for", []string{"app", "wiki"}},
		{"an app that is none", []string{"want", "token", "app", "nowhere"}},
		{"the portal as an app", []string{"want", "token", "app", h.Portal}},
		{"an app at another port", []string{"want", "token", "app", h.Wiki + ":8443"}},
		{"an app by plain http", []string{"want", "token", "app", "http://" + h.site.wiki}},
		{"a path of an app", []string{"want", "token", "app", h.Wiki + "/x"}},
		{"another want", []string{"want", "cookie"}},
	} {
		before := h.rows()
		c := p.connect("alice", "want", "token")
		p.post(h.Portal+"/.gateway/login", h.alice.answers(c, row.more...)).refuses(row.story, http.StatusBadRequest, "BadRequest")
		h.unchanged(row.story, before)
	}
	h.between(func() {
		wiki := h.server.Apps["wiki"]
		wiki.Hosts = append(wiki.Hosts, "handbook.example.net")
		h.server.Apps["wiki"] = wiki
	})
	c := p.connect("alice", "want", "token")
	p.post(h.Portal+"/.gateway/login", h.alice.answers(c, "want", "token", "app", "wiki")).refuses("the name of an app with two hosts", http.StatusBadRequest, "BadRequest")
	h.token(h.alice, h.Wiki)
}

func TestTokenOfAnAppThatRefuses(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	p := h.program()
	c := p.connect("bob", "want", "token")
	a := p.post(h.Portal+"/.gateway/login", h.bob.answers(c, "want", "token", "app", "tools"))
	a.refuses("tools is for admins", http.StatusForbidden, "Forbidden")
	if id := a.field("decision_id"); id == "" || !strings.Contains(h.log.String(), `"decision_id":"`+id+`"`) {
		t.Errorf("decision_id %q, want the one of the book", id)
	}
	if got := h.live(""); got != 0 {
		t.Errorf("%d sessions, want none", got)
	}
}

func TestChallengesAreForOnePurpose(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	b := h.browser()
	c := b.connect("alice")
	h.program().post(h.Portal+"/.gateway/login", h.alice.answers(c, "want", "token")).refuses("of a browser, for a token", http.StatusUnauthorized, "ChallengeNotFoundOrExpired")
	b.post(h.Portal+"/.gateway/login", h.alice.answers(c)).wants(http.StatusOK) // it was not spent
	c = h.program().connect("alice", "want", "token")
	b.post(h.Portal+"/.gateway/login", h.alice.answers(c)).refuses("of a program, for a cookie", http.StatusUnauthorized, "ChallengeNotFoundOrExpired")
	h.program().post(h.Portal+"/.gateway/login", h.alice.answers(c)).refuses("of a program, for a cookie, without a browser", http.StatusUnauthorized, "ChallengeNotFoundOrExpired")

	p := h.program()
	asked := p.tokenChallenge("corp", "want", "token")
	token, err := h.corp.IDToken(asked.field("challenge"))
	h.must(err)
	body := []string{"auth_origin", "corp", "token", token, "challenge_id", asked.field("challenge_id")}
	for story, from := range map[string]*browser{"of a program, for a cookie": h.browser(), "of a program, for a cookie, without a browser": p} {
		from.post(h.Portal+"/.gateway/login", object(body...)).refuses(story+", foreign", http.StatusUnauthorized, "ChallengeNotFoundOrExpired")
	}
	p.post(h.Portal+"/.gateway/login", object(append(body, "want", "token")...)).wants(http.StatusOK) // it was not spent
}

func TestChallenges(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		other := open(t, h.site)
		for _, row := range []struct {
			story string
			// body makes the login of the browser from a fresh challenge for alice.
			body func(b *browser, c challenge) string
		}{
			{"made up", func(_ *browser, c challenge) string { c.id = strings.Repeat("A", len(c.id)); return h.alice.answers(c) }},
			{"its first bit flipped", func(_ *browser, c challenge) string { c.id = flip(c.id, 0); return h.alice.answers(c) }},
			{"its last letter changed", func(_ *browser, c challenge) string { c.id = flip(c.id, len(c.id)-1); return h.alice.answers(c) }},
			{"of another gateway", func(_ *browser, _ challenge) string { return h.alice.answers(other.browser().connect("alice")) }},
			{"of another browser", func(_ *browser, _ challenge) string { return h.alice.answers(h.browser().connect("alice")) }},
			{"expired", func(_ *browser, c challenge) string { h.clock.pass(2 * time.Minute); return h.alice.answers(c) }},
			{"for another login", func(_ *browser, c challenge) string {
				p := h.bob
				p.login = "bob"
				return p.answers(c)
			}},
			{"for a login that is nobody's", func(_ *browser, c challenge) string {
				return object("user", "nosuch", "challenge_id", c.id, "challenge_reply", h.alice.reply(c))
			}},
			{"used", func(b *browser, c challenge) string {
				b.post(h.Portal+"/.gateway/login", h.alice.answers(c)).wants(http.StatusOK)
				return h.alice.answers(c)
			}},
			{"used with a wrong proof", func(b *browser, c challenge) string {
				b.post(h.Portal+"/.gateway/login", nobody("alice").answers(c)).wants(http.StatusUnauthorized)
				return h.alice.answers(c)
			}},
			{"of the other door", func(b *browser, c challenge) string {
				c.id = b.post(h.Portal+"/.gateway/connect", `{"auth_origin":"corp"}`).wants(http.StatusOK).field("challenge_id")
				c.id += strings.Repeat("A", max(0, 600-len(c.id)))
				return h.alice.answers(c)
			}},
		} {
			b := h.browser()
			body := row.body(b, b.connect("alice"))
			before := h.rows()
			a := b.post(h.Portal+"/.gateway/login", body)
			a.refuses(row.story, http.StatusUnauthorized, "ChallengeNotFoundOrExpired")
			if id := a.field("challenge_id"); id == "" || !strings.Contains(body, id) {
				t.Errorf("%s: challenge_id %q, want the one that was sent", row.story, id)
			}
			h.unchanged(row.story, before)
			h.clock.pass(time.Hour) // for the throttle
		}
	})
}

// flip changes one letter of a text.
func flip(text string, i int) string {
	with := byte('A')
	if text[i] == 'A' {
		with = 'Q' // differs in a bit that base64 keeps
	}
	return text[:i] + string(with) + text[i+1:]
}

func TestWrongProofs(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	zero := make([]byte, 32)
	for _, row := range []struct {
		story, word string
		final       func(c challenge) string
	}{
		{"another password", "BadUserOrPassword", nobody("alice").reply},
		{"of bob, over alice's nonces", "BadUserOrPassword", h.bob.reply},
		{"of zeros", "BadUserOrPassword", func(c challenge) string { return final(c.nonce(), zero) }},
		{"of ones", "BadUserOrPassword", func(c challenge) string { return final(c.nonce(), []byte(strings.Repeat("\xff", 32))) }},
		{"too short", "BadUserOrPassword", func(c challenge) string { return final(c.nonce(), zero[:31]) }},
		{"too long", "BadUserOrPassword", func(c challenge) string { return final(c.nonce(), append(zero, 0)) }},
		{"twice as long", "BadUserOrPassword", func(c challenge) string { return final(c.nonce(), append(zero, zero...)) }},
		{"empty", "BadUserOrPassword", func(c challenge) string { return final(c.nonce(), nil) }},
		{"from a key of zeros", "BadUserOrPassword", person{client: zero}.reply},
		{"what the server signs", "BadUserOrPassword", func(c challenge) string {
			return final(c.nonce(), mac(h.alice.signing, c.bare+","+c.first+",c=biws,r="+c.nonce()))
		}},
		{"the right one over our nonce alone", "BadUserOrPassword", func(c challenge) string {
			return strings.Replace(h.alice.reply(c), c.nonce(), c.nonce()[26:], 1)
		}},
		{"the right one beside the nonce of the client", "BadUserOrPassword", func(c challenge) string {
			return strings.Replace(h.alice.reply(c), c.nonce(), c.nonce()[:26], 1)
		}},
		{"not base64", "BadRequest", func(c challenge) string { return h.alice.reply(c) + "!" }},
		{"with channel binding", "BadRequest", func(c challenge) string { return strings.Replace(h.alice.reply(c), "c=biws", "c=eSws", 1) }},
		{"an extension before the proof", "BadRequest", func(c challenge) string { return strings.Replace(h.alice.reply(c), ",p=", ",x=1,p=", 1) }},
		{"no SCRAM at all", "BadRequest", func(challenge) string { return "hunter22" }},
	} {
		b := h.browser()
		c := b.connect("alice")
		a := b.post(h.Portal+"/.gateway/login", object("user", "alice", "challenge_id", c.id, "challenge_reply", row.final(c)))
		status := http.StatusUnauthorized
		if row.word == "BadRequest" {
			status = http.StatusBadRequest
		}
		a.refuses(row.story, status, row.word)
		if a.header["Set-Cookie"] != nil || a.field("server_final") != "" || row.word != "BadRequest" && a.field("challenge_id") != "" {
			t.Errorf("%s: %q, %s", row.story, a.header["Set-Cookie"], a.body)
		}
		h.clock.pass(2 * time.Hour)
	}
	if got := h.live(""); got != 0 {
		t.Errorf("%d sessions, want none", got)
	}
}

// alike is what a stranger can tell of an answer: all but the date and what is
// random by design.
func alike(a answer) string {
	var b strings.Builder
	for _, name := range sorted(names(a.header)) {
		if name != "Date" {
			b.WriteString(name + ": " + strings.Join(a.header[name], "\n") + "\n")
		}
	}
	text := regexp.MustCompile(`"request_id":"[A-Z2-7]{26}"`).ReplaceAllString(a.body, `"request_id":"…"`)
	text = regexp.MustCompile(`"challenge_id":"[A-Za-z0-9_-]{200,}"`).ReplaceAllStringFunc(text, func(s string) string { return strings.Repeat("i", len(s)) })
	text = regexp.MustCompile(`r=[A-Z2-7]{26}[A-Za-z0-9_-]{32},s=[A-Za-z0-9+/]{22}==,i=`).ReplaceAllString(text, "r=…,s=…,i=")
	b.WriteString(text)
	return regexp.MustCompile(`gateway-pre=[A-Z2-7]{26};`).ReplaceAllString(b.String(), "gateway-pre=…;")
}

func names(h http.Header) []string {
	var all []string
	for name := range h {
		all = append(all, name)
	}
	return all
}

func TestNobodyLearnsWhoIsThere(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		wrong := nobody("alice")
		asked := wrongly(h, wrong)
		for _, row := range []struct {
			story string
			p     person
		}{
			{"another wrong password", nobody("alice")},
			{"an unknown name", nobody("nosuch")},
			{"a disabled person, right", h.carol},
			{"a disabled person, wrong", nobody("carol")},
			{"who comes by the provider alone", nobody("dave")},
			{"what cannot be a login", nobody("a:b")},
			{"an address", nobody("alice@example.com")},
		} {
			got := wrongly(h, row.p)
			for i, what := range []string{"connect", "login"} {
				if got[i] != asked[i] {
					t.Errorf("%s: %s says\n%s\nwant\n%s", row.story, what, got[i], asked[i])
				}
			}
		}
		log := h.log.String()
		for _, reason := range []string{"unknown", "disabled", "proof"} {
			if !strings.Contains(log, `"reason":"`+reason+`"`) {
				t.Errorf("the book does not say why: %s", reason)
			}
		}
		if strings.Contains(log, "nosuch") || !strings.Contains(log, `"login":"carol"`) {
			t.Error("the book names whom nobody knows, which may be a password in the wrong field, or not whom we know")
		}
	})
}

// wrongly is what connect and login say to somebody who does not get in.
func wrongly(h *house, p person) [2]string {
	h.Helper()
	h.clock.pass(2 * time.Hour)
	b := h.browser()
	c := b.connect(p.login)
	a := b.post(h.Portal+"/.gateway/login", p.answers(c))
	a.refuses(p.login, http.StatusUnauthorized, "BadUserOrPassword")
	return [2]string{alike(c.answer), alike(a)}
}

// Nothing is stored at connect, however often strangers ask, and nobody's
// challenge gives way to theirs.
func TestConnectStoresNothing(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	b := h.browser()
	held := h.alice.answers(b.connect("alice"))
	slots := func() []throttle.Slot {
		all, err := h.store.LoadSlots(t.Context())
		h.must(err)
		return all
	}
	before, filled := h.rows(), len(slots())
	for range 300 {
		h.program().connect("alice", "want", "token")
	}
	h.unchanged("connected", before)
	if got := len(slots()); got != filled {
		t.Errorf("the throttle has %d slots, there were %d", got, filled)
	}
	b.post(h.Portal+"/.gateway/login", held).wants(http.StatusOK)
}

func TestSaltsOfUnknownNamesLast(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	salt := func(login string) string {
		_, rest, _ := strings.Cut(h.browser().connect(login).first, ",")
		return rest
	}
	first := salt("nosuch")
	for range 3 {
		if got := salt("nosuch"); got != first {
			t.Errorf("salt of an unknown name: %s, then %s", first, got)
		}
	}
	if got := salt("NoSuch"); got != first {
		t.Errorf("salt of the same name in capitals: %s, want %s", got, first)
	}
	if got := salt("somebody"); got == first {
		t.Errorf("two unknown names have the salt %s", got)
	}
}

func TestThrottle(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	h.clock.stop()
	limited := func(p person) answer {
		b := h.browser()
		for range 5 {
			b.login(nobody(p.login)).refuses("a free try", http.StatusUnauthorized, "BadUserOrPassword")
		}
		return b.login(nobody(p.login))
	}
	a := limited(h.alice)
	a.refuses("the sixth try", http.StatusTooManyRequests, "TooManyAttempts")
	if got := a.header.Get("Retry-After"); got != "2" {
		t.Errorf("Retry-After: %q, want 2", got)
	}
	for _, row := range []struct {
		story string
		got   answer
	}{
		{"the right password", h.browser().login(h.alice)},
		{"an unknown name", limited(nobody("nosuch"))},
		{"a disabled person", limited(h.carol)},
		{"who comes by the provider alone", limited(nobody("dave"))},
	} {
		if got, want := alike(row.got), alike(a); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", row.story, got, want)
		}
	}
	b := h.browser()
	c := b.connect("bob")
	b.post(h.Portal+"/.gateway/login", h.bob.answers(c)).wants(http.StatusOK) // others are not in the way
	h.clock.pass(2 * time.Second)
	h.browser().login(h.alice).wants(http.StatusOK)
	for range 5 { // success has cleared the count
		h.browser().login(nobody("alice")).refuses("a free try", http.StatusUnauthorized, "BadUserOrPassword")
	}
}

// A throttled try does not spend its challenge: the proof was not looked at.
func TestThrottledTriesMayComeBack(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	h.clock.stop()
	for range 5 {
		h.browser().login(nobody("alice"))
	}
	b := h.browser()
	body := h.alice.answers(b.connect("alice"))
	b.post(h.Portal+"/.gateway/login", body).refuses("too early", http.StatusTooManyRequests, "TooManyAttempts")
	h.clock.pass(2 * time.Second)
	b.post(h.Portal+"/.gateway/login", body).wants(http.StatusOK)
}

// Whatever an untrusted peer says of where it comes from, it is one source.
func TestOneSourceIsLimited(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	h.clock.stop()
	b := h.browser()
	from := func(i int) []string {
		ip := "203.0.113." + string(rune('0'+i%10))
		return []string{"X-Forwarded-For", ip, "X-Real-Ip", ip, "Forwarded", "for=" + ip, "Cf-Connecting-Ip", ip, "True-Client-Ip", ip}
	}
	for i := range 100 {
		p := nobody("name" + string(rune('a'+i/26)) + string(rune('a'+i%26)))
		c := b.connect(p.login)
		b.post(h.Portal+"/.gateway/login", p.answers(c), from(i)...).refuses("a free try", http.StatusUnauthorized, "BadUserOrPassword")
	}
	c := b.connect("bob")
	b.post(h.Portal+"/.gateway/login", h.bob.answers(c), from(7)...).refuses("the hundred and first", http.StatusTooManyRequests, "TooManyAttempts")
	behind := &browser{h, nil, h.client(nil, trusted, h.front.Listener.Addr())}
	more := []string{"X-Forwarded-For", "198.51.100.7", "Host", h.site.portal}
	first := behind.post("http://front/.gateway/connect", `{"client_first":"n,,n=bob,r=rOprNGfwEbeRWgbNEkqO","want":"token"}`, more...).wants(http.StatusOK)
	c = challenge{first.field("challenge_id"), "n=bob,r=rOprNGfwEbeRWgbNEkqO", first.field("challenge"), first}
	behind.post("http://front/.gateway/login", h.bob.answers(c, "want", "token"), more...).wants(http.StatusOK) // another source, as the proxy says
}

func TestReplay(t *testing.T) {
	both(t, func(_ *testing.T, h *house) {
		b := h.browser()
		body := h.alice.answers(b.connect("alice"))
		b.post(h.Portal+"/.gateway/login", body).wants(http.StatusOK)
		before := h.rows()
		for story, again := range map[string]*browser{"by the same browser": b, "by another": h.browser(), "without cookies": h.program()} {
			again.post(h.Portal+"/.gateway/login", body).refuses(story, http.StatusUnauthorized, "ChallengeNotFoundOrExpired")
		}
		h.unchanged("replayed", before)
	})
}

func TestFiftyAtOnce(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	b := h.browser()
	body := h.alice.answers(b.connect("alice"))
	var wait, all sync.WaitGroup
	wait.Add(1)
	answers := make(chan int, 50)
	for range 50 {
		all.Go(func() {
			r, err := http.NewRequest(http.MethodPost, h.Portal+"/.gateway/login", strings.NewReader(body)) //nolint:noctx // the client ends it
			if err != nil {
				t.Error(err)
				return
			}
			r.Header.Set("Content-Type", "application/json")
			wait.Wait()
			resp, err := b.client.Do(r)
			if err != nil {
				t.Error(err)
				return
			}
			answers <- resp.StatusCode
			_ = resp.Body.Close()
		})
	}
	wait.Done()
	all.Wait()
	close(answers)
	count := map[int]int{}
	for status := range answers {
		count[status]++
	}
	if count[http.StatusOK] != 1 || count[http.StatusOK]+count[http.StatusUnauthorized]+count[http.StatusTooManyRequests] != 50 {
		t.Errorf("answers: %v, want one 200, and 401 or 429 else", count)
	}
	if got := h.live(h.alice.id); got != 1 {
		t.Errorf("alice has %d sessions, want 1", got)
	}
}

func TestEverySignInHasAnIDOfItsOwn(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		b := h.browser()
		c := b.connect("alice")
		b.keep(h.Portal, h.site.sessionCookie, "ATTACKER-CHOSEN")
		b.post(h.Portal+"/.gateway/login", h.alice.answers(c)).wants(http.StatusOK)
		first := b.kept(h.Portal, h.site.sessionCookie)
		page, _ := b.visit(h.Wiki + "/x")
		page.wants(http.StatusOK)
		child := b.kept(h.Wiki, h.site.sessionCookie)
		b.post(h.Portal+"/.gateway/login", h.alice.answers(b.again("alice"))).wants(http.StatusOK)
		second := b.kept(h.Portal, h.site.sessionCookie)
		if first == "ATTACKER-CHOSEN" || first == "" || first == second {
			t.Fatalf("sessions %q, %q, want two of our making", first, second)
		}
		h.dead("the first sign-in", h.Portal, first)
		h.dead("its child", h.Wiki, child)
		if got := b.get(h.Portal + "/.gateway/connect").who().Login; got != "alice" {
			t.Errorf("the second sign-in is of %q, want alice", got)
		}
		if got := h.live(h.alice.id); got != 1 {
			t.Errorf("alice has %d sessions, want 1", got)
		}
	})
}

// dead fails the test if a cookie value is still good for anything at a host.
func (h *house) dead(story, origin, value string) {
	h.Helper()
	b := h.browser()
	b.keep(origin, h.site.sessionCookie, value)
	a := b.get(origin + "/.gateway/connect")
	a.refuses(story, http.StatusUnauthorized, "SessionExpired")
	if c := a.cookie(h.site.sessionCookie); c == nil || c.MaxAge >= 0 {
		h.Errorf("%s: the cookie is not cleared: %q", story, a.header["Set-Cookie"])
	}
	b.get(origin + "/.gateway/connect").isAuthNeeded(story + ", then")
}

func TestSomebodyElseIsSignedIn(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	b := h.as(h.alice)
	before := h.rows()
	a := b.post(h.Portal+"/.gateway/login", h.bob.answers(b.again("bob")))
	a.refuses("bob, where alice is", http.StatusBadRequest, "BadRequest")
	if a.header["Set-Cookie"] != nil {
		t.Errorf("Set-Cookie: %q", a.header["Set-Cookie"])
	}
	h.unchanged("bob, where alice is", before)
	if got := b.get(h.Portal + "/.gateway/connect").who().Login; got != "alice" {
		t.Errorf("signed in is %q, want alice still", got)
	}
}

// Asking who one is does not keep a session alive; visiting the portal does.
func TestConnectIsNoUse(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		b := h.as(h.alice)
		h.clock.pass(59 * time.Minute)
		asked := b.get(h.Portal + "/.gateway/connect").who().UserInfo.LastUsed
		if got := h.clock.now().Sub(asked).Round(time.Minute); got != 59*time.Minute {
			t.Errorf("last used %v ago, want 59m", got)
		}
		b.navigate(h.Portal + "/").wants(http.StatusOK) // use
		h.clock.pass(59 * time.Minute)
		b.post(h.Portal+"/.gateway/connect", "{}").who()
		h.clock.pass(2 * time.Minute)
		a := b.get(h.Portal + "/.gateway/connect")
		a.refuses("idle for 61 minutes", http.StatusUnauthorized, "SessionExpired")
		b.get(h.Portal + "/.gateway/connect").isAuthNeeded("then")
	})
}

func TestSessionsEndAfterADay(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	b := h.as(h.alice)
	page, _ := b.visit(h.Wiki + "/x")
	page.wants(http.StatusOK)
	child := b.kept(h.Wiki, h.site.sessionCookie)
	for range 47 { // used every half hour
		h.clock.pass(30 * time.Minute)
		b.get(h.Wiki + "/x").wants(http.StatusOK)
	}
	h.clock.pass(31 * time.Minute)
	b.get(h.Wiki+"/x").refuses("after a day", http.StatusUnauthorized, "SessionExpired")
	h.clock.pass(-2 * time.Hour) // a clock set back revives nothing
	h.dead("the child", h.Wiki, child)
	h.dead("the parent", h.Portal, b.kept(h.Portal, h.site.sessionCookie))
}

// unchanged fails the test if a stranger has changed what the store holds.
func (h *house) unchanged(story string, before rows) {
	h.Helper()
	if diff := h.rows().diff(before); diff != "" {
		h.Errorf("%s: the store has changed: %s", story, diff)
	}
}
