package e2e

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait; nothing is measured by it.
const patience = 60 * time.Second

// process is a program that a test has started.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	out  log
	done chan struct{}
}

// log collects output.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// forget throws away what was printed.
func (l *log) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Reset()
}

// environ is the environment without what is meant for tests: the gateway
// would warn that it knows no such key.
func environ() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "GATEWAY_TEST_") || strings.HasPrefix(v, "GATEWAY_SOAK=")
	})
}

// start runs a program until the test ends. What it printed is shown if the
// test fails, and a data race that the program reports fails it.
func start(t *testing.T, name string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.CommandContext(context.WithoutCancel(t.Context()), name, args...), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	p.cmd.Env = append(environ(), "GORACE=halt_on_error=0")
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		p.stop(syscall.SIGTERM)
		text := p.out.String()
		if strings.Contains(text, "WARNING: DATA RACE") {
			t.Errorf("%s reports a data race", filepath.Base(name))
		}
		if t.Failed() {
			t.Logf("%s printed:\n%s", filepath.Base(name), text)
		}
	})
	return p
}

// stop ends the process and waits for it.
func (p *process) stop(with os.Signal) {
	_ = p.cmd.Process.Signal(with)
	select {
	case <-p.done:
	case <-time.After(patience):
		_ = p.cmd.Process.Kill()
		<-p.done
		p.t.Errorf("%s did not end on %v", p.cmd.Path, with)
	}
}

// eventually polls until ok, or fails the test.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("never happened: %s", what)
}

// given are the ports that some test has.
var given sync.Map

// freePort returns a port that nobody else has or will get: it lies below those
// that systems give to outgoing connections.
func freePort(t testing.TB) int {
	t.Helper()
	for range 1000 {
		port := 11_000 + rand.IntN(9_000) // browsers refuse 10080
		if _, taken := given.LoadOrStore(port, true); taken {
			continue
		}
		var lc net.ListenConfig
		if l, err := lc.Listen(t.Context(), "tcp", fmt.Sprintf(":%d", port)); err == nil {
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			return port
		}
	}
	t.Fatal("no port is free")
	return 0
}

// answering waits until something accepts connections.
func answering(t *testing.T, port int) {
	t.Helper()
	eventually(t, fmt.Sprintf("port %d answers", port), func() bool {
		c, err := onlyHere(t.Context(), "tcp", fmt.Sprintf("localhost:%d", port))
		return err == nil && c.Close() == nil
	})
}

// onlyHere dials this machine whatever the name: Go does not resolve
// *.localhost by itself.
func onlyHere(ctx context.Context, network, address string) (net.Conn, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	return d.DialContext(ctx, network, "127.0.0.1:"+port)
}

// reply is what came back.
type reply struct {
	StatusCode int
	Header     http.Header
}

// ready reports whether the gateway says that it is.
func ready(t testing.TB, management int) bool {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("http://localhost:%d/readyz", management), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Transport{DialContext: onlyHere, DisableKeepAlives: true}).RoundTrip(req)
	return err == nil && resp.Body.Close() == nil && resp.StatusCode == http.StatusOK
}

// visit sends one request without a cookie jar and without following redirects.
func visit(t *testing.T, method, url string, header map[string]string) (reply, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		if k == "Host" {
			req.Host = v
			continue
		}
		req.Header.Set(k, v)
	}
	resp, err := (&http.Transport{DialContext: onlyHere, DisableKeepAlives: true, TLSClientConfig: believing(t)}).RoundTrip(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header}, string(body)
}

// raw sends bytes as they are and returns what came back until the other side
// closed, or said nothing more for a moment.
func raw(t *testing.T, port int, text string) string {
	t.Helper()
	c, err := onlyHere(t.Context(), "tcp", fmt.Sprintf("localhost:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	_ = c.SetReadDeadline(time.Now().Add(patience))
	r := bufio.NewReader(c)
	_, _ = r.Peek(1) // a busy machine may let the first byte wait
	_ = c.SetReadDeadline(time.Now().Add(2 * time.Second))
	answer, _ := io.ReadAll(r)
	return string(answer)
}

// cli runs a command of the gateway to its end.
func cli(t *testing.T, stdin string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Stdin, cmd.Env = strings.NewReader(stdin), append(environ(), "GORACE="+noWait)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// mustCLI is cli for what has to work.
func mustCLI(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	out, err := cli(t, stdin, args...)
	if err != nil {
		t.Fatalf("gateway %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// write puts a file into the test's own folder.
func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
