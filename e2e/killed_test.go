package e2e

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// book is what a gateway has acknowledged under load: what has to hold after
// it was killed, whatever else was under way.
type book struct {
	mu    sync.Mutex
	live  map[string]string // tokens whose session is there, and whose they are
	ended map[string]string // tokens whose session was ended, and how
	dave  string            // dave's status; empty: a change was under way
	wrong []string          // what did not hold before the kill already
	left  int               // sessions to acknowledge before the kill
	kill  func()
}

func (b *book) begins(token, who string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.live[token] = who
	if b.left--; b.left == 0 {
		time.AfterFunc(rand.N(50*time.Millisecond), b.kill)
	}
}

// ends notes the beginning of an end: until it is acknowledged, nothing is known.
func (b *book) ends(token string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.live, token)
}

func (b *book) over(token, how string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended[token] = how
}

func (b *book) is(status string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dave = status
}

func (b *book) complain(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wrong = append(b.wrong, fmt.Sprintf(format, args...))
}

// What a gateway has said is done is done after it was killed under load:
// sessions that it opened are there, those that it ended stay ended, a person is
// what they were made last, and the audit log is whole.
func TestFaultKilledUnderLoad(t *testing.T) {
	t.Parallel()
	app := startEcho(t)
	l := newSite(t, false, fmt.Sprintf("apps:\n  one: {host: one.localhost, upstream: %q, allow: signed-in}\nlog: {level: warn}\n", app.URL)).serve().load()
	people := []person{l.person("alice"), l.person("bob")}
	dave := l.person("dave")
	for _, p := range append(people, dave) {
		l.mustSignIn(p) // derives the key
	}
	said, ends := 0, 0
	for range again(t, 3) {
		process := l.process
		b := &book{live: map[string]string{}, ended: map[string]string{}, left: 100 + rand.IntN(100), kill: func() { process.stop(syscall.SIGKILL) }}
		together(len(people)+3, func(worker int) {
			switch {
			case worker < len(people):
				l.comeAndGo(people[worker], b)
			case worker == len(people):
				l.switchOnAndOff(dave, b)
			default:
				l.askUntilGone(b)
			}
		})
		l.transport.CloseIdleConnections()
		for _, wrong := range b.wrong {
			t.Errorf("before the kill: %s", wrong)
		}

		l.serve()
		for token, who := range b.live {
			l.mustPass(token, "a session of "+who+" that was acknowledged")
		}
		for token, how := range b.ended {
			l.mustNotPass(token, "a session that "+how)
		}
		if shown := mustCLI(t, "", "user", "show", "dave", "--config", l.config); b.dave != "" && !strings.Contains(shown, b.dave) {
			t.Errorf("dave was %s, and after the kill is:\n%s", b.dave, shown)
		}
		mustCLI(t, "", "audit", "verify", "--config", l.config)
		if t.Failed() {
			return
		}
		mustCLI(t, "", "user", "enable", "dave", "--config", l.config)
		said, ends = said+len(b.live)+len(b.ended), ends+len(b.ended)
		process.out.forget()
	}
	if said == ends || ends == 0 {
		t.Errorf("%d acknowledged sessions, %d of them ended: the load was none", said, ends)
	}
	t.Logf("%d acknowledged sessions, %d of them ended", said, ends)
}

// comeAndGo signs in, and out every second time, until nobody answers.
func (l *load) comeAndGo(p person, b *book) {
	for n := 0; ; n++ {
		token, err := l.signIn(p)
		if err != nil {
			l.gone(b, "sign-in of "+p.login, err)
			return
		}
		b.begins(token, p.login)
		if n%2 == 0 {
			continue
		}
		b.ends(token)
		status, err := l.signOut(token)
		if err != nil {
			return
		}
		if status != http.StatusOK {
			b.complain("sign-out is answered %d", status)
		}
		b.over(token, "was signed out")
		if status, err := l.check(token); err == nil && status != http.StatusUnauthorized {
			b.complain("after its sign-out a session is answered %d", status)
		}
	}
}

// switchOnAndOff disables somebody who is signed in and enables them again, by
// the command line, until nobody answers.
func (l *load) switchOnAndOff(p person, b *book) {
	for {
		token, err := l.signIn(p)
		if err != nil {
			l.gone(b, "sign-in of "+p.login, err)
			return
		}
		for _, change := range []struct{ does, is string }{{"disable", "disabled"}, {"enable", "active"}} {
			b.is("")
			if _, err := cli(l.t, "", "user", change.does, p.login, "--config", l.config); err != nil {
				return
			}
			b.is(change.is)
			b.over(token, "was ended by disabling "+p.login)
			if status, err := l.check(token); err == nil && status != http.StatusUnauthorized {
				b.complain("after %s a session of before is answered %d", change.does, status)
			}
		}
	}
}

// askUntilGone checks what is known to be live or ended, and nobody.
func (l *load) askUntilGone(b *book) {
	for {
		status, err := l.check("")
		if err != nil {
			return
		}
		if status != http.StatusUnauthorized {
			b.complain("nobody is answered %d", status)
		}
		b.mu.Lock()
		token := ""
		for token = range b.ended {
			break
		}
		b.mu.Unlock()
		if token == "" {
			continue
		}
		if status, err := l.check(token); err == nil && status != http.StatusUnauthorized {
			b.complain("a session that has ended is answered %d", status)
		}
	}
}

// gone complains of what went wrong for another reason than the kill.
func (l *load) gone(b *book, what string, err error) {
	if refused, ok := errors.AsType[refusedError](err); ok {
		b.complain("%s: %v", what, refused)
	}
}
