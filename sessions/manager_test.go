package sessions_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"gateway/internal/secret"
	"gateway/sessions"
)

func TestIssue(t *testing.T) {
	h := newHouse(t)
	h.Now = func() time.Time { return time.Date(2030, 1, 2, 3, 4, 5, 678_901_234, time.FixedZone("", 3600)) }
	now := time.Date(2030, 1, 2, 2, 4, 5, 678_901_000, time.UTC)

	want := alice()
	want.Audience, want.AuthTime, want.Created, want.Seen = portal, now, now, now
	want.Expires = time.Date(2030, 1, 3, 2, 4, 5, 0, time.UTC)
	s, token := h.signIn(t)
	want.ID = s.ID
	if diff := cmp.Diff(s, want); diff != "" {
		t.Errorf("Issue: got -, want +\n%s", diff)
	}
	if len(s.ID) < 26 {
		t.Errorf("ID %q is too short for 128 bits", s.ID)
	}
	h.verify(t, token, portal, s.ID, nil)
	if got := h.store.sessions[s.ID]; !cmp.Equal(got, s) {
		t.Errorf("stored %v, want %v", got, s)
	}

	child, childToken := h.enter(t, s, wiki)
	want.ID, want.Parent, want.Audience = child.ID, s.ID, wiki
	if diff := cmp.Diff(child, want); diff != "" {
		t.Errorf("IssueChild: got -, want +\n%s", diff)
	}
	h.verify(t, childToken, wiki, child.ID, nil)
}

func TestIssueFillsIn(t *testing.T) {
	h := newHouse(t)
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	h.Now = func() time.Time { return now }
	for _, row := range []struct {
		what string
		bend func(*sessions.Session)
		ok   func(sessions.Session) bool
	}{
		{"a foreign sign-in of ten minutes ago", func(s *sessions.Session) { s.AuthTime = now.Add(-10 * time.Minute) }, func(s sessions.Session) bool { return s.AuthTime.Equal(now.Add(-10 * time.Minute)) }},
		{"a provider that does not say when", func(s *sessions.Session) { s.AuthTime = time.Time{} }, func(s sessions.Session) bool { return s.AuthTime.IsZero() }},
		{"a foreign clock ahead", func(s *sessions.Session) { s.AuthTime = now.Add(time.Minute) }, func(s sessions.Session) bool { return s.AuthTime.Equal(now) }},
		{"an own id", func(s *sessions.Session) { s.ID = "chosen" }, func(s sessions.Session) bool { return s.ID != "chosen" }},
		{"an own limit", func(s *sessions.Session) { s.Expires = now.AddDate(100, 0, 0) }, func(s sessions.Session) bool { return s.Expires.Equal(now.Add(24 * time.Hour)) }},
		{"a long user agent", func(s *sessions.Session) { s.UserAgent = strings.Repeat("é", 1000) }, func(s sessions.Session) bool { return s.UserAgent == strings.Repeat("é", 128) }},
		{"a user agent that is no text", func(s *sessions.Session) { s.UserAgent = "a\xff\xfeb" }, func(s sessions.Session) bool { return s.UserAgent == "ab" }},
		{"an app's token", func(s *sessions.Session) { s.Audience = wiki }, func(s sessions.Session) bool { return s.Audience == wiki }},
	} {
		s := alice()
		row.bend(&s)
		got, _, err := h.Issue(t.Context(), s)
		if err != nil || !row.ok(got) {
			t.Errorf("%s: %+v, %v", row.what, got, err)
		}
	}
}

func TestIssueRefuses(t *testing.T) {
	h := newHouse(t)
	s, _ := h.signIn(t)
	child, _ := h.enter(t, s, wiki)
	lone := alice()
	lone.Audience = mail
	app, _, err := h.Issue(t.Context(), lone)
	if err != nil {
		t.Fatal(err)
	}

	h.store.sessions[""] = sessions.Session{Audience: portal, Created: s.Created, Seen: s.Seen, Expires: s.Expires} // of nobody
	for _, row := range []struct{ what, parent, audience string }{
		{"no parent", "", wiki},
		{"unknown parent", "nosuch", wiki},
		{"child of a child", child.ID, mail},
		{"child of an app's token", app.ID, wiki},
	} {
		if _, _, err := h.IssueChild(t.Context(), row.parent, row.audience); !errors.Is(err, sessions.ErrNone) {
			t.Errorf("%s: got %v, want ErrNone", row.what, err)
		}
	}
	for _, audience := range []string{"", portal} {
		if _, _, err := h.IssueChild(t.Context(), s.ID, audience); err == nil {
			t.Errorf("child at %q: got no error", audience)
		}
	}
	if _, _, err := h.Issue(t.Context(), sessions.Session{}); err == nil {
		t.Error("nobody's session: got no error")
	}
	if _, _, err := h.Issue(t.Context(), child); err == nil {
		t.Error("Issue with a parent: got no error")
	}
	long := alice()
	long.UserID = strings.Repeat("u", 4096)
	if _, _, err := h.Issue(t.Context(), long); err == nil {
		t.Error("token of more than 4096 bytes: got no error")
	}
	if got := len(h.store.sessions); got != 4 {
		t.Errorf("%d sessions stored, want 4", got)
	}
	h.Signer = new(sessions.Signer)
	if _, _, err := h.Issue(t.Context(), alice()); err == nil {
		t.Error("signer without keys: got no error")
	}
}

// The parent ends between its reading and the writing of the child.
func TestIssueChildOfEndingParent(t *testing.T) {
	h := newHouse(t)
	s, _ := h.signIn(t)
	h.store.before = func(call string) error {
		if call == "create" {
			h.store.deleteIf(func(sessions.Session) bool { return true })
		}
		return nil
	}
	if _, _, err := h.IssueChild(t.Context(), s.ID, wiki); !errors.Is(err, sessions.ErrNone) {
		t.Errorf("got %v, want ErrNone", err)
	}
}

func TestRevoke(t *testing.T) {
	for _, cache := range []bool{false, true} {
		for _, row := range []struct {
			what string
			id   func(root, wikiChild sessions.Session) string
		}{
			{"the portal session", func(root, _ sessions.Session) string { return root.ID }},
			{"one of its children", func(_, child sessions.Session) string { return child.ID }},
		} {
			h := newHouse(t)
			if cache {
				h.Store = sessions.Cached(h.store, 0)
			}
			root, rootToken := h.signIn(t)
			atWiki, wikiToken := h.enter(t, root, wiki)
			_, mailToken := h.enter(t, root, mail)
			other, otherToken := h.signIn(t)
			for range 2 { // ending none is no error
				if err := h.Revoke(t.Context(), row.id(root, atWiki)); err != nil {
					t.Errorf("%s: Revoke: %v", row.what, err)
				}
			}
			h.verify(t, rootToken, portal, "", sessions.ErrNone)
			h.verify(t, wikiToken, wiki, "", sessions.ErrNone)
			h.verify(t, mailToken, mail, "", sessions.ErrNone)
			h.verify(t, otherToken, portal, other.ID, nil)
		}
	}
}

func TestRevokeUser(t *testing.T) {
	h := newHouse(t)
	h.Store = sessions.Cached(h.store, 0)
	root, rootToken := h.signIn(t)
	_, wikiToken := h.enter(t, root, wiki)
	bob := alice()
	bob.UserID = "u-bob"
	bobs, bobToken, err := h.Issue(t.Context(), bob)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := h.RevokeUser(t.Context(), "u-alice"); n != 2 || err != nil {
		t.Errorf("RevokeUser = %d, %v; want 2, nil", n, err)
	}
	if n, err := h.RevokeUser(t.Context(), ""); n != 0 || err == nil {
		t.Errorf("RevokeUser of nobody = %d, %v; want 0 and an error", n, err)
	}
	h.verify(t, rootToken, portal, "", sessions.ErrNone)
	h.verify(t, wikiToken, wiki, "", sessions.ErrNone)
	h.verify(t, bobToken, portal, bobs.ID, nil)
}

func TestList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.signIn(t) // will be idle
		time.Sleep(40 * time.Minute)
		root, _ := h.signIn(t)
		time.Sleep(time.Second)
		child, _ := h.enter(t, root, wiki)
		h.store.sessions["orphan"] = sessions.Session{ID: "orphan", Parent: "gone", UserID: "u-alice", Expires: child.Expires}
		bob := alice()
		bob.UserID = "u-bob"
		time.Sleep(time.Second)
		bobs, _, err := h.Issue(t.Context(), bob)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Minute)
		for _, row := range []struct {
			user string
			want []string
		}{
			{"u-alice", []string{root.ID, child.ID}},
			{"", []string{root.ID, child.ID, bobs.ID}},
			{"u-nobody", nil},
		} {
			all, err := h.List(t.Context(), row.user)
			var got []string
			for _, s := range all {
				got = append(got, s.ID)
			}
			if err != nil || !cmp.Equal(got, row.want) {
				t.Errorf("List(%q) = %v, %v; want %v", row.user, got, err, row.want)
			}
		}
		if n, err := h.Clean(t.Context()); n != 2 || err != nil {
			t.Errorf("Clean = %d, %v; want 2 (idle, orphan), nil", n, err)
		}
	})
}

// Where the store cannot tell, neither can the manager, and nothing says ErrNone.
func TestStoreDown(t *testing.T) {
	h := newHouse(t)
	root, token := h.signIn(t)
	_, childToken := h.enter(t, root, wiki)
	down := false
	h.store.before = func(string) error {
		if down {
			return errDown
		}
		return nil
	}
	down = true
	nonce := [32]byte{1}
	for what, call := range map[string]func() error{
		"Verify":       func() error { _, err := h.Verify(t.Context(), token, portal); return err },
		"Verify child": func() error { _, err := h.Verify(t.Context(), childToken, wiki); return err },
		"Peek":         func() error { _, err := h.Peek(t.Context(), token, portal); return err },
		"Issue":        func() error { _, _, err := h.Issue(t.Context(), alice()); return err },
		"IssueChild":   func() error { _, _, err := h.IssueChild(t.Context(), root.ID, wiki); return err },
		"Revoke":       func() error { return h.Revoke(t.Context(), root.ID) },
		"RevokeUser":   func() error { _, err := h.RevokeUser(t.Context(), "u-alice"); return err },
		"List":         func() error { _, err := h.List(t.Context(), ""); return err },
		"Clean":        func() error { _, err := h.Clean(t.Context()); return err },
		"Grant":        func() error { _, err := h.Grant(t.Context(), root.ID, wiki, "f", nonce, "/"); return err },
		"Redeem":       func() error { _, _, _, err := h.Redeem(t.Context(), secret.New("f.x"), wiki, nonce); return err },
	} {
		err := call()
		if !errors.Is(err, errDown) || errors.Is(err, sessions.ErrNone) || errors.Is(err, sessions.ErrNoCode) {
			t.Errorf("%s: got %v, want %v alone", what, err, errDown)
		}
	}
	down = false
	h.verify(t, token, portal, root.ID, nil)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.Verify(ctx, token, portal); !errors.Is(err, context.Canceled) || errors.Is(err, sessions.ErrNone) {
		t.Errorf("visitor gone: got %v, want %v", err, context.Canceled)
	}
}

// What is in the store after a sign-in and a hand-off opens nothing.
func TestDumpOpensNothing(t *testing.T) {
	h := newHouse(t)
	root, _ := h.signIn(t)
	nonce := [32]byte{1}
	code, err := h.Grant(t.Context(), root.ID, wiki, "flow", nonce, "/target")
	if err != nil {
		t.Fatal(err)
	}
	var dump []string
	for _, s := range h.store.sessions {
		dump = append(dump, s.ID, s.UserID, s.ForeignID)
	}
	for _, c := range h.store.codes {
		dump = append(dump, string(c.Hash[:]), string(c.Nonce[:]), c.Flow+"."+string(c.Hash[:]), c.Parent, c.Target)
	}
	for _, text := range dump {
		if text == code.Reveal() {
			t.Errorf("the code is stored")
		}
		h.verify(t, secret.New(text), portal, "", sessions.ErrMalformed)
		if _, _, _, err := h.Redeem(t.Context(), secret.New(text), wiki, nonce); !errors.Is(err, sessions.ErrNoCode) {
			t.Errorf("Redeem(%q) = %v, want ErrNoCode", text, err)
		}
	}
}

// What cannot be revoked is not said to be.
func TestRevokeThatCannotTell(t *testing.T) {
	for _, fails := range []string{"read", "delete"} {
		h := newHouse(t)
		s, token := h.signIn(t)
		h.store.before = func(call string) error {
			if call == fails {
				return errDown
			}
			return nil
		}
		if err := h.Revoke(t.Context(), s.ID); !errors.Is(err, errDown) {
			t.Errorf("Revoke where %s fails = %v, want %v", fails, err, errDown)
		}
		h.store.before = nil
		h.verify(t, token, portal, s.ID, nil)
	}
}
