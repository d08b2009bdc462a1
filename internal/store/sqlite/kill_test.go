package sqlite_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gateway/internal/accounts"
	"gateway/internal/identity"
	"gateway/internal/once"
	"gateway/internal/store/sqlite"
	"gateway/internal/store/storetest"
	"gateway/internal/throttle"
	"gateway/localauth"
	"gateway/sessions"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// The test binary runs itself as the processes that it kills or starves.
const (
	asWriter = "SQLITE_TEST_WRITE_IN" // a folder to write to until killed
	asFull   = "SQLITE_TEST_FILL"     // a folder to write to until there is no space
	round    = "SQLITE_TEST_ROUND"    // part of every key
	soak     = "GATEWAY_SOAK"         // set: hundreds of rounds
)

func TestMain(m *testing.M) {
	var err error
	switch {
	case os.Getenv(asWriter) != "":
		err = writeUntilKilled(os.Getenv(asWriter), os.Getenv(round))
	case os.Getenv(asFull) != "":
		err = fillUp(os.Getenv(asFull))
	default:
		os.Exit(m.Run())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// myself returns the test binary as another process.
func myself(t *testing.T, env ...string) *exec.Cmd {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = os.Stderr
	return cmd
}

func writeUser(ctx context.Context, s storetest.Store, id string) error {
	a := accounts.Account{User: identity.User{ID: id, Login: "login-" + id, Status: identity.Active, Created: start, Generation: 1}}
	l := accounts.Link{Key: identity.Key{Issuer: identity.Local, Subject: id}, UserID: id, Provider: identity.Local, Linked: start}
	v := &accounts.Verifier{Salt: []byte("salt"), Iterations: 600_000, StoredKey: []byte("stored"), ServerKey: []byte("server"), Version: 1}
	return s.CreateUser(ctx, a, l, v)
}

func session(id, parent, user string) sessions.Session {
	return sessions.Session{ID: id, Parent: parent, UserID: user, AuthTime: start, Created: start, Seen: start, Expires: start.Add(time.Hour)}
}

func hashOf(key string) [32]byte { return once.Hash("test", key) }

// acts are what the writer does for each key, in order. What it has done it
// says, by the name of the act; after the name stands what must hold then,
// whatever else was begun when the process died. Every third key ends its
// session, every fifth its user.
var acts = []struct {
	name  string
	does  func(n int) bool
	act   func(ctx context.Context, s storetest.Store, key string) error
	holds func(ctx context.Context, s storetest.Store, key string, n int) error
}{
	{"user", always, writeUser, func(ctx context.Context, s storetest.Store, key string, n int) error {
		if fifth(n) {
			return nil // may have been deleted
		}
		return wantNil(s.LocalUser(ctx, "login-"+key))
	}},
	{"change", always, func(ctx context.Context, s storetest.Store, key string) error {
		a, err := s.Account(ctx, key)
		if err != nil {
			return err
		}
		a.Groups = []string{"changed"}
		return s.UpdateUser(ctx, a)
	}, func(ctx context.Context, s storetest.Store, key string, n int) error {
		a, err := s.Account(ctx, key)
		if fifth(n) && errors.Is(err, accounts.ErrNone) {
			return nil
		}
		if err == nil && (len(a.Groups) != 1 || a.Generation != 2) {
			err = fmt.Errorf("groups %q, generation %d", a.Groups, a.Generation)
		}
		return err
	}},
	{"asked", always, func(ctx context.Context, s storetest.Store, key string) error {
		a := accounts.Account{User: identity.User{ID: "asks-" + key, Login: "corp:" + key, Status: identity.Waiting, Created: start, Generation: 1}}
		l := accounts.Link{Key: identity.Key{Issuer: "https://id.example", Subject: key}, UserID: a.ID, Provider: "corp", Linked: start}
		return s.CreatePending(ctx, a, l, 1_000_000, start.Add(-time.Hour))
	}, func(ctx context.Context, s storetest.Store, key string, _ int) error {
		a, _, err := s.AccountByKey(ctx, identity.Key{Issuer: "https://id.example", Subject: key})
		if err == nil && a.Status != identity.Waiting {
			err = fmt.Errorf("status %s", a.Status)
		}
		return err
	}},
	{"chosen", always, func(ctx context.Context, s storetest.Store, key string) error {
		i := accounts.Invitation{ID: key, Hash: hashOf("link " + key), Purpose: accounts.Reset, Origin: identity.Local, UserID: key, Created: start, Expires: start.Add(time.Hour)}
		if err := s.CreateInvitation(ctx, i); err != nil {
			return err
		}
		return s.SetVerifier(ctx, i.Hash, start, key, accounts.Verifier{Salt: []byte("other"), Iterations: 600_000, StoredKey: []byte("stored"), ServerKey: []byte("server"), Version: 2})
	}, func(ctx context.Context, s storetest.Store, key string, n int) error {
		_, left := s.Invitation(ctx, hashOf("link "+key), start)
		u, err := s.LocalUser(ctx, "login-"+key)
		if fifth(n) && errors.Is(err, localauth.ErrNoUser) {
			return want(left, accounts.ErrNoInvitation)
		}
		if err == nil && (u.Version != 2 || string(u.Salt) != "other") {
			err = fmt.Errorf("version %d, salt %q", u.Version, u.Salt)
		}
		return errors.Join(err, want(left, accounts.ErrNoInvitation))
	}},
	{"session", always, func(ctx context.Context, s storetest.Store, key string) error {
		if err := s.CreateSession(ctx, session(key, "", key)); err != nil {
			return err
		}
		return s.CreateSession(ctx, session("child-"+key, key, key))
	}, func(ctx context.Context, s storetest.Store, key string, n int) error {
		if third(n) || fifth(n) {
			return nil
		}
		return wantNil(s.Session(ctx, "child-"+key))
	}},
	{"taken", always, func(ctx context.Context, s storetest.Store, key string) error {
		return s.Take(ctx, hashOf(key), start)
	}, func(ctx context.Context, s storetest.Store, key string, _ int) error {
		return want(s.Take(ctx, hashOf(key), start), once.ErrSpent)
	}},
	{"code", always, func(ctx context.Context, s storetest.Store, key string) error {
		c := sessions.Code{Hash: hashOf(key), Parent: key, Expires: start}
		if err := s.PutCode(ctx, c); err != nil {
			return err
		}
		_, err := s.TakeCode(ctx, c.Hash, "", c.Nonce, start.Add(-1*time.Second))
		return err
	}, func(ctx context.Context, s storetest.Store, key string, _ int) error {
		_, err := s.TakeCode(ctx, hashOf(key), "", [32]byte{}, start.Add(-1*time.Second))
		return want(err, sessions.ErrNoCode)
	}},
	{"revoked", third, func(ctx context.Context, s storetest.Store, key string) error {
		_, err := s.DeleteSession(ctx, key)
		return err
	}, func(ctx context.Context, s storetest.Store, key string, _ int) error {
		_, parent := s.Session(ctx, key)
		_, child := s.Session(ctx, "child-"+key)
		return errors.Join(want(parent, sessions.ErrNone), want(child, sessions.ErrNone))
	}},
	{"slots", always, func(ctx context.Context, s storetest.Store, key string) error {
		h := hashOf(key)
		return s.SaveSlots(ctx, []throttle.Slot{{Index: uint32(h[0]), Level: 1, Last: start}, {Index: uint32(h[0]) + 256, Level: 1, Last: start}})
	}, func(ctx context.Context, s storetest.Store, key string, _ int) error {
		h, found := hashOf(key), 0
		all, err := s.LoadSlots(ctx)
		for _, slot := range all {
			if slot.Index%256 == uint32(h[0]) {
				found++
			}
		}
		if err == nil && found != 2 {
			err = fmt.Errorf("%d of 2 slots", found)
		}
		return err
	}},
	{"deleted", fifth, func(ctx context.Context, s storetest.Store, key string) error {
		return s.DeleteUser(ctx, key)
	}, func(ctx context.Context, s storetest.Store, key string, _ int) error {
		_, user := s.LocalUser(ctx, "login-"+key)
		_, child := s.Session(ctx, "child-"+key)
		return errors.Join(want(user, localauth.ErrNoUser), want(child, sessions.ErrNone), want(writeUser(ctx, s, key), accounts.ErrLoginTaken))
	}},
}

func always(int) bool  { return true }
func third(n int) bool { return n%3 == 0 }
func fifth(n int) bool { return n%5 == 0 }

func want(got, want error) error {
	if !errors.Is(got, want) {
		return fmt.Errorf("got %w, want %w", got, want)
	}
	return nil
}

func wantNil[T any](_ T, err error) error { return err }

// writeUntilKilled acts for key after key and says what is done when it is.
func writeUntilKilled(dir, round string) error {
	s, err := sqlite.Open(context.Background(), dir)
	if err != nil {
		return err
	}
	errs := make(chan error)
	for worker := range 4 {
		go func() {
			for n := worker; ; n += 4 {
				key := fmt.Sprintf("%s-%d", round, n)
				for _, a := range acts {
					if !a.does(n) {
						continue
					}
					if err := a.act(context.Background(), s, key); err != nil {
						errs <- fmt.Errorf("%s %s: %w", a.name, key, err)
						return
					}
					if _, err := fmt.Fprintf(os.Stdout, "%s %s %d\n", a.name, key, n); err != nil { // one write, so whole lines
						errs <- err
						return
					}
				}
			}
		}()
	}
	return <-errs
}

// Whatever a process was told to have written is there after it was killed at
// any moment, and what it was not told is there wholly or not at all.
func TestKilled(t *testing.T) {
	rounds := 4
	if os.Getenv(soak) != "" {
		rounds = 500
	}
	dir, said := t.TempDir(), 0
	for n := range rounds {
		lines := killed(t, dir, fmt.Sprint(n))
		said += len(lines)
		s := open(t, dir)
		for _, line := range lines {
			check(t, s, line)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		sound(t, dir)
	}
	t.Logf("%d acknowledged writes, %d kills", said, rounds)
}

// killed runs a writer, kills it at a random moment after its first word, and
// returns all it said.
func killed(t *testing.T, dir, number string) []string {
	t.Helper()
	cmd := myself(t, asWriter+"="+dir, round+"="+number)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	delay, err := rand.Int(rand.Reader, big.NewInt(int64(150*time.Millisecond)))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	var end sync.Once
	for in := bufio.NewScanner(out); in.Scan(); {
		lines = append(lines, in.Text())
		end.Do(func() { time.AfterFunc(time.Duration(delay.Int64()), func() { _ = cmd.Process.Kill() }) })
	}
	if err := cmd.Wait(); err == nil || cmd.ProcessState.Exited() || len(lines) == 0 {
		t.Fatalf("the writer ended by itself after %d writes: %v", len(lines), err)
	}
	return lines
}

// check tests what must hold after a line was said.
func check(t *testing.T, s storetest.Store, line string) {
	t.Helper()
	name, rest, _ := strings.Cut(line, " ")
	var key string
	var n int
	if _, err := fmt.Sscan(rest, &key, &n); err != nil {
		t.Fatalf("the writer said %q", line)
	}
	for _, a := range acts {
		if a.name != name {
			continue
		}
		if err := a.holds(t.Context(), s, key, n); err != nil {
			t.Errorf("after %q: %v", line, err)
		}
		return
	}
	t.Fatalf("the writer said %q", line)
}

// sound tests what must hold of the whole file at any time.
func sound(t *testing.T, dir string) {
	t.Helper()
	db := raw(t, dir)
	var verdict string
	if err := db.QueryRowContext(t.Context(), `PRAGMA integrity_check`).Scan(&verdict); err != nil || verdict != "ok" {
		t.Fatalf("integrity_check = %s, %v", verdict, err)
	}
	for what, query := range map[string]string{
		"references to what is gone":     `SELECT count(*) FROM pragma_foreign_key_check`,
		"users without a verifier":       `SELECT count(*) FROM users WHERE status = 'active' AND id NOT IN (SELECT user_id FROM verifiers)`,
		"users without a link":           `SELECT count(*) FROM users WHERE id NOT IN (SELECT user_id FROM links)`,
		"logins that are gone and there": `SELECT count(*) FROM users JOIN gone_logins USING (login)`,
		"sessions of nobody":             `SELECT count(*) FROM sessions WHERE user_id NOT IN (SELECT id FROM users)`,
		"children without a parent":      `SELECT count(*) FROM sessions WHERE parent NOT IN (SELECT id FROM sessions)`,
	} {
		var n int
		if err := db.QueryRowContext(t.Context(), query).Scan(&n); err != nil || n != 0 {
			t.Errorf("%d %s, %v", n, what, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// A disk that is full refuses writes, says so to Ping, still answers what it
// knows, and works again when there is space.
func TestFullDisk(t *testing.T) {
	if out, err := myself(t, asFull+"="+t.TempDir()).Output(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// fillUp lives with a limit on the size of files, which refuses writes as a
// full disk does.
func fillUp(dir string) error {
	ctx := context.Background()
	s, err := sqlite.Open(ctx, dir)
	if err != nil {
		return err
	}
	signal.Ignore(syscall.SIGXFSZ)
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	most := limit.Cur
	limit.Cur = 256 << 10
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	n, ping := 0, error(nil)
	for ; ping == nil && n < 10_000; n++ { // what Ping writes is less than a user and may still fit
		err, ping = writeUser(ctx, s, fmt.Sprint(n)), s.Ping(ctx)
	}
	if err == nil || ping == nil {
		return fmt.Errorf("on a full disk a write = %w, Ping = %w", err, ping)
	}
	if _, err := s.LocalUser(ctx, "login-0"); err != nil {
		return fmt.Errorf("read with a full disk: %w", err)
	}
	if _, err := s.Account(ctx, fmt.Sprint(n-1)); !errors.Is(err, accounts.ErrNone) {
		return fmt.Errorf("the user who did not fit: %w", err)
	}
	limit.Cur = most
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	return errors.Join(s.Ping(ctx), writeUser(ctx, s, "last"), s.Ping(ctx), s.Close())
}
