package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const twoApps = `apps:
  one:
    host: one.localhost
    rules:
      - {paths: [/public/**], allow: everyone}
      - {paths: [/admin/**], allow: {groups: [ops]}}
      - {allow: signed-in}
  two: {host: two.other.localhost, allow: {users: [alice]}}
`

const password = "correct horse battery staple"

// front is a real proxy with the snippets that the documentation prints.
type front struct {
	name  string
	start func(t *testing.T, s *site, one, two *echo)
}

var fronts = []front{{"nginx", startNginx}, {"caddy", startCaddy}, {"haproxy", startHAProxy}, {"stand-in for envoy", startEnvoy}}

// startNginx includes the files of deploy/nginx as they are, but for the ports.
func startNginx(t *testing.T, s *site, one, two *echo) {
	t.Helper()
	folder := t.TempDir()
	for _, name := range []string{"gateway-portal.conf", "gateway-app.conf"} {
		text, err := os.ReadFile(filepath.Join("..", "deploy", "nginx", name))
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(folder, name), string(text))
	}
	upstreams, err := os.ReadFile("../deploy/nginx/gateway-upstreams.conf")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("127.0.0.1:8080", fmt.Sprintf("127.0.0.1:%d", s.listen), "127.0.0.1:8082", fmt.Sprintf("127.0.0.1:%d", s.authz)).Replace(string(upstreams))
	write(t, filepath.Join(folder, "gateway-upstreams.conf"), text)
	pair, speaks := "", ""
	if s.cert != "" {
		pair, speaks = fmt.Sprintf("ssl_certificate %s; ssl_certificate_key %s;", s.cert, s.key), " ssl http2"
	}
	conf := write(t, filepath.Join(folder, "nginx.conf"), s.hosts.Replace(fmt.Sprintf(`daemon off;
pid %[1]s/nginx.pid;
error_log stderr warn;
events { worker_connections 256; }
http {
    %[5]s
    access_log off;
    client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi; uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
    include gateway-upstreams.conf;
    server { listen 127.0.0.1:%[2]d%[6]s; server_name auth.localhost; include gateway-portal.conf; }
    server { listen 127.0.0.1:%[2]d%[6]s; server_name one.localhost; include gateway-app.conf; location / { proxy_pass %[3]s; } }
    server { listen 127.0.0.1:%[2]d%[6]s; server_name two.other.localhost; include gateway-app.conf; location / { proxy_pass %[4]s; } }
}
`, folder, s.public, one.URL, two.URL, pair, speaks)))
	start(t, need(t, "nginx"), "-c", conf, "-p", folder, "-e", "stderr")
	answering(t, s.public)
}

// startCaddy imports the file of deploy/caddy as it is.
func startCaddy(t *testing.T, s *site, one, two *echo) {
	t.Helper()
	snippet, err := filepath.Abs("../deploy/caddy/gateway.caddy")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	pair := ""
	if s.cert != "" {
		pair = fmt.Sprintf("tls %s %s", s.cert, s.key)
	}
	file := write(t, filepath.Join(folder, "Caddyfile"), s.hosts.Replace(fmt.Sprintf(`{
	admin off
	auto_https off
	storage file_system %[5]s
}
import %[1]s
%[7]s://auth.localhost:%[2]d {
	bind 127.0.0.1
	%[8]s
	reverse_proxy 127.0.0.1:%[3]d
}
%[7]s://one.localhost:%[2]d {
	bind 127.0.0.1
	%[8]s
	import gateway %[4]s
}
%[7]s://two.other.localhost:%[2]d {
	bind 127.0.0.1
	%[8]s
	import gateway %[6]s
}
`, snippet, s.public, s.listen, strings.TrimPrefix(one.URL, "http://"), folder, strings.TrimPrefix(two.URL, "http://"), s.scheme, pair)))
	t.Setenv("GATEWAY_LISTEN_ADDRESS", fmt.Sprintf("127.0.0.1:%d", s.listen))
	t.Setenv("GATEWAY_AUTHZ_ADDRESS", fmt.Sprintf("127.0.0.1:%d", s.authz))
	t.Setenv("XDG_DATA_HOME", folder)
	t.Setenv("XDG_CONFIG_HOME", folder)
	start(t, need(t, "caddy"), "run", "--config", file, "--adapter", "caddyfile")
	answering(t, s.public)
}

// startHAProxy runs the files of deploy/haproxy as they are, but for the
// addresses, the hosts and a second app.
func startHAProxy(t *testing.T, s *site, one, two *echo) {
	t.Helper()
	folder := t.TempDir()
	write(t, filepath.Join(folder, "gateway.lua"), read(t, "../deploy/haproxy/gateway.lua"))
	bind := fmt.Sprintf("bind 127.0.0.1:%d", s.public)
	if s.cert != "" {
		bind += fmt.Sprintf(" ssl crt %s alpn h2,http/1.1", write(t, filepath.Join(folder, "pair.pem"), read(t, s.cert)+read(t, s.key)))
	}
	const choose, where = "    use_backend wiki if { req.hdr(Host),host_only -i wiki.example.com }\n", "backend wiki from protected\n    server wiki 127.0.0.1:3000\n"
	conf := read(t, "../deploy/haproxy/haproxy.cfg")
	second := strings.NewReplacer("wiki.example.com", "two.other.localhost", "wiki", "two", "127.0.0.1:3000", strings.TrimPrefix(two.URL, "http://"))
	for _, line := range []string{choose, where} {
		if !strings.Contains(conf, line) {
			t.Fatalf("haproxy.cfg has no %q", line)
		}
		conf = strings.Replace(conf, line, line+second.Replace(line), 1)
	}
	conf = strings.NewReplacer(
		"bind :443 ssl crt /etc/haproxy/certs/ alpn h2,http/1.1", bind, "/etc/haproxy/gateway.lua", filepath.Join(folder, "gateway.lua"),
		"auth.example.com", "auth.localhost", "wiki.example.com", "one.localhost", "127.0.0.1:3000", strings.TrimPrefix(one.URL, "http://"),
		"127.0.0.1:8080", fmt.Sprintf("127.0.0.1:%d", s.listen), "127.0.0.1:8082", fmt.Sprintf("127.0.0.1:%d", s.authz),
	).Replace(conf)
	start(t, need(t, "haproxy"), "-db", "-f", write(t, filepath.Join(folder, "haproxy.cfg"), s.hosts.Replace(conf)))
	answering(t, s.public)
}

// Behind each front proxy a person signs in at one app, is let into another on
// an unrelated domain, sees a refusal, and the apps see who it is.
func TestBehindFrontProxies(t *testing.T) { onEachWeb(t, behindFrontProxies) }

func behindFrontProxies(t *testing.T, w web) {
	for _, f := range fronts {
		t.Run(f.name, func(t *testing.T) {
			app, other := startEcho(t), startEcho(t)
			s := w.newSite(t, true, twoApps).serve()
			s.addAlice("--name", "Alice Ä", "--email", "alice@example.com", "--group", "staff")
			f.start(t, s, app, other)

			b := browser(t)
			b.open(s.at("one.localhost") + "/page?q=a%20b")
			b.awaitAddress(s.at("auth.localhost") + "/.gateway/sign-in")
			b.signIn("alice", password)
			b.awaitAddress(s.at("one.localhost") + "/page?q=a%20b")
			got := app.last(t)
			for name, want := range map[string]string{
				"Remote-User": "alice", "Remote-Email": "alice@example.com", "Remote-Name": "Alice Ä", "Remote-Groups": "staff",
			} {
				if got.Header.Get(name) != want {
					t.Errorf("%s = %q, want %q", name, got.Header.Get(name), want)
				}
			}
			if strings.Count(got.Header.Get("X-Gateway-Jwt-Assertion"), ".") != 2 {
				t.Errorf("no assertion: %q", got.Header.Get("X-Gateway-Jwt-Assertion"))
			}

			b.open(s.at("two.other.localhost") + "/")
			b.awaitAddress(s.at("two.other.localhost") + "/")

			b.open(s.at("one.localhost") + "/admin/users")
			b.await("a refusal", `document.body.innerText.includes("alice") && !document.querySelector("#seen")`)
			if app.asked("/admin") {
				t.Error("the app was asked for what the policy refuses")
			}
		})
	}
}

// What strangers try against each front proxy: forged identity, odd paths,
// programs that want no redirect.
func TestStrangersAtFrontProxies(t *testing.T) {
	for _, f := range fronts {
		t.Run(f.name, func(t *testing.T) {
			app, other := startEcho(t), startEcho(t)
			s := newSite(t, true, twoApps).serve()
			f.start(t, s, app, other)
			for _, row := range []struct {
				name, method, host, path string
				header                   map[string]string
				status                   []int
				reached                  bool
			}{
				{"public page", "GET", "one.localhost", "/public/x", nil, []int{200}, true},
				{"public page, forged user", "GET", "one.localhost", "/public/x", map[string]string{"Remote-User": "alice"}, []int{200, 400, 403}, true},
				{"public page, forged alias", "GET", "one.localhost", "/public/x", map[string]string{"Remote_User": "alice"}, []int{200, 400, 403}, true},
				{"page without session", "GET", "one.localhost", "/", map[string]string{"Accept": "text/html"}, []int{303}, false},
				{"fetch without session", "GET", "one.localhost", "/", map[string]string{"Sec-Fetch-Mode": "cors", "Accept": "application/json"}, []int{401}, false},
				{"post without session", "POST", "one.localhost", "/", nil, []int{401}, false},
				{"forged session", "GET", "one.localhost", "/", map[string]string{"Cookie": "gateway=x.y.z"}, []int{401}, false},
				{"two sessions", "GET", "one.localhost", "/public/x", map[string]string{"Cookie": "gateway=x; gateway=y"}, []int{400, 403}, false},
				{"dot segments", "GET", "one.localhost", "/public/%2e%2e/admin/", nil, []int{400, 403}, false},
				{"encoded slash", "GET", "one.localhost", "/public%2f..%2fadmin", nil, []int{400, 403}, false},
				{"double slash", "GET", "one.localhost", "//admin/", nil, []int{400, 403}, false},
				{"forged original", "GET", "one.localhost", "/admin/", map[string]string{"X-Original-URL": "http://one.localhost/public/x", "X-Forwarded-Uri": "/public/x"}, []int{401, 400, 403}, false},
				{"forged client", "GET", "one.localhost", "/admin/", map[string]string{"X-Forwarded-For": "10.0.0.1"}, []int{401}, false},
				{"another request", "GET", "one.localhost", "/public/x", map[string]string{"X-Rewrite-URL": "/admin/"}, []int{400, 403}, false},
				{"another method", "GET", "one.localhost", "/public/x", map[string]string{"X-HTTP-Method-Override": "DELETE"}, []int{400, 403}, false},
				{"another host", "GET", "one.localhost", "/public/x", map[string]string{"X-Forwarded-Host": "evil.test", "X-Real-IP": "10.0.0.1", "X-Original-Method": "PUT"}, []int{200, 400, 403}, true},
				{"identity dropped by hop", "GET", "one.localhost", "/public/x", map[string]string{"Connection": "close, Remote-User, X-Gateway-Jwt-Assertion"}, []int{200, 400, 403}, true},
				{"address of 3 kB", "GET", "one.localhost", "/?q=" + strings.Repeat("%20", 1000), map[string]string{"Accept": "text/html"}, []int{303}, false},
				{"address of 4 kB", "GET", "one.localhost", "/?q=" + strings.Repeat("%20", 1333), map[string]string{"Accept": "text/html"}, []int{303}, false},
			} {
				t.Run(row.name, func(t *testing.T) {
					hits := app.hits()
					header := map[string]string{"Host": fmt.Sprintf("%s:%d", row.host, s.public)}
					maps.Copy(header, row.header)
					resp, body := visit(t, row.method, fmt.Sprintf("http://127.0.0.1:%d%s", s.public, row.path), header)
					if !slices.Contains(row.status, resp.StatusCode) {
						t.Errorf("%s %s = %d, want %v\n%s", row.method, row.path, resp.StatusCode, row.status, body)
					}
					switch reached := app.hits() > hits; {
					case reached && !row.reached:
						t.Error("the app was reached")
					case reached:
						for name := range app.last(t).Header {
							if reduced(name) == "remoteuser" && app.last(t).Header.Get(name) != "" {
								t.Errorf("the app sees %s: %s", name, app.last(t).Header.Get(name))
							}
						}
						for _, name := range []string{"X-Rewrite-Url", "X-Original-Url", "X-Original-Method", "X-Http-Method-Override", "Forwarded"} {
							if got := app.last(t).Header.Get(name); got != "" {
								t.Errorf("the app sees %s: %s", name, got)
							}
						}
						if got := app.last(t).Header.Get("X-Forwarded-Host") + app.last(t).Header.Get("X-Real-Ip"); strings.Contains(got, "evil") || strings.Contains(got, "10.0.0.1") {
							t.Errorf("the app believes a client about itself: %s", got)
						}
					}
				})
			}
		})
	}
}

// A request line that names one host while the Host header names another is
// nobody's: the proxy would choose by one and the gateway decide by the other.
func TestOneRequestHasOneHost(t *testing.T) {
	for _, f := range fronts {
		t.Run(f.name, func(t *testing.T) {
			one, two := startEcho(t), startEcho(t)
			s := newSite(t, true, "apps:\n  one: {host: one.localhost, allow: everyone}\n  two: {host: two.other.localhost, allow: {users: [alice]}}\n").serve()
			f.start(t, s, one, two)
			for _, row := range []struct{ line, host string }{
				{"GET http://two.other.localhost:%[1]d/top HTTP/1.1", "one.localhost:%[1]d"},
				{"GET http://two.other.localhost/top HTTP/1.1", "one.localhost"},
				{"GET http://TWO.other.localhost/top HTTP/1.1", "one.localhost"},
				{"GET http://two.other.localhost/top HTTP/1.0", "one.localhost"},
				{"GET http://one.localhost@two.other.localhost/top HTTP/1.1", "one.localhost"},
			} {
				line, host := row.line, row.host
				if strings.Contains(line, "%") {
					line = fmt.Sprintf(line, s.public)
				}
				if strings.Contains(host, "%") {
					host = fmt.Sprintf(host, s.public)
				}
				answer := raw(t, s.public, line+"\r\nHost: "+host+"\r\nConnection: close\r\n\r\n")
				if two.hits() != 0 {
					t.Fatalf("%s with Host %s came to the app that is not for everyone:\n%s", line, host, answer)
				}
			}
			if answer := raw(t, s.public, fmt.Sprintf("GET /x HTTP/1.1\r\nHost: ONE.localhost.:%d\r\nConnection: close\r\n\r\n", s.public)); !strings.HasPrefix(answer, "HTTP/1.1 ") {
				t.Errorf("no answer: %q", answer)
			}
		})
	}
}

// Nothing is upgraded but WebSockets: what is spoken inside another tunnel was
// never decided on.
func TestOnlyWebSocketsAreUpgraded(t *testing.T) {
	for _, f := range fronts {
		t.Run(f.name, func(t *testing.T) {
			lax := startLax(t)
			s := newSite(t, true, twoApps).serve()
			f.start(t, s, lax, lax)
			for _, row := range []struct {
				upgrade string
				want    bool
			}{{"websocket", true}, {"WebSocket", true}, {"h2c", false}, {"TLS/1.0", false}, {"websocket, h2c", false}} {
				t.Run(row.upgrade, func(t *testing.T) {
					t.Parallel()
					answer := raw(t, s.public, fmt.Sprintf("GET /public/ws HTTP/1.1\r\nHost: one.localhost:%d\r\nConnection: Upgrade\r\nUpgrade: %s\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", s.public, row.upgrade))
					if got := strings.HasPrefix(answer, "HTTP/1.1 101 "); got != row.want {
						t.Errorf("tunnel %v, want %v\n%.200s", got, row.want, answer)
					}
				})
			}
		})
	}
}

func reduced(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(name))
}

// Nobody but a trusted proxy is answered on authz.listen, and the check does
// not exist on the public listener.
func TestTheCheckIsForProxiesOnly(t *testing.T) {
	t.Parallel()
	s := newSite(t, false, twoApps).serve()
	for _, path := range []string{"/.gateway/authz/forward-auth", "/.gateway/authz/auth-request"} {
		resp, _ := visit(t, "GET", s.at("auth.localhost")+path, nil)
		if resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s on the public listener = %d, want 404", path, resp.StatusCode)
		}
	}
}
