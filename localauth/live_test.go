package localauth_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"gateway/localauth"
)

func TestRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stored []int
		var reads int
		var down error
		live := localauth.Remembered(func(context.Context) ([]int, error) {
			reads++
			return stored, down
		}, time.Minute, time.Now)
		for _, row := range []struct {
			story  string
			after  time.Duration
			stored []int
			down   error
			want   []int
			reads  int
		}{
			{"nobody has a password", 0, nil, nil, nil, 1},
			{"the first one", 30 * time.Second, []int{600_000}, nil, nil, 1},
			{"a minute later", 30 * time.Second, []int{600_000}, nil, []int{600_000}, 2},
			{"the store is down, not yet asked", 59 * time.Second, nil, errors.New("down"), []int{600_000}, 2},
			{"the store is down", time.Second, nil, errors.New("down"), nil, 3},
			{"asked again at once", 0, []int{600_000, 700_000}, nil, []int{600_000, 700_000}, 4},
		} {
			time.Sleep(row.after)
			stored, down = row.stored, row.down
			got, err := live(t.Context())
			if !slices.Equal(got, row.want) || reads != row.reads || (err != nil) != (row.down != nil && row.want == nil) {
				t.Errorf("%s: %v, %v after %d reads; want %v after %d", row.story, got, err, reads, row.want, row.reads)
			}
		}
	})
}
