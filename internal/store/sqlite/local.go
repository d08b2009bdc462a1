package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"gateway/internal/identity"
	"gateway/localauth"
)

// LocalUser returns the user who signs in by password under a canonical login.
// Who waits for approval or has not confirmed an address is not disabled: that
// is the register's to say, after the proof.
func (s *Store) LocalUser(ctx context.Context, username string) (localauth.User, error) {
	var u localauth.User
	var status string
	err := s.read.row(ctx, `
		SELECT u.id, u.status, v.salt, v.iterations, v.stored_key, v.server_key, v.version
		FROM users u JOIN verifiers v ON v.user_id = u.id
		WHERE u.login = ?`, username).
		Scan(&u.UserID, &status, &u.Salt, &u.Iterations, &u.StoredKey, &u.ServerKey, &u.Version)
	if errors.Is(err, sql.ErrNoRows) {
		return localauth.User{}, localauth.ErrNoUser
	}
	if err != nil {
		return localauth.User{}, fmt.Errorf("sqlite: read verifier: %w", err)
	}
	switch identity.Status(status) {
	case identity.Active, identity.Waiting, identity.Unverified:
	case identity.Disabled:
		u.Disabled = true
	default:
		u.Disabled = true
	}
	return u, nil
}

// Verifiers returns some of those who have a password, at most limit.
func (s *Store) Verifiers(ctx context.Context, limit int) ([]localauth.User, error) {
	var some []localauth.User
	err := s.read.rows(ctx, func(row scanner) error {
		var u localauth.User
		err := row.Scan(&u.UserID, &u.Salt, &u.Iterations, &u.StoredKey, &u.ServerKey, &u.Version)
		some = append(some, u)
		return err
	}, `SELECT user_id, salt, iterations, stored_key, server_key, version FROM verifiers LIMIT ?`, limit)
	if err != nil {
		return nil, fmt.Errorf("sqlite: list verifiers: %w", err)
	}
	return some, nil
}

// Iterations returns the iterations of the passwords there are, each once for
// every password that has them, in ascending order: what localauth draws those
// of unknown names from.
func (s *Store) Iterations(ctx context.Context) ([]int, error) {
	var all []int
	err := s.read.rows(ctx, func(row scanner) error {
		var n int
		err := row.Scan(&n)
		all = append(all, n)
		return err
	}, `SELECT iterations FROM verifiers ORDER BY iterations`)
	if err != nil {
		return nil, fmt.Errorf("sqlite: list iterations: %w", err)
	}
	return all, nil
}
