package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/xdg-go/scram"
)

const (
	manyApps    = 1000 // of ten rules each
	manySignIns = 50_000
)

// crowd writes the configuration of manyApps further apps.
func crowd() string {
	var b strings.Builder
	for i := range manyApps {
		fmt.Fprintf(&b, "  crowd%d:\n    host: crowd%d.localhost\n    rules:\n", i, i)
		for j := range 9 {
			fmt.Fprintf(&b, "      - {paths: [/area%d/**], methods: [GET], allow: {groups: [group%d, group%d]}}\n", j, i, j)
		}
		b.WriteString("      - {allow: {groups: [staff]}}\n")
	}
	return b.String()
}

// BenchmarkScale is the authorised check with one app and one session, beside
// the same with 10,000 rules over 1,000 apps, and with 100,000 live sessions:
// 50,000 people's tabs at an app, each with its session at the portal, asked in
// turn.
func BenchmarkScale(b *testing.B) {
	small, large := startBench(b), startBench(b)
	text, err := os.ReadFile(large.config)
	if err == nil {
		err = os.WriteFile(large.config, []byte(strings.Replace(string(text), "apps:\n", "apps:\n"+crowd(), 1)), 0o600)
	}
	if err != nil {
		b.Fatal(err)
	}
	small.serve(b)
	large.serve(b)
	one, few := small.checkAs(b, small.token(b)), large.checkAs(b, large.token(b))
	one.name, few.name = "1 app, 1 session", "10,000 rules over 1,000 apps"
	deep := *few
	deep.name = "the last of those apps"
	last := fmt.Sprintf("crowd%d.localhost", manyApps-1)
	deep.header = []string{"Cookie: gateway=" + large.tokenAt(b, last)}
	for _, line := range few.header[1:] {
		deep.header = append(deep.header, strings.Replace(line, "one.localhost", last, 1))
	}
	compare(b, one, few, &deep)
	alone, many := *one, *few
	alone.name, alone.script = "1 app, 1 session, same client", small.script(b, []string{strings.TrimPrefix(one.header[0], "Cookie: gateway=")})
	many.name, many.script = "100,000 live sessions", large.script(b, large.crowded(b))
	alone.cpu, alone.rate, many.cpu, many.rate = nil, nil, nil, nil
	compare(b, &alone, &many)
}

// checkAs is the forward-auth check with a token's cookie, which comes first.
func (s *benchSite) checkAs(b *testing.B, token string) *server {
	b.Helper()
	return &server{
		url: fmt.Sprintf("http://127.0.0.1:%d/.gateway/authz/forward-auth", s.authz), pid: s.cmd.Process.Pid,
		header: []string{
			"Cookie: gateway=" + token, "X-Forwarded-Method: GET", "X-Forwarded-Proto: http", "X-Forwarded-For: 192.0.2.7",
			"X-Forwarded-Uri: /wiki/page?x=1", fmt.Sprintf("X-Forwarded-Host: one.localhost:%d", s.public), "Accept: text/html", "User-Agent: bench",
		},
	}
}

// crowded opens manySignIns sessions, and asks once with each: only the first
// time does it take a signature.
func (s *benchSite) crowded(b *testing.B) []string {
	b.Helper()
	const people = 64
	clients := make([]*scram.Client, people)
	for i := range clients {
		login := fmt.Sprint("user", i)
		s.command(b, "user", "add", login, "--group", "staff", "--password-stdin", "--config", s.config)
		client, err := scram.SHA256.NewClient(login, password, "")
		if err != nil {
			b.Fatal(err)
		}
		clients[i] = client
	}
	transport := &http.Transport{DialContext: onlyHere, MaxIdleConnsPerHost: people}
	tokens := make([]string, manySignIns)
	var next atomic.Int32
	var all sync.WaitGroup
	for i := range people {
		all.Go(func() {
			for {
				n := int(next.Add(1)) - 1
				if n >= len(tokens) {
					return
				}
				tokens[n] = s.signIn(b, transport, clients[i], i, "one.localhost")
				s.ask(b, transport, tokens[n])
			}
		})
	}
	all.Wait()
	return tokens
}

// ask is one check.
func (s *benchSite) ask(b *testing.B, transport http.RoundTripper, token string) {
	b.Helper()
	as := s.checkAs(b, token)
	req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, as.url, http.NoBody)
	if err != nil {
		b.Error(err)
		return
	}
	for _, line := range as.header {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Set(name, value)
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		b.Error(err)
		return
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		b.Errorf("check: status %d", resp.StatusCode)
	}
}

// script writes a script for wrk that asks with one token after the other.
func (s *benchSite) script(b *testing.B, tokens []string) string {
	b.Helper()
	list := filepath.Join(s.folder, fmt.Sprint("tokens", len(tokens)))
	script := list + ".lua"
	err := os.WriteFile(list, []byte(strings.Join(tokens, "\n")+"\n"), 0o600)
	if err == nil {
		err = os.WriteFile(script, fmt.Appendf(nil, `
local requests, n = {}, 0
function init(args)
  for token in io.lines(%q) do
    wrk.headers["Cookie"] = "gateway=" .. token
    requests[#requests + 1] = wrk.format()
  end
end
function request()
  n = n %% #requests + 1
  return requests[n]
end
`, list), 0o600)
	}
	if err != nil {
		b.Fatal(err)
	}
	return script
}

var (
	wrkLatency = regexp.MustCompile(`99%\s+([\d.]+)(us|ms|s)`)
	inSeconds  = map[string]float64{"us": 1e-6, "ms": 1e-3, "s": 1}
)

// BenchmarkWrongPasswords is the rate of valid checks and the time within which
// 99 of 100 are answered, alone and while 8 connections try wrong passwords of
// ever new names, as fast as they are answered.
func BenchmarkWrongPasswords(b *testing.B) {
	s := startBench(b)
	s.serve(b)
	check := s.checkAs(b, s.token(b))
	check.name = "valid checks"
	var alone, beside, p99Alone, p99Beside []float64
	var tries atomic.Int64
	for range rounds {
		p99Alone = append(p99Alone, check.latency(b))
		stop, all := make(chan struct{}), sync.WaitGroup{}
		for i := range 8 {
			all.Go(func() { s.guess(b, i, stop, &tries) })
		}
		p99Beside = append(p99Beside, check.latency(b))
		close(stop)
		all.Wait()
	}
	for i, rate := range check.rate {
		if i%2 == 0 {
			alone = append(alone, rate)
		} else {
			beside = append(beside, rate)
		}
	}
	b.ReportMetric(median(alone), "checks/s-alone")
	b.ReportMetric(median(beside), "checks/s-beside")
	b.ReportMetric(median(beside)/median(alone), "rate-ratio")
	b.ReportMetric(1e3*median(p99Alone), "ms-p99-alone")
	b.ReportMetric(1e3*median(p99Beside), "ms-p99-beside")
	b.ReportMetric(float64(tries.Load())/float64(rounds)/roundLength.Seconds(), "tries/s")
	b.ReportMetric(0, "ns/op")
}

// latency is one round of load, and the time in seconds within which 99 of 100
// requests were answered.
func (s *server) latency(b *testing.B) float64 {
	b.Helper()
	m := wrkLatency.FindSubmatch(s.load(b, "--latency"))
	if m == nil {
		b.Fatal("wrk tells no latency")
	}
	v, _ := strconv.ParseFloat(string(m[1]), 64)
	return v * inSeconds[string(m[2])]
}

// guess tries wrong passwords of new names until stop: connect, then a reply
// with a proof that is none.
func (s *benchSite) guess(b *testing.B, who int, stop chan struct{}, tries *atomic.Int64) {
	transport := &http.Transport{DialContext: onlyHere}
	defer transport.CloseIdleConnections()
	ask := func(path, body string) string {
		req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, fmt.Sprintf("http://auth.localhost:%d/.gateway/%s", s.public, path), strings.NewReader(body))
		if err != nil {
			b.Error(err)
			return ""
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := transport.RoundTrip(req)
		if err != nil {
			b.Error(err)
			return ""
		}
		text, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		return string(text)
	}
	challenge := regexp.MustCompile(`"challenge_id":"([^"]+)","challenge":"(r=[^,]+),`)
	for n := 0; ; n++ {
		select {
		case <-stop:
			return
		default:
		}
		name := fmt.Sprintf("guess%d.%d.%d", who, n, time.Now().UnixNano())
		m := challenge.FindStringSubmatch(ask("connect", fmt.Sprintf(`{"client_first":"n,,n=%s,r=aaaaaaaaaaaaaaaaaaaaaaaa","want":"token"}`, name)))
		if m == nil {
			b.Error("no challenge")
			return
		}
		ask("login", fmt.Sprintf(`{"user":%q,"challenge_id":%q,"challenge_reply":"c=biws,%s,p=%s","want":"token"}`, name, m[1], m[2], strings.Repeat("A", 43)+"="))
		tries.Add(1)
	}
}

// tokenAt signs alice in for a host.
func (s *benchSite) tokenAt(b *testing.B, host string) string {
	b.Helper()
	return s.command(b, "login", "--portal", fmt.Sprintf("http://auth.localhost:%d", s.public), "--app", host, "--password-stdin", "alice")
}
