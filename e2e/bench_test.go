package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/xdg-go/scram"
)

// The benchmarks measure the built program as it is released, as a process of
// its own, beside a bare handler: interleaved rounds in one run, user and
// system time of the server alone, medians. make bench runs them.

const (
	rounds      = 7
	roundLength = 3 * time.Second
	connections = 64
)

// release builds the programs without the race detector.
func release(b *testing.B) (gateway, bare string) {
	b.Helper()
	folder := b.TempDir()
	gateway, bare = filepath.Join(folder, "gateway"), filepath.Join(folder, "bare")
	for _, build := range []struct{ out, in, pkg string }{{gateway, "..", "./cmd/gateway"}, {bare, ".", "./bare"}} {
		cmd := exec.CommandContext(b.Context(), "go", "build", "-tags", "nomsgpack", "-trimpath", "-ldflags", "-s -w", "-o", build.out, build.pkg)
		cmd.Dir = build.in
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("build %s: %v\n%s", build.pkg, err, out)
		}
	}
	return gateway, bare
}

// server is a process under load.
type server struct {
	name, url string
	header    []string
	script    string // of wrk's, if any
	pid       int
	cpu       []float64 // microseconds a request, by round
	rate      []float64 // requests a second, by round
}

// run starts a program for the length of the benchmark.
func run(b *testing.B, name string, args ...string) *exec.Cmd {
	b.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(b.Context()), name, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if b.Failed() {
			b.Log(out.String())
		}
	})
	return cmd
}

// cpuTime is the user and system time of a process so far.
func cpuTime(b *testing.B, pid int) time.Duration {
	b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+2:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond // USER_HZ is 100
}

var wrkRequests = regexp.MustCompile(`(\d+) requests in ([\d.]+)s`)

// load puts one round of load on a server. Every answer has to be a 2xx or 3xx.
func (s *server) load(b *testing.B, more ...string) []byte {
	b.Helper()
	args := []string{"-t1", fmt.Sprintf("-c%d", connections), fmt.Sprintf("-d%ds", int(roundLength.Seconds()))}
	args = append(args, more...)
	for _, h := range s.header {
		args = append(args, "-H", h)
	}
	if s.script != "" {
		args = append(args, "-s", s.script)
	}
	before := cpuTime(b, s.pid)
	out, err := exec.CommandContext(b.Context(), "wrk", append(args, s.url)...).CombinedOutput()
	spent := cpuTime(b, s.pid) - before
	m := wrkRequests.FindSubmatch(out)
	if err != nil || m == nil || bytes.Contains(out, []byte("Non-2xx")) || bytes.Contains(out, []byte("Socket errors")) {
		b.Fatalf("wrk at %s: %v\n%s", s.name, err, out)
	}
	n, _ := strconv.ParseFloat(string(m[1]), 64)
	seconds, _ := strconv.ParseFloat(string(m[2]), 64)
	s.cpu = append(s.cpu, float64(spent.Microseconds())/n)
	s.rate = append(s.rate, n/seconds)
	return out
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

// compare interleaves the rounds and reports each server beside the first.
func compare(b *testing.B, servers ...*server) {
	b.Helper()
	if _, err := exec.LookPath("wrk"); err != nil {
		b.Fatal("wrk is not installed: apt-get install wrk")
	}
	for range rounds {
		for _, s := range servers {
			s.load(b)
		}
	}
	base := servers[0]
	for _, s := range servers {
		var cpu, rate []float64
		for i := range s.cpu {
			cpu = append(cpu, s.cpu[i]/base.cpu[i])
			rate = append(rate, s.rate[i]/base.rate[i])
		}
		b.Logf("| %-28s | %6.1f µs | %5.2f | %8.0f | %5.2f |", s.name, median(s.cpu), median(cpu), median(s.rate), median(rate))
		if s != base {
			b.ReportMetric(median(cpu), "cpu-ratio:"+strings.ReplaceAll(s.name, " ", "-"))
		}
	}
	b.ReportMetric(0, "ns/op")
}

// benchSite is a gateway under measurement, with alice and her tokens.
type benchSite struct {
	gateway, bare                              string
	folder, config                             string
	public, authz, management, app, plainProxy int
	cmd                                        *exec.Cmd
}

func startBench(b *testing.B) *benchSite {
	b.Helper()
	s := &benchSite{folder: b.TempDir()}
	s.gateway, s.bare = release(b)
	for _, port := range []*int{&s.public, &s.authz, &s.management, &s.app, &s.plainProxy} {
		*port = freePort(b)
	}
	config := fmt.Sprintf(siteConfig, "http", s.public, s.public, s.authz, s.management, filepath.Join(s.folder, "data")) + fmt.Sprintf(`apps:
  one: {host: one.localhost, upstream: "http://127.0.0.1:%d", rules: [{paths: [/public/**], allow: everyone}, {allow: {groups: [staff]}}]}
log: {level: warn}
`, s.app)
	s.config = filepath.Join(s.folder, "gateway.yaml")
	if err := os.WriteFile(s.config, []byte(config), 0o600); err != nil {
		b.Fatal(err)
	}
	run(b, s.bare, fmt.Sprintf("127.0.0.1:%d", s.app))
	return s
}

// serve starts the gateway and returns how long it took to be ready.
func (s *benchSite) serve(b *testing.B) time.Duration {
	b.Helper()
	began := time.Now()
	s.cmd = run(b, s.gateway, "serve", "--config", s.config)
	for time.Since(began) < patience {
		if ready(b, s.management) {
			return time.Since(began)
		}
		time.Sleep(time.Millisecond)
	}
	b.Fatal("the gateway is not ready")
	return 0
}

func (s *benchSite) command(b *testing.B, args ...string) string {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), s.gateway, args...)
	cmd.Stdin = strings.NewReader(password + "\n")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		b.Fatalf("gateway %v: %v\n%s", args, err, errs.String())
	}
	return strings.TrimSpace(string(out))
}

// token signs alice in for the app.
func (s *benchSite) token(b *testing.B) string {
	b.Helper()
	s.command(b, "user", "add", "alice", "--name", "Alice A", "--email", "alice@example.com", "--group", "staff", "--password-stdin", "--config", s.config)
	return s.tokenAt(b, "one.localhost")
}

// BenchmarkCheck is the forward-auth check, authorised and anonymous, beside a
// bare net/http handler that gets the same request.
func BenchmarkCheck(b *testing.B) {
	s := startBench(b)
	s.serve(b)
	cookie := "Cookie: gateway=" + s.token(b)
	barePort := freePort(b)
	bare := run(b, s.bare, fmt.Sprintf("127.0.0.1:%d", barePort))
	time.Sleep(200 * time.Millisecond)
	asked := []string{
		"X-Forwarded-Method: GET", "X-Forwarded-Proto: http", "X-Forwarded-For: 192.0.2.7", "X-Forwarded-Uri: /wiki/page?x=1",
		fmt.Sprintf("X-Forwarded-Host: one.localhost:%d", s.public), "Accept: text/html", "User-Agent: bench",
	}
	public := append(slices.Clone(asked[:3]), append([]string{"X-Forwarded-Uri: /public/page"}, asked[4:]...)...)
	check := fmt.Sprintf("http://127.0.0.1:%d/.gateway/authz/forward-auth", s.authz)
	compare(b,
		&server{name: "bare net/http handler", url: fmt.Sprintf("http://127.0.0.1:%d/", barePort), header: append(slices.Clone(asked), cookie), pid: bare.Process.Pid},
		&server{name: "authorised check", url: check, header: append(slices.Clone(asked), cookie), pid: s.cmd.Process.Pid},
		&server{name: "anonymous check public page", url: check, header: public, pid: s.cmd.Process.Pid},
		&server{name: "anonymous check to sign-in", url: check, header: asked, pid: s.cmd.Process.Pid},
	)
}

// BenchmarkProxy is the own reverse proxy, authorisation included, beside a
// bare httputil.ReverseProxy to the same app.
func BenchmarkProxy(b *testing.B) {
	s := startBench(b)
	s.serve(b)
	cookie := "Cookie: gateway=" + s.token(b)
	bare := run(b, s.bare, fmt.Sprintf("127.0.0.1:%d", s.plainProxy), fmt.Sprintf("http://127.0.0.1:%d", s.app))
	time.Sleep(200 * time.Millisecond)
	header := []string{cookie, fmt.Sprintf("Host: one.localhost:%d", s.public), "Accept: text/html"}
	compare(b,
		&server{name: "bare httputil.ReverseProxy", url: fmt.Sprintf("http://127.0.0.1:%d/page", s.plainProxy), header: header, pid: bare.Process.Pid},
		&server{name: "own proxy, authorised", url: fmt.Sprintf("http://127.0.0.1:%d/page", s.public), header: header, pid: s.cmd.Process.Pid},
	)
}

// BenchmarkSignIn is connect and login together, 16 at a time, by an
// independent client that has derived its key beforehand: CPU of the server,
// writes included. What the writes alone take is told by BenchmarkSignInWrites
// of internal/store/sqlite.
func BenchmarkSignIn(b *testing.B) {
	s := startBench(b)
	s.serve(b)
	people := make([]*scram.Client, 16)
	for i := range people { // one each: more than five attempts at once for one login wait for each other
		login := fmt.Sprint("user", i)
		s.command(b, "user", "add", login, "--password-stdin", "--config", s.config)
		client, err := scram.SHA256.NewClient(login, password, "")
		if err != nil {
			b.Fatal(err)
		}
		people[i] = client
	}
	transport := &http.Transport{DialContext: onlyHere, MaxIdleConnsPerHost: 32}
	for i, client := range people {
		s.signIn(b, transport, client, i, "") // derives the key
	}
	before := cpuTime(b, s.cmd.Process.Pid)
	b.ResetTimer()
	b.SetParallelism(8)
	var next atomic.Int32
	b.RunParallel(func(pb *testing.PB) {
		i := int(next.Add(1)-1) % len(people)
		for pb.Next() {
			s.signIn(b, transport, people[i], i, "")
		}
	})
	spent := cpuTime(b, s.cmd.Process.Pid) - before
	b.ReportMetric(float64(spent.Microseconds())/float64(b.N), "server-µs/sign-in")
}

func (s *benchSite) signIn(b *testing.B, transport http.RoundTripper, client *scram.Client, i int, app string) string {
	b.Helper()
	token, err := signIn(b.Context(), transport, s.public, person{fmt.Sprint("user", i), client}, app)
	if err != nil {
		b.Fatal(err)
	}
	return token
}

// BenchmarkStart is the time to the first 200 of /readyz with an existing
// store, the memory of the idle program, and the size of its binary.
func BenchmarkStart(b *testing.B) {
	s := startBench(b)
	s.serve(b)
	s.token(b)
	var times []float64
	for range 9 {
		_ = s.cmd.Process.Signal(os.Interrupt)
		_ = s.cmd.Wait()
		times = append(times, float64(s.serve(b).Microseconds())/1000)
	}
	time.Sleep(2 * time.Second)
	b.ReportMetric(median(times), "ms-to-ready")
	b.ReportMetric(float64(memory(b, s.cmd.Process.Pid, "VmRSS"))/1024, "MiB-resident")
	b.ReportMetric(float64(memory(b, s.cmd.Process.Pid, "RssAnon"))/1024, "MiB-anonymous")
	if info, err := os.Stat(s.gateway); err == nil {
		b.ReportMetric(float64(info.Size())/1e6, "MB-binary")
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkMillion is the memory of the program before and after a million
// requests of nobody: checks that are sent to the sign-in, and sign-in pages.
func BenchmarkMillion(b *testing.B) {
	s := startBench(b)
	s.serve(b)
	check := s.checkAs(b, "")
	check.name, check.header = "checks", check.header[1:]
	page := &server{name: "pages", url: fmt.Sprintf("http://127.0.0.1:%d/.gateway/sign-in", s.public), pid: s.cmd.Process.Pid, header: []string{fmt.Sprintf("Host: auth.localhost:%d", s.public)}}
	asked := 0.0
	for _, one := range []*server{check, page} { // its buffers, and a heap that has been collected
		one.load(b)
	}
	before := memory(b, s.cmd.Process.Pid, "RssAnon")
	for asked < 1e6 {
		for _, one := range []*server{check, page} {
			one.load(b)
			asked += one.rate[len(one.rate)-1] * roundLength.Seconds()
		}
	}
	b.ReportMetric(asked, "requests")
	b.ReportMetric(float64(before)/1024, "MiB-anonymous-before")
	b.ReportMetric(float64(memory(b, s.cmd.Process.Pid, "RssAnon"))/1024, "MiB-anonymous-after")
	b.ReportMetric(0, "ns/op")
}

// memory reads a line of /proc/PID/status, in KiB.
func memory(b *testing.B, pid int, name string) int {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	m := regexp.MustCompile(name + `:\s+(\d+) kB`).FindSubmatch(status)
	if m == nil {
		b.Fatalf("no %s in /proc", name)
	}
	n, _ := strconv.Atoi(string(m[1]))
	return n
}
