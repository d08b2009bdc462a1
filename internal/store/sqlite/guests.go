package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"gateway/internal/accounts"
)

// CreateGuest keeps a guest link.
func (s *Store) CreateGuest(ctx context.Context, g accounts.Guest) error {
	paths, err1 := list(g.Paths).text()
	methods, err2 := list(g.Methods).text()
	if err := errors.Join(err1, err2); err != nil {
		return fmt.Errorf("sqlite: guest link: %w", err)
	}
	return s.write.do(ctx, func(ctx context.Context, t tx) error {
		_, err := t.exec(ctx, `
			INSERT INTO guests (hash, id, name, host, paths, methods, most, opened, created, expires)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			g.Hash[:], g.ID, g.Name, g.Host, paths, methods, g.Most, g.Opened, micros(g.Created), micros(g.Expires))
		if err != nil {
			return fmt.Errorf("sqlite: create guest link: %w", err)
		}
		return nil
	})
}

const guestColumns = `hash, id, name, host, paths, methods, most, opened, created, expires`

func scanGuest(row scanner) (accounts.Guest, error) {
	var g accounts.Guest
	var hash []byte
	var created, expires int64
	err := row.Scan(&hash, &g.ID, &g.Name, &g.Host, (*list)(&g.Paths), (*list)(&g.Methods), &g.Most, &g.Opened, &created, &expires)
	if errors.Is(err, sql.ErrNoRows) {
		return accounts.Guest{}, accounts.ErrNoGuest
	}
	if err != nil || len(hash) != len(g.Hash) {
		return accounts.Guest{}, fmt.Errorf("sqlite: read guest link: hash of %d bytes: %w", len(hash), err)
	}
	copy(g.Hash[:], hash)
	g.Created, g.Expires = fromMicros(created), fromMicros(expires)
	return g, nil
}

// GuestByHash returns a guest link that is not too old.
func (s *Store) GuestByHash(ctx context.Context, hash [32]byte, now time.Time) (accounts.Guest, error) {
	return scanGuest(s.read.row(ctx, `SELECT `+guestColumns+` FROM guests WHERE hash = ? AND expires > ?`, hash[:], micros(now)))
}

// Guest returns a guest link that is not too old.
func (s *Store) Guest(ctx context.Context, id string, now time.Time) (accounts.Guest, error) {
	return scanGuest(s.read.row(ctx, `SELECT `+guestColumns+` FROM guests WHERE id = ? AND expires > ?`, id, micros(now)))
}

// Guests returns those that are not too old, oldest first.
func (s *Store) Guests(ctx context.Context, now time.Time) ([]accounts.Guest, error) {
	var all []accounts.Guest
	err := s.read.rows(ctx, func(row scanner) error {
		g, err := scanGuest(row)
		all = append(all, g)
		return err
	}, `SELECT `+guestColumns+` FROM guests WHERE expires > ? ORDER BY created, id`, micros(now))
	if err != nil {
		return nil, fmt.Errorf("sqlite: list guest links: %w", err)
	}
	return all, nil
}

// OpenGuest counts an opening, if there is one left.
func (s *Store) OpenGuest(ctx context.Context, hash [32]byte, now time.Time) error {
	return s.guest(ctx, `UPDATE guests SET opened = opened + 1 WHERE hash = ? AND expires > ? AND opened < most`, hash[:], micros(now))
}

// DeleteGuest removes a guest link by its id.
func (s *Store) DeleteGuest(ctx context.Context, id string) error {
	return s.guest(ctx, `DELETE FROM guests WHERE id = ?`, id)
}

// guest changes one guest link.
func (s *Store) guest(ctx context.Context, query string, args ...any) error {
	return s.write.do(ctx, func(ctx context.Context, t tx) error {
		n, err := t.exec(ctx, query, args...)
		if err != nil {
			return fmt.Errorf("sqlite: change guest link: %w", err)
		}
		if n == 0 {
			return accounts.ErrNoGuest
		}
		return nil
	})
}
