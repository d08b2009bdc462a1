package sqlite

import (
	"context"
	"fmt"
	"time"

	"gateway/internal/accounts"
)

// CreatePending records one who has yet to be let in, while there is room.
// That is counted after the record is made, so that who has the key already
// is told so even where there is none left.
func (s *Store) CreatePending(ctx context.Context, a accounts.Account, l accounts.Link, most int, since time.Time) error {
	groups, err := list(a.Groups).text()
	if err != nil {
		return fmt.Errorf("sqlite: groups: %w", err)
	}
	return s.write.do(ctx, func(ctx context.Context, t tx) error {
		if err := insertUser(ctx, t, a, groups, l); err != nil {
			return err
		}
		var pending int
		err := t.row(ctx, `
			SELECT COUNT(*) FROM users
			WHERE status IN ('waiting', 'unverified') AND status = ? AND created > ?`, string(a.Status), micros(since)).Scan(&pending)
		if err != nil {
			return fmt.Errorf("sqlite: count pending users: %w", err)
		}
		if pending > most {
			return accounts.ErrFull
		}
		return nil
	})
}

// DeletePending forgets those who have waited for too long.
func (s *Store) DeletePending(ctx context.Context, before time.Time) ([]accounts.Account, error) {
	var gone []accounts.Account
	err := s.write.do(ctx, func(ctx context.Context, t tx) error {
		gone = nil
		err := t.rows(ctx, func(row scanner) error {
			a, err := scanAccount(row)
			gone = append(gone, a)
			return err
		}, `
			SELECT `+userColumns+` FROM users u
			WHERE u.status IN ('waiting', 'unverified') AND u.created < ? ORDER BY u.login`, micros(before))
		if err != nil {
			return fmt.Errorf("sqlite: list pending users: %w", err)
		}
		if len(gone) == 0 {
			return nil
		}
		if _, err := t.exec(ctx, `DELETE FROM users WHERE status IN ('waiting', 'unverified') AND created < ?`, micros(before)); err != nil {
			return fmt.Errorf("sqlite: delete pending users: %w", err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return gone, nil
}
