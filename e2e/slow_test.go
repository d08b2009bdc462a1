package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Clients that never finish their headers are let go of, and while hundreds of
// them hold on to connections everybody else is served.
func TestSlowHeaders(t *testing.T) {
	t.Parallel()
	s := newSite(t, false, twoApps).serve()
	dripping := make([]net.Conn, 300)
	for i := range dripping {
		c, err := onlyHere(t.Context(), "tcp", fmt.Sprintf("localhost:%d", s.listen))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		dripping[i] = c
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: auth.localhost\r\nX-Slow: "+strings.Repeat("a", i)); err != nil {
			t.Fatal(err)
		}
	}
	for range 20 {
		if resp, _ := visit(t, "GET", s.at("auth.localhost")+"/", nil); resp.StatusCode != http.StatusOK {
			t.Errorf("meanwhile: status %d, want 200", resp.StatusCode)
		}
	}
	for i, c := range dripping {
		_ = c.SetReadDeadline(time.Now().Add(patience))
		if _, err := io.Copy(io.Discard, c); err != nil {
			t.Fatalf("connection %d is held: %v", i, err)
		}
	}
}

// What is larger than any request of a browser is refused, and nothing after it
// is read.
func TestHugeRequests(t *testing.T) {
	t.Parallel()
	s := newSite(t, false, twoApps).serve()
	for name, text := range map[string]string{
		"a header of a mebibyte":  "GET / HTTP/1.1\r\nHost: auth.localhost\r\nX-Huge: " + strings.Repeat("a", 1<<20) + "\r\n\r\n",
		"many headers":            "GET / HTTP/1.1\r\nHost: auth.localhost\r\n" + strings.Repeat("X-Many: a\r\n", 100_000) + "\r\n",
		"an address of 100 kB":    "GET /" + strings.Repeat("a", 100_000) + " HTTP/1.1\r\nHost: auth.localhost\r\n\r\n",
		"a body of ten mebibytes": "POST /.gateway/login HTTP/1.1\r\nHost: auth.localhost\r\nContent-Type: application/json\r\nContent-Length: 10485760\r\n\r\n" + strings.Repeat("a", 1<<20),
	} {
		var answer []byte
		for range 5 { // a connection that ends early may take its answer along, and say so as an error
			c, err := onlyHere(t.Context(), "tcp", fmt.Sprintf("localhost:%d", s.listen))
			if err != nil {
				t.Fatal(err)
			}
			_ = c.SetDeadline(time.Now().Add(patience))
			go func() { _, _ = io.WriteString(c, text+"GET / HTTP/1.1\r\nHost: auth.localhost\r\n\r\n") }()
			answer, _ = io.ReadAll(c)
			if _ = c.Close(); len(answer) > 0 {
				break
			}
		}
		status := strings.TrimPrefix(string(answer[:min(len(answer), 12)]), "HTTP/1.1 ")
		if status != "431" && status != "413" && status != "414" && status != "400" || strings.Count(string(answer), "HTTP/1.1 ") != 1 {
			t.Errorf("%s: %.200q, want one refusal", name, answer)
		}
	}
}
