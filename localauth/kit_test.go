package localauth_test

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"gateway/internal/once"
	"gateway/internal/seal"
	"gateway/internal/secret"
	"gateway/localauth"
	"gateway/localauth/scram"
)

const (
	browser = "the-pre-session-cookie"
	rounds  = 4096 // what is tested does not depend on them
)

var (
	pepper  = bytes.Repeat([]byte{7}, localauth.PepperSize)
	saltKey = bytes.Repeat([]byte{9}, localauth.SaltKeySize)
)

// people are users in memory. It counts how often somebody is looked up.
type people struct {
	mu    sync.Mutex
	users map[string]localauth.User
	asked int
	err   error
}

func (p *people) LocalUser(_ context.Context, username string) (localauth.User, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked++
	if p.err != nil {
		return localauth.User{}, p.err
	}
	u, ok := p.users[username]
	if !ok {
		return localauth.User{}, localauth.ErrNoUser
	}
	return u, nil
}

// change replaces a user's record.
func (p *people) change(name string, edit func(*localauth.User)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	u := p.users[name]
	edit(&u)
	p.users[name] = u
}

// ledger is what has been taken, in memory.
type ledger struct {
	mu    sync.Mutex
	taken map[[32]byte]time.Time
	err   error
}

func (l *ledger) Take(_ context.Context, hash [32]byte, expires time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return l.err
	}
	if _, ok := l.taken[hash]; ok {
		return fmt.Errorf("take: %w", once.ErrSpent)
	}
	l.taken[hash] = expires
	return nil
}

func (l *ledger) size() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.taken)
}

// house is a door with the people behind it: alice and bob, carol who is
// disabled. Everybody's password is their name and "'s password".
type house struct {
	*localauth.Local
	people *people
	ledger *ledger
}

func open(t testing.TB) house {
	t.Helper()
	box, err := seal.New(bytes.Repeat([]byte{1}, seal.KeySize), "challenge")
	if err != nil {
		t.Fatal(err)
	}
	h := house{
		people: &people{users: map[string]localauth.User{}},
		ledger: &ledger{taken: map[[32]byte]time.Time{}},
	}
	h.Local = &localauth.Local{
		Users: h.people, Spent: h.ledger, Seal: box, Pepper: pepper, SaltKey: saltKey,
		Portal: "https://auth.example.com", Iterations: rounds,
	}
	for _, name := range []string{"alice", "bob", "carol"} {
		h.people.users[name] = user(t, name, password(name), 1)
	}
	h.people.change("carol", func(u *localauth.User) { u.Disabled = true })
	return h
}

func password(name string) string { return name + "'s password" }

// user is a record as a store keeps it.
func user(t testing.TB, name, password string, version int64) localauth.User {
	t.Helper()
	salt := bytes.Repeat([]byte(name[:1]), localauth.SaltSize)
	v, err := localauth.Derive(password, salt, rounds)
	if err != nil {
		t.Fatal(err)
	}
	return record(t, "id-"+name, version, v)
}

func record(t testing.TB, userID string, version int64, v localauth.Verifier) localauth.User {
	t.Helper()
	stored, server, err := localauth.Wrap(pepper, userID, version, v)
	if err != nil {
		t.Fatal(err)
	}
	return localauth.User{
		UserID: userID, Version: version,
		Salt: v.Salt, Iterations: v.Iterations, StoredKey: stored, ServerKey: server,
	}
}

// talk is one exchange of a client with the door.
type talk struct {
	client    *scram.Client
	challenge localauth.Challenge
	reply     localauth.Reply
}

// begin takes the exchange to the point where the reply is ready.
func (h house) begin(t testing.TB, name, password string) talk {
	t.Helper()
	k := talk{client: &scram.Client{Username: name, Password: secret.New(password), MinIterations: 1}}
	first, err := k.client.First()
	if err != nil {
		t.Fatal(err)
	}
	k.challenge, err = h.Begin(t.Context(), browser, first, localauth.WantCookie)
	if err != nil {
		t.Fatal(err)
	}
	final, err := k.client.Final(k.challenge.ServerFirst)
	if err != nil {
		t.Fatal(err)
	}
	k.reply = localauth.Reply{Username: name, ChallengeID: k.challenge.ID, ClientFinal: final}
	return k
}

// finish hands a reply in.
func (h house) finish(ctx context.Context, reply localauth.Reply) (localauth.Outcome, error) {
	p, err := h.Open(browser, reply, localauth.WantCookie)
	if err != nil {
		return localauth.Outcome{}, err
	}
	return h.Finish(ctx, p)
}
