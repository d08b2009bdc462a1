// Package storetest holds the promises of the stores as tests: what accounts,
// localauth, sessions, providers and throttle rely on, whichever engine keeps
// it. Every engine runs Run.
package storetest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gateway/internal/accounts"
	"gateway/internal/identity"
	"gateway/internal/throttle"
	"gateway/localauth"
	"gateway/sessions"
)

// Store is an engine: every seam, and what its owner has to call.
type Store interface {
	accounts.Store
	localauth.Users
	localauth.Spent
	sessions.Store
	sessions.Codes
	sessions.AppTokenStore
	throttle.Store

	// Sweep removes what was taken or could have been, and is long past.
	Sweep(ctx context.Context, now time.Time) (int, error)
	// Ping returns nil if the store can be used.
	Ping(ctx context.Context) error
	Close() error
}

// Opener opens the store that a folder stands for, an empty one at first. The
// test closes it.
type Opener func(t *testing.T, dir string) Store

// Run tests the promises of an engine.
func Run(t *testing.T, open Opener) {
	for name, test := range map[string]func(*testing.T, Opener){
		"users":                users,
		"logins stay taken":    loginsStayTaken,
		"all or nothing":       allOrNothing,
		"compare and swap":     compareAndSwap,
		"pending: bounds":      pendingHasBounds,
		"pending: too long":    pendingIsForgotten,
		"invitations":          invitations,
		"invited once":         invitedOnce,
		"accepted once":        acceptedOnce,
		"chosen once":          chosenOnce,
		"guests":               guests,
		"guests open so often": guestsOpenSoOften,
		"links":                links,
		"passwords":            passwords,
		"deletion cascades":    deletionCascades,
		"sessions":             keepsSessions,
		"children":             children,
		"only the active":      onlyTheActive,
		"touch":                touch,
		"expiry":               expiry,
		"app tokens":           appTokens,
		"app tokens end once":  appTokensEndOnce,
		"codes":                codes,
		"codes expire":         codesExpire,
		"taken once":           takenOnce,
		"sweep":                sweep,
		"slots":                slots,
		"one winner":           oneWinner,
		"cancelled":            cancelled,
		"reopened":             reopened,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open)
		})
	}
}

// fresh opens an empty store and closes it when the test ends.
func fresh(t *testing.T, open Opener) Store {
	t.Helper()
	s := open(t, t.TempDir())
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
	})
	return s
}

// at is a moment with microseconds, in another zone than UTC.
func at(minute int) time.Time {
	return time.Date(2026, 3, 1, 12, minute, 0, 123_456_000, time.FixedZone("elsewhere", 7200))
}

// same compares what was kept with what was given: times in UTC, lists without
// telling nil from empty.
func same(t *testing.T, what string, got, want any) {
	t.Helper()
	utc := cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) })
	if diff := cmp.Diff(want, got, utc, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func account(id, login string) accounts.Account {
	return accounts.Account{
		User: identity.User{
			ID: id, Login: login, Name: "Näme " + id, Email: id + "@example.com", EmailVerified: true,
			Groups: []string{"a", "quote\"d", "ops"}, Status: identity.Active, Created: at(0), Generation: 1,
		},
		EmailSet: true,
	}
}

func foreignLink(userID string) accounts.Link {
	return accounts.Link{
		Key: identity.Key{Issuer: "https://id.example", Subject: "sub-" + userID}, UserID: userID, Provider: "corp",
		Username: "name-" + userID, Email: userID + "@corp.example", Linked: at(1), LastSignIn: at(2),
	}
}

func localLink(userID string) accounts.Link {
	return accounts.Link{
		Key: identity.Key{Issuer: identity.Local, Subject: userID}, UserID: userID, Provider: identity.Local, Linked: at(1),
	}
}

func verifier() *accounts.Verifier {
	return &accounts.Verifier{Salt: []byte("0123456789abcdef"), Iterations: 600_000, StoredKey: []byte{0, 1, 255}, ServerKey: []byte{2, 0}, Version: 3}
}

// addUser records a foreign user.
func addUser(t *testing.T, s Store, id string) accounts.Account {
	t.Helper()
	a := account(id, "corp:sub-"+id)
	must(t, s.CreateUser(t.Context(), a, foreignLink(id), nil))
	return a
}

// addLocal records a user with a password.
func addLocal(t *testing.T, s Store, id, login string) accounts.Account {
	t.Helper()
	a := account(id, login)
	must(t, s.CreateUser(t.Context(), a, localLink(id), verifier()))
	return a
}

func session(id, parent, userID string) sessions.Session {
	return sessions.Session{
		ID: id, Parent: parent, Audience: "https://app.example", UserID: userID,
		Key: identity.Key{Issuer: "https://id.example", Subject: "sub-" + userID}, Provider: "corp", ForeignID: "their-sid",
		Groups: []string{"corp:engineering"}, AMR: []string{"fed", "otp"},
		AuthTime: at(0), Created: at(1), Seen: at(2), Expires: at(50), Address: "192.0.2.1", UserAgent: "Agent/1.0 (ü)",
	}
}

// addSession keeps a session.
func addSession(t *testing.T, s Store, n sessions.Session) sessions.Session {
	t.Helper()
	must(t, s.CreateSession(t.Context(), n))
	return n
}

func code(n byte, parent string) sessions.Code {
	return sessions.Code{
		Hash: [32]byte{n, 31: 1}, Flow: "flow", Audience: "https://app.example", Parent: parent,
		Nonce: [32]byte{n, 31: 2}, Target: "/path?query=1", Expires: at(1),
	}
}

// race runs n callers at once and returns their errors.
func race(n int, call func(i int) error) []error {
	errs := make([]error, n)
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			<-start
			errs[i] = call(i)
		})
	}
	close(start)
	all.Wait()
	return errs
}

// wantOne fails unless one of the callers won and all others got the sentinel.
func wantOne(t *testing.T, what string, errs []error, is func(error) bool) {
	t.Helper()
	won := 0
	for _, err := range errs {
		switch {
		case err == nil:
			won++
		case !is(err):
			t.Errorf("%s: a loser got %v", what, err)
		}
	}
	if won != 1 {
		t.Errorf("%s: %d winners, want 1", what, won)
	}
}

func numbered(prefix string, i int) string { return fmt.Sprintf("%s-%03d", prefix, i) }
