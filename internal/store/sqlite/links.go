package sqlite

import (
	"context"
	"fmt"

	"gateway/internal/accounts"
	"gateway/internal/identity"
)

// insertLink records a way in, unless somebody has the key.
func insertLink(ctx context.Context, t tx, l accounts.Link) error {
	n, err := t.exec(ctx, `
		INSERT INTO links (issuer, subject, user_id, provider, username, email, linked, last_sign_in)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (issuer, subject) DO NOTHING`,
		l.Issuer, l.Subject, l.UserID, l.Provider, l.Username, l.Email, micros(l.Linked), micros(l.LastSignIn))
	if err != nil {
		return fmt.Errorf("sqlite: create link: %w", err)
	}
	if n == 0 {
		return accounts.ErrLinked
	}
	return nil
}

// UpdateLink replaces what the last sign-in said.
func (s *Store) UpdateLink(ctx context.Context, l accounts.Link) error {
	return s.write.do(ctx, func(ctx context.Context, t tx) error {
		n, err := t.exec(ctx, `
			UPDATE links SET provider = ?, username = ?, email = ?, last_sign_in = ?
			WHERE issuer = ? AND subject = ?`,
			l.Provider, l.Username, l.Email, micros(l.LastSignIn), l.Issuer, l.Subject)
		if err != nil {
			return fmt.Errorf("sqlite: update link: %w", err)
		}
		if n == 0 {
			return accounts.ErrNone
		}
		return nil
	})
}

// link is a Link while it is read: linkColumns into dest.
type link struct {
	accounts.Link
	linked, lastSignIn int64
}

const linkColumns = `l.issuer, l.subject, l.user_id, l.provider, l.username, l.email, l.linked, l.last_sign_in`

func (l *link) dest() []any {
	return []any{&l.Issuer, &l.Subject, &l.UserID, &l.Provider, &l.Username, &l.Email, &l.linked, &l.lastSignIn}
}

func (l *link) value() accounts.Link {
	l.Linked, l.LastSignIn = fromMicros(l.linked), fromMicros(l.lastSignIn)
	return l.Link
}

// AccountByKey returns the user who comes in by the key, and the link.
func (s *Store) AccountByKey(ctx context.Context, k identity.Key) (accounts.Account, accounts.Link, error) {
	var l link
	a, err := scanAccount(s.read.row(ctx, `
		SELECT `+userColumns+`, `+linkColumns+`
		FROM links l JOIN users u ON u.id = l.user_id
		WHERE l.issuer = ? AND l.subject = ?`, k.Issuer, k.Subject), l.dest()...)
	if err != nil {
		return accounts.Account{}, accounts.Link{}, err
	}
	return a, l.value(), nil
}

// Links returns the user's links, oldest first.
func (s *Store) Links(ctx context.Context, userID string) ([]accounts.Link, error) {
	var all []accounts.Link
	err := s.read.rows(ctx, func(row scanner) error {
		var l link
		err := row.Scan(l.dest()...)
		all = append(all, l.value())
		return err
	}, `SELECT `+linkColumns+` FROM links l WHERE l.user_id = ? ORDER BY l.linked, l.issuer, l.subject`, userID)
	if err != nil {
		return nil, fmt.Errorf("sqlite: list links: %w", err)
	}
	return all, nil
}
