package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// window is a Time compiled: minutes of the days on which it begins.
type window struct {
	days     uint8 // a bit for each time.Weekday
	from, to int   // minutes after midnight by the clocks of the zone
	zone     *time.Location
	written  Time
}

// has reports whether the moment is within the window, by what clocks in its
// zone show: an hour that they skip or repeat is one that they show.
func (w *window) has(t time.Time) bool {
	local := t.In(w.zone)
	minute := local.Hour()*60 + local.Minute()
	today := w.days & (1 << local.Weekday())
	if w.from < w.to {
		return today != 0 && w.from <= minute && minute < w.to
	}
	yesterday := w.days & (1 << ((local.Weekday() + 6) % 7))
	return today != 0 && minute >= w.from || yesterday != 0 && minute < w.to
}

type windows []window

// have reports whether the moment is within one of the windows. What is not
// known to be a moment is in none.
func (w windows) have(t time.Time) bool {
	if t.IsZero() {
		return false
	}
	for i := range w {
		if w[i].has(t) {
			return true
		}
	}
	return false
}

// String lists the windows.
func (w windows) String() string {
	words := make([]string, len(w))
	for i, one := range w {
		days := "every day"
		if len(one.written.Days) > 0 {
			days = strings.Join(one.written.Days, " ")
		}
		words[i] = fmt.Sprintf("%s %s-%s %s", days, clock(one.from), clock(one.to), one.written.Zone)
	}
	return some(words, "")
}

func clock(minutes int) string { return fmt.Sprintf("%02d:%02d", minutes/60, minutes%60) }

var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// times compiles a list of windows; none is always.
func (b *builder) times(at string, list []Time) windows {
	if list == nil {
		return nil
	}
	if len(list) == 0 {
		b.complain(at, "is empty: leave it out for all times")
	}
	all := make(windows, 0, len(list))
	for i, t := range list {
		all = append(all, b.window(fmt.Sprintf("%s[%d]", at, i), t))
	}
	return all
}

func (b *builder) window(at string, t Time) window {
	w := window{to: 24 * 60, written: t}
	if t.Days == nil {
		w.days = 1<<7 - 1
	} else {
		b.notEmpty(at+".days", t.Days, "every day")
	}
	for i, day := range t.Days {
		n := slices.Index(weekdays, day)
		if n < 0 {
			b.complain(fmt.Sprintf("%s.days[%d]", at, i), "must be one of mon, tue, wed, thu, fri, sat, sun")
			continue
		}
		w.days |= 1 << n
	}
	for _, end := range []struct {
		key, text string
		into      *int
	}{{"from", t.From, &w.from}, {"to", t.To, &w.to}} {
		if end.text == "" {
			continue
		}
		minutes, ok := parseClock(end.text)
		if !ok {
			b.complain(at+"."+end.key, "must be a time of the day such as 08:00")
		}
		*end.into = minutes
	}
	switch {
	case w.from == 24*60:
		b.complain(at+".from", "is the end of the day: write 00:00")
	case w.from == w.to%(24*60) && (w.from != 0 || t.To == "00:00"):
		b.complain(at+".to", "is from: leave both out for the whole day")
	case t.Days == nil && t.From == "" && t.To == "":
		b.complain(at, "is every day and all day: leave it out")
	}
	w.zone = b.zone(at+".zone", t.Zone)
	return w
}

var clocks = regexp.MustCompile(`^([01][0-9]|2[0-3]):([0-5][0-9])$`)

func parseClock(text string) (minutes int, ok bool) {
	if text == "24:00" {
		return 24 * 60, true
	}
	m := clocks.FindStringSubmatch(text)
	if m == nil {
		return 0, false
	}
	hour, err1 := strconv.Atoi(m[1])
	minute, err2 := strconv.Atoi(m[2])
	return hour*60 + minute, err1 == nil && err2 == nil
}

// zone finds a time zone. That of the machine would say one thing here and
// another there, so it has to be named.
func (b *builder) zone(at, name string) *time.Location {
	if zone := b.zones[name]; zone != nil {
		return zone
	}
	zone, err := time.LoadLocation(name)
	switch {
	case name == "":
		b.complain(at, "missing: name one, such as Europe/Berlin or UTC")
	case err != nil, name == "Local":
		b.complain(at, "is no zone of the IANA Time Zone Database, such as Europe/Berlin or UTC")
	default:
		b.zones[name] = zone
		return zone
	}
	return time.UTC
}
