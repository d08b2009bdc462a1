package sqlite

import (
	"context"
	"fmt"

	"gateway/internal/throttle"
)

// SaveSlots writes slots of the throttle's table.
func (s *Store) SaveSlots(ctx context.Context, slots []throttle.Slot) error {
	return s.write.do(ctx, func(ctx context.Context, t tx) error {
		for _, n := range slots {
			_, err := t.exec(ctx, `
				INSERT INTO throttle (slot, level, last) VALUES (?, ?, ?)
				ON CONFLICT (slot) DO UPDATE SET level = excluded.level, last = excluded.last`,
				n.Index, n.Level, micros(n.Last))
			if err != nil {
				return fmt.Errorf("sqlite: save slot: %w", err)
			}
		}
		return nil
	})
}

// LoadSlots returns the slots that were ever saved.
func (s *Store) LoadSlots(ctx context.Context) ([]throttle.Slot, error) {
	var all []throttle.Slot
	err := s.read.rows(ctx, func(row scanner) error {
		var n throttle.Slot
		var last int64
		err := row.Scan(&n.Index, &n.Level, &last)
		n.Last = fromMicros(last)
		all = append(all, n)
		return err
	}, `SELECT slot, level, last FROM throttle ORDER BY slot`)
	if err != nil {
		return nil, fmt.Errorf("sqlite: load slots: %w", err)
	}
	return all, nil
}
