package server_test

import (
	"bufio"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// socket is an app that shakes hands as its query says, sends the bytes that it
// names and goes on for as long as anybody is there; one that floods sends them
// again and again.
func socket(w http.ResponseWriter, r *http.Request) {
	asked := r.URL.Query()
	said, _ := hex.DecodeString(asked.Get("say"))
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" + echoes + ": 1\r\n")
	if asked.Get("accept") != "" {
		_, _ = rw.WriteString("Sec-WebSocket-Accept: " + asked.Get("accept") + "\r\n")
	}
	_, _ = rw.WriteString("\r\n")
	_, _ = rw.Write(said)
	for err = rw.Flush(); err == nil && asked.Get("floods") != ""; {
		_, err = conn.Write(said)
	}
	_, _ = io.Copy(io.Discard, rw)
}

// The farewells of RFC 6455, section 5.5.1, with their reasons.
const (
	notAllowed = "\x88\x40\x03\xf0this may not go on: the session is over, or the policy says no"
	notTold    = "\x88\x24\x03\xf3cannot tell whether this may go on"
)

// handshake13 is what a client says who knows the frames of RFC 6455.
var handshake13 = []string{"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version", "13"}

// shakes opens a WebSocket, and reads so much of what the app says.
func (h *house) shakes(query string, first int, lines ...string) (*lastingRequest, []byte) {
	h.Helper()
	l := &lastingRequest{way: "websocket", conn: h.dial()}
	_, err := io.WriteString(l.conn, h.upgrades("/x?way=socket&"+query, []string{"websocket"}, lines...))
	h.must(err)
	l.r = bufio.NewReader(l.conn)
	resp, err := http.ReadResponse(l.r, nil) //nolint:bodyclose // it ends with the connection
	h.must(err)
	if resp.StatusCode != http.StatusSwitchingProtocols {
		h.Fatalf("%.100s: status %d", query, resp.StatusCode)
	}
	heard := make([]byte, first)
	_, err = io.ReadFull(l.r, heard)
	h.must(err)
	return l, heard
}

// A WebSocket that is cut is told so where that is safe, between two frames of
// the app, and nothing is put anywhere else. What the app has said, its client has.
func TestFarewell(t *testing.T) {
	long := func(head string, n int) string { return head + strings.Repeat("a", n) }
	both(t, func(t *testing.T, h *house) {
		h.watch.failing.Store(true)
		app := &lasting{}
		app.behind(h)
		_, bob := h.child(h.bob)
		const accepts = "accept=s3pPLMBiTxaQ9kYGzzhZRbK%2BxOo%3D"
		type row struct {
			story, query string
			lines        []string
			say, want    string
			opened       *lastingRequest
			heard        []byte
		}
		rows := []*row{
			{story: "nothing was said", query: accepts, want: notAllowed},
			{story: "a text", query: accepts, say: "\x81\x05hello", want: notAllowed},
			{story: "an empty one", query: accepts, say: "\x81\x00", want: notAllowed},
			{story: "two", query: accepts, say: "\x81\x05hello\x82\x01x", want: notAllowed},
			{story: "a compressed one", query: accepts, say: "\xc1\x03abc", want: notAllowed},
			{story: "a piece of a message", query: accepts, say: "\x01\x05hello", want: notAllowed},
			{story: "a piece of a message and a ping", query: accepts, say: "\x01\x05hello\x89\x01p", want: notAllowed},
			{story: "of 126 bytes", query: accepts, say: long("\x82\x7e\x00\x7e", 126), want: notAllowed},
			{story: "of 256 bytes", query: accepts, say: long("\x82\x7e\x01\x00", 256), want: notAllowed},
			{story: "of 1,200 bytes, in eight bytes", query: accepts, say: long("\x82\x7f\x00\x00\x00\x00\x00\x00\x04\xb0", 1200), want: notAllowed},
			{story: "half a head", query: accepts, say: "\x81"},
			{story: "half a length", query: accepts, say: "\x82\x7e\x01"},
			{story: "half a long length", query: accepts, say: "\x82\x7f\x00\x00\x00\x00\x00\x00\x04"},
			{story: "a head alone", query: accepts, say: "\x81\x05"},
			{story: "half a payload", query: accepts, say: "\x81\x05hel"},
			{story: "one and a half", query: accepts, say: "\x81\x05hello\x81"},
			{story: "a length that nothing has", query: accepts, say: "\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff"},
			{story: "a masked one", query: accepts, say: "\x81\x81mask\x00"},
			{story: "an unknown kind", query: accepts, say: "\x83\x01x"},
			{story: "an unknown kind of control frame", query: accepts, say: "\x8b\x01x"},
			{story: "a ping in pieces", query: accepts, say: "\x09\x01x"},
			{story: "a ping that is too long", query: accepts, say: long("\x89\x7e\x00\x7e", 126)},
			{story: "the app's own farewell", query: accepts, say: "\x88\x02\x03\xe8"},
			{story: "an app that does not shake hands", say: "\x81\x05hello"},
			{story: "a client of another version", query: accepts, lines: []string{"Sec-WebSocket-Version", "8"}, say: "\x81\x05hello"},
			{story: "a client of no version", query: accepts, lines: []string{"X-Nothing", "1"}, say: "\x81\x05hello"},
		}
		for _, row := range rows {
			lines := row.lines
			if lines == nil {
				lines = handshake13
			}
			row.opened, row.heard = h.shakes(row.query+"&say="+hex.EncodeToString([]byte(row.say)), len(row.say), append(lines, bob...)...)
		}
		h.command(http.MethodDelete, "/sessions?user=bob", nil).wants(http.StatusOK)
		for _, row := range rows {
			rest, err := io.ReadAll(row.opened.r)
			if got := string(rest); got != row.want || string(row.heard) != row.say {
				t.Errorf("%s: after %q comes %q, %v, want %q", row.story, row.heard, got, err, row.want)
			}
		}
	})
}

// Who does not listen is cut as well, and gets nothing of a frame but what had
// been sent.
func TestNoFarewellToWhoDoesNotListen(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		h.watch.failing.Store(true)
		app := &lasting{}
		app.behind(h)
		_, bob := h.child(h.bob)
		frame := "\x82\x7e\x03\xe8" + strings.Repeat("a", 1000)
		l, first := h.shakes("accept=x&floods=1&say="+hex.EncodeToString([]byte(frame)), 4, append(handshake13, bob...)...)
		late := lag()
		h.command(http.MethodDelete, "/sessions?user=bob", nil).wants(http.StatusOK)
		app.idle(t, 0)
		if took, lost := late(); took > time.Second+lost {
			t.Errorf("the app was let go after %v, want a second at most (the machine itself lost %v)", took, lost)
		}
		rest, _ := io.ReadAll(l.r)
		all := string(first) + string(rest)
		if whole := strings.Repeat(frame, len(all)/len(frame)+1); !strings.HasPrefix(whole, all) && !strings.HasPrefix(whole, strings.TrimSuffix(all, notAllowed)) {
			t.Errorf("among the frames came something else: …%.100q", all[max(0, len(all)-100):])
		}
	})
}

// Whoever cannot tell says another thing than no.
func TestFarewellOfAStoreThatCannotTell(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		h.watch.failing.Store(true)
		app := &lasting{}
		app.behind(h)
		u := &unsure{Store: h.store}
		h.asksOf(u)
		_, bob := h.child(h.bob)
		l, _ := h.shakes("accept=x&say=810568656c6c6f", 7, append(handshake13, bob...)...)
		u.cannot.Store(1 << 40)
		rest, err := io.ReadAll(l.r)
		if string(rest) != notTold {
			t.Errorf("it was told %q, %v, want %q", rest, err, notTold)
		}
	})
}
