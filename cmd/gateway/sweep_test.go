package main

import (
	"testing"
	"time"
)

// What was used is forgotten only by a clock that has gone on for a quarter of
// an hour, whichever way it steps meanwhile.
func TestSweepsByTheEarliestClock(t *testing.T) {
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	at := func(minute int, step time.Duration) time.Time {
		return noon.Add(time.Duration(minute)*time.Minute + step)
	}
	for _, row := range []struct {
		story string
		step  func(minute int) time.Duration
		want  func(minute int) time.Time
	}{
		{"a clock that goes on", func(int) time.Duration { return 0 }, func(m int) time.Time {
			if m < 14 {
				return time.Time{}
			}
			return at(m-14, 0)
		}},
		{"a step ahead, and back ten minutes later", func(m int) time.Duration {
			if m >= 20 && m < 30 {
				return 3 * time.Hour
			}
			return 0
		}, func(m int) time.Time {
			switch {
			case m < 14:
				return time.Time{}
			case m >= 34 && m < 44: // what was said first is out of the quarter; the step is not the earliest
				return at(max(30, m-14), 0)
			}
			return at(m-14, 0)
		}},
		{"a step back", func(m int) time.Duration {
			if m >= 20 {
				return -time.Hour
			}
			return 0
		}, func(m int) time.Time {
			switch {
			case m < 14:
				return time.Time{}
			case m < 20:
				return at(m-14, 0)
			}
			return at(max(20, m-14), -time.Hour)
		}},
	} {
		var q quarter
		for minute := range 60 {
			if got, want := q.earliest(at(minute, row.step(minute))), row.want(minute); !got.Equal(want) {
				t.Errorf("%s, minute %d: %v, want %v", row.story, minute, got, want)
			}
		}
	}
}
