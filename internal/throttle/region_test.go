package throttle_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"gateway/internal/throttle"
)

// kinds are the buckets that fill and empty alike, each by the name of who.
var kinds = map[string]func(who int) []throttle.Bucket{
	"accounts": func(who int) []throttle.Bucket { return []throttle.Bucket{throttle.Account(fmt.Sprint(who))} },
	"one source": func(who int) []throttle.Bucket {
		return append(throttle.Sources(v4(who)), throttle.Sources(v6(who))[0])
	},
	"caps": func(who int) []throttle.Bucket {
		return []throttle.Bucket{throttle.Cap(throttle.Account(fmt.Sprint(who)))}
	},
	"many sources": func(who int) []throttle.Bucket {
		return append(throttle.Sources(v6(who))[1:], throttle.Sources(netip.Addr{})...)
	},
}

func v4(who int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(who >> 16), byte(who >> 8), byte(who)})
}

// v6 has another /64, /48 and /32 for each.
func v6(who int) netip.Addr {
	return netip.AddrFrom16([16]byte{0x20, 1, byte(who >> 8), byte(who), byte(who >> 8), byte(who), 0, byte(who), 15: 1})
}

// Buckets of one kind have slots that those of another never touch, in a table
// of any size.
func TestRegions(t *testing.T) {
	for _, size := range []int{16, 17, 23, 24, 63, 64, 65, 1000, 1 << 20, 0} {
		owner := map[uint32]string{}
		for kind, buckets := range kinds {
			store := &memory{slots: make(map[uint32]throttle.Slot)}
			table := &throttle.Table{Store: store, Key: make([]byte, 32), Slots: size}
			for who := range 500 {
				b := buckets(who)
				if admit(t, table, b...) == 0 {
					table.Forgive(b...)
				}
			}
			most := uint32(2 * size)
			if size == 0 {
				most = 2 * throttle.DefaultSlots
			}
			for i := range store.slots {
				if other, taken := owner[i]; taken {
					t.Errorf("%d slots: slot %d is of %s and of %s", size, i, kind, other)
				}
				if i >= most {
					t.Errorf("%d slots: %s charge slot %d", size, kind, i)
				}
				owner[i] = kind
			}
			if len(store.slots) < 2 {
				t.Errorf("%d slots: %s have %d of them, want two for each at least", size, kind, len(store.slots))
			}
		}
	}
}

// A table in which a kind would not have two slots is refused.
func TestTablesTooSmallForRegions(t *testing.T) {
	for size := 1; size < 16; size++ {
		table := &throttle.Table{Store: &memory{slots: make(map[uint32]throttle.Slot)}, Key: make([]byte, 32), Slots: size}
		for kind, buckets := range kinds {
			if err := table.Admit(t.Context(), buckets(1)...); err == nil {
				t.Errorf("%d slots: Admit of %s = nil, want an error", size, kind)
			}
			table.Forgive(buckets(1)...)
		}
	}
}

// A day in which one address tries alice each second, while twenty thousand
// others fail elsewhere now and then: what others do, and how their failures
// are forgotten, buys no guesses.
func TestGuessesInABusyDay(t *testing.T) {
	const others = 20_000
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	table, _ := newTable()
	table.Now = func() time.Time { return now }
	guesser := append(throttle.Sources(netip.MustParseAddr("192.0.2.1")), alice)
	guesses := 0
	for second := range 24 * 60 * 60 {
		now = now.Add(time.Second)
		if admit(t, table, guesser...) == 0 {
			guesses++
		}
		who := second * 7919 % others
		b := append(throttle.Sources(v4(who)), throttle.Account(fmt.Sprint("somebody", who%100)))
		if who%2 == 0 {
			b = throttle.Sources(v6(who))
		}
		admit(t, table, b...)
	}
	if guesses < 90 || guesses > 110 {
		t.Errorf("%d guesses in a day, want about 100", guesses)
	}
}
