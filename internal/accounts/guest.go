package accounts

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"gateway/internal/once"
	"gateway/internal/secret"
)

// ErrNoGuest says that there is no such guest link, or it was used up, ended or
// is too old.
var ErrNoGuest = errors.New("accounts: no such guest link")

// Guest is a link that lets whoever opens it see a part of one app for a while.
// A guest is no user: nobody is told who it is.
type Guest struct {
	ID      string // for admins: it opens nothing
	Hash    [32]byte
	Name    string // for admins: whom it was given to, or what for
	Host    string // canonical
	Paths   []string
	Methods []string // GET has HEAD
	Most    int      // how often it can be opened
	Opened  int      // how often it was
	Created time.Time
	Expires time.Time
}

const (
	maxGuestName   = 64
	maxGuestOpened = 1000
)

func guestHash(code secret.Text) [32]byte { return once.Hash("guest", code.Reveal()) }

// AddGuest records a guest link. Host, paths and methods have to be sound. It
// returns ErrInvalid for a name that is none, and a lifetime that is not from a
// minute to 30 days.
func (r *Register) AddGuest(ctx context.Context, g Guest, lifetime time.Duration) (Guest, secret.Text, error) {
	switch {
	case g.Name == "" || len(g.Name) > maxGuestName || strings.TrimSpace(g.Name) != g.Name || !utf8.ValidString(g.Name) ||
		strings.ContainsFunc(g.Name, func(c rune) bool { return !unicode.IsPrint(c) }):
		return Guest{}, secret.Text{}, fmt.Errorf("name of a guest: printable, at most %d bytes: %w", maxGuestName, ErrInvalid)
	case g.Host == "" || len(g.Paths) == 0 || len(g.Methods) == 0:
		return Guest{}, secret.Text{}, fmt.Errorf("a guest link has a host, paths and methods: %w", ErrInvalid)
	case g.Most < 1 || g.Most > maxGuestOpened:
		return Guest{}, secret.Text{}, fmt.Errorf("a guest link opens from 1 to %d times: %w", maxGuestOpened, ErrInvalid)
	case lifetime < shortest || lifetime > longest:
		return Guest{}, secret.Text{}, fmt.Errorf("lifetime %v is not from %v to %v: %w", lifetime, shortest, longest, ErrInvalid)
	}
	code := secret.New(rand.Text())
	g.ID, g.Hash, g.Opened, g.Created = rand.Text()[:12], guestHash(code), 0, r.now()
	g.Expires = g.Created.Add(lifetime)
	if err := r.Store.CreateGuest(ctx, g); err != nil {
		return Guest{}, secret.Text{}, err
	}
	return g, code, nil
}

// GuestBy returns the link of a secret that is not too old, used up or not, or
// ErrNoGuest. It counts nothing.
func (r *Register) GuestBy(ctx context.Context, code secret.Text) (Guest, error) {
	if code.Empty() {
		return Guest{}, ErrNoGuest
	}
	return r.Store.GuestByHash(ctx, guestHash(code), r.now())
}

// OpenGuest counts an opening of the link. It returns ErrNoGuest.
func (r *Register) OpenGuest(ctx context.Context, code secret.Text) error {
	if code.Empty() {
		return ErrNoGuest
	}
	return r.Store.OpenGuest(ctx, guestHash(code), r.now())
}

// Guest returns a link by its id, or ErrNoGuest: whoever has opened it is a
// guest for as long as it is there.
func (r *Register) Guest(ctx context.Context, id string) (Guest, error) {
	return r.Store.Guest(ctx, id, r.now())
}

// Guests returns the links that are not too old, oldest first.
func (r *Register) Guests(ctx context.Context) ([]Guest, error) { return r.Store.Guests(ctx, r.now()) }

// EndGuest ends a link, for whoever has opened it too. It returns ErrNoGuest.
func (r *Register) EndGuest(ctx context.Context, id string) error {
	return r.Store.DeleteGuest(ctx, id)
}
