package sessions_test

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"gateway/internal/identity"
	"gateway/internal/secret"
	"gateway/sessions"
)

// The audiences of all tests.
const (
	portal = "https://auth.example.com"
	wiki   = "https://wiki.example.com"
	mail   = "https://mail.example.org"
)

var errDown = errors.New("store is down")

// memory keeps sessions and codes as the interfaces promise. Its hooks run
// outside its lock: afterRead between a read and its return, before every call.
type memory struct {
	mu        sync.Mutex
	sessions  map[string]sessions.Session
	codes     map[[32]byte]sessions.Code
	touches   int
	deletes   int
	reads     int
	afterRead func(id string)
	before    func(call string) error
}

func newMemory() *memory {
	return &memory{sessions: map[string]sessions.Session{}, codes: map[[32]byte]sessions.Code{}}
}

func (m *memory) begin(ctx context.Context, call string) error {
	if m.before != nil {
		if err := m.before(call); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (m *memory) CreateSession(ctx context.Context, s sessions.Session) error {
	if err := m.begin(ctx, "create"); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if s.Parent != "" {
		if _, ok := m.sessions[s.Parent]; !ok {
			return sessions.ErrNone
		}
	}
	m.sessions[s.ID] = s
	return nil
}

func (m *memory) Session(ctx context.Context, id string) (sessions.Session, error) {
	if err := m.begin(ctx, "read"); err != nil {
		return sessions.Session{}, err
	}
	m.mu.Lock()
	m.reads++
	s, ok := m.sessions[id]
	m.mu.Unlock()
	if m.afterRead != nil {
		m.afterRead(id)
	}
	if !ok {
		return sessions.Session{}, sessions.ErrNone
	}
	return s, nil
}

func (m *memory) TouchSession(ctx context.Context, id string, seen time.Time) error {
	if err := m.begin(ctx, "touch"); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.sessions[id]
	if !ok {
		return sessions.ErrNone
	}
	m.touches++
	for _, id := range []string{id, s.Parent} {
		if s, ok := m.sessions[id]; ok {
			s.Seen = seen
			m.sessions[id] = s
		}
	}
	return nil
}

func (m *memory) TouchSessions(ctx context.Context, ids []string, seen time.Time) error {
	if err := m.begin(ctx, "touch"); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range ids {
		if s, ok := m.sessions[id]; ok {
			m.touches++
			s.Seen = seen
			m.sessions[id] = s
		}
	}
	return nil
}

func (m *memory) DeleteSession(ctx context.Context, id string) (int, error) {
	if err := m.begin(ctx, "delete"); err != nil {
		return 0, err
	}
	return m.deleteIf(func(s sessions.Session) bool { return s.ID == id || s.Parent == id }), nil
}

func (m *memory) DeleteSessionsOf(ctx context.Context, userID string) (int, error) {
	if err := m.begin(ctx, "delete"); err != nil {
		return 0, err
	}
	return m.deleteIf(func(s sessions.Session) bool { return s.UserID == userID }), nil
}

func (m *memory) DeleteExpiredSessions(ctx context.Context, now time.Time, idle time.Duration) (int, error) {
	if err := m.begin(ctx, "delete"); err != nil {
		return 0, err
	}
	n := m.deleteIf(func(s sessions.Session) bool {
		return !now.Before(s.Expires) || s.Parent == "" && now.Sub(s.Seen) >= idle
	})
	return n + m.deleteIf(func(s sessions.Session) bool {
		_, ok := m.sessions[s.Parent]
		return s.Parent != "" && !ok
	}), nil
}

func (m *memory) deleteIf(over func(sessions.Session) bool) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.deletes++
	before := len(m.sessions)
	maps.DeleteFunc(m.sessions, func(_ string, s sessions.Session) bool { return over(s) })
	return before - len(m.sessions)
}

func (m *memory) Sessions(ctx context.Context, userID string) ([]sessions.Session, error) {
	if err := m.begin(ctx, "list"); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []sessions.Session
	for _, s := range m.sessions {
		if userID == "" || s.UserID == userID {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b sessions.Session) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	return all, nil
}

func (m *memory) PutCode(ctx context.Context, c sessions.Code) error {
	if err := m.begin(ctx, "put code"); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.codes[c.Hash] = c
	return nil
}

func (m *memory) TakeCode(ctx context.Context, hash [32]byte, audience string, nonce [32]byte, now time.Time) (sessions.Code, error) {
	if err := m.begin(ctx, "take code"); err != nil {
		return sessions.Code{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	c, ok := m.codes[hash]
	if !ok || c.Audience != audience || c.Nonce != nonce || !now.Before(c.Expires) {
		return sessions.Code{}, sessions.ErrNoCode
	}
	delete(m.codes, hash)
	return c, nil
}

// count returns a counter of m.
func (m *memory) count(counter *int) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return *counter
}

// house is a Manager over a memory, with the key that signs its tokens.
type house struct {
	*sessions.Manager

	store *memory
	key   sessions.Key
}

func newHouse(t testing.TB) *house {
	t.Helper()
	key := newKey(t)
	store := newMemory()
	return &house{
		Manager: &sessions.Manager{Store: store, Codes: store, Signer: newSigner(t, key), Issuer: portal},
		store:   store, key: key,
	}
}

func newKey(t testing.TB) sessions.Key {
	t.Helper()
	key, err := sessions.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newSigner(t testing.TB, active sessions.Key, others ...sessions.Key) *sessions.Signer {
	t.Helper()
	s, err := sessions.NewSigner(active, public(others...))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// alice is what a door and the register say about her.
func alice() sessions.Session {
	return sessions.Session{
		UserID: "u-alice", Key: identity.Key{Issuer: "https://id.example.net", Subject: "17"}, Provider: "corp",
		ForeignID: "foreign-1", Groups: []string{"corp:staff"}, AMR: []string{"fed"}, Address: "192.0.2.7", UserAgent: "Firefox",
	}
}

// signIn opens a portal session for alice.
func (h *house) signIn(t testing.TB) (sessions.Session, secret.Text) {
	t.Helper()
	who := alice()
	if who.AuthTime = time.Now(); h.Now != nil {
		who.AuthTime = h.Now()
	}
	s, token, err := h.Issue(t.Context(), who)
	if err != nil {
		t.Fatal(err)
	}
	return s, token
}

// enter opens a child of a session at an app.
func (h *house) enter(t testing.TB, parent sessions.Session, app string) (sessions.Session, secret.Text) {
	t.Helper()
	s, token, err := h.IssueChild(t.Context(), parent.ID, app)
	if err != nil {
		t.Fatal(err)
	}
	return s, token
}

// verify checks that Verify answers want (nil: the session with wantID).
func (h *house) verify(t *testing.T, token secret.Text, audience, wantID string, want error) {
	t.Helper()
	got, err := h.Verify(t.Context(), token, audience)
	if !errors.Is(err, want) || got.ID != wantID {
		t.Errorf("Verify(%s) = session %q, %v; want %q, %v", audience, got.ID, err, wantID, want)
	}
}
