package server_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"gateway/internal/accounts"
	"gateway/internal/audit"
	"gateway/internal/identity"
	"gateway/sessions"
)

// opens makes a live session of somebody at wiki, whatever the register says.
func (h *house) opens(userID, door string) []string {
	h.Helper()
	root, _, err := h.server.Sessions.Issue(h.Context(), sessions.Session{UserID: userID, Provider: door, AMR: []string{"pwd"}})
	h.must(err)
	_, token, err := h.server.Sessions.IssueChild(h.Context(), root.ID, h.Wiki)
	h.must(err)
	return []string{"Cookie", h.site.sessionCookie + "=" + token.Reveal()}
}

// A session is worth what its person is worth at this moment.
func TestSessionsOfThoseWhoMayNot(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		h.uncached()
		change := func(status identity.Status) func() {
			return func() {
				account, err := h.store.Account(t.Context(), h.bob.id)
				h.must(err)
				account.Status = status
				h.must(h.store.UpdateUser(t.Context(), account))
			}
		}
		h.server.Register.Cache = nil
		for _, row := range []struct {
			story, user, door string
			meanwhile         func()
			who               string
		}{
			{"bob", h.bob.id, identity.Local, func() {}, "bob"},
			{"bob, disabled behind our back", h.bob.id, identity.Local, change(identity.Disabled), ""},
			{"bob, unverified", h.bob.id, identity.Local, change(identity.Unverified), ""},
			{"bob, waiting", h.bob.id, identity.Local, change(identity.Waiting), ""},
			{"bob, of no status", h.bob.id, identity.Local, change(""), ""},
			{"bob, by a door that is not there", h.bob.id, "nosuch", func() {}, ""},
			{"bob, by no door", h.bob.id, "", func() {}, ""},
			{"bob, of whom nothing is known any more", h.bob.id, identity.Local, func() { h.server.Register.Store = forgetful{h.store, accounts.ErrNone} }, ""},
		} {
			change(identity.Active)()
			session := h.opens(row.user, row.door)
			h.between(row.meanwhile)
			own := h.raw(h.page("/x", session...))
			public := h.raw(h.page("/public/x", session...)).wants(http.StatusOK)
			if got := h.echo.last(t).Header.Get("Remote-User"); got != row.who {
				t.Errorf("%s: where everybody may, the app sees %q, want %q", row.story, got, row.who)
			}
			if row.who != "" {
				own.wants(http.StatusOK)
				continue
			}
			own.refuses(row.story, http.StatusUnauthorized, "SessionExpired")
			if public.header["Set-Cookie"] != nil {
				t.Errorf("%s: Set-Cookie %q", row.story, public.header["Set-Cookie"])
			}
			for _, dialect := range dialects {
				h.asks(dialect, h.about("/x", session...)).refuses(row.story, http.StatusUnauthorized, "SessionExpired")
			}
		}
	})
}

// forgetful is a register's store that does not say who anybody is.
type forgetful struct {
	accounts.Store

	says error
}

func (f forgetful) Account(context.Context, string) (accounts.Account, error) {
	return accounts.Account{}, f.says
}

// A register that cannot tell is no register that says no.
func TestRegisterThatCannotTell(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		session := h.at(h.bob)
		h.between(func() {
			h.server.Register.Cache = nil
			h.server.Register.Store = forgetful{h.store, errors.New("the disk is on fire")}
		})
		h.watch.failing.Store(true)
		before := len(h.audited("outcome", "refused"))
		for story, a := range map[string]answer{
			"own proxy":    h.raw(h.page("/x", session...)),
			"forward-auth": h.asks(forwardAuth, h.about("/x", session...)),
			"auth-request": h.asks(authRequest, h.about("/x", session...)),
			"ext-authz":    h.asks(extAuthz, h.about("/x", session...)),
		} {
			a.refuses(story, http.StatusServiceUnavailable, "Unavailable")
		}
		if got := len(h.audited("outcome", "refused")) - before; got != 0 {
			t.Errorf("%d lines in the book of refusals by the policy", got)
		}
		if h.live(h.bob.id) == 0 {
			t.Error("bob's session has ended")
		}
	})
}

// A person who cannot be vouched for does not pass.
func TestNoAssertionNoPass(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		session := h.at(h.bob)
		h.between(func() {
			h.server.Asserter = &sessions.Asserter{Signer: h.server.Asserter.Signer, Issuer: h.Portal, Now: h.clock.now}
		})
		h.raw(h.page("/x", session...)).wants(http.StatusOK)

		// A signer whose key is gone cannot sign.
		h.between(func() { h.server.Asserter.Signer = new(sessions.Signer) })
		h.watch.failing.Store(true)
		h.watch.panics.Store(true)
		hits := h.echo.count()
		for _, dialect := range dialects {
			a := h.asks(dialect, h.about("/x", session...)).wants(http.StatusServiceUnavailable)
			if a.header.Get("Remote-User") != "" {
				t.Errorf("%s says %q", dialect, a.header.Get("Remote-User"))
			}
		}
		h.raw(h.page("/x", session...)).wants(http.StatusServiceUnavailable)
		if got := h.echo.count() - hits; got != 0 {
			t.Errorf("%d requests have reached the app", got)
		}
	})
}

// What is refused is in the book, under the id that the person is shown; who
// is only asked to sign in is not.
func TestRefusalsAreInTheBook(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		bob := h.at(h.bob)
		for _, row := range []struct {
			target, rule, login string
			lines               []string
		}{
			{"/admin/users?x=canary", "admin", "bob", bob},
			{"/closed/x", "closed", "bob", bob},
			{"/closed/x", "closed", "", nil},
			{"/office/x", "office", "", nil},
		} {
			for way, a := range map[string]answer{
				"own proxy":    h.raw(h.page(row.target, row.lines...)),
				"a page":       h.raw(h.page(row.target, append([]string{"Accept", "text/html"}, row.lines...)...)),
				"forward-auth": h.asks(forwardAuth, h.about(row.target, row.lines...)),
				"auth-request": h.asks(authRequest, h.about(row.target, row.lines...)),
				"ext-authz":    h.asks(extAuthz, h.about(row.target, row.lines...)),
			} {
				id := a.wants(http.StatusForbidden).header.Get("X-Gateway-Decision")
				lines := h.audited("decision_id", id)
				if id == "" || len(lines) != 1 {
					t.Errorf("%s of %s: decision %q, in the book %v", way, row.target, id, lines)
					continue
				}
				login, _ := lines[0]["login"].(string)
				path, _, _ := strings.Cut(row.target, "?")
				if lines[0]["app"] != "wiki" || lines[0]["rule"] != row.rule || lines[0]["path"] != path || login != row.login || lines[0]["outcome"] != "refused" {
					t.Errorf("%s of %s: the book says %v", way, row.target, lines[0])
				}
			}
		}
		before := len(h.audited("outcome", "refused"))
		for _, a := range []answer{h.raw(h.page("/x")), h.asks(forwardAuth, h.about("/x")), h.asks(authRequest, h.about("/admin/x")), h.program().navigate(h.Wiki + "/x")} {
			if a.decision() != "login" || a.header.Get("X-Gateway-Decision") != "" {
				t.Errorf("nobody: %s, decision %q", a.decision(), a.header.Get("X-Gateway-Decision"))
			}
		}
		if got := len(h.audited("outcome", "refused")) - before; got != 0 {
			t.Errorf("%d lines in the book of those who are asked to sign in", got)
		}
	})
}

// lost is a book that nothing can be written to.
type lost struct{ slog.Handler }

func (lost) Handle(context.Context, slog.Record) error { return errors.New("the book is full") }

// A book that cannot be written to is told in the log.
func TestBookThatCannotBeWritten(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		h.server.Audit = &audit.Log{Handler: lost{h.server.Log.Handler()}}
		h.raw(h.page("/closed/x")).refuses("closed", http.StatusForbidden, "Forbidden")
		if log := h.log.String(); !strings.Contains(log, "audit line could not be written") || !strings.Contains(log, "the book is full") {
			t.Errorf("the log says nothing of it: %s", log)
		}
	})
}

// Who comes by a unix socket has no address; whether it is believed is said by
// a word of its own.
func TestPeersOnUnixSockets(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	for _, believed := range []bool{false, true} {
		h.server.Trusted.Unix = believed
		for _, peer := range []string{"@", "", "@x", "unix", "/run/x.sock"} {
			r := bare(t, http.MethodGet, "authz", forwardAuth, "", "", "")
			r.RemoteAddr = peer
			for i, lines := 0, h.about("/public/x").lines(forwardAuth); i < len(lines); i += 2 {
				r.Header[lines[i]] = []string{lines[i+1]}
			}
			want := http.StatusForbidden
			if believed && (peer == "@" || peer == "") {
				want = http.StatusOK
			}
			if got := h.inside(h.server.AuthzHandler(), r).Code; got != want {
				t.Errorf("peer %q, believed: %v: status %d, want %d", peer, believed, got, want)
			}
		}
	}
}
