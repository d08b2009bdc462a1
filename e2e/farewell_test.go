package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// startTalker is an app whose page opens a WebSocket and keeps what comes of it.
func startTalker(t *testing.T) *httptest.Server {
	t.Helper()
	talker := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, `<!doctype html><title>talker</title><script>
				const talk = new WebSocket(location.href.replace("http", "ws"));
				talk.onmessage = said => { window.heard = said.data; };
				talk.onclose = end => { window.ended = end; };
			</script>`)
			return
		}
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		_, _ = fmt.Fprintf(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: %s\r\n\r\n\x81\x05hello", accept(r.Header.Get("Sec-WebSocket-Key")))
		_ = rw.Flush()
		_, _ = io.Copy(io.Discard, rw)
	}))
	t.Cleanup(talker.Close)
	return talker
}

// A page whose WebSocket is cut with its session is told so in the words of the
// protocol: it need not guess whether the network failed.
func TestPagesAreToldTheEnd(t *testing.T) {
	t.Parallel()
	onEachWeb(t, func(t *testing.T, w web) {
		s := w.newSite(t, false, fmt.Sprintf("apps:\n  one: {host: one.localhost, upstream: %q, allow: signed-in}\n", startTalker(t).URL)).serve()
		s.addAlice()
		b := browser(t)
		b.open(s.at("one.localhost") + "/")
		b.awaitAddress(s.at("auth.localhost") + "/.gateway/sign-in")
		b.signIn("alice", password)
		b.awaitAddress(s.at("one.localhost") + "/")
		b.await("the app speaks", `window.heard === "hello" && !window.ended`)
		mustCLI(t, "", "session", "revoke", "--user", "alice", "--config", s.config)
		b.await("the WebSocket ends", `window.ended`)
		b.await("it is told why", `ended.code === 1008 && ended.wasClean && ended.reason.includes("session is over")`)
	})
}
