package sqlite_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"gateway/internal/accounts"
	"gateway/internal/identity"
	"gateway/internal/store/sqlite"
	"gateway/internal/throttle"
	"gateway/sessions"
)

// filled opens a store with people who have a password and a session each.
func filled(b *testing.B, people int) *sqlite.Store {
	b.Helper()
	s, err := sqlite.Open(b.Context(), b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	now := time.Now()
	for i := range people {
		id := fmt.Sprint("id", i)
		a := accounts.Account{User: identity.User{
			ID: id, Login: fmt.Sprint("login", i), Name: "A Name", Email: "name@example.com", Groups: []string{"ops", "staff"},
			Status: identity.Active, Created: now, Generation: 1,
		}}
		l := accounts.Link{Key: identity.Key{Issuer: "https://id.example", Subject: id}, UserID: id, Provider: "corp", Linked: now}
		v := &accounts.Verifier{Salt: make([]byte, 16), Iterations: 600_000, StoredKey: make([]byte, 60), ServerKey: make([]byte, 60), Version: 1}
		if err := s.CreateUser(b.Context(), a, l, v); err != nil {
			b.Fatal(err)
		}
		n := sessions.Session{
			ID: id, Audience: "https://auth.example.com", UserID: id, Key: l.Key, Provider: "corp", AMR: []string{"fed"},
			AuthTime: now, Created: now, Seen: now, Expires: now.Add(time.Hour), Address: "192.0.2.1", UserAgent: "Mozilla/5.0",
		}
		if err := s.CreateSession(b.Context(), n); err != nil {
			b.Fatal(err)
		}
	}
	return s
}

func BenchmarkRead(b *testing.B) {
	s := filled(b, 1000)
	for name, read := range map[string]func(context.Context) error{
		"Account":   func(ctx context.Context) error { _, err := s.Account(ctx, "id500"); return err },
		"LocalUser": func(ctx context.Context) error { _, err := s.LocalUser(ctx, "login500"); return err },
		"AccountByKey": func(ctx context.Context) error {
			_, _, err := s.AccountByKey(ctx, identity.Key{Issuer: "https://id.example", Subject: "id500"})
			return err
		},
		"Session": func(ctx context.Context) error { _, err := s.Session(ctx, "id500"); return err },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := read(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkTake(b *testing.B) {
	s := filled(b, 1)
	var n atomic.Uint64
	take := func(b *testing.B) {
		var hash [32]byte
		binary.BigEndian.PutUint64(hash[:], n.Add(1))
		if err := s.Take(b.Context(), hash, time.Now()); err != nil {
			b.Error(err)
		}
	}
	b.Run("alone", func(b *testing.B) {
		for b.Loop() {
			take(b)
		}
	})
	b.Run("64 at once", func(b *testing.B) {
		b.SetParallelism(32)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				take(b)
			}
		})
	})
}

func BenchmarkTouchSession(b *testing.B) {
	s := filled(b, 1000)
	for i := 0; b.Loop(); i++ {
		if err := s.TouchSession(b.Context(), fmt.Sprint("id", i%1000), time.Now()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkTouchSessions is one of many uses that are written together.
func BenchmarkTouchSessions(b *testing.B) {
	s := filled(b, 1000)
	ids := make([]string, 250)
	for i := 0; i < b.N; i += len(ids) {
		for j := range ids {
			ids[j] = fmt.Sprint("id", (i+j)%1000)
		}
		if err := s.TouchSessions(b.Context(), ids, time.Now()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSignInWrites is what one sign-in by password writes, 16 at a time:
// the charge, the spent challenge, the session. It reports the CPU of it all.
func BenchmarkSignInWrites(b *testing.B) {
	s := filled(b, 1)
	var n atomic.Uint64
	now := time.Now()
	write := func(ctx context.Context) error {
		i := n.Add(1)
		var hash [32]byte
		binary.BigEndian.PutUint64(hash[:], i)
		slots := []throttle.Slot{{Index: 1, Level: 1000, Last: now}, {Index: 2, Level: 1000, Last: now}, {Index: 3, Level: 1000, Last: now}, {Index: 4, Level: 1000, Last: now}}
		return errors.Join(s.SaveSlots(ctx, slots), s.Take(ctx, hash, now.Add(time.Minute)), s.CreateSession(ctx, sessions.Session{
			ID: fmt.Sprint("new", i), Audience: "https://auth.example.com", UserID: "id0", Key: identity.Key{Issuer: identity.Local, Subject: "id0"}, Provider: identity.Local,
			AMR: []string{"pwd"}, AuthTime: now, Created: now, Seen: now, Expires: now.Add(time.Hour), Address: "192.0.2.1", UserAgent: "Mozilla/5.0",
		}))
	}
	before := cpuTime(b)
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := write(b.Context()); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/float64(b.N), "cpu-µs/sign-in")
}

// cpuTime is the user and system time of this process so far.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
