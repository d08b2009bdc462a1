package server_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"gateway/internal/canonical"
	"gateway/internal/hostiletest"
	"gateway/internal/proxy"
)

// page writes a request to wiki as it goes over the wire.
func (h *house) page(target string, lines ...string) string {
	return strings.Replace(get(target, lines...), "Host: authz", "Host: "+h.site.wiki, 1)
}

// identity is what the app learns of who is there.
func (h hit) identity() []string {
	var all []string
	for _, name := range managed[:4] {
		all = append(all, strings.Join(h.Header[name], "|"))
	}
	return all
}

// The app sees the gateway's identity headers and no others, whatever the
// client sends.
func TestAppsSeeOurIdentityAlone(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		bob := h.at(h.bob)
		for who, cookie := range map[string][]string{"": nil, "bob": bob} {
			target := "/public/x"
			for _, name := range slices.Concat(hostiletest.Lines(t, "headers"), hostiletest.Lines(t, "spellings"), []string{"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "X-Real-Ip", "X-Http-Method-Override", "X-Original-Url"}) {
				for _, lines := range [][]string{{name, "alice"}, {name, "alice", name, "root"}, {strings.ToLower(name), "alice"}, {strings.ToUpper(name), "alice, root"}} {
					h.raw(h.page(target, append(lines, cookie...)...)).wants(http.StatusOK)
					got := h.echo.last(t)
					for key, values := range got.Header {
						if strings.Contains(strings.Join(values, ","), "alice") || strings.Contains(strings.Join(values, ","), "root") {
							t.Errorf("%q of a client reaches the app as %s: %q", lines, key, values)
						}
					}
					email, display := "", ""
					if who != "" {
						email, display = bobMail, "Bob"
					}
					if want := []string{who, email, display, ""}; !slices.Equal(got.identity(), want) {
						t.Errorf("%q: the app sees %q, want %q", lines, got.identity(), want)
					}
					for _, name := range managed {
						if len(got.Header[name]) != 1 {
							t.Errorf("%q: the app sees %s %q", lines, name, got.Header[name])
						}
					}
				}
			}
		}
	})
}

// No trick with hop-by-hop headers takes away what the gateway says.
func TestConnectionTricks(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		bob := h.at(h.bob)
		all := strings.Join(append([]string{"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Cookie"}, managed...), ", ")
		for _, lines := range [][]string{
			{"Connection", all},
			{"connection", strings.ToLower(all)},
			{"Connection", "close, " + all, "Connection", all},
			{"Connection", "Remote-User", "Remote-User", "alice"},
			{"Proxy-Connection", all},
			{"Keep-Alive", all},
			{"TE", "trailers, " + all},
			{"Trailer", all},
			{"Upgrade", "h2c", "Connection", "Upgrade, HTTP2-Settings, Remote-User", "HTTP2-Settings", "AAMAAABkAAQCAAAAAAIAAAAA"},
			{"Upgrade", "TLS/1.0", "Connection", "Upgrade"},
			{"Upgrade", "h2c, websocket", "Connection", "Upgrade"},
			{"Upgrade", "websocket", "Upgrade", "h2c", "Connection", "Upgrade"},
		} {
			for _, version := range []string{"HTTP/1.1", "HTTP/1.0"} {
				text := strings.Replace(h.page("/x", append(lines, bob...)...), "HTTP/1.1", version, 1)
				a := h.raw(strings.Replace(text, "Connection: close\r\n", "", 1))
				a.wants(http.StatusOK)
				got := h.echo.last(t)
				if want := []string{"bob", bobMail, "Bob", ""}; !slices.Equal(got.identity(), want) {
					t.Errorf("%q: the app sees %q, want %q", lines, got.identity(), want)
				}
				if up := got.Header["Upgrade"]; up != nil && !slices.Equal(up, []string{"websocket"}) || got.Header["Http2-Settings"] != nil || up == nil && got.Header["Connection"] != nil {
					t.Errorf("%q: the app is asked to speak otherwise: %v", lines, got.Header)
				}
				if got.Header.Get("X-Forwarded-For") != "127.0.0.1" || got.Header.Get("X-Forwarded-Host") != strings.TrimPrefix(strings.TrimPrefix(h.Wiki, "https://"), "http://") || got.Header.Get("X-Forwarded-Proto") != h.site.scheme {
					t.Errorf("%q: the app sees %v", lines, got.Header)
				}
			}
		}
	})
}

func TestTrailers(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	bob := h.at(h.bob)
	h.raw("POST /x HTTP/1.1\r\nHost: " + h.site.wiki + "\r\nCookie: " + bob[1] + "\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nTrailer: Remote-User, X-Sum\r\n\r\n" +
		"5\r\nhello\r\n0\r\nRemote-User: alice\r\nX-Sum: 1\r\nRemote-Groups: admins\r\n\r\n").wants(http.StatusOK)
	got := h.echo.last(t)
	if got.Body != "hello" || len(got.Trailer) != 0 || !slices.Equal(got.identity(), []string{"bob", bobMail, "Bob", ""}) {
		t.Errorf("the app sees %q, trailer %v, %q", got.Body, got.Trailer, got.identity())
	}
}

// ownCookies are ours besides the session, by the names of the site on localhost.
const ownCookies = "gateway-pre=1; gateway-device=1; gateway-wait=1; gateway-invite=1; gateway-guest=1; gateway-enter-AAAA=1"

// Of the cookies, the app sees its own, to the byte, and never ours.
func TestCookiesOfApps(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		session := h.at(h.alice)[1]
		name := h.site.sessionCookie
		for _, row := range []struct {
			story string
			sent  []string // header lines
			want  []string
		}{
			{"ours alone", []string{session}, nil},
			{"ours first", []string{session + "; a=1"}, []string{"a=1"}},
			{"ours last", []string{"a=1; " + session}, []string{"a=1"}},
			{"ours between, others as they are", []string{`a=1;  b="x y"; ` + session + `; c`}, []string{`a=1;  b="x y"; c`}},
			{"without spaces", []string{"a=1;" + session + ";b=2"}, []string{"a=1;b=2"}},
			{"on two lines", []string{"a=1; " + session, "b=2"}, []string{"a=1", "b=2"}},
			{"ours on a line of its own", []string{"a=1", session, "b=2"}, []string{"a=1", "b=2"}},
			{"all of ours", []string{h.site.pre + "=AAAA; a=1; " + session + "; " + h.site.enters + "AAAABBBBCCCCDDDD=zzz"}, []string{"a=1"}},
			{"all of ours, in both spellings", []string{session + "; b=2; " + ownCookies + "; " + strings.ReplaceAll(ownCookies, "gateway", "__Host-gateway") + "; a=1"}, []string{"b=2; a=1"}},
			{"in the other spelling", []string{"gateway-pre=x; __Host-gateway-pre=y; " + session + "; gateway-enter-x=1; __Host-gateway-enter-x=2; a=1"}, []string{"a=1"}},
			{"names that only look alike", []string{session + "; gateways=1; x-gateway=2; Gateway=3; gateway-x=4"}, []string{"gateways=1; x-gateway=2; Gateway=3; gateway-x=4"}},
			{"the same name twice, not ours", []string{session + "; a=1; a=2"}, []string{"a=1; a=2"}},
			{"equals signs and odd values", []string{session + "; a==; b; =c; d=%00%ff"}, []string{"a==; b; =c; d=%00%ff"}},
			{"ours with a space before the sign", []string{session + "; " + name + " =x; a=1"}, []string{"a=1"}},
		} {
			var lines []string
			for _, line := range row.sent {
				lines = append(lines, "Cookie", line)
			}
			h.raw(h.page("/x", lines...)).wants(http.StatusOK)
			got := h.echo.last(t)
			if !slices.Equal(got.Header["Cookie"], row.want) {
				t.Errorf("%s: the app sees %q, want %q", row.story, got.Header["Cookie"], row.want)
			}
			for key, values := range got.Header {
				if strings.Contains(strings.Join(values, ";"), strings.SplitN(session, "=", 2)[1]) {
					t.Errorf("%s: the app sees our session in %s", row.story, key)
				}
			}
		}
	})
}

// An app cannot set a cookie of ours; its own pass as they are.
func TestSetCookieOfApps(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		own := []string{"a=1; Path=/x; Secure", "b=\"x y\"", "gateways=1; Domain=example.net", "c=gateway=2; HttpOnly", "d", "=e", "__Host-x=1; Path=/; Secure", "__Secure-gw=1"}
		ours := []string{
			h.site.sessionCookie + "=x", "gateway=x; Path=/", "__Host-gateway=x; Path=/; Secure", "gateway-pre=x; Domain=example.net", "__Host-gateway-pre=", "gateway-enter-AAAABBBBCCCCDDDD=x", " gateway=x", "gateway =x", "\tgateway\t=x",
			"gateway", "gateway; Path=/", "__Host-gateway; Path=/", "=gateway=x; Path=/", "=gateway; Path=/", " = gateway=x",
		}
		h.echo.plays("cookies", func(w http.ResponseWriter, _ *http.Request) {
			for i := range max(len(own), len(ours)) {
				if i < len(ours) {
					w.Header().Add("Set-Cookie", ours[i])
				}
				if i < len(own) {
					w.Header().Add("Set-Cookie", own[i])
				}
			}
		})
		a := h.program().get(h.Wiki + "/public/x?play=cookies").wants(http.StatusOK)
		if got := a.header["Set-Cookie"]; !slices.Equal(got, own) {
			t.Errorf("the browser sees %q, want %q", got, own)
		}
	})
}

// What is not ours passes as it is.
func TestWhatPasses(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	bob := h.at(h.bob)
	for _, value := range []string{"Bearer abc.def.ghi", "Basic Ym9iOmhlbGxv", "Bearer " + strings.Repeat("A", 8000), "Negotiate x", "Bearer"} {
		h.program().get(h.Wiki+"/x", append([]string{"Authorization", value}, bob...)...).wants(http.StatusOK)
		if got := h.echo.last(t).Header["Authorization"]; !slices.Equal(got, []string{value}) {
			t.Errorf("Authorization: the app sees %q, want %q", got, value)
		}
	}
	for _, target := range []string{"/x?a=1&a=2&b=%2f..%2f", "/x?", "/a%20b/%2C?;x=y", "/x?q=\"<>", "/%61%62", "/x//?y", "/x?a=%zz"} {
		a := h.raw(h.page(target, bob...))
		if a.status != http.StatusOK {
			continue // the other tests say which
		}
		got := h.echo.last(t)
		decided, err := canonical.ParseTarget(target)
		h.must(err)
		if again, err := canonical.ParseTarget(got.Target); err != nil || again.Path != decided.Path || again.Query != decided.Query || got.Target != decided.String() && got.Target != decided.String()+"?" {
			t.Errorf("%s: the app sees %s, decided was %s", target, got.Target, decided)
		}
	}
	a := h.program().do("PROPFIND", h.Wiki+"/x", "<body>", append([]string{"Content-Type", "text/xml", "Content-Encoding", "x", "Accept", "*/*", "X-Custom", "a", "X-Custom", "b"}, bob...)...).wants(http.StatusOK)
	got := h.echo.last(t)
	if got.Method != "PROPFIND" || got.Body != "<body>" || got.Header.Get("Content-Type") != "text/xml" || got.Header.Get("Content-Encoding") != "x" || !slices.Equal(got.Header["X-Custom"], []string{"a", "b"}) || a.header.Get("Content-Type") != "application/json" {
		t.Errorf("the app sees %+v", got)
	}
	if got.Header["User-Agent"] == nil || got.Header["Accept-Encoding"] != nil {
		t.Errorf("the app sees headers of the gateway's: %v", got.Header)
	}
	for _, name := range []string{"Cache-Control", "X-Content-Type-Options", "Referrer-Policy", "Strict-Transport-Security"} {
		if a.header[name] != nil {
			t.Errorf("the app's answer carries our %s: %q", name, a.header[name])
		}
	}
}

// What the app answers is the app's, also where it has nothing to say.
func TestAnswersOfApps(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		for _, row := range []struct {
			status int
			body   string
			header [2]string
		}{
			{200, "hello", [2]string{"Cache-Control", "max-age=60"}},
			{204, "", [2]string{"X-A", "b"}},
			{302, "", [2]string{"Location", "https://elsewhere.test/"}},
			{304, "", [2]string{"Etag", `"x"`}},
			{401, "who are you", [2]string{"Www-Authenticate", "Basic realm=app"}},
			{404, "", [2]string{"Content-Type", "text/html"}},
			{404, "not here", [2]string{"Content-Type", "text/html"}},
			{404, "", [2]string{"Content-Length", "0"}},
			{405, "", [2]string{"Allow", "GET"}},
			{500, "", [2]string{"X-A", "b"}},
			{503, "later", [2]string{"Retry-After", "5"}},
		} {
			h.echo.plays("answer", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set(row.header[0], row.header[1])
				w.WriteHeader(row.status)
				_, _ = io.WriteString(w, row.body)
			})
			for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodHead} {
				a := h.program().do(method, h.Wiki+"/public/x?play=answer", "").wants(row.status)
				want := row.body
				if method == http.MethodHead {
					want = ""
				}
				if a.body != want || a.header.Get(row.header[0]) != row.header[1] {
					t.Errorf("%s: the app says %d %v %q, the browser sees %v %q", method, row.status, row.header, row.body, a.header, a.body)
				}
			}
		}
	})
}

func TestWebSockets(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		h.echo.plays("shout", shout)
		bob := h.at(h.bob)
		upgrade := append([]string{"Upgrade", "websocket", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version", "13", "Remote-User", "alice"}, bob...)
		text := strings.Replace(h.page("/x?play=shout", upgrade...), "Connection: close", "Connection: Upgrade, Remote-User", 1)
		conn, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", h.front.Listener.Addr().String())
		h.must(err)
		defer conn.Close()
		_, err = io.WriteString(conn, text)
		h.must(err)
		r := bufio.NewReader(conn)
		resp, err := http.ReadResponse(r, nil)
		h.must(err)
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusSwitchingProtocols || resp.Header.Get("Upgrade") != "websocket" {
			t.Fatalf("status %d, %v, want 101", resp.StatusCode, resp.Header)
		}
		for i := range 3 {
			_, err = fmt.Fprintf(conn, "hello %d\n", i)
			h.must(err)
			line, err := r.ReadString('\n')
			if want := fmt.Sprintf("you said hello %d\n", i); err != nil || line != want {
				t.Errorf("%q, %v, want %q", line, err, want)
			}
		}
		if got := h.echo.last(t).identity(); got[0] != "bob" {
			t.Errorf("the app sees %q, want bob", got)
		}
		h.raw(strings.Replace(h.page("/x?play=shout", upgrade[:6]...), "Connection: close", "Connection: Upgrade", 1)).refuses("nobody", http.StatusUnauthorized, "SessionExpired")
	})
}

func TestUpstreamDown(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		h.watch.failing.Store(true)
		down := h.site.origin("down." + h.site.wiki)
		a := h.program().get(down + "/x")
		a.refuses("a program", http.StatusBadGateway, "Unavailable")
		page := h.program().navigate(down + "/x").wants(http.StatusBadGateway)
		if !strings.HasPrefix(page.header.Get("Content-Type"), "text/html") {
			t.Errorf("a person: %v, want a page", page.header)
		}
		for story, play := range map[string]http.HandlerFunc{
			"hangs up":         func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
			"speaks nonsense":  speak("hello\r\n\r\n"),
			"says two lengths": speak("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
		} {
			h.echo.plays("broken", play)
			if a := h.program().get(h.Wiki + "/public/x?play=broken"); a.status != http.StatusBadGateway || a.field("error") != "Unavailable" {
				t.Errorf("an app that %s: status %d, %.200s", story, a.status, a.body)
			}
		}
		h.program().get(h.Wiki + "/public/x").wants(http.StatusOK)
	})
}

// A person is told what to do about an app that does not answer; whoever runs
// the site finds the cause in the log, by the number that the page shows.
func TestUpstreamsThatFailSaySo(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		h.watch.failing.Store(true)
		h.echo.plays("mute", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		h.leads("wiki", proxy.Upstream{URL: h.url(h.echo.URL), HeaderTimeout: 50 * time.Millisecond})
		down := h.site.origin("down." + h.site.wiki)
		for _, row := range []struct {
			at, cause string
			status    int
		}{
			{down + "/x?a=1", "connection refused", http.StatusBadGateway},
			{h.Wiki + "/public/x?play=mute", h.echo.URL, http.StatusGatewayTimeout},
		} {
			h.program().get(row.at).refuses("a program", row.status, "Unavailable")
			h.program().post(row.at, "{}").refuses("a program", row.status, "Unavailable")
			a := h.program().navigate(row.at).wants(row.status)
			_, rest, _ := strings.Cut(a.body, "<code>")
			id, _, _ := strings.Cut(rest, "</code>")
			told := ""
			for line := range strings.Lines(h.log.String()) {
				if id != "" && strings.Contains(line, id) {
					told += line
				}
			}
			if !strings.Contains(told, row.cause) {
				t.Errorf("%s: the log says %q about request %q, want the cause", row.at, told, id)
			}
			if path := row.at[strings.Index(row.at, "://")+3:]; !strings.Contains(a.body, `href="`+path[strings.Index(path, "/"):]+`"`) || !strings.Contains(a.body, "Try again") {
				t.Errorf("%s: the page has no way to try again: %s", row.at, a.body)
			}
		}
		text := strings.TrimSuffix(strings.Replace(h.page("/public/x"), "GET", "POST", 1), "\r\n") + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nnonsense\r\n"
		if a := h.raw(text); a.status != http.StatusBadRequest {
			t.Errorf("a body that breaks off: %d %s, want 400", a.status, a.body)
		}
	})
}

// speak answers with bytes as they are.
func speak(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		_, _ = io.WriteString(conn, text)
		_ = conn.Close()
	}
}

// An app behind a front proxy has no upstream: there is nothing to pass on to.
func TestNoUpstream(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	b := h.as(h.alice)
	tools := h.site.origin("tools." + h.site.wiki)
	page, _ := b.visit(tools + "/x")
	page.wants(http.StatusNotFound)
	b.get(tools+"/x").refuses("no upstream", http.StatusNotFound, "BadRequest")
	if got := b.get(tools + "/.gateway/connect").who().Login; got != "alice" {
		t.Errorf("signed in at tools is %q, want alice", got)
	}
}

// The names that are removed are those that are refused.
func TestNamesOfHeaders(t *testing.T) {
	t.Parallel()
	for _, name := range hostiletest.Lines(t, "headers") {
		if !proxy.Managed(name) {
			t.Errorf("Managed(%q) = false", name)
		}
	}
	for _, name := range hostiletest.Lines(t, "spellings") {
		if name = http.CanonicalHeaderKey(name); !proxy.Alias(name) || !proxy.Forwarding(name) {
			t.Errorf("Alias(%q) = %v, Forwarding = %v, want both", name, proxy.Alias(name), proxy.Forwarding(name))
		}
	}
	for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Host", "X-Original-Url", "Forwarded", "X-Real-Ip"} {
		if proxy.Alias(name) || !proxy.Forwarding(name) {
			t.Errorf("Alias(%q) = %v, Forwarding = %v, want a plain forwarding header", name, proxy.Alias(name), proxy.Forwarding(name))
		}
	}
	for _, name := range []string{"", "Host", "Cookie", "Accept", "User-Agent", "X-Custom", "Remote", "User", "X-Forwarded", "Remote-Users", strings.Repeat("Remote-User", 10), "-", "_"} {
		if proxy.Managed(name) || proxy.Alias(name) || proxy.Forwarding(name) {
			t.Errorf("%q is taken for one of ours", name)
		}
	}
}
