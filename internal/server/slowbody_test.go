package server_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"gateway/internal/proxy"
)

// In these tests strangers have so long for a body, and send a piece of it so
// often.
const (
	bodyTime  = 400 * time.Millisecond
	pieceTime = 20 * time.Millisecond
)

// hasty is a gateway that soon has waited long enough.
func hasty(h *house) { h.waits(bodyTime) }

// waits has the gateway wait for bodies for so long: whoever signs in does it
// before.
func (h *house) waits(d time.Duration) { h.between(func() { h.server.BodyTime = d }) }

// posts writes the head of a request, whose body is to come.
func posts(host, path, length string, lines ...string) string {
	text := get(path, lines...)
	return strings.NewReplacer("GET ", "POST ", "Host: authz", "Host: "+host, "Connection: close", length).Replace(text)
}

const (
	short   = "Content-Length: 20000"
	endless = "Content-Length: 1073741824"
	chunked = "Transfer-Encoding: chunked"
)

// slow is what becomes of a request whose body comes slowly.
type slow struct {
	status int
	body   string
	err    error // os.ErrDeadlineExceeded: it has not ended
}

// drip sends a request whose body never ends, and waits for the end of the
// connection.
func drip(ctx context.Context, to net.Addr, from, head string) (s slow) {
	conn, err := (&net.Dialer{LocalAddr: local(from)}).DialContext(ctx, "tcp", to.String())
	if err != nil {
		return slow{err: err}
	}
	var sending sync.WaitGroup
	defer sending.Wait()
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return slow{err: err}
	}
	piece := " "
	if strings.Contains(head, chunked) {
		piece = "1\r\n \r\n"
	}
	sending.Go(func() {
		for text := head; ; text = piece {
			if _, err := io.WriteString(conn, text); err != nil {
				return
			}
			time.Sleep(pieceTime)
		}
	})
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		return slow{err: err}
	}
	body, err := io.ReadAll(resp.Body)
	_, ended := io.ReadAll(r)
	return slow{resp.StatusCode, string(body), errors.Join(err, resp.Body.Close(), ended)}
}

// Whoever is refused, or asks for what is not there, is told so, and cannot
// hold a connection by a body that never comes.
func TestBodiesOfTheRefusedEnd(t *testing.T) {
	t.Parallel()
	h := open(t, https, hasty)
	json := []string{"Content-Type", "application/json"}
	public, authz := h.front.Listener.Addr(), h.authz.Listener.Addr()
	rows := []struct {
		story string
		to    net.Addr
		head  string
		want  int
		word  string
		slow  slow
	}{
		{story: "an unknown host", to: public, head: posts("nowhere.test", "/x", short), want: 421, word: "BadRequest"},
		{story: "an unknown host, in chunks", to: public, head: posts("nowhere.test", "/x", chunked), want: 421, word: "BadRequest"},
		{story: "an unknown host, without end", to: public, head: posts("nowhere.test", "/x", endless), want: 421, word: "BadRequest"},
		{story: "an app without a session", to: public, head: posts(h.site.wiki, "/x", short), want: 401, word: "SessionExpired"},
		{story: "an app without a session, in chunks", to: public, head: posts(h.site.wiki, "/x", chunked), want: 401, word: "SessionExpired"},
		{story: "an app without a session, without end", to: public, head: posts(h.site.wiki, "/x", endless), want: 401, word: "SessionExpired"},
		{story: "an app that says no", to: public, head: posts(h.site.wiki, "/closed/x", chunked), want: 403, word: "Forbidden"},
		{story: "login", to: public, head: posts(h.site.portal, "/.gateway/login", short, json...), want: 400, word: "BadRequest"},
		{story: "login, in chunks", to: public, head: posts(h.site.portal, "/.gateway/login", chunked, json...), want: 400, word: "BadRequest"},
		{story: "login, without end", to: public, head: posts(h.site.portal, "/.gateway/login", endless, json...), want: 413, word: "BadRequest"},
		{story: "logout by a form", to: public, head: posts(h.site.wiki, "/.gateway/logout", short, "Content-Type", "application/x-www-form-urlencoded"), want: 400, word: "BadRequest"},
		{story: "no page", to: public, head: posts(h.site.portal, "/nowhere", chunked), want: 404, word: "BadRequest"},
		{story: "an app that is down", to: public, head: posts("down."+h.site.wiki, "/x", short), want: 502, word: "Unavailable"},
		{story: "an app that is down, in chunks", to: public, head: posts("down."+h.site.wiki, "/x", chunked), want: 502, word: "Unavailable"},
		{story: "an app that is down, without end", to: public, head: posts("down."+h.site.wiki, "/x", endless), want: 502, word: "Unavailable"},
		{story: "the check, by a stranger", to: authz, head: posts("authz", forwardAuth, chunked), want: 403, word: "Forbidden"},
	}
	var all sync.WaitGroup
	for i := range rows {
		all.Go(func() { rows[i].slow = drip(t.Context(), rows[i].to, stranger, rows[i].head) })
	}
	all.Wait()
	for _, row := range rows {
		if row.slow.status != row.want || !strings.Contains(row.slow.body, `"error":"`+row.word+`"`) {
			t.Errorf("%s: %d %.300s, want %d %s", row.story, row.slow.status, row.slow.body, row.want, row.word)
		}
		if errors.Is(row.slow.err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: the connection does not end: %v", row.story, row.slow.err)
		}
	}
}

// curt is an app that answers before it has read anything, and never ends a
// connection.
func curt(h *house) {
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 404 Not Found\r\nContent-Length: 12\r\n"+echoes+": 1\r\n\r\nnothing here")
		_, _ = io.Copy(io.Discard, conn)
	}))
	h.Cleanup(app.Close)
	h.leads("down", proxy.Upstream{URL: h.url(app.URL)})
}

// An app that has answered without it does not keep a body coming.
func TestBodiesThatNobodyTakesEnd(t *testing.T) {
	t.Parallel()
	h := open(t, https, hasty, curt)
	for _, length := range []string{short, chunked, endless} {
		got := drip(t.Context(), h.front.Listener.Addr(), stranger, posts("down."+h.site.wiki, "/x", length))
		if got.status != http.StatusNotFound || got.body != "nothing here" {
			t.Errorf("%s: %d %q, want the app's answer", length, got.status, got.body)
		}
		if errors.Is(got.err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: the connection does not end: %v", length, got.err)
		}
	}
}

// Nor does an app's answer wait for it.
func TestAnswersDoNotWaitForBodies(t *testing.T) {
	t.Parallel()
	h := open(t, https, curt)
	h.waits(time.Hour)
	for _, length := range []string{short, chunked, endless} {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", h.front.Listener.Addr().String())
		h.must(err)
		h.must(conn.SetDeadline(time.Now().Add(patience)))
		_, err = io.WriteString(conn, posts("down."+h.site.wiki, "/x", length))
		h.must(err)
		r := &http.Request{Method: http.MethodPost, URL: &url.URL{Path: "/x"}}
		resp, err := http.ReadResponse(bufio.NewReader(conn), r)
		if err != nil {
			t.Errorf("%s: no answer: %v", length, err)
		} else if a := h.read(r, "", resp); a.status != http.StatusNotFound || a.body != "nothing here" {
			t.Errorf("%s: %d %q, want the app's answer", length, a.status, a.body)
		}
		h.must(conn.Close())
	}
}

// slowly sends a body for longer than strangers may.
func (h *house) slowly(head string, pieces int) answer {
	h.Helper()
	conn, err := (&net.Dialer{}).DialContext(h.Context(), "tcp", h.front.Listener.Addr().String())
	h.must(err)
	defer conn.Close()
	h.must(conn.SetDeadline(time.Now().Add(patience)))
	piece, end := "x", ""
	if strings.Contains(head, chunked) {
		piece, end = "1\r\nx\r\n", "0\r\n\r\n"
	}
	_, err = io.WriteString(conn, head)
	h.must(err)
	for range pieces {
		time.Sleep(pieceTime)
		_, err = io.WriteString(conn, piece)
		h.must(err)
	}
	_, err = io.WriteString(conn, end)
	h.must(err)
	r := &http.Request{Method: http.MethodPost, URL: &url.URL{Path: "/x"}}
	resp, err := http.ReadResponse(bufio.NewReader(conn), r)
	h.must(err)
	return h.read(r, "", resp)
}

// What an app lets in may take its time.
func TestSlowUploads(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	bob := h.at(h.bob)
	hasty(h)
	const pieces = int(2 * bodyTime / pieceTime)
	for story, head := range map[string]string{
		"of a known length":        posts(h.site.wiki, "/x", fmt.Sprint("Content-Length: ", pieces), bob...),
		"in chunks":                posts(h.site.wiki, "/x", chunked, bob...),
		"of nobody, where all may": posts(h.site.wiki, "/public/x", chunked),
	} {
		h.slowly(head, pieces).wants(http.StatusOK)
		if got, want := h.echo.last(t).Body, strings.Repeat("x", pieces); got != want {
			t.Errorf("%s: the app has got %d bytes, want %d", story, len(got), len(want))
		}
	}
}

// Nor does anything end that goes the other way.
func TestStreamsOutlastBodies(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	bob := h.at(h.bob)
	hasty(h)
	h.echo.plays("events", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for r.Context().Err() == nil {
			_, _ = io.WriteString(w, "data: hello\n\n")
			_ = http.NewResponseController(w).Flush()
			time.Sleep(pieceTime)
		}
	})
	h.echo.plays("tunnels", tunnels)
	for story, text := range map[string]string{
		"events":                  h.page("/x?play=events", bob...),
		"events, asked by a body": posts(h.site.wiki, "/x?play=events", "Content-Length: 2", append([]string{"Content-Type", "application/json"}, bob...)...) + "{}",
		"events, asked in chunks": posts(h.site.wiki, "/x?play=events", chunked, bob...) + "2\r\n{}\r\n0\r\n\r\n",
		"a WebSocket":             h.upgrades("/x?play=tunnels", []string{"websocket"}, bob...),
	} {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", h.front.Listener.Addr().String())
		h.must(err)
		defer conn.Close()
		h.must(conn.SetDeadline(time.Now().Add(patience)))
		_, err = io.WriteString(conn, text)
		h.must(err)
		lines := bufio.NewReader(conn)
		for begun := time.Now(); err == nil && time.Since(begun) < 2*bodyTime; {
			if strings.Contains(text, "Upgrade:") {
				_, err = io.WriteString(conn, "hello\n")
				h.must(err)
				time.Sleep(pieceTime)
			}
			_, err = lines.ReadString('\n')
		}
		if err != nil {
			t.Errorf("%s: %v, want it to go on", story, err)
		}
	}
}

// A connection on which a body has come in time is good for more.
func TestConnectionsOutlastBodies(t *testing.T) {
	t.Parallel()
	h := open(t, https, hasty)
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", h.front.Listener.Addr().String())
	h.must(err)
	defer conn.Close()
	h.must(conn.SetDeadline(time.Now().Add(patience)))
	answers := bufio.NewReader(conn)
	for range 3 {
		_, err := io.WriteString(conn, posts(h.site.portal, "/.gateway/connect", "Content-Length: 2", "Content-Type", "application/json")+"{}")
		h.must(err)
		r := &http.Request{Method: http.MethodPost, URL: &url.URL{Path: "/.gateway/connect"}}
		resp, err := http.ReadResponse(answers, r)
		h.must(err)
		h.read(r, "{}", resp).wants(http.StatusOK)
		time.Sleep(bodyTime + pieceTime)
	}
}
