package sqlite

import (
	"context"
	"fmt"
	"time"

	"gateway/internal/once"
)

// Take succeeds for the first who takes a hash. It stays taken until expires,
// and for at least an hour after it, so that a clock set back revives nothing.
func (s *Store) Take(ctx context.Context, hash [32]byte, expires time.Time) error {
	return s.write.do(ctx, func(ctx context.Context, t tx) error {
		n, err := t.exec(ctx, `INSERT INTO spent (hash, expires) VALUES (?, ?) ON CONFLICT (hash) DO NOTHING`, hash[:], micros(expires))
		if err != nil {
			return fmt.Errorf("sqlite: take: %w", err)
		}
		if n == 0 {
			return once.ErrSpent
		}
		return nil
	})
}

const (
	keepSpent  = time.Hour           // after they expired
	keepTokens = 30 * 24 * time.Hour // after they ended: whoever still brings one is told so
	sweepBatch = 2000                // rows; others write in between
)

// Sweep removes spent hashes, hand-off codes, invitations, guest links and app tokens that
// are long past, and returns how many.
func (s *Store) Sweep(ctx context.Context, now time.Time) (int, error) {
	before := micros(now.Add(-keepSpent))
	spent, err := s.sweep(ctx, `DELETE FROM spent WHERE hash IN (SELECT hash FROM spent WHERE expires < ? LIMIT ?)`, before)
	if err != nil {
		return spent, fmt.Errorf("sqlite: sweep spent: %w", err)
	}
	codes, err := s.sweep(ctx, `DELETE FROM codes WHERE hash IN (SELECT hash FROM codes WHERE expires < ? LIMIT ?)`, before)
	if err != nil {
		return spent + codes, fmt.Errorf("sqlite: sweep codes: %w", err)
	}
	links, err := s.sweep(ctx, `DELETE FROM invitations WHERE hash IN (SELECT hash FROM invitations WHERE expires < ? LIMIT ?)`, before)
	if err != nil {
		return spent + codes + links, fmt.Errorf("sqlite: sweep invitations: %w", err)
	}
	guests, err := s.sweep(ctx, `DELETE FROM guests WHERE hash IN (SELECT hash FROM guests WHERE expires < ? LIMIT ?)`, before)
	if err != nil {
		return spent + codes + links + guests, fmt.Errorf("sqlite: sweep guest links: %w", err)
	}
	tokens, err := s.sweep(ctx, `DELETE FROM app_tokens WHERE hash IN (SELECT hash FROM app_tokens WHERE expires < ?1 OR (ended > 0 AND ended < ?1) LIMIT ?2)`, micros(now.Add(-keepTokens)))
	if err != nil {
		return spent + codes + links + guests + tokens, fmt.Errorf("sqlite: sweep app tokens: %w", err)
	}
	return spent + codes + links + guests + tokens, nil
}

// sweep runs a deletion until it finds no more.
func (s *Store) sweep(ctx context.Context, query string, before int64) (total int, err error) {
	for {
		var n int
		err := s.write.do(ctx, func(ctx context.Context, t tx) (err error) {
			n, err = t.exec(ctx, query, before, sweepBatch)
			return err
		})
		if err != nil {
			return total, err
		}
		total += n
		if n < sweepBatch {
			return total, nil
		}
	}
}
