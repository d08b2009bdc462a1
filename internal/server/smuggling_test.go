package server_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gateway/internal/proxy"
)

// wire is an app that writes down the bytes of each request that it can make
// out, under what the client calls it in X-Row.
type wire struct {
	net.Listener
	mu   sync.Mutex
	rows map[string][]string
}

func newWire(h *house) *wire {
	l, err := (&net.ListenConfig{}).Listen(h.Context(), "tcp", "127.0.0.1:0")
	h.must(err)
	w := &wire{Listener: l, rows: map[string][]string{}}
	h.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go w.serve(conn)
		}
	}()
	return w
}

func (w *wire) serve(conn net.Conn) {
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	var text bytes.Buffer
	r := bufio.NewReader(io.TeeReader(conn, &text))
	for {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, req.Body)
		w.mu.Lock()
		row := req.Header.Get("X-Row")
		w.rows[row] = append(w.rows[row], string(text.Next(text.Len()-r.Buffered())))
		w.mu.Unlock()
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n"+echoes+": 1\r\nContent-Length: 0\r\n\r\n")
	}
}

func (w *wire) seen(row string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rows[row]
}

// sends writes bytes on one connection and returns the status of each answer,
// until the other side ends it.
func (h *house) sends(text string) (statuses []int) {
	h.Helper()
	conn, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", h.front.Listener.Addr().String())
	h.must(err)
	defer conn.Close()
	h.must(conn.SetDeadline(time.Now().Add(patience)))
	hangUp := sync.OnceFunc(func() {
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.CloseWrite()
		}
	})
	_, err = io.WriteString(conn, text)
	h.must(err)
	defer time.AfterFunc(200*time.Millisecond, hangUp).Stop() // what is not whole gets no answer
	for r := bufio.NewReader(conn); ; {
		resp, err := http.ReadResponse(r, nil)
		hangUp()
		if err != nil {
			return statuses
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		statuses = append(statuses, resp.StatusCode)
	}
}

// Whatever a client does to the frame of a request, no request reaches the app
// that was not decided on, and the app is never in doubt about where one ends.
func TestSmuggling(t *testing.T) {
	t.Parallel()
	var app *wire
	h := open(t, https, func(h *house) {
		app = newWire(h)
		h.leads("wiki", proxy.Upstream{URL: &url.URL{Scheme: "http", Host: app.Addr().String()}})
	})
	h.watch.failing.Store(true)
	bob := h.as(h.bob)
	page, _ := bob.visit(h.Wiki + "/x")
	page.wants(http.StatusOK)
	app.mu.Lock()
	clear(app.rows)
	app.mu.Unlock()
	cookie := bob.session(h.Wiki)[1]
	const hidden = "GET /admin/hidden HTTP/1.1\r\nHost: wiki.example.net\r\nRemote-User: alice\r\n\r\n"
	head := func(method string, lines ...string) string {
		return method + " /x HTTP/1.1\r\nHost: " + h.site.wiki + "\r\nX-Row: #\r\nCookie: " + cookie + "\r\n" + strings.Join(append(lines, "", ""), "\r\n")
	}
	for i, row := range []struct {
		story, text string
		whole       bool // what is hidden is a body, for everybody
	}{
		{"a length, and more", head("POST", "Content-Length: 0") + hidden, false},
		{"length and chunks", head("POST", "Content-Length: 4", "Transfer-Encoding: chunked") + "0\r\n\r\n" + hidden, false},
		{"chunks and length", head("POST", "Transfer-Encoding: chunked", "Content-Length: 500") + "0\r\n\r\n" + hidden, false},
		{"another coding", head("POST", "Transfer-Encoding: xchunked", "Content-Length: 5") + "0\r\n\r\n" + hidden, false},
		{"a list of codings", head("POST", "Transfer-Encoding: chunked, identity") + "0\r\n\r\n" + hidden, false},
		{"a list of codings, the other way", head("POST", "Transfer-Encoding: identity, chunked") + "0\r\n\r\n" + hidden, false},
		{"chunked twice", head("POST", "Transfer-Encoding: chunked, chunked") + "0\r\n\r\n" + hidden, false},
		{"chunked on two lines", head("POST", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked") + "0\r\n\r\n" + hidden, false},
		{"a space before the colon", head("POST", "Transfer-Encoding : chunked", "Content-Length: 3") + "0\r\n\r\n" + hidden, false},
		{"a tab before chunked", head("POST", "Transfer-Encoding:\tchunked") + "0\r\n\r\n" + hidden, false},
		{"a vertical tab before chunked", head("POST", "Transfer-Encoding:\x0bchunked", "Content-Length: 3") + "0\r\n\r\n" + hidden, false},
		{"chunked, in upper case", head("POST", "Transfer-Encoding: CHUNKED") + "0\r\n\r\n" + hidden, false},
		{"chunked in quotes", head("POST", `Transfer-Encoding: "chunked"`) + "0\r\n\r\n" + hidden, false},
		{"a folded line", head("POST", "Transfer-Encoding:", " chunked") + "0\r\n\r\n" + hidden, false},
		{"a folded line of nothing", head("GET", "X: a", " Transfer-Encoding: chunked") + hidden, false},
		{"a bare line feed between lines", "POST /x HTTP/1.1\nHost: " + h.site.wiki + "\nX-Row: #\nCookie: " + cookie + "\nContent-Length: 0\n\n" + hidden, false},
		{"a bare carriage return between lines", head("POST", "X: a\rTransfer-Encoding: chunked", "Content-Length: 0") + hidden, false},
		{"a NUL in a name", head("POST", "Transfer\x00-Encoding: chunked", "Content-Length: 0") + hidden, false},
		{"a NUL in a value", head("POST", "X: a\x00b", "Content-Length: 0") + hidden, false},
		{"an underscore", head("POST", "Transfer_Encoding: chunked", "Content-Length: 0") + hidden, false},
		{"two lengths", head("POST", "Content-Length: 0", "Content-Length: 77") + hidden, false},
		{"two equal lengths", head("POST", "Content-Length: 0", "Content-Length: 0") + hidden, false},
		{"a list of lengths", head("POST", "Content-Length: 0, 77") + hidden, false},
		{"a signed length", head("POST", "Content-Length: +0") + hidden, false},
		{"a negative length", head("POST", "Content-Length: -1") + hidden, false},
		{"a length in hexadecimal", head("POST", "Content-Length: 0x0") + hidden, false},
		{"a length with a space in it", head("POST", "Content-Length: 0 77") + hidden, false},
		{"an empty length", head("POST", "Content-Length: ") + hidden, false},
		{"a GET with a body", head("GET", "Content-Length: 80") + hidden + hidden, true},
		{"a GET with chunks", head("GET", "Transfer-Encoding: chunked") + "0\r\n\r\n" + hidden, false},
		{"a HEAD with a body", head("HEAD", "Content-Length: 80") + hidden + hidden, true},
		{"a DELETE with a body in chunks", head("DELETE", "Transfer-Encoding: chunked") + "5\r\nhello\r\n0\r\n\r\n" + hidden, false},
		{"a chunk size in 0x", head("POST", "Transfer-Encoding: chunked") + "0x5\r\nhello\r\n0\r\n\r\n" + hidden, false},
		{"a chunk size with a sign", head("POST", "Transfer-Encoding: chunked") + "+5\r\nhello\r\n0\r\n\r\n" + hidden, false},
		{"a chunk size that overflows", head("POST", "Transfer-Encoding: chunked") + "10000000000000005\r\nhello\r\n0\r\n\r\n" + hidden, false},
		{"a chunk extension with a bare line feed", head("POST", "Transfer-Encoding: chunked") + "5;a\nhello\r\n0\r\n\r\n" + hidden, false},
		{"a chunk extension with a bare carriage return", head("POST", "Transfer-Encoding: chunked") + "5;a\rb\r\nhello\r\n0\r\n\r\n" + hidden, false},
		{"a chunk that ends in a line feed", head("POST", "Transfer-Encoding: chunked") + "5\r\nhello\n0\r\n\r\n" + hidden, false},
		{"a last chunk that ends in line feeds", head("POST", "Transfer-Encoding: chunked") + "5\r\nhello\r\n0\n\n" + hidden, false},
		{"a chunk longer than it says", head("POST", "Transfer-Encoding: chunked") + "3\r\nhello\r\n0\r\n\r\n" + hidden, false},
		{"a trailer that is a length", head("POST", "Transfer-Encoding: chunked", "Trailer: Content-Length") + "0\r\nContent-Length: 77\r\n\r\n" + hidden, false},
		{"a trailer that is a request", head("POST", "Transfer-Encoding: chunked") + "0\r\n" + hidden, false},
		{"an older version with chunks", strings.Replace(head("POST", "Transfer-Encoding: chunked", "Connection: keep-alive"), "HTTP/1.1", "HTTP/1.0", 1) + "0\r\n\r\n" + hidden, false},
		{"an older version with both", strings.Replace(head("POST", "Transfer-Encoding: chunked", "Content-Length: 5", "Connection: keep-alive"), "HTTP/1.1", "HTTP/1.0", 1) + "0\r\n\r\n" + hidden, false},
		{"a newer version", strings.Replace(head("POST", "Content-Length: 0"), "HTTP/1.1", "HTTP/1.2", 1) + hidden, false},
		{"no version", "GET /x\r\n\r\n" + hidden, false},
		{"the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + hidden, false},
		{"spaces in the request line", strings.Replace(head("POST", "Content-Length: 0"), "/x HTTP", "/x  HTTP", 1) + hidden, false},
		{"a request in the target", strings.Replace(head("POST", "Content-Length: 0"), "/x HTTP", "/x?a=b\r\n\r\nGET /admin/hidden HTTP", 1) + hidden, false},
		{"a body that waits to be asked for", head("POST", "Content-Length: 77", "Expect: 100-continue") + hidden, true},
		{"an expectation that nobody knows", head("POST", "Content-Length: 0", "Expect: 200-ok") + hidden, false},
		{"a length that Connection takes away", head("POST", "Content-Length: 5", "Connection: Content-Length") + "hello" + hidden, false},
		{"chunks that Connection takes away", head("POST", "Transfer-Encoding: chunked", "Connection: Transfer-Encoding") + "0\r\n\r\n" + hidden, false},
		{"a host that Connection takes away", head("GET", "Connection: Host, Cookie") + hidden, false},
		{"a line before the request", "\r\n" + head("GET") + hidden, false},
		{"a colon alone", head("GET", ": x") + hidden, false},
		{"no colon", head("GET", "hello") + hidden, false},
		{"a second host", head("GET", "Host: "+h.site.board) + hidden, false},
	} {
		passed := 0
		for _, status := range h.sends(strings.Replace(row.text, "X-Row: #", "X-Row: "+strconv.Itoa(i), 1)) {
			if status == http.StatusOK {
				passed++
			}
		}
		seen := app.seen(strconv.Itoa(i))
		if len(seen) < passed || len(seen) > 1 {
			t.Errorf("%s: %d pass, and the app has had %q", row.story, passed, seen)
		}
		for _, text := range seen {
			req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
			h.must(err)
			body, _ := io.ReadAll(req.Body)
			if req.RequestURI != "/x" || req.Host != h.site.wiki || req.Header.Get("Remote-User") != "bob" {
				t.Errorf("%s: the app sees %s %s of %q at %s", row.story, req.Method, req.RequestURI, req.Header.Get("Remote-User"), req.Host)
			}
			if req.ContentLength >= 0 && req.TransferEncoding != nil || len(req.TransferEncoding) > 1 || len(req.Header["Trailer"])+len(req.Trailer) > 0 {
				t.Errorf("%s: the app sees length %d and codings %q", row.story, req.ContentLength, req.TransferEncoding)
			}
			if strings.Contains(string(body), "hidden") && !row.whole {
				t.Errorf("%s: the app sees a request in a body: %q", row.story, body)
			}
			head, _, _ := strings.Cut(text, "\r\n\r\n")
			if lines := strings.ReplaceAll(head, "\r\n", ""); strings.ContainsAny(lines, "\r\n\x00") || strings.Count(strings.ToLower(head), "\r\nhost:") != 1 {
				t.Errorf("%s: the app sees %q", row.story, head)
			}
		}
	}
	app.mu.Lock()
	defer app.mu.Unlock()
	if stray := app.rows[""]; len(stray) > 0 {
		t.Errorf("the app has had requests that nobody sent: %q", stray)
	}
}
