package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// disk is where a gateway keeps its data, and how it fails. Everything that is
// written to it while it fails is refused.
type disk struct {
	name   string
	mount  func(s *site) // before the gateway starts; nil: nothing to do
	fail   func(s *site)
	heal   func(s *site)
	remedy string // what the log tells the operator
}

// limit sets a limit of resources of a running program.
func (p *process) limit(resource, value string) {
	p.t.Helper()
	out, err := exec.CommandContext(p.t.Context(), need(p.t, "prlimit"), "--pid", fmt.Sprint(p.cmd.Process.Pid), "--"+resource+"="+value+":").CombinedOutput()
	if err != nil {
		p.t.Fatalf("prlimit --%s=%s: %v\n%s", resource, value, err, out)
	}
}

func (s *site) data(name string) string { return filepath.Join(s.folder, "data", name) }

// disks are a disk with a little space left and one that refuses every write,
// both by a limit on the size of the program's files; and where this machine
// lets us mount one, a small disk that something else fills.
func disks(t *testing.T) []disk {
	free := func(s *site) { s.limit("fsize", "unlimited") }
	all := []disk{
		{"almost full", nil, func(s *site) {
			info, err := os.Stat(s.data("gateway.db-wal"))
			if err != nil {
				s.t.Fatal(err)
			}
			s.limit("fsize", fmt.Sprint(info.Size()+64<<10))
		}, free, "remount"},
		{"read-only", nil, func(s *site) { s.limit("fsize", "0") }, free, "remount"},
	}
	if mounts(t) {
		filler := func(s *site) string { return s.data("somebody-elses") }
		all = append(all, disk{"full", func(s *site) { mount(s.t, s.data("")) }, func(s *site) { fill(s.t, filler(s)) }, func(s *site) {
			if err := os.Remove(filler(s)); err != nil {
				s.t.Fatal(err)
			}
		}, "make space"})
	}
	return all
}

// mounts reports whether this machine lets us mount.
func mounts(t *testing.T) bool {
	t.Helper()
	at := t.TempDir()
	if err := syscall.Mount("tmpfs", at, "tmpfs", 0, "size=1m"); err != nil {
		t.Logf("a full disk is a limit alone here: mount: %v", err)
		return false
	}
	return syscall.Unmount(at, 0) == nil
}

// mount gives the folder a disk of its own, of a few megabytes.
func mount(t *testing.T, at string) {
	t.Helper()
	if err := os.MkdirAll(at, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", at, "tmpfs", 0, "size=8m,mode=0700"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(at, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

// fill leaves no space.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	chunk := make([]byte, 4096)
	for err == nil {
		_, err = f.Write(chunk)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("fill the disk: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

// A disk that refuses writes shuts nobody out who is signed in and lets nobody
// in who is not; whatever would have to be written is answered 503 and leaves
// nothing behind. All of it works again once the disk does.
func TestFaultDisk(t *testing.T) {
	t.Parallel()
	for _, d := range disks(t) {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			for n := range again(t, 1) { // each a house of its own: an audit log that is long would be what fails first
				if !t.Run(fmt.Sprint(n), d.hurts) {
					return
				}
			}
		})
	}
}

// hurts starts a gateway whose disk fails, and works again.
func (d disk) hurts(t *testing.T) {
	app := startEcho(t)
	s := newSite(t, false, fmt.Sprintf("apps:\n  one: {host: one.localhost, upstream: %q, rules: [{paths: [/public/**], allow: everyone}, {allow: signed-in}]}\nlog: {level: warn}\n", app.URL))
	if d.mount != nil {
		d.mount(s)
	}
	l := s.serve().load()
	alice := l.person("alice")
	known := []string{l.mustSignIn(alice)}
	for range 2 {
		known = append(known, l.outlive(d, alice, known[0])...)
		if t.Failed() {
			return
		}
	}

	l.stop(syscall.SIGTERM)
	out, err := exec.CommandContext(t.Context(), need(t, "prlimit"), "--fsize=0", program, "serve", "--config", l.config).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "is there space") {
		t.Errorf("a start on a disk that refuses: %v\n%s", err, out)
	}
	l.serve()
	for _, token := range known {
		l.mustPass(token, "a session of before the restart")
	}
	mustCLI(t, "", "audit", "verify", "--config", l.config)
}

// outlive lets the disk fail and work again, and returns the sessions that
// were opened meanwhile.
func (l *load) outlive(d disk, alice person, live string) (opened []string) {
	t := l.t
	t.Helper()
	doomed := l.mustSignIn(alice)
	d.fail(l.site)
	var err error
	for len(opened) < 10_000 && (err == nil || ready(t, l.management)) {
		var token string
		if token, err = l.signIn(alice); err == nil {
			opened = append(opened, token)
		}
	}
	if refused, ok := errors.AsType[refusedError](err); !ok || refused.status != http.StatusServiceUnavailable || !strings.Contains(refused.text, `"Unavailable"`) {
		t.Fatalf("after %d sign-ins one is answered %v; want 503 Unavailable", len(opened), err)
	}
	for range 20 {
		l.mustPass(live, "a session, while the disk refuses,")
		l.mustNotPass("", "nobody, while the disk refuses,")
	}
	for path, want := range map[string]int{"/page": http.StatusOK, "/public/page": http.StatusOK} {
		if got, err := l.open(t.Context(), "one.localhost", path, live); err != nil || got != want {
			t.Errorf("%s at the app is answered %d, %v; want %d", path, got, err, want)
		}
	}
	if got, err := l.signOut(doomed); err != nil || got != http.StatusServiceUnavailable {
		t.Errorf("a sign-out that cannot be written is answered %d, %v; want 503", got, err)
	}
	l.mustPass(doomed, "a session whose end could not be written")
	for _, change := range [][]string{{"user", "add", "bob", "--password-stdin"}, {"user", "disable", "alice"}, {"user", "delete", "alice"}, {"session", "revoke", "--user", "alice"}} {
		if out, err := cli(t, password+"\n", append(change, "--config", l.config)...); err == nil || !strings.Contains(out, "gateway: ") {
			t.Errorf("%v: %v\n%s", change, err, out)
		}
	}
	if list := mustCLI(t, "", "user", "list", "--config", l.config); strings.Contains(list, "bob") || strings.Contains(list, "disabled") || !strings.Contains(list, "alice") {
		t.Errorf("half of a change was made:\n%s", list)
	}
	if got := l.metric(`gateway_store_errors_total{operation="write"}`); got == 0 {
		t.Error("the metrics know of no write that was refused")
	}
	eventually(t, "the log says what to do: "+d.remedy, func() bool {
		text := l.out.String()
		return strings.Contains(text, d.remedy) && strings.Contains(text, `"msg":"the store cannot write`)
	})

	d.heal(l.site)
	eventually(t, "the gateway is ready again", func() bool { return ready(t, l.management) })
	opened = append(opened, l.mustSignIn(alice))
	for _, token := range append([]string{live}, opened...) {
		l.mustPass(token, "a session that was acknowledged")
	}
	if got, err := l.signOut(doomed); err != nil || got != http.StatusOK {
		t.Errorf("a sign-out is answered %d, %v; want 200", got, err)
	}
	l.mustNotPass(doomed, "a session that has ended")
	eventually(t, "the log says that it works again", func() bool { return strings.Contains(l.out.String(), `"msg":"the store writes again`) })
	l.out.forget()
	return opened
}
