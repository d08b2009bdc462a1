package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"gateway/internal/accounts"
	"gateway/internal/identity"
)

// CreateUser records a new user with a link, and a verifier if there is one.
func (s *Store) CreateUser(ctx context.Context, a accounts.Account, l accounts.Link, v *accounts.Verifier) error {
	groups, err := list(a.Groups).text()
	if err != nil {
		return fmt.Errorf("sqlite: groups: %w", err)
	}
	return s.write.do(ctx, func(ctx context.Context, t tx) error {
		if err := insertUser(ctx, t, a, groups, l); err != nil {
			return err
		}
		if v == nil {
			return nil
		}
		_, err = t.exec(ctx, `
			INSERT INTO verifiers (user_id, salt, iterations, stored_key, server_key, version)
			VALUES (?, ?, ?, ?, ?, ?)`,
			a.ID, v.Salt, v.Iterations, v.StoredKey, v.ServerKey, v.Version)
		if err != nil {
			return fmt.Errorf("sqlite: create verifier: %w", err)
		}
		return nil
	})
}

// insertUser records a user, whose groups are given as they are kept, with a link.
func insertUser(ctx context.Context, t tx, a accounts.Account, groups string, l accounts.Link) error {
	n, err := t.exec(ctx, `
		INSERT INTO users (id, login, name, name_set, email, email_verified, email_set, groups, status, created, generation)
		SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11
		WHERE NOT EXISTS (SELECT 1 FROM gone_logins WHERE login = ?2)
		ON CONFLICT (login) DO NOTHING`,
		a.ID, a.Login, a.Name, a.NameSet, a.Email, a.EmailVerified, a.EmailSet, groups, string(a.Status), micros(a.Created), a.Generation)
	if err != nil {
		return fmt.Errorf("sqlite: create user: %w", err)
	}
	if n == 0 {
		return accounts.ErrLoginTaken
	}
	return insertLink(ctx, t, l)
}

// UpdateUser replaces the record of the same generation by the next one.
func (s *Store) UpdateUser(ctx context.Context, a accounts.Account) error {
	groups, err := list(a.Groups).text()
	if err != nil {
		return fmt.Errorf("sqlite: groups: %w", err)
	}
	return s.write.do(ctx, func(ctx context.Context, t tx) error { return updateUser(ctx, t, a, groups) })
}

// updateUser replaces a record; the groups are given as they are kept.
func updateUser(ctx context.Context, t tx, a accounts.Account, groups string) error {
	n, err := t.exec(ctx, `
		UPDATE users SET name = ?, name_set = ?, email = ?, email_verified = ?, email_set = ?, groups = ?, status = ?,
			generation = generation + 1
		WHERE id = ? AND generation = ?`,
		a.Name, a.NameSet, a.Email, a.EmailVerified, a.EmailSet, groups, string(a.Status), a.ID, a.Generation)
	if err != nil {
		return fmt.Errorf("sqlite: update user: %w", err)
	}
	if n == 1 {
		return nil
	}
	var there bool
	if err := t.row(ctx, `SELECT EXISTS (SELECT 1 FROM users WHERE id = ?)`, a.ID).Scan(&there); err != nil {
		return fmt.Errorf("sqlite: update user: %w", err)
	}
	if there {
		return accounts.ErrConflict
	}
	return accounts.ErrNone
}

// DeleteUser removes the user and all that refers to it, and keeps the login.
func (s *Store) DeleteUser(ctx context.Context, id string) error {
	return s.write.do(ctx, func(ctx context.Context, t tx) error {
		var login string
		err := t.row(ctx, `DELETE FROM users WHERE id = ? RETURNING login`, id).Scan(&login)
		if errors.Is(err, sql.ErrNoRows) {
			return accounts.ErrNone
		}
		if err != nil {
			return fmt.Errorf("sqlite: delete user: %w", err)
		}
		if _, err := t.exec(ctx, `INSERT INTO gone_logins (login) VALUES (?)`, login); err != nil {
			return fmt.Errorf("sqlite: keep login: %w", err)
		}
		return nil
	})
}

// columns of a user, in the order of scanAccount.
const userColumns = `u.id, u.login, u.name, u.name_set, u.email, u.email_verified, u.email_set, u.groups, u.status, u.created, u.generation`

// scanAccount reads userColumns, and what follows them into more.
func scanAccount(row scanner, more ...any) (accounts.Account, error) {
	var a accounts.Account
	var status string
	var created int64
	dest := []any{&a.ID, &a.Login, &a.Name, &a.NameSet, &a.Email, &a.EmailVerified, &a.EmailSet, (*list)(&a.Groups), &status, &created, &a.Generation}
	err := row.Scan(append(dest, more...)...)
	if errors.Is(err, sql.ErrNoRows) {
		return accounts.Account{}, accounts.ErrNone
	}
	if err != nil {
		return accounts.Account{}, fmt.Errorf("sqlite: read user: %w", err)
	}
	a.Status, a.Created = identity.Status(status), fromMicros(created)
	return a, nil
}

// Account returns a user by id.
func (s *Store) Account(ctx context.Context, id string) (accounts.Account, error) {
	return scanAccount(s.read.row(ctx, `SELECT `+userColumns+` FROM users u WHERE u.id = ?`, id))
}

// AccountByLogin returns the user who has the login.
func (s *Store) AccountByLogin(ctx context.Context, login string) (accounts.Account, error) {
	return scanAccount(s.read.row(ctx, `SELECT `+userColumns+` FROM users u WHERE u.login = ?`, login))
}

// Accounts returns every user, ordered by login.
func (s *Store) Accounts(ctx context.Context) ([]accounts.Account, error) {
	var all []accounts.Account
	err := s.read.rows(ctx, func(row scanner) error {
		a, err := scanAccount(row)
		all = append(all, a)
		return err
	}, `SELECT `+userColumns+` FROM users u ORDER BY u.login`)
	if err != nil {
		return nil, fmt.Errorf("sqlite: list users: %w", err)
	}
	return all, nil
}
