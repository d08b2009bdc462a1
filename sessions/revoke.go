package sessions

import (
	"context"
	"errors"
	"fmt"
)

// Revoke ends a session with its parent and all children of that: whoever
// signs out anywhere is signed out everywhere. Ending none is no error. Once
// it returns nil, no Verify that starts later finds any of them.
func (m *Manager) Revoke(ctx context.Context, id string) error {
	s, err := m.Store.Session(ctx, id)
	if errors.Is(err, ErrNone) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read session to revoke: %w", err)
	}
	if _, err := m.Store.DeleteSession(ctx, s.rootID()); err != nil {
		return fmt.Errorf("revoke session: %w", err)
	}
	return nil
}

// RevokeUser ends all sessions of a user and returns how many, children
// included. It promises what Revoke does.
func (m *Manager) RevokeUser(ctx context.Context, userID string) (int, error) {
	if userID == "" {
		return 0, errors.New("sessions: revoke wants a user")
	}
	n, err := m.Store.DeleteSessionsOf(ctx, userID)
	if err != nil {
		return n, fmt.Errorf("revoke sessions of user %s: %w", userID, err)
	}
	return n, nil
}

// Clean removes what is past its limits from the store and returns how many
// sessions that were. Verify does not depend on it.
func (m *Manager) Clean(ctx context.Context) (int, error) {
	n, err := m.Store.DeleteExpiredSessions(ctx, m.now(), m.idle())
	if err != nil {
		return n, fmt.Errorf("delete expired sessions: %w", err)
	}
	return n, nil
}
