package keepalive_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gateway/internal/hostiletest"
	"gateway/internal/keepalive"
)

const (
	headerTimeout = 10 * time.Second
	bodyTimeout   = 5 * time.Second
	idleTimeout   = 2 * time.Minute
	maxHeader     = 8 << 10
	first         = "GET /first HTTP/1.1\r\nHost: a\r\n\r\n" // after which a connection is ours
)

// heard is a request as a handler sees it.
type heard struct {
	Method, URI, Host, Peer string
	Header                  http.Header
	Body                    string
	Close                   bool
}

// ear is a handler that tells what it heard.
type ear struct {
	mu  sync.Mutex
	all []heard
}

func (e *ear) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	one := heard{Method: r.Method, URI: r.RequestURI, Host: r.Host, Header: maps.Clone(r.Header)}
	if r.Header.Get("X-Read") != "" {
		body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<16))
		one.Body = string(body)
	}
	e.mu.Lock()
	e.all = append(e.all, one)
	e.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	w.Header().Add("X-Two", "1")
	w.Header().Add("X-Two", "2")
	switch r.URL.Path {
	case "/nothing":
	case "/none":
		w.WriteHeader(http.StatusNoContent)
	case "/panic":
		panic(http.ErrAbortHandler)
	case "/fault":
		panic("at the disco")
	case "/split":
		w.Header().Set("X-Split", "a\r\nSet-Cookie: b\nc")
		w.WriteHeader(http.StatusForbidden)
		w.Header().Set("X-Late", "too late")
		_, _ = io.WriteString(w, "no")
	default:
		_ = json.NewEncoder(w).Encode(one)
	}
}

// line is a listener whose connections are pipes, for bubbles of time.
type line struct {
	conns chan net.Conn
	done  chan struct{}
}

func (l line) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}
func (l line) Close() error   { return nil }
func (l line) Addr() net.Addr { return &net.TCPAddr{} }

// kept returns the connections of a handler.
func kept(h http.Handler) *keepalive.Conns {
	return &keepalive.Conns{
		Handler: h, HeaderTimeout: headerTimeout, BodyTimeout: bodyTimeout, IdleTimeout: idleTimeout, MaxHeader: maxHeader, Log: slog.New(slog.DiscardHandler),
	}
}

// serve serves a handler at a port, as net/http does it.
func serve(tb testing.TB, h http.Handler) string {
	tb.Helper()
	var lc net.ListenConfig
	socket, err := lc.Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	s := &http.Server{
		Handler: h, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader, DisableGeneralOptionsHandler: true,
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelWarn),
	}
	go func() { _ = s.Serve(socket) }()
	tb.Cleanup(func() { _ = s.Close() })
	return socket.Addr().String()
}

// say sends bytes, and returns all that comes back.
func say(tb testing.TB, address, text string) string {
	tb.Helper()
	var d net.Dialer
	c, err := d.DialContext(tb.Context(), "tcp", address)
	if err != nil {
		tb.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	go func() {
		_, _ = io.WriteString(c, text)
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.CloseWrite()
		}
	}()
	var got bytes.Buffer
	_, err = io.Copy(&got, c)
	var network net.Error
	if errors.As(err, &network) && network.Timeout() {
		tb.Fatalf("no end to the answers of %.100q", text)
	}
	return got.String()
}

// answers reads them, without their dates. What an end of the connection left
// of the last one does not count.
func answers(tb testing.TB, text string) []string {
	tb.Helper()
	var all []string
	for in := bufio.NewReader(strings.NewReader(text)); ; {
		r, err := http.ReadResponse(in, nil)
		if err != nil {
			return all
		}
		body, err := io.ReadAll(r.Body)
		_ = r.Body.Close()
		if err != nil {
			return all
		}
		r.Header.Del("Date")
		if r.StatusCode >= 400 && r.Header.Get("X-Two") == "" {
			r.Status, r.Header, body = r.Status[:3], nil, nil // an error of the server's: its words are its own
		}
		var b bytes.Buffer
		_ = r.Header.Write(&b)
		all = append(all, r.Status+"\n"+b.String()+"\n"+string(body))
	}
}

// same are exchanges that end as with net/http, byte for byte but for the date.
var same = []struct{ story, text string }{
	{"one after the other", "GET /a?b=c HTTP/1.1\r\nHost: a\r\nCookie: x=y\r\n\r\nHEAD /b HTTP/1.1\r\nhost: b:80\r\n\r\nGET /nothing HTTP/1.1\r\nHost: [::1]\r\n\r\nGET /none HTTP/1.1\r\nHost: a\r\n\r\n"},
	{"bare line feeds", "GET /a HTTP/1.1\nHost: a\n\nGET /b HTTP/1.1\nHost: b\n\n"},
	{"repeated headers", "GET /a HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nx-a: 2\r\n\r\n"},
	{"a header that would split", "GET /split HTTP/1.1\r\nHost: a\r\n\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n"},
	{"an end that is asked for", "GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n"},
	{"HTTP/1.0", "GET /a HTTP/1.0\r\n\r\nGET /b HTTP/1.0\r\n\r\n"},
	{"a body that is read", "POST /a HTTP/1.1\r\nHost: a\r\nX-Read: 1\r\nContent-Length: 5\r\n\r\nhelloGET /b HTTP/1.1\r\nHost: a\r\n\r\n"},
	{"a body that is left", "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET /b HTTP/1.1\r\nHost: a\r\n\r\n"},
	{"chunks that are left", "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n"},
	{"chunks and a trailer", "POST /a HTTP/1.1\r\nHost: a\r\nX-Read: 1\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n5\r\nhello\r\n0\r\nX-T: 1\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n"},
	{"an empty body", "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n"},
	{"two lengths", "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhelloGET /b HTTP/1.1\r\nHost: a\r\n\r\n"},
	{"a length and chunks", "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n"},
	{"no host", "GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n"},
	{"two hosts", "GET /a HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n"},
	{"no host at all", "GET /a HTTP/1.1\r\nHost: a b\r\n\r\n"},
	{"a folded line", "GET /a HTTP/1.1\r\nHost: a\r\nX-A: 1\r\n 2\r\n\r\n"},
	{"a space before the colon", "GET /a HTTP/1.1\r\nHost : a\r\n\r\n"},
	{"a NUL in a value", "GET /a HTTP/1.1\r\nHost: a\r\nX-A: \x00\r\n\r\n"},
	{"a name that is none", "GET /a HTTP/1.1\r\nHost: a\r\nX(A): 1\r\n\r\n"},
	{"a space in a name", "GET /a HTTP/1.1\r\nHost: a\r\nX A: 1\r\n\r\n"},
	{"no version", "GET /a\r\n\r\n"},
	{"a version to come", "GET /a HTTP/3.0\r\nHost: a\r\n\r\n"},
	{"a header too large", "GET /a HTTP/1.1\r\nHost: a\r\nX-A: " + strings.Repeat("a", 3*maxHeader) + "\r\n\r\n"},
	{"expecting the unknown", "GET /a HTTP/1.1\r\nHost: a\r\nExpect: miracles\r\n\r\n"},
	{"expecting with nothing to send", "GET /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n"},
	{"half a request", "GET /a HTTP/1.1\r\nHo"},
	{"all of them", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"},
	{"a broken stream", "GET /panic HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n"},
	{"a fault", "GET /fault HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n"},
}

func TestLikeNetHTTP(t *testing.T) {
	var ours, theirs ear
	here, there := serve(t, kept(&ours)), serve(t, &theirs)
	for _, row := range same {
		got, want := answers(t, say(t, here, first+row.text)), answers(t, say(t, there, first+row.text))
		if !slices.Equal(got, want) {
			t.Errorf("%s: answers\n%q\nwant\n%q", row.story, got, want)
		}
		if !equal(ours.take(), theirs.take()) {
			t.Errorf("%s: the handler heard something else", row.story)
		}
	}
}

func (e *ear) take() []heard {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := e.all
	e.all = nil
	return all
}

func equal(a, b []heard) bool {
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return bytes.Equal(x, y)
}

// What net/http takes and this does not: nothing that a front proxy says.
func TestStricter(t *testing.T) {
	var e ear
	here := serve(t, kept(&e))
	for _, row := range []struct{ story, text, status string }{
		{"an absolute address", "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
		{"another host there", "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
		{"an empty host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", "400"},
		{"another encoding", "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", "400"}, // there 501
		{"a preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505"},
	} {
		got := answers(t, say(t, here, first+row.text+first))
		if len(got) != 2 || !strings.HasPrefix(got[1], row.status) {
			t.Errorf("%s: %q, want %s and the end", row.story, got, row.status)
		}
		if heard := e.take(); len(heard) != 1 {
			t.Errorf("%s: the handler heard %d requests, want the first", row.story, len(heard))
		}
	}
}

// What others have in store is never heard as another request than net/http
// hears: what the handler gets is what it would get there, or less.
func FuzzLikeNetHTTP(f *testing.F) {
	for _, row := range same {
		f.Add(row.text)
	}
	for _, line := range hostiletest.Lines(f, "targets") {
		f.Add("GET " + line + " HTTP/1.1\r\nHost: a\r\n\r\n" + first)
	}
	var ours, theirs ear
	here, there := serve(f, kept(&ours)), serve(f, &theirs)
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "/panic") || len(text) > 1<<16 {
			return
		}
		say(t, here, first+text)
		say(t, there, first+text)
		got, want := ours.take(), theirs.take()
		if len(got) > len(want) || !equal(got, want[:len(got)]) {
			t.Fatalf("%q: heard %+v, net/http %+v", text, got, want)
		}
	})
}

// dialogue is a connection within a bubble of time.
type dialogue struct {
	*testing.T
	net.Conn
	kept *keepalive.Conns
	in   *bufio.Reader
	held chan struct{} // whose end lets /slow be answered
}

// within opens a connection, and lets it be used once.
func within(t *testing.T, h http.Handler, story func(d dialogue)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := line{make(chan net.Conn), make(chan struct{})}
		held := make(chan struct{})
		all := kept(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/slow" {
				<-held
			}
			h.ServeHTTP(w, r)
		}))
		s := &http.Server{Handler: all, ReadHeaderTimeout: headerTimeout}
		go func() { _ = s.Serve(l) }()
		ours, theirs := net.Pipe()
		l.conns <- theirs
		d := dialogue{t, ours, all, bufio.NewReader(ours), held}
		d.ask("GET /first HTTP/1.1\r\nHost: a\r\n\r\n")
		story(d)
		_ = ours.Close()
		close(l.done)
		_ = s.Close()
	})
}

// ask sends a request, and reads its answer.
func (d dialogue) ask(text string) {
	d.Helper()
	if _, err := io.WriteString(d, text); err != nil {
		d.Fatal(err)
	}
	if d.answered() {
		d.Error("this was the last answer")
	}
}

// answered reads a good answer, and reports whether it is the last.
func (d dialogue) answered() (last bool) {
	d.Helper()
	r, err := http.ReadResponse(d.in, nil)
	if err != nil {
		d.Fatal(err)
	}
	defer r.Body.Close()
	_, _ = io.Copy(io.Discard, r.Body)
	if r.StatusCode != http.StatusOK {
		d.Errorf("status %d", r.StatusCode)
	}
	return r.Close
}

// slowly begins a request that is not answered at once.
func (d dialogue) slowly() {
	_, _ = io.WriteString(d, "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
	synctest.Wait()
}

// ends reads the end of the connection, and returns how long it took.
func (d dialogue) ends() time.Duration {
	d.Helper()
	began := time.Now()
	if b, err := d.in.ReadByte(); err == nil {
		d.Errorf("read %q, want the end", b)
	}
	return time.Since(began)
}

func TestTimeouts(t *testing.T) {
	within(t, &ear{}, func(d dialogue) {
		time.Sleep(idleTimeout - idleTimeout/16 - time.Second)
		d.ask(first)
		time.Sleep(idleTimeout - idleTimeout/16 - time.Second)
		d.ask(first)
		if took := d.ends(); took < idleTimeout-idleTimeout/16 || took > idleTimeout {
			d.Errorf("an idle connection ended after %v, want %v", took, idleTimeout)
		}
	})
	within(t, &ear{}, func(d dialogue) {
		_, _ = io.WriteString(d, "GET /a HTTP/1.1\r\n")
		if took := d.ends(); took != headerTimeout {
			d.Errorf("half a header ended after %v, want %v", took, headerTimeout)
		}
	})
	within(t, &ear{}, func(d dialogue) {
		_, _ = io.WriteString(d, "GET /a HTTP/1.1\r\n")
		time.Sleep(headerTimeout / 2)
		d.ask("Host: a\r\n\r\n")
		time.Sleep(headerTimeout)
		d.ask(first) // the header's time is not that between two
	})
	within(t, &ear{}, func(d dialogue) {
		_, _ = io.WriteString(d, "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe")
		began := time.Now()
		if !d.answered() {
			d.Error("a body that did not come, and the connection stays")
		}
		if took := time.Since(began); took != bodyTimeout {
			d.Errorf("a body was waited for %v, want %v", took, bodyTimeout)
		}
		d.ends()
	})
}

func TestShutdown(t *testing.T) {
	within(t, &ear{}, func(d dialogue) {
		if err := d.kept.Shutdown(d.Context()); err != nil {
			d.Error(err)
		}
		if took := d.ends(); took != 0 {
			d.Errorf("an idle connection ended after %v", took)
		}
	})
	within(t, &ear{}, func(d dialogue) {
		d.slowly()
		time.AfterFunc(time.Second, func() { close(d.held) })
		done := make(chan error)
		go func() { done <- d.kept.Shutdown(context.Background()) }()
		if !d.answered() {
			d.Error("the last answer says that there may be another")
		}
		if err := <-done; err != nil {
			d.Error(err)
		}
		d.ends()
	})
	within(t, &ear{}, func(d dialogue) {
		d.slowly()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := d.kept.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			d.Errorf("shut down: %v, want %v", err, context.DeadlineExceeded)
		}
		d.ends()
		close(d.held)
	})
}

// A peer is who it was.
func TestPeer(t *testing.T) {
	seen := make(chan string, 3)
	here := serve(t, kept(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen <- r.RemoteAddr })))
	say(t, here, first+first+first)
	one := <-seen
	for range 2 {
		if next := <-seen; next != one || one == "" {
			t.Errorf("peer %q, then %q", one, next)
		}
	}
}

func BenchmarkAnswer(b *testing.B) {
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	for _, row := range []struct {
		name    string
		handler http.Handler
	}{{"net-http", h}, {"keepalive", kept(h)}} {
		b.Run(row.name, func(b *testing.B) {
			var d net.Dialer
			c, err := d.DialContext(b.Context(), "tcp", serve(b, row.handler))
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			in := bufio.NewReader(c)
			b.ReportAllocs()
			for b.Loop() {
				_, _ = io.WriteString(c, first)
				for {
					line, err := in.ReadSlice('\n')
					if err != nil {
						b.Fatal(err)
					}
					if len(line) == 2 {
						break
					}
				}
			}
		})
	}
}
