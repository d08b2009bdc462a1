package audit

import "time"

// class is whose lines are counted together.
type class int

const (
	unbound   class = iota // what was done: it is bounded by what does it
	strangers              // what came to nothing, of nobody in particular
	people                 // what came to nothing, of somebody we know
	classes
)

// classOf says who can make such lines, and so how many of them.
func classOf(e Event) class {
	switch {
	case e.Outcome == Done || e.Kind == Admin:
		return unbound
	case e.UserID == "" && e.Login == "":
		return strangers
	}
	return people
}

// bound lets so many lines through at once, and so many a second after that:
// whoever keeps at it for a day fills some 30 MB, or 60.
type bound struct {
	burst, rate float64
	left        float64
	last        time.Time
	suppressed  int // since the last line that said how many
}

func newBounds() [classes]bound {
	return [classes]bound{strangers: {burst: 300, rate: 1, left: 300}, people: {burst: 1000, rate: 2, left: 1000}}
}

// take reports whether one more line may be written. A clock that is set back
// gives nothing.
func (b *bound) take(now time.Time) bool {
	if b.burst == 0 {
		return true
	}
	if !b.last.IsZero() {
		b.left = min(b.burst, b.left+max(0, now.Sub(b.last).Seconds())*b.rate)
	}
	b.last = now
	if b.left < 1 {
		b.suppressed++
		return false
	}
	b.left--
	return true
}
