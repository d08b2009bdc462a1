// Package throttle slows guessing down. It counts failures in one table of a
// fixed size that survives restarts, so strangers can neither grow it nor
// outlive it.
//
// An attempt is charged to its buckets before its proof is looked at, and what
// succeeds is forgiven afterwards. A bucket is a keyed hash of a name into two
// slots of the table and is limited only while both are: two names rarely share
// one slot, hardly ever two. A name that is unknown is a bucket like any other.
//
//	bucket                      free   wait after the next failures       one failure is forgotten after
//	account, by login              5   2 s, 4 s, 8 s … 15 min             1 h (all, after a success)
//	device, by login and id        5   2 s, 4 s, 8 s … 15 min             1 h (all, after a success)
//	source, IPv4 /32 or IPv6 /64 100   1 s, 2 s, 4 s … 5 min              1 min
//	source, IPv6 /48 and /32    1000   1 s, 2 s, 4 s … 5 min              5 s
//	tokens of a source                 likewise, counted apart
//	cap, of an account or device 100   shut                               never (all, after a success)
//
// So an account takes at most 4 + 96 guesses in a day from wherever they
// come, and after a day without a failure nothing is left of the earlier ones
// but in its cap: after a hundred in a row, however slowly they came, it is shut
// until an administrator says otherwise (NIST SP 800-63B-4, section 3.2.2).
package throttle

import (
	"context"
	"fmt"
	"net/netip"
	"time"
)

// Limit says how a bucket fills and empties.
type Limit struct {
	Free  int           // failures that cause no wait
	Base  time.Duration // the wait after Free failures; each further one doubles it
	Max   time.Duration // the longest wait
	Leak  time.Duration // after so long one failure is forgotten
	Clear bool          // a success forgets every failure, not its own charge alone
	Shuts bool          // nothing is forgotten by time: after Free failures no wait helps
}

// Bucket is what attempts are charged to.
type Bucket struct {
	Name string
	Limit
	region region
}

// guesses is the limit of wrong passwords.
var guesses = Limit{Free: 5, Base: 2 * time.Second, Max: 15 * time.Minute, Leak: time.Hour, Clear: true}

// Account is the bucket of a canonical login, whoever tries from wherever, but
// for devices that it is known to have.
func Account(login string) Bucket { return Bucket{"account " + login, guesses, accounts} }

// Device is the bucket of one device that has signed in under a canonical login
// before: what strangers try does not count there.
func Device(login, id string) Bucket { return Bucket{"device " + id + " " + login, guesses, accounts} }

// consecutive is the limit of wrong passwords in a row.
var consecutive = Limit{Free: 100, Clear: true, Shuts: true}

// forever is what a bucket that is shut rests.
const forever = 100 * 365 * 24 * time.Hour

// Cap is the bucket in which the failures of an account or a device are counted
// for as long as none of its attempts succeeds.
func Cap(of Bucket) Bucket { return Bucket{"cap of " + of.Name, consecutive, caps} }

// Sources returns the buckets of an address: its /32 if it is IPv4, else its
// /64, its /48 and its /32. Addresses that are not known share one.
func Sources(addr netip.Addr) []Bucket {
	addr = addr.Unmap()
	one := Limit{Free: 100, Base: time.Second, Max: 5 * time.Minute, Leak: time.Minute}
	many := Limit{Free: 1000, Base: time.Second, Max: 5 * time.Minute, Leak: 5 * time.Second}
	switch {
	case addr.Is4():
		return []Bucket{source(addr, 32, one, near)}
	case addr.Is6():
		return []Bucket{source(addr, 64, one, near), source(addr, 48, many, far), source(addr, 32, many, far)}
	default:
		return []Bucket{{"source unknown", many, far}}
	}
}

// Tokens returns the buckets of an address for app tokens that there are none of:
// others than those of its sign-ins, since a script that does not know that its
// token has ended should keep nobody out who shares its address.
func Tokens(addr netip.Addr) []Bucket {
	all := Sources(addr)
	for i := range all {
		all[i].Name = "tokens of " + all[i].Name
	}
	return all
}

func source(addr netip.Addr, bits int, l Limit, r region) Bucket {
	prefix, err := addr.WithZone("").Prefix(bits)
	if err != nil { // no address has fewer bits than we ask for
		return Bucket{"source unknown", l, r}
	}
	return Bucket{"source " + prefix.String(), l, r}
}

// wait returns how long a bucket rests after its last charge.
func (l Limit) wait(level uint32) time.Duration {
	over := failures(level) - l.Free
	switch {
	case over < 0:
		return 0
	case l.Shuts:
		return forever
	}
	w := l.Base
	for range over {
		if w >= l.Max {
			break
		}
		w *= 2
	}
	return min(w, l.Max)
}

// top is the level at which the wait is longest; charges do not go past it.
func (l Limit) top() uint32 {
	n := l.Free
	for w := l.Base; w < l.Max && w > 0; w *= 2 {
		n++
	}
	return uint32(n) * failure //nolint:gosec // Free and the doublings of a duration are small
}

// Slot is one cell of the table.
type Slot struct {
	Index uint32
	Level uint32    // thousandths of a failure
	Last  time.Time // when it was charged last; UTC, milliseconds
}

// Store keeps the table. What SaveSlots has written when it returns outlives
// the process.
type Store interface {
	// SaveSlots writes all of the slots or none.
	SaveSlots(ctx context.Context, slots []Slot) error
	// LoadSlots returns the slots that were ever saved.
	LoadSlots(ctx context.Context) ([]Slot, error)
}

// Limited says that an attempt came too early. Nothing was charged for it.
type Limited struct {
	RetryAfter time.Duration // more than zero
	Shut       bool          // no wait helps
}

// Error says when to come back.
func (e *Limited) Error() string {
	return fmt.Sprintf("throttle: too many attempts, retry after %v", e.RetryAfter)
}
