package sessions

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"

	"gateway/internal/once"
	"gateway/internal/secret"
)

// The bounds of an app token's life.
const (
	MinTokenLife = time.Minute
	MaxTokenLife = 365 * 24 * time.Hour
)

const (
	maxTokenName = 64 // bytes
	heldTokens   = 1 << 14
	tokenTouch   = time.Hour // at most so often is the last use of a token written
)

// AppTokens makes, verifies and ends app tokens. Its exported fields are set
// before its first use and left alone. It is safe for concurrent use.
//
// What it has read of the store it keeps in memory, and every write goes
// through to the store first, so that nothing that has ended ever counts again.
// That holds only while nobody else writes to the same store.
type AppTokens struct {
	Store        AppTokenStore
	OnTouchError func(error) // told when a last use, or an end, could not be written. No answer depends on it
	Now          func() time.Time

	begun    sync.Once
	held     *memo[[32]byte, *AppToken] // never changed: a touched one is replaced
	touching sync.Map                   // IDs whose last use is being written
	failed   atomic.Int64               // when a last use could not be written, in microseconds
}

// Issue makes a token for a person at an app and returns it with its record. ID,
// Hash, Created and Expires are filled in. ErrUnsound: a name that is not
// printable or over 64 bytes, no person, no app, or a lifetime that is not from a
// minute to a year. ErrNoToken: the person is not active.
func (a *AppTokens) Issue(ctx context.Context, t AppToken, lifetime time.Duration) (AppToken, secret.Text, error) {
	switch {
	case t.UserID == "" || t.App == "":
		return AppToken{}, secret.Text{}, fmt.Errorf("%w: it is of one person for one app", ErrUnsound)
	case !tokenName(t.Name):
		return AppToken{}, secret.Text{}, fmt.Errorf("%w: its name is printable, of 1 to %d bytes, without blanks at its ends", ErrUnsound, maxTokenName)
	case lifetime < MinTokenLife || lifetime > MaxTokenLife:
		return AppToken{}, secret.Text{}, fmt.Errorf("%w: it lives from %v to %v", ErrUnsound, MinTokenLife, MaxTokenLife)
	}
	text := newAppText()
	t.ID, t.Hash = rand.Text()[:12], appHash(text)
	t.Created, t.Seen, t.Ended = a.now(), time.Time{}, time.Time{}
	t.Expires = t.Created.Add(lifetime)
	if err := a.Store.CreateAppToken(ctx, t); err != nil {
		return AppToken{}, secret.Text{}, fmt.Errorf("store new app token: %w", err)
	}
	return t, secret.New(text), nil
}

func tokenName(name string) bool {
	return name != "" && len(name) <= maxTokenName && strings.TrimSpace(name) == name && utf8.ValidString(name) &&
		!strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) })
}

// Verify returns the record of a token that counts at an app, and counts as its
// use.
//
//   - ErrMalformed: no app token; no store was asked
//   - ErrNoToken: there is none
//   - ErrTokenOver, ErrTokenElsewhere: there is, and its record comes beside
//   - anything else: cannot tell
func (a *AppTokens) Verify(ctx context.Context, token secret.Text, app string) (AppToken, error) {
	now := a.now()
	t, err := a.find(ctx, token, app, now)
	if err != nil {
		return t, err
	}
	return a.use(ctx, t, now)
}

// Peek is Verify that does not count as use.
func (a *AppTokens) Peek(ctx context.Context, token secret.Text, app string) (AppToken, error) {
	return a.find(ctx, token, app, a.now())
}

func (a *AppTokens) find(ctx context.Context, token secret.Text, app string, now time.Time) (AppToken, error) {
	text := token.Reveal()
	if !soundAppText(text) {
		return AppToken{}, fmt.Errorf("%w: not the form of an app token", ErrMalformed)
	}
	hash := appHash(text)
	t, err := a.record(ctx, hash)
	switch {
	case err != nil:
		return AppToken{}, err
	case subtle.ConstantTimeCompare(t.Hash[:], hash[:]) != 1 || t.UserID == "" || t.App == "":
		return AppToken{}, fmt.Errorf("%w: the record is of another", ErrNoToken)
	case !t.Ended.IsZero():
		return *t, ErrTokenOver
	case !now.Before(t.Expires):
		a.bury(ctx, t, now)
		return *t, ErrTokenOver
	case t.App != app:
		return *t, ErrTokenElsewhere
	}
	return *t, nil
}

// record returns what is recorded of a hash, read only.
func (a *AppTokens) record(ctx context.Context, hash [32]byte) (*AppToken, error) {
	held := a.memory()
	if t, ok := held.get(hash); ok {
		return t, nil
	}
	epoch := held.epoch(hash)
	t, err := a.Store.AppToken(ctx, hash)
	if err != nil {
		return nil, fmt.Errorf("read app token: %w", err)
	}
	held.putSince(epoch, hash, &t)
	return &t, nil
}

// bury writes down that a token is past its time, so that no clock set back
// revives it.
func (a *AppTokens) bury(ctx context.Context, t *AppToken, now time.Time) {
	ctx, cancel := lasting(ctx)
	defer cancel()
	if _, err := a.end(ctx, AppTokenFilter{ID: t.ID}, now); err != nil {
		a.report(fmt.Errorf("end expired app token: %w", err))
	}
}

// use writes down that a token is used now, as Manager does of sessions: of many
// at a time one writes, and only an ErrNoToken changes the answer.
func (a *AppTokens) use(ctx context.Context, t AppToken, now time.Time) (AppToken, error) {
	if now.Sub(t.Seen).Abs() < tokenTouch || now.Sub(time.UnixMicro(a.failed.Load())).Abs() < touchRest {
		return t, nil
	}
	if _, busy := a.touching.LoadOrStore(t.ID, nil); busy {
		return t, nil
	}
	defer a.touching.Delete(t.ID)
	ctx, cancel := lasting(ctx)
	defer cancel()
	if fresh, err := a.record(ctx, t.Hash); err == nil && now.Sub(fresh.Seen).Abs() < tokenTouch {
		return t, nil // somebody was faster
	}
	err := a.Store.TouchAppToken(ctx, t.Hash, now)
	switch {
	case errors.Is(err, ErrNoToken):
		a.memory().drop(t.Hash)
		return AppToken{}, fmt.Errorf("write last use: %w", err)
	case err != nil:
		a.memory().drop(t.Hash) // what the store has now is unknown
		a.failed.Store(now.UnixMicro())
		a.report(fmt.Errorf("write last use: %w", err))
		return t, nil
	}
	a.memory().change(t.Hash, func(old *AppToken) *AppToken {
		used := *old
		used.Seen = now
		return &used
	})
	t.Seen = now
	return t, nil
}

// List returns the tokens that f picks and that count, by Created.
func (a *AppTokens) List(ctx context.Context, f AppTokenFilter) ([]AppToken, error) {
	all, err := a.Store.AppTokens(ctx, f)
	if err != nil {
		return nil, fmt.Errorf("list app tokens: %w", err)
	}
	now, live := a.now(), make([]AppToken, 0, len(all))
	for _, t := range all {
		if t.Ended.IsZero() && now.Before(t.Expires) {
			live = append(live, t)
		}
	}
	return live, nil
}

// Revoke ends the tokens that f picks, which has to say something, and returns
// how many these were. Once it returns nil, no Verify that starts later takes any
// of them.
func (a *AppTokens) Revoke(ctx context.Context, f AppTokenFilter) (int, error) {
	if f == (AppTokenFilter{}) {
		return 0, fmt.Errorf("%w: revoke wants a token, a person or an app", ErrUnsound)
	}
	n, err := a.end(ctx, f, a.now())
	if err != nil {
		return 0, fmt.Errorf("revoke app tokens: %w", err)
	}
	return n, nil
}

// end drops whatever the store answers, since an error does not say that
// nothing has ended.
func (a *AppTokens) end(ctx context.Context, f AppTokenFilter, at time.Time) (int, error) {
	n, err := a.Store.EndAppTokens(ctx, f, at)
	a.memory().dropAll(func(t *AppToken) bool { return f.has(t) })
	return n, err
}

func (a *AppTokens) memory() *memo[[32]byte, *AppToken] {
	a.begun.Do(func() {
		a.held = newMemo[[32]byte, *AppToken](heldTokens, func(hash [32]byte) uint64 { return binary.LittleEndian.Uint64(hash[:8]) })
	})
	return a.held
}

func (a *AppTokens) report(err error) {
	if a.OnTouchError != nil {
		a.OnTouchError(err)
	}
}

// now is UTC in microseconds, as tokens are stored.
func (a *AppTokens) now() time.Time {
	if a.Now != nil {
		return a.Now().UTC().Truncate(time.Microsecond)
	}
	return time.Now().UTC().Truncate(time.Microsecond)
}

// appHash is what is kept of a token. A token has 256 random bits, so that no
// slow hash is needed.
func appHash(text string) [32]byte { return once.Hash("app token", text) }
