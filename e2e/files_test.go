package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
)

// files counts the files that a process has open.
func (p *process) files() int {
	p.t.Helper()
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	return len(open)
}

// mayOpen is how many files a process may open at most.
func (p *process) mayOpen() string {
	p.t.Helper()
	for line := range strings.Lines(read(p.t, fmt.Sprintf("/proc/%d/limits", p.cmd.Process.Pid))) {
		if rest, ok := strings.CutPrefix(line, "Max open files"); ok {
			return strings.Fields(rest)[1]
		}
	}
	p.t.Fatal("no limit of open files")
	return ""
}

// ended reports whether the process has.
func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// A gateway that may open no more files goes on for everybody who is connected
// and lets nobody in for it; once it may, it answers everybody again, commands
// too.
func TestFaultNoFilesLeft(t *testing.T) {
	t.Parallel()
	app, other := startEcho(t), startEcho(t)
	l := newSite(t, false, fmt.Sprintf("apps:\n  one: {host: one.localhost, upstream: %q, allow: signed-in}\n  two: {host: two.localhost, upstream: %q, allow: everyone}\nlog: {level: warn}\n", app.URL, other.URL)).serve().load()
	alice := l.person("alice")
	token := l.mustSignIn(alice)
	goroutines := l.metric("go_goroutines")
	for n := range again(t, 2) {
		doomed := l.mustSignIn(alice)
		kept := l.over(l.authz, l.public)
		kept.mustPass(token, "a session")
		kept.mustOpen("one.localhost", token, http.StatusOK)
		most := l.files() + 5
		if n%2 == 1 {
			most = 8 // fewer than are open
		}
		l.limit("nofile", fmt.Sprint(most))
		silent := silence(t, l.listen, 40)
		eventually(t, "no connection is taken any more", func() bool { return strings.Contains(l.out.String(), "too many open files") })
		for range 50 {
			kept.mustPass(token, "a session, on a connection from before,")
			kept.mustNotPass("", "nobody, on a connection from before,")
		}
		kept.mustOpen("one.localhost", token, http.StatusOK) // over its connection from before
		if n == 0 {
			kept.mustOpen("two.localhost", "", http.StatusBadGateway) // needs the first one
		}
		if got, err := kept.signOut(doomed); err != nil || got != http.StatusOK {
			t.Errorf("a sign-out is answered %d, %v; want 200", got, err)
		}
		kept.mustNotPass(doomed, "a session that has ended")
		kept.lines.close()

		l.limit("nofile", l.mayOpen())
		for _, c := range silent {
			_ = c.Close()
		}
		eventually(t, "the gateway answers new connections", func() bool { return ready(t, l.management) })
		mustCLI(t, "", "user", "show", "alice", "--config", l.config)
		l.mustOpen("two.localhost", "", http.StatusOK)
		l.mustPass(token, "a session")
		l.mustPass(l.mustSignIn(alice), "a new session")
		if l.ended() {
			t.Fatal("the gateway has ended")
		}
		eventually(t, "its connections are gone", func() bool { return l.files() < 30 && l.metric("go_goroutines") < goroutines+20 })
		if lines := strings.Count(l.out.String(), "Accept error"); lines > 10_000 {
			t.Errorf("the log has %d lines about connections that were not taken", lines)
		}
		if t.Failed() {
			return
		}
		l.out.forget()
	}
}

// silence opens connections on which nobody says anything.
func silence(t *testing.T, port, n int) []io.Closer {
	t.Helper()
	all := make([]io.Closer, n)
	for i := range all {
		c, err := onlyHere(t.Context(), "tcp", fmt.Sprintf("localhost:%d", port))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		all[i] = c
	}
	return all
}

// mustOpen tests how a page of an app is answered.
func (l *load) mustOpen(host, token string, want int) {
	l.t.Helper()
	if got, err := l.open(l.t.Context(), host, "/page", token); err != nil || got != want {
		l.t.Errorf("a page of %s is answered %d, %v; want %d", host, got, err, want)
	}
}
