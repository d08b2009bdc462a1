package server_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// patience is how long a test waits for what has to come.
const patience = 30 * time.Second

// tunnels is an app that changes the protocol to whatever its query says, to
// what it was asked for else, and sends back each line that comes then.
func tunnels(w http.ResponseWriter, r *http.Request) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(2 * patience))
	to := r.URL.Query().Get("to")
	if to == "" {
		to = strings.Join(r.Header["Upgrade"], ", ")
	}
	_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\n" + echoes + ": 1\r\n")
	if to != "nothing" {
		_, _ = rw.WriteString("Connection: Upgrade\r\nUpgrade: " + to + "\r\n")
	}
	_, _ = rw.WriteString("\r\nthis is the app\n")
	_ = rw.Flush()
	if !strings.EqualFold(to, "websocket") {
		return
	}
	for lines := bufio.NewScanner(rw); lines.Scan(); {
		_, _ = rw.WriteString("you said " + lines.Text() + "\n")
		_ = rw.Flush()
	}
}

// upgrades writes a request for another protocol as it goes over the wire.
func (h *house) upgrades(target string, protocols []string, lines ...string) string {
	for _, p := range protocols {
		lines = append(lines, "Upgrade", p)
	}
	return strings.Replace(h.page(target, lines...), "Connection: close", "Connection: Upgrade, HTTP2-Settings", 1)
}

// talk sends a request and then a line for whoever listens behind it, and
// returns the answer and what comes after it, until the connection is over.
func (h *house) talk(text string) (a answer, after string) {
	h.Helper()
	conn, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", h.front.Listener.Addr().String())
	h.must(err)
	defer conn.Close()
	h.must(conn.SetDeadline(time.Now().Add(patience)))
	_, err = io.WriteString(conn, text)
	h.must(err)
	r := bufio.NewReader(conn)
	req := &http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/x"}}
	resp, err := http.ReadResponse(r, req)
	h.must(err)
	a = h.read(req, text, resp)
	_, _ = io.WriteString(conn, "hello\n\r\n")
	rest, _ := io.ReadAll(r)
	return a, string(rest)
}

// Whatever is spoken inside a tunnel, nobody has decided on: there is none but
// for WebSockets, however much the app would like one.
func TestNothingElseIsUpgraded(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	h.watch.failing.Store(true)
	h.echo.plays("tunnels", tunnels)
	bob := h.at(h.bob)
	for _, protocols := range [][]string{
		{"h2c"},
		{"H2C"},
		{"TLS/1.0"},
		{"foo"},
		{"websocket, h2c"},
		{"h2c, websocket"},
		{"websocket,"},
		{"websocket/13"},
		{"websockets"},
		{"web socket"},
		{`"websocket"`},
		{""},
		nil,
		{"websocket", "h2c"},
		{"h2c", "websocket"},
		{"websocket", "websocket"},
		{"websocket", ""},
		{"", "websocket"},
	} {
		for _, to := range []string{"", "nothing", "h2c", "websocket"} {
			for target, cookie := range map[string][]string{"/public/x": nil, "/x": bob} {
				a, after := h.talk(h.upgrades(target+"?play=tunnels&to="+to, protocols, append([]string{"HTTP2-Settings", "AAMAAABkAAQCAAAAAAIAAAAA"}, cookie...)...))
				if a.status != http.StatusBadGateway || strings.Contains(a.body+after, "this is the app") || strings.Contains(after, "you said") {
					t.Errorf("Upgrade: %q, the app answers with %q: status %d, %q, %q, want no tunnel", protocols, to, a.status, a.body, after)
				}
				got := h.echo.last(t).Header
				for _, name := range []string{"Upgrade", "Connection"} {
					if got[name] != nil {
						t.Errorf("Upgrade: %q: the app sees %s: %q", protocols, name, got[name])
					}
				}
			}
		}
	}
}

// No handshake has a body (RFC 6455, section 4.1): who began to send one could
// not stop in time.
func TestNoUpgradeWithABody(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	h.watch.failing.Store(true)
	h.echo.plays("tunnels", tunnels)
	bob := h.at(h.bob)
	for _, body := range []string{"Content-Length: 5\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"} {
		for _, to := range []string{"", "nothing", "websocket"} {
			text := strings.TrimSuffix(h.upgrades("/x?play=tunnels&to="+to, []string{"websocket"}, bob...), "\r\n") + body
			a, after := h.talk(text)
			if got := h.echo.last(t); a.status != http.StatusBadGateway || strings.Contains(a.body+after, "this is the app") || got.Header["Upgrade"] != nil || got.Body != "hello" {
				t.Errorf("%q: status %d, %q, %q; the app sees %q and Upgrade: %q, want no tunnel", body, a.status, a.body, after, got.Body, got.Header["Upgrade"])
			}
		}
	}
}

func TestWebSocketsInAnyCase(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		h.echo.plays("tunnels", tunnels)
		bob := h.at(h.bob)
		for _, protocol := range []string{"websocket", "WebSocket", "WEBSOCKET", "  WebSocket "} {
			conn, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", h.front.Listener.Addr().String())
			h.must(err)
			defer conn.Close()
			h.must(conn.SetDeadline(time.Now().Add(patience)))
			_, err = io.WriteString(conn, h.upgrades("/x?play=tunnels", []string{protocol}, bob...))
			h.must(err)
			r := bufio.NewReader(conn)
			resp, err := http.ReadResponse(r, nil)
			h.must(err)
			h.must(resp.Body.Close())
			if resp.StatusCode != http.StatusSwitchingProtocols {
				t.Errorf("Upgrade: %q: status %d, want 101", protocol, resp.StatusCode)
				continue
			}
			if got, want := h.echo.last(t).Header["Upgrade"], []string{strings.TrimSpace(protocol)}; !slices.Equal(got, want) {
				t.Errorf("the app sees Upgrade: %q, want %q", got, want)
			}
			want := "this is the app\n"
			for i := range 3 {
				line, err := r.ReadString('\n')
				if err != nil || line != want {
					t.Errorf("%q, %v, want %q", line, err, want)
				}
				_, err = fmt.Fprintf(conn, "hello %d\n", i)
				h.must(err)
				want = fmt.Sprintf("you said hello %d\n", i)
			}
		}
	})
}
