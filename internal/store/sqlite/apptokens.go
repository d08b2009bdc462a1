package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"gateway/sessions"
)

// CreateAppToken keeps a new app token, if its user is active.
func (s *Store) CreateAppToken(ctx context.Context, n sessions.AppToken) error {
	return s.write.do(ctx, func(ctx context.Context, t tx) error {
		made, err := t.exec(ctx, `
			INSERT INTO app_tokens (hash, id, user_id, provider, app, name, created, seen, expires, ended)
			SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10
			WHERE EXISTS (SELECT 1 FROM users WHERE id = ?3 AND status = 'active')`,
			n.Hash[:], n.ID, n.UserID, n.Provider, n.App, n.Name, micros(n.Created), perhaps(n.Seen), micros(n.Expires), perhaps(n.Ended))
		if err != nil {
			return fmt.Errorf("sqlite: create app token: %w", err)
		}
		if made == 0 {
			return fmt.Errorf("its user is not active: %w", sessions.ErrNoToken)
		}
		return nil
	})
}

const appTokenColumns = `hash, id, user_id, provider, app, name, created, seen, expires, ended` //nolint:gosec // G101: names of columns

func scanAppToken(row scanner) (sessions.AppToken, error) {
	var n sessions.AppToken
	var hash []byte
	var created, seen, expires, ended int64
	err := row.Scan(&hash, &n.ID, &n.UserID, &n.Provider, &n.App, &n.Name, &created, &seen, &expires, &ended)
	if errors.Is(err, sql.ErrNoRows) {
		return sessions.AppToken{}, sessions.ErrNoToken
	}
	if err != nil || len(hash) != len(n.Hash) {
		return sessions.AppToken{}, fmt.Errorf("sqlite: read app token: hash of %d bytes: %w", len(hash), err)
	}
	copy(n.Hash[:], hash)
	n.Created, n.Seen, n.Expires, n.Ended = fromMicros(created), fromPerhaps(seen), fromMicros(expires), fromPerhaps(ended)
	return n, nil
}

// AppToken returns the app token of a hash.
func (s *Store) AppToken(ctx context.Context, hash [32]byte) (sessions.AppToken, error) {
	return scanAppToken(s.read.row(ctx, `SELECT `+appTokenColumns+` FROM app_tokens WHERE hash = ?`, hash[:]))
}

// picked is which app tokens a filter picks; its arguments are ?1 to ?3.
const picked = `(?1 = '' OR id = ?1) AND (?2 = '' OR user_id = ?2) AND (?3 = '' OR app = ?3)`

// AppTokens lists app tokens, ended ones too.
func (s *Store) AppTokens(ctx context.Context, f sessions.AppTokenFilter) ([]sessions.AppToken, error) {
	var all []sessions.AppToken
	err := s.read.rows(ctx, func(row scanner) error {
		n, err := scanAppToken(row)
		all = append(all, n)
		return err
	}, `SELECT `+appTokenColumns+` FROM app_tokens WHERE `+picked+` ORDER BY created, id`, f.ID, f.UserID, f.App)
	if err != nil {
		return nil, fmt.Errorf("sqlite: list app tokens: %w", err)
	}
	return all, nil
}

// TouchAppToken notes use of an app token that has not ended.
func (s *Store) TouchAppToken(ctx context.Context, hash [32]byte, seen time.Time) error {
	return s.write.do(ctx, func(ctx context.Context, t tx) error {
		n, err := t.exec(ctx, `UPDATE app_tokens SET seen = ? WHERE hash = ? AND ended = 0`, micros(seen), hash[:])
		if err != nil {
			return fmt.Errorf("sqlite: touch app token: %w", err)
		}
		if n == 0 {
			return sessions.ErrNoToken
		}
		return nil
	})
}

// EndAppTokens ends app tokens that have not ended.
func (s *Store) EndAppTokens(ctx context.Context, f sessions.AppTokenFilter, at time.Time) (n int, err error) {
	err = s.write.do(ctx, func(ctx context.Context, t tx) (err error) {
		n, err = t.exec(ctx, `UPDATE app_tokens SET ended = ?4 WHERE `+picked+` AND ended = 0`, f.ID, f.UserID, f.App, micros(at))
		if err != nil {
			return fmt.Errorf("sqlite: end app tokens: %w", err)
		}
		return nil
	})
	return n, err
}

// perhaps returns a time as it is kept that may be zero: never.
func perhaps(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return micros(t)
}

func fromPerhaps(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return fromMicros(us)
}
