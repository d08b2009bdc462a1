package pages_test

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"gateway/internal/server/pages"
)

// browse opens a page in Chromium, which ends with the test. Hosts in .test are
// this machine, but not for the browser to know.
func browse(t *testing.T, url string) {
	t.Helper()
	chromium := program(t, "chromium", "chromium-browser", "google-chrome")
	profile, err := os.MkdirTemp("", "pages-*") //nolint:usetesting // the browser may still write to it when the test ends, which t.TempDir does not forgive
	if err != nil {
		t.Fatal(err)
	}
	args := []string{
		"--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--no-proxy-server", "--disable-background-networking", "--disable-component-update",
		"--disable-sync", "--disable-dev-shm-usage", "--remote-debugging-port=0", "--host-resolver-rules=MAP *.test 127.0.0.1", "--user-data-dir=" + profile, url,
	}
	if os.Geteuid() == 0 {
		args = append([]string{"--no-sandbox"}, args...)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, chromium, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait()            // it was killed
		_ = os.RemoveAll(profile) // what is left is temporary
	})
}

// TestSignInInABrowser does in a real browser what people do, against a
// gateway that knows one password and otherwise misbehaves on purpose.
func TestSignInInABrowser(t *testing.T) {
	g := newGateway(t)
	for _, row := range []struct {
		user, password string
		problem, focus string
		left           int // characters left in the password field
		calls          string
	}{
		{"alice", "wrong horse", "The user name or the password is not right.", "password", 0, "connect login"},
		{"alice", "tab\tinside", "This password contains characters that no password here can have, or is too long.", "password", 0, ""},
		{" throttled ", rightPassword, "Too many attempts. Try again in 45 seconds.", "submit", len(rightPassword), "connect"},
		{"throttled-long", rightPassword, "Too many attempts. Try again in 3 minutes.", "submit", len(rightPassword), "connect"},
		{"weak", rightPassword, "The gateway asked for a weaker or costlier proof than this page accepts. Your password was not used. Tell whoever runs this site.", "submit", len(rightPassword), "connect"},
		{"costly", rightPassword, "The gateway asked for a weaker or costlier proof than this page accepts. Your password was not used. Tell whoever runs this site.", "submit", len(rightPassword), "connect"},
		{"stolen-nonce", rightPassword, "The answer did not come from the gateway as it should. Your password was not used. Tell whoever runs this site.", "submit", len(rightPassword), "connect"},
		{"impostor", rightPassword, "The other side could not prove that it knows your account, so you were not signed in. Tell whoever runs this site.", "submit", len(rightPassword), "connect login logout"},
		{"late", rightPassword, "This sign-in took too long, or the browser did not keep our cookie. Allow cookies for this site, then try again.", "submit", len(rightPassword), "connect login connect login"},
		{"cut-off", rightPassword, "The gateway cannot be reached. Check your connection, then try again.", "submit", len(rightPassword), "connect"},
		{"redirected", rightPassword, "The gateway cannot be reached. Check your connection, then try again.", "submit", len(rightPassword), "connect"},
		{"down", rightPassword, "Signing in does not work right now. Try again in a moment.", "submit", len(rightPassword), "connect login"},
		{"puzzling", rightPassword, "Something went wrong. Reload the page and try again.", "submit", len(rightPassword), "connect"},
		{"hostile", rightPassword, "Something went wrong. Reload the page and try again.", "submit", len(rightPassword), "connect"},
		{"new", rightPassword, "Your account is waiting for approval. You can sign in once somebody has approved it.", "submit", 0, "connect login"},
	} {
		g.steps <- step{row.user, row.password}
		if row.user == "alice" && row.password == "wrong horse" {
			browse(t, g.url+"/.gateway/sign-in?rd=https://evil.test/")
		}
		got := g.next(t)
		if got.Problem != row.problem || got.Focus != row.focus || got.Left != row.left || got.Good != (row.user == "new") {
			t.Errorf("%q: shows %+v, want %+v", row.user, got, row)
		}
		if got.Shown != "text" || got.Submit != "Sign in" || (row.calls != "" && got.Busy != "true Signing in… password") {
			t.Errorf("%q: %+v, want the password shown before and hidden while busy", row.user, got)
		}
		if calls := g.takeCalls(); calls != row.calls {
			t.Errorf("%q: called %q, want %q", row.user, calls, row.calls)
		}
	}
	g.steps <- step{"alice", rightPassword}
	if got := g.next(t); got.Title != "Your apps · Gateway" {
		t.Errorf("after the right password: %+v, want the apps", got)
	}
	if calls := g.takeCalls(); calls != "connect login" {
		t.Errorf("the right password: called %q", calls)
	}
	g.check(t)
}

// TestPagesInABrowser opens one page after the other.
func TestPagesInABrowser(t *testing.T) {
	g := newGateway(t)
	plain := strings.Replace(g.url, "127.0.0.1", "plain.test", 1)
	g.tour <- "/test/failure"
	g.tour <- "/test/switch"
	g.tour <- plain + "/.gateway/sign-in"
	browse(t, g.url+"/test/judge")

	if got := g.next(t); len(got.Wrong) > 0 || got.Title != "true" {
		t.Errorf("vectors: wrong: %q", got.Wrong)
	}
	if got := g.next(t); len(got.Times) != 1 || strings.HasPrefix(got.Times[0], "2026-03-20") || !strings.Contains(got.Times[0], "2026") {
		t.Errorf("times = %q, want one, said in the reader's manner", got.Times)
	}
	// A form whose answer leads to another host, which the policy allows by way of Continue alone.
	if got := g.next(t); got.Title != pageTitle(t, pages.SignedOut{}) {
		t.Errorf("the form ended at %q", got.Title)
	}
	if posted := g.takeForms(); !slices.Equal(posted, []string{"ticket=t1"}) {
		t.Errorf("posted %q, want the ticket", posted)
	}
	if got := g.next(t); !got.Disabled || !strings.Contains(got.Problem, "plain.test") || !strings.Contains(got.Problem, "was opened without https") {
		t.Errorf("without https: shows %+v, want the form switched off and why", got)
	}
	g.check(t)
}

func pageTitle(t *testing.T, value any) string {
	t.Helper()
	_, rest, _ := strings.Cut(render(t, value), "<title>")
	title, _, _ := strings.Cut(rest, "</title>")
	return title
}
