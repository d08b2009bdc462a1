package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"gateway/sessions"
)

// PutCode keeps a hand-off code, if its parent session is there.
func (s *Store) PutCode(ctx context.Context, c sessions.Code) error {
	return s.write.do(ctx, func(ctx context.Context, t tx) error {
		n, err := t.exec(ctx, `
			INSERT INTO codes (hash, flow, audience, parent, nonce, target, expires)
			SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7 WHERE EXISTS (SELECT 1 FROM sessions WHERE id = ?4)`,
			c.Hash[:], c.Flow, c.Audience, c.Parent, c.Nonce[:], c.Target, micros(c.Expires))
		if err != nil {
			return fmt.Errorf("sqlite: put code: %w", err)
		}
		if n == 0 {
			return fmt.Errorf("parent of a code: %w", sessions.ErrNone)
		}
		return nil
	})
}

// TakeCode removes and returns a code that matches in all and still counts.
func (s *Store) TakeCode(ctx context.Context, hash [32]byte, audience string, nonce [32]byte, now time.Time) (sessions.Code, error) {
	c := sessions.Code{Hash: hash, Audience: audience, Nonce: nonce}
	var expires int64
	err := s.write.do(ctx, func(ctx context.Context, t tx) error {
		err := t.row(ctx, `
			DELETE FROM codes WHERE hash = ? AND audience = ? AND nonce = ? AND expires > ?
			RETURNING flow, parent, target, expires`,
			hash[:], audience, nonce[:], micros(now)).Scan(&c.Flow, &c.Parent, &c.Target, &expires)
		if errors.Is(err, sql.ErrNoRows) {
			return sessions.ErrNoCode
		}
		if err != nil {
			return fmt.Errorf("sqlite: take code: %w", err)
		}
		return nil
	})
	if err != nil {
		return sessions.Code{}, err
	}
	c.Expires = fromMicros(expires)
	return c, nil
}
