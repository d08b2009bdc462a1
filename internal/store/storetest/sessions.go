package storetest

import (
	"errors"
	"testing"
	"time"

	"gateway/internal/identity"
	"gateway/sessions"
)

func noSession(t *testing.T, err error, what string) {
	t.Helper()
	if !errors.Is(err, sessions.ErrNone) {
		t.Errorf("%s = %v, want ErrNone", what, err)
	}
}

func gone(t *testing.T, s Store, ids ...string) {
	t.Helper()
	for _, id := range ids {
		_, err := s.Session(t.Context(), id)
		noSession(t, err, "Session("+id+")")
	}
}

func there(t *testing.T, s Store, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if _, err := s.Session(t.Context(), id); err != nil {
			t.Errorf("Session(%s) = %v, want it to be there", id, err)
		}
	}
}

func keepsSessions(t *testing.T, open Opener) {
	s := fresh(t, open)
	addUser(t, s, "a")
	addUser(t, s, "b")
	early, late := session("z", "", "a"), session("y", "", "a")
	early.Created = at(0)
	bare := sessions.Session{ID: "x", UserID: "b", Created: at(5)}
	addSession(t, s, late)
	addSession(t, s, bare)
	addSession(t, s, early)
	tie := addSession(t, s, session("ya", "", "a")) // created with y

	for _, want := range []sessions.Session{early, late, bare} {
		got, err := s.Session(t.Context(), want.ID)
		must(t, err)
		same(t, "Session("+want.ID+")", got, want)
		if got.Created.Location() != time.UTC || got.Expires.Location() != time.UTC {
			t.Errorf("Session(%s): times are not UTC", want.ID)
		}
	}
	same(t, "Sessions(a)", must1(s.Sessions(t.Context(), "a"))(t), []sessions.Session{early, late, tie})
	same(t, "Sessions()", must1(s.Sessions(t.Context(), ""))(t), []sessions.Session{early, late, tie, bare})
	same(t, "Sessions(nobody)", must1(s.Sessions(t.Context(), "nobody"))(t), []sessions.Session(nil))
	gone(t, s, "", "Z", "unknown")
	if err := s.CreateSession(t.Context(), late); err == nil {
		t.Error("CreateSession with an id that is there = nil, want an error")
	}

	if n, err := s.DeleteSessionsOf(t.Context(), "a"); n != 3 || err != nil {
		t.Errorf("DeleteSessionsOf = %d, %v; want 3", n, err)
	}
	if n, err := s.DeleteSessionsOf(t.Context(), "a"); n != 0 || err != nil {
		t.Errorf("second DeleteSessionsOf = %d, %v; want 0", n, err)
	}
	there(t, s, "x")
}

func children(t *testing.T, open Opener) {
	s := fresh(t, open)
	addUser(t, s, "a")
	addSession(t, s, session("portal", "", "a"))
	addSession(t, s, session("other", "", "a"))
	for _, id := range []string{"app1", "app2", "app3"} {
		addSession(t, s, session(id, "portal", "a"))
	}
	if n, err := s.DeleteSession(t.Context(), "app3"); n != 1 || err != nil {
		t.Errorf("DeleteSession of a child = %d, %v; want 1", n, err)
	}
	there(t, s, "portal", "app1", "app2", "other")
	if n, err := s.DeleteSession(t.Context(), "portal"); n != 3 || err != nil {
		t.Errorf("DeleteSession of a parent = %d, %v; want 3", n, err)
	}
	gone(t, s, "portal", "app1", "app2")
	there(t, s, "other")
	if n, err := s.DeleteSession(t.Context(), "portal"); n != 0 || err != nil {
		t.Errorf("second DeleteSession = %d, %v; want 0", n, err)
	}
	noSession(t, s.CreateSession(t.Context(), session("late", "portal", "a")), "CreateSession of a child whose parent is gone")
	gone(t, s, "late")

	addSession(t, s, session("portal", "", "a"))
	addSession(t, s, session("app1", "portal", "a"))
	if n, err := s.DeleteSessionsOf(t.Context(), "a"); n != 3 || err != nil {
		t.Errorf("DeleteSessionsOf with a child = %d, %v; want 3", n, err)
	}
}

// A session is opened for an active user alone, and what was refused is not
// there once the user is active again.
func onlyTheActive(t *testing.T, open Opener) {
	s := fresh(t, open)
	a := addUser(t, s, "a")
	addSession(t, s, session("portal", "", "a"))
	set := func(status identity.Status) {
		t.Helper()
		a.Status = status
		must(t, s.UpdateUser(t.Context(), a))
		a.Generation++
	}
	for i, status := range []identity.Status{identity.Waiting, identity.Unverified, identity.Disabled, "", "Active", "active ", "a status of the future"} {
		late, child, again := numbered("late", i), numbered("child", i), numbered("again", i)
		set(status)
		noSession(t, s.CreateSession(t.Context(), session(late, "", "a")), "CreateSession for a user who is "+string(status))
		noSession(t, s.CreateSession(t.Context(), session(child, "portal", "a")), "CreateSession of a child for a user who is "+string(status))
		gone(t, s, late, child)
		set(identity.Active)
		gone(t, s, late, child)
		addSession(t, s, session(again, "portal", "a"))
		must1(s.DeleteSession(t.Context(), again))(t)
	}
	same(t, "Sessions", must1(s.Sessions(t.Context(), "a"))(t), []sessions.Session{session("portal", "", "a")})

	// Whichever of the two comes first: no session of a user who is disabled
	// and whose sessions are ended then.
	errs := race(64, func(i int) error {
		if i != 32 {
			return s.CreateSession(t.Context(), session(numbered("race", i), "", "a"))
		}
		a.Status = identity.Disabled
		if err := s.UpdateUser(t.Context(), a); err != nil {
			return err
		}
		_, err := s.DeleteSessionsOf(t.Context(), "a")
		return err
	})
	for i, err := range errs {
		if err != nil && (i == 32 || !errors.Is(err, sessions.ErrNone)) {
			t.Errorf("caller %d got %v", i, err)
		}
	}
	same(t, "Sessions of the disabled", must1(s.Sessions(t.Context(), "a"))(t), []sessions.Session(nil))
}

func touch(t *testing.T, open Opener) {
	s := fresh(t, open)
	addUser(t, s, "a")
	for _, n := range []sessions.Session{session("portal", "", "a"), session("app1", "portal", "a"), session("app2", "portal", "a")} {
		addSession(t, s, n)
	}
	seen := func(want map[string]time.Time) {
		t.Helper()
		for id, at := range want {
			if got := must1(s.Session(t.Context(), id))(t).Seen; !got.Equal(at) {
				t.Errorf("%s was seen %v, want %v", id, got, at)
			}
		}
	}
	must(t, s.TouchSession(t.Context(), "app1", at(10)))
	seen(map[string]time.Time{"portal": at(10), "app1": at(10), "app2": at(2)})
	must(t, s.TouchSession(t.Context(), "portal", at(20)))
	seen(map[string]time.Time{"portal": at(20), "app1": at(10), "app2": at(2)})
	noSession(t, s.TouchSession(t.Context(), "unknown", at(30)), "TouchSession of none")
	must(t, s.TouchSessions(t.Context(), []string{"app2", "unknown", `quoted"'`, "app1"}, at(25)))
	seen(map[string]time.Time{"portal": at(20), "app1": at(25), "app2": at(25)})
	must(t, s.TouchSessions(t.Context(), nil, at(26)))
	seen(map[string]time.Time{"portal": at(20), "app1": at(25), "app2": at(25)})
	if _, err := s.DeleteSession(t.Context(), "portal"); err != nil {
		t.Fatal(err)
	}
	noSession(t, s.TouchSession(t.Context(), "app1", at(30)), "TouchSession of a child whose parent is gone")
}

func expiry(t *testing.T, open Opener) {
	s := fresh(t, open)
	addUser(t, s, "a")
	put := func(id, parent string, seen, expires time.Time) {
		t.Helper()
		n := session(id, parent, "a")
		n.Seen, n.Expires = seen, expires
		addSession(t, s, n)
	}
	const us = time.Microsecond
	now, idle := at(30), 10*time.Minute
	put("live", "", at(20).Add(us), at(30).Add(us))
	put("idle child of the live", "live", at(0), at(50))
	put("expired child of the live", "live", at(29), at(30))
	put("idle", "", at(20), at(50))
	put("fresh child of the idle", "idle", at(29), at(50))
	put("expired", "", at(29), at(30))
	put("fresh child of the expired", "expired", at(29), at(50))

	if n, err := s.DeleteExpiredSessions(t.Context(), now, idle); n != 5 || err != nil {
		t.Errorf("DeleteExpiredSessions = %d, %v; want 5", n, err)
	}
	there(t, s, "live", "idle child of the live")
	gone(t, s, "expired child of the live", "idle", "fresh child of the idle", "expired", "fresh child of the expired")
	if n, err := s.DeleteExpiredSessions(t.Context(), now, idle); n != 0 || err != nil {
		t.Errorf("second DeleteExpiredSessions = %d, %v; want 0", n, err)
	}
}
