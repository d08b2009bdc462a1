package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"gateway/internal/accounts"
)

// CreateInvitation keeps an invitation, instead of any other of the same user.
func (s *Store) CreateInvitation(ctx context.Context, i accounts.Invitation) error {
	groups, err := list(i.Groups).text()
	if err != nil {
		return fmt.Errorf("sqlite: groups: %w", err)
	}
	return s.write.do(ctx, func(ctx context.Context, t tx) error {
		if err := withdrawAll(ctx, t, i.UserID); err != nil {
			return err
		}
		n, err := t.exec(ctx, `
			INSERT INTO invitations (hash, id, purpose, origin, user_id, email, groups, created, expires)
			SELECT ?1, ?2, ?3, ?4, NULLIF(?5, ''), ?6, ?7, ?8, ?9
			WHERE ?5 = '' OR EXISTS (SELECT 1 FROM users WHERE id = ?5)`,
			i.Hash[:], i.ID, string(i.Purpose), i.Origin, i.UserID, i.Email, groups, micros(i.Created), micros(i.Expires))
		if err != nil {
			return fmt.Errorf("sqlite: create invitation: %w", err)
		}
		if n == 0 {
			return accounts.ErrNone
		}
		return nil
	})
}

// withdrawAll removes the invitations of a user.
func withdrawAll(ctx context.Context, t tx, userID string) error {
	if userID == "" {
		return nil
	}
	if _, err := t.exec(ctx, `DELETE FROM invitations WHERE user_id = ?`, userID); err != nil {
		return fmt.Errorf("sqlite: withdraw invitations: %w", err)
	}
	return nil
}

const invitationColumns = `hash, id, purpose, origin, COALESCE(user_id, ''), email, groups, created, expires`

func scanInvitation(row scanner) (accounts.Invitation, error) {
	var i accounts.Invitation
	var hash []byte
	var purpose string
	var created, expires int64
	err := row.Scan(&hash, &i.ID, &purpose, &i.Origin, &i.UserID, &i.Email, (*list)(&i.Groups), &created, &expires)
	if errors.Is(err, sql.ErrNoRows) {
		return accounts.Invitation{}, accounts.ErrNoInvitation
	}
	if err != nil || len(hash) != len(i.Hash) {
		return accounts.Invitation{}, fmt.Errorf("sqlite: read invitation: hash of %d bytes: %w", len(hash), err)
	}
	copy(i.Hash[:], hash)
	i.Purpose, i.Created, i.Expires = accounts.Purpose(purpose), fromMicros(created), fromMicros(expires)
	return i, nil
}

// Invitation returns an invitation that still counts.
func (s *Store) Invitation(ctx context.Context, hash [32]byte, now time.Time) (accounts.Invitation, error) {
	return scanInvitation(s.read.row(ctx, `SELECT `+invitationColumns+` FROM invitations WHERE hash = ? AND expires > ?`, hash[:], micros(now)))
}

// Invitations returns those that still count, oldest first.
func (s *Store) Invitations(ctx context.Context, now time.Time) ([]accounts.Invitation, error) {
	var all []accounts.Invitation
	err := s.read.rows(ctx, func(row scanner) error {
		i, err := scanInvitation(row)
		all = append(all, i)
		return err
	}, `SELECT `+invitationColumns+` FROM invitations WHERE expires > ? ORDER BY created, id`, micros(now))
	if err != nil {
		return nil, fmt.Errorf("sqlite: list invitations: %w", err)
	}
	return all, nil
}

// DeleteInvitation removes an invitation by its id.
func (s *Store) DeleteInvitation(ctx context.Context, id string) error {
	return s.write.do(ctx, func(ctx context.Context, t tx) error {
		n, err := t.exec(ctx, `DELETE FROM invitations WHERE id = ?`, id)
		if err != nil {
			return fmt.Errorf("sqlite: delete invitation: %w", err)
		}
		if n == 0 {
			return accounts.ErrNoInvitation
		}
		return nil
	})
}

// takeInvitation removes an invitation that counts for a user, "" for one who
// is yet to be made.
func takeInvitation(ctx context.Context, t tx, hash [32]byte, now time.Time, userID string) error {
	n, err := t.exec(ctx, `DELETE FROM invitations WHERE hash = ? AND expires > ? AND COALESCE(user_id, '') = ?`, hash[:], micros(now), userID)
	if err != nil {
		return fmt.Errorf("sqlite: take invitation: %w", err)
	}
	if n == 0 {
		return accounts.ErrNoInvitation
	}
	return nil
}

// CreateInvited takes an invitation and records the user whom it makes.
func (s *Store) CreateInvited(ctx context.Context, hash [32]byte, now time.Time, a accounts.Account, l accounts.Link) error {
	groups, err := list(a.Groups).text()
	if err != nil {
		return fmt.Errorf("sqlite: groups: %w", err)
	}
	return s.write.do(ctx, func(ctx context.Context, t tx) error {
		if err := takeInvitation(ctx, t, hash, now, ""); err != nil {
			return err
		}
		return insertUser(ctx, t, a, groups, l)
	})
}

// UpdateInvited takes an invitation and replaces the record of the user whom it
// lets in.
func (s *Store) UpdateInvited(ctx context.Context, hash [32]byte, now time.Time, a accounts.Account) error {
	groups, err := list(a.Groups).text()
	if err != nil {
		return fmt.Errorf("sqlite: groups: %w", err)
	}
	return s.write.do(ctx, func(ctx context.Context, t tx) error {
		if err := takeInvitation(ctx, t, hash, now, ""); err != nil {
			return err
		}
		return updateUser(ctx, t, a, groups)
	})
}

// VerifierVersion returns the version of a user's verifier, 0 if there is none.
func (s *Store) VerifierVersion(ctx context.Context, userID string) (int64, error) {
	var version int64
	err := s.read.row(ctx, `SELECT COALESCE((SELECT version FROM verifiers WHERE user_id = ?), 0)`, userID).Scan(&version)
	if err != nil {
		return 0, fmt.Errorf("sqlite: read version of verifier: %w", err)
	}
	return version, nil
}

// SetVerifier takes an invitation and records the verifier that comes next.
func (s *Store) SetVerifier(ctx context.Context, hash [32]byte, now time.Time, userID string, v accounts.Verifier) error {
	return s.write.do(ctx, func(ctx context.Context, t tx) error {
		if err := takeInvitation(ctx, t, hash, now, userID); err != nil {
			return err
		}
		n, err := t.exec(ctx, `
			INSERT INTO verifiers (user_id, salt, iterations, stored_key, server_key, version)
			SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE COALESCE((SELECT version FROM verifiers WHERE user_id = ?1), 0) = ?6 - 1
			ON CONFLICT (user_id) DO UPDATE SET salt = ?2, iterations = ?3, stored_key = ?4, server_key = ?5, version = ?6`,
			userID, v.Salt, v.Iterations, v.StoredKey, v.ServerKey, v.Version)
		if err != nil {
			return fmt.Errorf("sqlite: set verifier: %w", err)
		}
		if n == 0 {
			return accounts.ErrConflict
		}
		if err := withdrawAll(ctx, t, userID); err != nil {
			return err
		}
		if _, err := t.exec(ctx, `DELETE FROM sessions WHERE user_id = ?`, userID); err != nil {
			return fmt.Errorf("sqlite: end sessions: %w", err)
		}
		return nil
	})
}
