package server_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// frames is one connection of HTTP/2, spoken frame by frame.
type frames struct {
	testing.TB
	*http2.Framer
	conn  *tls.Conn
	block bytes.Buffer
	hpack *hpack.Encoder
	next  uint32
}

// second serves the public listener over HTTP/2, as the program does where it
// ends TLS itself.
func (h *house) second() *httptest.Server {
	s := httptest.NewUnstartedServer(h.server.Handler())
	s.Config.ErrorLog = slog.NewLogLogger(h.server.Log.Handler(), slog.LevelError)
	s.Config.MaxHeaderBytes = 64 << 10
	s.Config.DisableGeneralOptionsHandler = true
	s.EnableHTTP2 = true
	s.StartTLS()
	h.Cleanup(s.Close)
	return s
}

func (h *house) frames(s *httptest.Server) *frames {
	h.Helper()
	conn, err := (&tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}}).DialContext(context.Background(), "tcp", s.Listener.Addr().String())
	h.must(err)
	h.Cleanup(func() { _ = conn.Close() })
	h.must(conn.SetDeadline(time.Now().Add(patience)))
	_, err = io.WriteString(conn, http2.ClientPreface)
	h.must(err)
	f := &frames{TB: h.TB, Framer: http2.NewFramer(conn, conn), conn: conn.(*tls.Conn), next: 1} //nolint:errcheck // a test may panic
	f.hpack = hpack.NewEncoder(&f.block)
	f.AllowIllegalWrites = true
	h.must(f.WriteSettings())
	return f
}

// ask sends a request without a body as these fields, names and values, and
// returns its status; 0 where the stream or the connection is ended instead.
func (f *frames) ask(fields ...string) (status string, header map[string]string) {
	f.Helper()
	f.block.Reset()
	for i := 0; i+1 < len(fields); i += 2 {
		_ = f.hpack.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}) // into memory
	}
	id := f.next
	f.next += 2
	if err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: f.block.Bytes(), EndStream: true, EndHeaders: true}); err != nil {
		return "", nil
	}
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			return "", nil
		}
		switch frame := frame.(type) {
		case *http2.MetaHeadersFrame:
			if frame.StreamID != id {
				continue
			}
			header = map[string]string{}
			for _, field := range frame.Fields {
				header[field.Name] = field.Value
			}
			return header[":status"], header
		case *http2.RSTStreamFrame, *http2.GoAwayFrame:
			return "", nil
		case *http2.SettingsFrame:
			if !frame.IsAck() {
				_ = f.WriteSettingsAck()
			}
		}
	}
}

// What HTTP/2 can say and HTTP/1.1 cannot opens nothing either.
func TestHTTP2(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	s := h.second()
	bob := h.at(h.bob)[1]
	hits := h.echo.count()
	wiki := func(more ...string) []string {
		return append([]string{":method", "GET", ":scheme", "https", ":authority", h.site.wiki, ":path", "/x", "cookie", bob}, more...)
	}
	with := func(name, value string) []string {
		fields := wiki()
		for i := 0; i < len(fields); i += 2 {
			if fields[i] == name {
				fields[i+1] = value
			}
		}
		return fields
	}
	if status, _ := h.frames(s).ask(wiki()...); status != "200" {
		t.Fatalf("a good request: status %q, want 200", status)
	}
	if got := h.echo.last(t); got.Header.Get("Remote-User") != "bob" || got.Host != h.site.wiki || got.Target != "/x" || h.echo.count() != hits+1 {
		t.Fatalf("the app sees %+v", got)
	}
	hits = h.echo.count()
	for _, row := range []struct {
		story  string
		fields []string
	}{
		{"two paths", wiki(":path", "/public/x")},
		{"two authorities", wiki(":authority", h.site.board)},
		{"two methods", wiki(":method", "POST")},
		{"an unknown pseudo-header", wiki(":host", h.site.wiki)},
		{"a pseudo-header after others", append(wiki("accept", "x"), ":path", "/public/x")},
		{"an empty path", with(":path", "")},
		{"an asterisk", with(":path", "*")},
		{"no slash in front", with(":path", "x")},
		{"two slashes in front", with(":path", "//x")},
		{"an absolute URL", with(":path", "https://"+h.site.wiki+"/x")},
		{"another host in an absolute URL", with(":path", "https://"+h.site.board+"/x")},
		{"a fragment", with(":path", "/x#y")},
		{"a space", with(":path", "/x y")},
		{"a space and a version", with(":path", "/x HTTP/1.1\r\nRemote-User: alice\r\n\r\nGET /public/x")},
		{"a line feed", with(":path", "/x\ny")},
		{"a NUL", with(":path", "/x\x00")},
		{"a tunnel", []string{":method", "CONNECT", ":authority", h.site.wiki, "cookie", bob}},
		{"a tunnel with a path", with(":method", "CONNECT")},
		{"a WebSocket over HTTP/2", append([]string{":method", "CONNECT", ":protocol", "websocket", ":scheme", "https", ":authority", h.site.wiki, ":path", "/x"}, "cookie", bob)},
		{"a method in lower case", with(":method", "get")},
		{"an echo of our cookies", with(":method", "TRACE")},
		{"a method with a space", with(":method", "GET /public/x HTTP/1.1\r\nx:")},
		{"an empty method", with(":method", "")},
		{"no authority", wiki()[4:]},
		{"another authority", with(":authority", "evil.test")},
		{"a list of authorities", with(":authority", h.site.wiki+","+h.site.board)},
		{"a user in the authority", with(":authority", "bob@"+h.site.wiki)},
		{"an authority with a slash", with(":authority", h.site.wiki+"/x")},
		{"an authority with a line feed", with(":authority", h.site.wiki+"\r\nRemote-User: alice")},
		{"a name in upper case", wiki("Remote-User", "alice")},
		{"a name with a space", wiki("remote-user ", "alice")},
		{"a name with a colon", wiki("remote-user:", "alice")},
		{"a name with a line feed", wiki("a\r\nremote-user", "alice")},
		{"an empty name", wiki("", "alice")},
		{"a value with a line feed", wiki("a", "b\r\nRemote-User: alice")},
		{"a value with a NUL", wiki("a", "b\x00")},
		{"a connection header", wiki("connection", "remote-user")},
		{"a proxy-connection header", wiki("proxy-connection", "keep-alive")},
		{"chunks", wiki("transfer-encoding", "chunked")},
		{"an upgrade", wiki("upgrade", "h2c")},
		{"te", wiki("te", "gzip")},
		{"two sessions", wiki("cookie", bob)},
	} {
		status, header := h.frames(s).ask(row.fields...)
		switch status {
		case "", "400", "404", "405", "421", "501":
		default:
			t.Errorf("%s: status %s, %v", row.story, status, header)
		}
		for _, name := range []string{"location", "set-cookie", "remote-user"} {
			if header[name] != "" {
				t.Errorf("%s: %s: %q", row.story, name, header[name])
			}
		}
	}
	for _, got := range h.echo.seen()[hits:] {
		t.Errorf("the app sees %s %s, %v", got.Method, got.Target, got.Header)
	}
}

// A host in a header of its own beside :authority says nothing.
func TestHTTP2HostBesideAuthority(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	s := h.second()
	bob := h.at(h.bob)[1]
	for _, host := range []string{h.site.board, "evil.test", h.site.portal, "", h.site.wiki} {
		hits := h.echo.count()
		status, _ := h.frames(s).ask(":method", "GET", ":scheme", "https", ":authority", h.site.wiki, ":path", "/x", "host", host, "cookie", bob)
		for _, got := range h.echo.seen()[hits:] {
			if got.Host != h.site.wiki || len(got.Header["Host"]) != 0 || got.Header.Get("X-Forwarded-Host") != h.site.wiki {
				t.Errorf("host %q: the app sees %q, %v", host, got.Host, got.Header)
			}
		}
		if status != "200" && status != "400" && status != "" {
			t.Errorf("host %q: status %q", host, status)
		}
	}
	hits := h.echo.count()
	if status, _ := h.frames(s).ask(":method", "GET", ":scheme", "https", ":path", "/x", "host", h.site.wiki, "cookie", bob); status == "200" && h.echo.last(t).Host != h.site.wiki {
		t.Errorf("the app sees %+v", h.echo.last(t))
	}
	if got := h.echo.count() - hits; got > 1 {
		t.Errorf("%d requests have reached the app", got)
	}
}

// A length that nothing follows is nobody's: the app waits for no body.
func TestHTTP2LengthWithoutBody(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	s := h.second()
	bob := h.at(h.bob)[1]
	for _, length := range []string{"x", "10", "-1", "1, 2", ""} {
		hits := h.echo.count()
		status, _ := h.frames(s).ask(":method", "POST", ":scheme", "https", ":authority", h.site.wiki, ":path", "/x", "content-length", length, "cookie", bob)
		if status != "200" && status != "400" && status != "" {
			t.Errorf("content-length %q: status %q", length, status)
		}
		for _, got := range h.echo.seen()[hits:] {
			if got.Body != "" || got.Header.Get("Content-Length") != "" && got.Header.Get("Content-Length") != "0" || got.Header["Transfer-Encoding"] != nil {
				t.Errorf("content-length %q: the app sees %q, %v", length, got.Body, got.Header)
			}
		}
	}
}

// Cookies that come crumb by crumb (RFC 9113, section 8.2.3) are one line: ours
// is found in it, and taken out.
func TestHTTP2Cookies(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	bob := h.at(h.bob)[1]
	status, _ := h.frames(h.second()).ask(":method", "GET", ":scheme", "https", ":authority", h.site.wiki, ":path", "/x", "cookie", "a=1", "cookie", bob, "cookie", "b=2")
	got := h.echo.last(t)
	if status != "200" || got.Header.Get("Remote-User") != "bob" || strings.Join(got.Header["Cookie"], "; ") != "a=1; b=2" {
		t.Errorf("status %s, the app sees %v", status, got.Header)
	}
}

// Streams that are taken back as fast as they are made end one connection, and
// nobody else notices.
func TestHTTP2Resets(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	s := h.second()
	bob := h.at(h.bob)
	h.watch.failing.Store(true)
	f := h.frames(s)
	for range 20_000 {
		f.block.Reset()
		for _, field := range [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", h.site.wiki}, {":path", "/closed/x"}} {
			_ = f.hpack.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]})
		}
		err := errors.Join(
			f.WriteHeaders(http2.HeadersFrameParam{StreamID: f.next, BlockFragment: f.block.Bytes(), EndStream: true, EndHeaders: true}),
			f.WriteRSTStream(f.next, http2.ErrCodeCancel),
		)
		if err != nil {
			break
		}
		f.next += 2
	}
	h.program().get(h.Wiki+"/x", bob...).wants(http.StatusOK)
	if status, _ := h.frames(s).ask(":method", "GET", ":scheme", "https", ":authority", h.site.wiki, ":path", "/x", "cookie", bob[1]); status != "200" {
		t.Errorf("another connection: status %q, want 200", status)
	}
}
