package server_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// modern opens the public listener as the program does with a certificate, and
// returns a client that speaks HTTP/2 to it.
func (h *house) modern() (*httptest.Server, *http.Client) {
	h.Helper()
	s := httptest.NewUnstartedServer(h.server.Handler())
	s.EnableHTTP2 = true
	s.StartTLS()
	h.Cleanup(s.Close)
	client := h.client(nil, "", s.Listener.Addr())
	if t, ok := client.Transport.(*http.Transport); ok {
		t.ForceAttemptHTTP2 = true
	}
	return s, client
}

// ask2 sends a request by HTTP/2 and returns the answer as it begins.
func (h *house) ask2(client *http.Client, method, address string, body io.Reader, lines ...string) (*http.Response, error) {
	h.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, address, body)
	h.must(err)
	for i := 0; i+1 < len(lines); i += 2 {
		r.Header.Add(lines[i], lines[i+1])
	}
	return client.Do(r)
}

// HTTP/2 is spoken to clients, by the same rules.
func TestHTTP2(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	_, client := h.modern()
	bob := h.at(h.bob)
	for _, row := range []struct {
		path   string
		cookie []string
		status int
		who    string
	}{
		{"/x", bob, http.StatusOK, "bob"},
		{"/public/x", nil, http.StatusOK, ""},
		{"/x", nil, http.StatusUnauthorized, ""},
		{"/admin/x", bob, http.StatusForbidden, ""},
		{"/x", bearer(h.issues("bob", "wiki").Token), http.StatusOK, "bob"},
		{"/public/x", bearer("gw_A"), http.StatusOK, ""},
	} {
		resp, err := h.ask2(client, http.MethodGet, h.Wiki+row.path, nil, append([]string{"Remote-User", "alice", "X_Forwarded_User", "alice", "TE", "trailers"}, row.cookie...)...)
		h.must(err)
		h.read(resp.Request, "", resp).wants(row.status)
		if resp.ProtoMajor != 2 {
			t.Fatalf("%s: spoken is %s", row.path, resp.Proto)
		}
		if row.status != http.StatusOK {
			continue
		}
		got := h.echo.last(t)
		if got.identity()[0] != row.who || got.Header["Authorization"] != nil || got.Header["Te"] == nil || got.Header.Get("X-Forwarded-Proto") != "https" || got.Host != h.site.wiki {
			t.Errorf("%s: the app sees %q, %v", row.path, got.identity(), got.Header)
		}
	}
}

// Streams end by HTTP/2 as they do by HTTP/1.1, and take no other stream of
// their connection with them.
func TestHTTP2StreamsEnd(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	app := &lasting{}
	app.behind(h)
	_, client := h.modern()
	_, bob := h.child(h.bob)
	other, err := h.ask2(client, http.MethodGet, h.Wiki+"/public/x?way=events", nil)
	h.must(err)
	defer other.Body.Close()
	type result struct {
		way    string
		status int
		err    error
	}
	results := make(chan result)
	under := []string{"events", "chunks", "download", "flood", "upload", "poll"}
	endless, feed := io.Pipe()
	defer feed.Close()
	for _, way := range under {
		go func() {
			method, body := http.MethodGet, io.Reader(nil)
			if way == "upload" {
				method, body = http.MethodPost, endless
			}
			resp, err := h.ask2(client, method, h.Wiki+"/x?way="+way, body, bob...)
			if err != nil {
				results <- result{way, 0, err}
				return
			}
			_, err = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			results <- result{way, resp.StatusCode, err}
		}()
	}
	_, err = feed.Write([]byte("hello"))
	h.must(err)
	app.idle(t, int64(len(under))+1)
	_, err = h.server.Sessions.RevokeUser(t.Context(), h.bob.id)
	h.must(err)
	for range under {
		select {
		case r := <-results:
			answered := r.way == "upload" || r.way == "poll"
			if answered && r.status != http.StatusUnauthorized || !answered && (r.status != http.StatusOK || r.err == nil) {
				t.Errorf("%s: status %d, %v", r.way, r.status, r.err)
			}
		case <-time.After(patience):
			t.Fatal("a stream goes on")
		}
	}
	app.idle(t, 1)
	if _, err := io.ReadFull(other.Body, make([]byte, 64)); err != nil {
		t.Errorf("a stream of nobody's on the same connection: %v", err)
	}
}

// What an app says at the end of its answer arrives there, but for cookies.
func TestTrailersOfApps(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		h.echo.plays("trailers", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "Grpc-Status, Set-Cookie")
			_, _ = io.WriteString(w, "hello")
			w.Header().Set("Grpc-Status", "5")
			w.Header().Set("Set-Cookie", h.site.sessionCookie+"=x")
			w.Header().Set(http.TrailerPrefix+"Grpc-Message", "none")
		})
		clients := []*http.Client{h.program().client}
		if h.site.scheme == "https" {
			_, client := h.modern()
			clients = append(clients, client)
		}
		for _, client := range clients {
			resp, err := h.ask2(client, http.MethodGet, h.Wiki+"/public/x?play=trailers", nil, "TE", "trailers")
			h.must(err)
			h.read(resp.Request, "", resp).wants(http.StatusOK)
			if got := resp.Trailer; got.Get("Grpc-Status") != "5" || got.Get("Grpc-Message") != "none" || got.Get("Set-Cookie") != "" {
				t.Errorf("%s: trailers %v", resp.Proto, got)
			}
		}
	})
}

// A tunnel by HTTP/2 (RFC 8441) is not offered, and without TLS HTTP/2 is not
// spoken at all: what is said in either, nobody would have decided on.
func TestHTTP2ThatIsNotSpoken(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	s, client := h.modern()
	hits := h.echo.count()

	raw, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.Listener.Addr().String())
	h.must(err)
	conn := tls.Client(raw, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	defer conn.Close()
	h.must(conn.SetDeadline(time.Now().Add(patience)))
	_, err = io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
	h.must(err)
	frame := make([]byte, 9)
	_, err = io.ReadFull(conn, frame)
	h.must(err)
	settings := make([]byte, int(frame[0])<<16|int(frame[1])<<8|int(frame[2]))
	if _, err = io.ReadFull(conn, settings); err != nil || frame[3] != 4 {
		t.Fatalf("frame %x, %v, want SETTINGS", frame, err)
	}
	for one := range slices.Chunk(settings, 6) {
		if id := binary.BigEndian.Uint16(one); id == 8 && binary.BigEndian.Uint32(one[2:]) != 0 {
			t.Errorf("SETTINGS_ENABLE_CONNECT_PROTOCOL: %x", one)
		}
	}
	resp, err := h.ask2(client, http.MethodConnect, h.Wiki, nil)
	if err == nil {
		_ = resp.Body.Close()
		if resp.StatusCode < 400 {
			t.Errorf("CONNECT: status %d", resp.StatusCode)
		}
	}

	plain, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", h.front.Listener.Addr().String())
	h.must(err)
	defer plain.Close()
	h.must(plain.SetDeadline(time.Now().Add(patience)))
	_, err = io.WriteString(plain, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
	h.must(err)
	line, err := bufio.NewReader(plain).ReadString('\n')
	if errors.Is(err, os.ErrDeadlineExceeded) || line != "" && !strings.HasPrefix(line, "HTTP/1.1 4") && !strings.HasPrefix(line, "HTTP/1.1 505") {
		t.Errorf("HTTP/2 without TLS: %q, %v, want a refusal", line, err)
	}
	if h.echo.count() != hits {
		t.Error("something has reached the app")
	}
}
