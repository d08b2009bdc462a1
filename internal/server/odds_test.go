package server_test

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"strings"
	"sync"
	"testing"

	"gateway/internal/accounts"
	"gateway/internal/identity"
	"gateway/policy"
	"gateway/sessions"
)

// Of an interim answer of an app no cookie reaches the browser, ours least of
// all; what it is for does.
func TestInterimAnswersOfApps(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	h.echo.plays("hints", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.Header().Add("Set-Cookie", h.site.sessionCookie+"=x; Path=/; Secure")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Set("Set-Cookie", "a=1")
		w.WriteHeader(http.StatusOK)
	})
	var interim []textproto.MIMEHeader
	r, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(_ int, header textproto.MIMEHeader) error {
			interim = append(interim, header)
			return nil
		},
	}), http.MethodGet, h.Wiki+"/public/x?play=hints", http.NoBody)
	h.must(err)
	a := h.program().send(r, "").wants(http.StatusOK)
	if len(interim) != 1 || interim[0].Get("Link") == "" || interim[0]["Set-Cookie"] != nil {
		t.Errorf("interim answers %v, want the link alone", interim)
	}
	if got := a.header["Set-Cookie"]; !slices.Equal(got, []string{"a=1"}) {
		t.Errorf("Set-Cookie %q, want the app's own", got)
	}
}

// A password in the Authorization header is the app's business: here it signs
// nobody in, and no browser is asked for one.
func TestBasicIsTheApps(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		encode := base64.StdEncoding.EncodeToString
		for _, value := range []string{
			"Basic " + encode([]byte("alice:right")), "basic " + encode([]byte("alice:p:q:r")), "BASIC " + encode([]byte(":")), "Basic " + encode([]byte("alice")), "Basic !!!", "Basic", "Basic ",
			"Basic " + encode([]byte("\xff\xfe:\x00")), "Basic " + strings.Repeat("QUFB", 4000), "Digest username=\"alice\", response=\"\"",
		} {
			for story, a := range map[string]answer{
				"own proxy":    h.raw(h.page("/x", "Authorization", value)),
				"forward-auth": h.asks(forwardAuth, h.about("/x", "Authorization", value)),
				"auth-request": h.asks(authRequest, h.about("/x", "Authorization", value)),
				"ext-authz":    h.asks(extAuthz, h.about("/x", "Authorization", value)),
			} {
				a.refuses(story, http.StatusUnauthorized, "SessionExpired")
				if got := a.header.Get("Www-Authenticate"); got != `Bearer realm="gateway"` {
					t.Errorf("%s: WWW-Authenticate %q", story, got)
				}
			}
			h.program().get(h.Portal+"/.gateway/connect", "Authorization", value).isAuthNeeded("who am I")
			h.raw(h.page("/public/x", "Authorization", value)).wants(http.StatusOK)
			if got := h.echo.last(t).Header["Authorization"]; !slices.Equal(got, []string{strings.TrimRight(value, " ")}) {
				t.Errorf("the app sees %.100q, want %.100q", got, value)
			}
		}
	})
}

// What the apps are told of a person opens nothing here.
func TestAssertionsOpenNothing(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		h.at(h.alice)
		assertion := h.echo.last(t).Header.Get("X-Gateway-Jwt-Assertion")
		for _, lines := range [][]string{{"Cookie", h.site.sessionCookie + "=" + assertion}, {"Authorization", "Bearer " + assertion}} {
			for story, a := range map[string]answer{
				"own proxy":    h.raw(h.page("/x", lines...)),
				"forward-auth": h.asks(forwardAuth, h.about("/x", lines...)),
				"auth-request": h.asks(authRequest, h.about("/x", lines...)),
				"ext-authz":    h.asks(extAuthz, h.about("/x", lines...)),
			} {
				a.refuses(story, http.StatusUnauthorized, "SessionExpired")
			}
		}
		p := h.program()
		p.post(h.Portal+"/.gateway/login", object("auth_origin", "corp", "token", assertion, "want", "token")).refuses("as a foreign token", http.StatusBadRequest, "InvalidSession")
	})
}

// Who is not let in is told so before a byte of the body is asked for.
func TestBodiesAreNotAskedFor(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	for _, host := range []string{h.site.wiki, h.site.board, "evil.test"} {
		conn, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", h.front.Listener.Addr().String())
		h.must(err)
		_, err = io.WriteString(conn, "POST /x HTTP/1.1\r\nHost: "+host+"\r\nContent-Length: 1073741824\r\nExpect: 100-continue\r\n\r\n")
		h.must(err)
		line := make([]byte, len("HTTP/1.1 4"))
		_, err = io.ReadFull(conn, line)
		_ = conn.Close()
		if string(line) != "HTTP/1.1 4" {
			t.Errorf("%s: %q, %v, want a refusal at once", host, line, err)
		}
	}
}

// While one policy gives way to another again and again, what both refuse is
// refused, and what both allow is allowed.
func TestPoliciesThatTakeTurns(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	bob := h.at(h.bob)
	first := h.server.Policy.Load()
	apps := []policy.App{{Name: "wiki", Host: h.site.wiki, Rules: []policy.Rule{
		{Name: "other", Paths: []string{"/public/**", "/x"}, Allow: &policy.Subjects{Everyone: true}},
		{Name: "shut", Deny: true},
	}}}
	second, err := policy.New(policy.Config{Apps: apps})
	h.must(err)
	stop := make(chan struct{})
	var turning, asking sync.WaitGroup
	turning.Go(func() {
		for p, q := first, second; ; p, q = q, p {
			select {
			case <-stop:
				return
			default:
				h.server.Policy.Store(p)
			}
		}
	})
	handler := h.server.AuthzHandler()
	for range 4 {
		asking.Go(func() {
			for i := range 500 {
				target, want := []string{"/closed/x", "/admin/x", "/x"}[i%3], []int{403, 403, 200}[i%3]
				r := bare(t, http.MethodGet, "authz", forwardAuth, "", trusted, "")
				for i, lines := 0, h.about(target).lines(forwardAuth); i < len(lines); i += 2 {
					r.Header[lines[i]] = []string{lines[i+1]}
				}
				r.Header["Cookie"] = bob[1:]
				if got := h.inside(handler, r).Code; got != want {
					t.Errorf("%s: status %d, want %d", target, got, want)
				}
			}
		})
	}
	asking.Wait()
	close(stop)
	turning.Wait()
}

// faulty is a store in which no session can be made; childless one in which
// there is none at an app.
type (
	faulty    struct{ sessions.Store }
	childless struct{ sessions.Store }
)

func (faulty) CreateSession(context.Context, sessions.Session) error {
	return errors.New("the disk is full")
}

func (c childless) CreateSession(ctx context.Context, s sessions.Session) error {
	if s.Parent != "" {
		return errors.New("the disk is full")
	}
	return c.Store.CreateSession(ctx, s)
}

// Whoever signs in while no session can be made gets nothing, and leaves nothing.
func TestSignInWithoutASession(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		h.watch.failing.Store(true)
		sound := h.server.Sessions.Store
		for _, row := range []struct {
			story string
			store sessions.Store
			more  []string
		}{
			{"in a browser", faulty{sound}, nil},
			{"for a token", faulty{sound}, []string{"want", "token"}},
			{"for a token of an app", faulty{sound}, []string{"want", "token", "app", "wiki"}},
			{"for a token of an app, where there is one at the portal", childless{sound}, []string{"want", "token", "app", "wiki"}},
		} {
			h.asksOf(row.store)
			b := h.program()
			if row.more == nil {
				b = h.browser()
			}
			c := b.connect("alice", row.more[:min(2, len(row.more))]...)
			a := b.post(h.Portal+"/.gateway/login", h.alice.answers(c, row.more...))
			a.refuses(row.story, http.StatusServiceUnavailable, "Unavailable")
			if a.header["Set-Cookie"] != nil || a.field("token") != "" || h.live("") != 0 {
				t.Errorf("%s: Set-Cookie %q, %d sessions, want none", row.story, a.header["Set-Cookie"], h.live(""))
			}
		}
		h.asksOf(sound)
		b := h.as(h.alice)
		h.asksOf(stuck{sound})
		a := b.post(h.Portal+"/.gateway/login", h.alice.answers(b.again("alice")))
		if a.refuses("where the session before cannot be ended", http.StatusServiceUnavailable, "Unavailable"); a.cookie(h.site.sessionCookie) != nil {
			t.Errorf("Set-Cookie %q, want no session", a.header["Set-Cookie"])
		}
	})
}

// A code that was taken when the session could not be made is spent: nobody is
// half signed in, and beginning again helps.
func TestCodeIsSpentWithoutASession(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		b := h.as(h.alice)
		code := b.code(h.Wiki + "/.gateway/sign-in?rd=/x")
		before := h.live(h.alice.id)
		h.watch.failing.Store(true)
		sound := h.server.Sessions.Store
		h.asksOf(faulty{sound})
		if a := b.navigate(code); a.status != http.StatusServiceUnavailable || a.cookie(h.site.sessionCookie) != nil {
			t.Errorf("status %d, Set-Cookie %q, want 503 and no session", a.status, a.header["Set-Cookie"])
		}
		h.asksOf(sound)
		if got := h.live(h.alice.id) - before; got != 0 {
			t.Errorf("%d sessions more", got)
		}
		if a := b.navigate(code); a.status != http.StatusBadRequest || a.cookie(h.site.sessionCookie) != nil {
			t.Errorf("the same code again: status %d, Set-Cookie %q, want 400", a.status, a.header["Set-Cookie"])
		}
		page, _ := b.visit(h.Wiki + "/x")
		page.wants(http.StatusOK)
	})
}

// meanwhile is a store that has something happen as soon as a session is made.
type meanwhile struct {
	sessions.Store

	do func()
}

func (m meanwhile) CreateSession(ctx context.Context, s sessions.Session) error {
	err := m.Store.CreateSession(ctx, s)
	m.do()
	return err
}

// Who is shut out at the very moment of signing in learns no more of themselves,
// and has nothing.
func TestShutOutWhileSigningIn(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		h.asksOf(meanwhile{h.server.Sessions.Store, func() {
			_, err := h.server.Register.SetStatus(context.Background(), h.bob.id, identity.Disabled)
			h.must(err)
		}})
		b := h.browser()
		if got := b.login(h.bob).wants(http.StatusOK).who(); got.UserID != h.bob.id || got.Login != "" || got.UserInfo.Name != "" {
			t.Errorf("login says %+v, want the id alone", got)
		}
		h.dead("what was opened", h.Portal, b.kept(h.Portal, h.site.sessionCookie))
	})
}

// late is a register's store that says of everybody what has come to be of them
// since their password was looked at.
type late struct {
	accounts.Store

	status identity.Status
	says   error
}

func (l late) Account(ctx context.Context, id string) (accounts.Account, error) {
	a, err := l.Store.Account(ctx, id)
	a.Status = l.status
	return a, errors.Join(err, l.says)
}

// Whoever is shut out between two looks at them is told what everybody is told.
func TestShutOutBetweenTwoLooks(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		for story, store := range map[string]late{"disabled": {h.store, identity.Disabled, nil}, "gone": {h.store, identity.Active, accounts.ErrNone}} {
			h.between(func() { h.server.Register.Store, h.server.Register.Cache = store, nil })
			b := h.browser()
			a := b.login(h.bob)
			if a.refuses(story, http.StatusUnauthorized, "BadUserOrPassword"); a.header["Set-Cookie"] != nil || h.live(h.bob.id) != 0 {
				t.Errorf("%s: Set-Cookie %q, %d sessions", story, a.header["Set-Cookie"], h.live(h.bob.id))
			}
		}
	})
}
