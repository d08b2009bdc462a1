package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gateway/sessions"
)

// CreateSession keeps a new session, if its user and its parent are there.
func (s *Store) CreateSession(ctx context.Context, n sessions.Session) error {
	groups, err := list(n.Groups).text()
	if err != nil {
		return fmt.Errorf("sqlite: groups: %w", err)
	}
	amr, err := list(n.AMR).text()
	if err != nil {
		return fmt.Errorf("sqlite: amr: %w", err)
	}
	return s.write.do(ctx, func(ctx context.Context, t tx) error {
		made, err := t.exec(ctx, `
			INSERT INTO sessions (id, parent, audience, user_id, issuer, subject, provider, foreign_id, groups, amr,
				auth_time, created, seen, expires, address, user_agent)
			SELECT ?1, NULLIF(?2, ''), ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16
			WHERE EXISTS (SELECT 1 FROM users WHERE id = ?4 AND status = 'active')
				AND (?2 = '' OR EXISTS (SELECT 1 FROM sessions WHERE id = ?2))`,
			n.ID, n.Parent, n.Audience, n.UserID, n.Key.Issuer, n.Key.Subject, n.Provider, n.ForeignID, groups, amr,
			micros(n.AuthTime), micros(n.Created), micros(n.Seen), micros(n.Expires), n.Address, n.UserAgent)
		if err != nil {
			return fmt.Errorf("sqlite: create session: %w", err)
		}
		if made == 0 {
			return fmt.Errorf("its user, who is not active, or its parent: %w", sessions.ErrNone)
		}
		return nil
	})
}

const sessionColumns = `id, COALESCE(parent, ''), audience, user_id, issuer, subject, provider, foreign_id, groups, amr,
	auth_time, created, seen, expires, address, user_agent`

func scanSession(row scanner) (sessions.Session, error) {
	var n sessions.Session
	var authTime, created, seen, expires int64
	err := row.Scan(&n.ID, &n.Parent, &n.Audience, &n.UserID, &n.Key.Issuer, &n.Key.Subject, &n.Provider, &n.ForeignID,
		(*list)(&n.Groups), (*list)(&n.AMR), &authTime, &created, &seen, &expires, &n.Address, &n.UserAgent)
	if errors.Is(err, sql.ErrNoRows) {
		return sessions.Session{}, sessions.ErrNone
	}
	if err != nil {
		return sessions.Session{}, fmt.Errorf("sqlite: read session: %w", err)
	}
	n.AuthTime, n.Created, n.Seen, n.Expires = fromMicros(authTime), fromMicros(created), fromMicros(seen), fromMicros(expires)
	return n, nil
}

// Session returns a session by id.
func (s *Store) Session(ctx context.Context, id string) (sessions.Session, error) {
	return scanSession(s.read.row(ctx, `SELECT `+sessionColumns+` FROM sessions WHERE id = ?`, id))
}

// TouchSession notes use of a session and of its parent.
func (s *Store) TouchSession(ctx context.Context, id string, seen time.Time) error {
	return s.write.do(ctx, func(ctx context.Context, t tx) error {
		n, err := t.exec(ctx, `
			UPDATE sessions SET seen = ?1
			WHERE id = ?2 OR id = (SELECT parent FROM sessions WHERE id = ?2)`, micros(seen), id)
		if err != nil {
			return fmt.Errorf("sqlite: touch session: %w", err)
		}
		if n == 0 {
			return sessions.ErrNone
		}
		return nil
	})
}

// TouchSessions notes use of sessions.
func (s *Store) TouchSessions(ctx context.Context, ids []string, seen time.Time) error {
	list, err := json.Marshal(ids)
	if err != nil {
		return fmt.Errorf("sqlite: touch sessions: %w", err)
	}
	return s.write.do(ctx, func(ctx context.Context, t tx) error {
		_, err := t.exec(ctx, `UPDATE sessions SET seen = ?1 WHERE id IN (SELECT value FROM json_each(?2))`, micros(seen), string(list))
		if err != nil {
			return fmt.Errorf("sqlite: touch sessions: %w", err)
		}
		return nil
	})
}

// deletion removes sessions in two steps, the children first, since what a
// parent takes along is not counted.
type deletion struct{ children, rest string }

func (s *Store) deleteSessions(ctx context.Context, d deletion, args ...any) (int, error) {
	var total int
	err := s.write.do(ctx, func(ctx context.Context, t tx) error {
		children, err := t.exec(ctx, d.children, args...)
		if err != nil {
			return fmt.Errorf("sqlite: delete child sessions: %w", err)
		}
		rest, err := t.exec(ctx, d.rest, args...)
		if err != nil {
			return fmt.Errorf("sqlite: delete sessions: %w", err)
		}
		total = children + rest
		return nil
	})
	if err != nil {
		return 0, err
	}
	return total, nil
}

// DeleteSession removes a session and its children.
func (s *Store) DeleteSession(ctx context.Context, id string) (int, error) {
	return s.deleteSessions(ctx, deletion{
		children: `DELETE FROM sessions WHERE parent = ?`,
		rest:     `DELETE FROM sessions WHERE id = ?`,
	}, id)
}

// DeleteSessionsOf removes all sessions of a user.
func (s *Store) DeleteSessionsOf(ctx context.Context, userID string) (int, error) {
	return s.deleteSessions(ctx, deletion{
		children: `DELETE FROM sessions WHERE parent IN (SELECT id FROM sessions WHERE user_id = ?)`,
		rest:     `DELETE FROM sessions WHERE user_id = ?`,
	}, userID)
}

// DeleteExpiredSessions removes sessions past their limits, with their children.
// Many go in several steps: others write in between.
func (s *Store) DeleteExpiredSessions(ctx context.Context, now time.Time, idle time.Duration) (total int, err error) {
	const over = `(SELECT id FROM sessions WHERE parent IS NULL AND (expires <= ?1 OR seen <= ?2) ORDER BY id LIMIT ?3)`
	for n := sweepBatch; n >= sweepBatch; total += n {
		n, err = s.deleteSessions(ctx, deletion{
			children: `DELETE FROM sessions WHERE parent IN ` + over,
			rest:     `DELETE FROM sessions WHERE id IN ` + over,
		}, micros(now), micros(now.Add(-idle)), sweepBatch)
		if err != nil {
			return total, err
		}
	}
	children, err := s.sweep(ctx, `DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires <= ? LIMIT ?)`, micros(now))
	if err != nil {
		return total + children, fmt.Errorf("sqlite: delete expired child sessions: %w", err)
	}
	return total + children, nil
}

// CountSessions counts the sessions within their limits: those of the portal,
// and their children at apps.
func (s *Store) CountSessions(ctx context.Context, now time.Time, idle time.Duration) (portal, apps int, err error) {
	err = s.read.row(ctx, `
		SELECT COUNT(*) - COUNT(s.parent), COUNT(s.parent)
		FROM sessions s LEFT JOIN sessions p ON p.id = s.parent
		WHERE s.expires > ?1 AND COALESCE(p.expires, s.expires) > ?1 AND COALESCE(p.seen, s.seen) > ?2`,
		micros(now), micros(now.Add(-idle))).Scan(&portal, &apps)
	if err != nil {
		return 0, 0, fmt.Errorf("sqlite: count sessions: %w", err)
	}
	return portal, apps, nil
}

// Sessions lists the sessions of a user, or of everybody.
func (s *Store) Sessions(ctx context.Context, userID string) ([]sessions.Session, error) {
	query, args := `SELECT `+sessionColumns+` FROM sessions ORDER BY created, id`, []any(nil)
	if userID != "" {
		query, args = `SELECT `+sessionColumns+` FROM sessions WHERE user_id = ? ORDER BY created, id`, []any{userID}
	}
	var all []sessions.Session
	err := s.read.rows(ctx, func(row scanner) error {
		n, err := scanSession(row)
		all = append(all, n)
		return err
	}, query, args...)
	if err != nil {
		return nil, fmt.Errorf("sqlite: list sessions: %w", err)
	}
	return all, nil
}
