package e2e

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// ask2 sends one HTTP/2 request, its fields as they are, to one.localhost's
// certificate, and waits for the end of the answer.
func (s *site) ask2(fields ...hpack.HeaderField) {
	s.t.Helper()
	raw, err := onlyHere(s.t.Context(), "tcp", fmt.Sprintf("localhost:%d", s.public))
	if err != nil {
		s.t.Fatal(err)
	}
	settings := believing(s.t)
	settings.ServerName, settings.NextProtos = s.hosts.Replace("one.localhost"), []string{"h2"}
	c := tls.Client(raw, settings)
	defer func() { _ = c.Close() }()
	if err := c.HandshakeContext(s.t.Context()); err != nil || c.ConnectionState().NegotiatedProtocol != "h2" {
		s.t.Fatalf("no HTTP/2: %v", err)
	}
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, f := range fields {
		if err := encoder.WriteField(f); err != nil {
			s.t.Fatal(err)
		}
	}
	framer := http2.NewFramer(c, c)
	_, hello := io.WriteString(c, http2.ClientPreface)
	if err := errors.Join(hello, framer.WriteSettings(), framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: 1, BlockFragment: block.Bytes(), EndStream: true, EndHeaders: true,
	})); err != nil {
		s.t.Fatal(err)
	}
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return // refused with the connection
		}
		h := frame.Header()
		if h.StreamID == 1 && (h.Type == http2.FrameRSTStream || h.Flags.Has(http2.FlagDataEndStream) && h.Type != http2.FrameSettings) {
			return
		}
	}
}

// Over HTTP/2 a request says its host in :authority, and may say another one in
// Host: it is nobody's, or what is decided on is what is asked.
func TestOneRequestHasOneHostOverHTTP2(t *testing.T) {
	for _, f := range fronts {
		t.Run(f.name, func(t *testing.T) {
			one, two := startEcho(t), startEcho(t)
			s := secure.newSite(t, true, "apps:\n  one: {host: one.localhost, allow: everyone}\n  two: {host: two.other.localhost, allow: {users: [alice]}}\n").serve()
			f.start(t, s, one, two)
			host := func(name string) string { return s.hosts.Replace(fmt.Sprintf("%s:%d", name, s.public)) }
			request := func(authority string, more ...hpack.HeaderField) {
				t.Helper()
				s.ask2(append([]hpack.HeaderField{
					{Name: ":method", Value: "GET"}, {Name: ":scheme", Value: "https"}, {Name: ":path", Value: "/top"}, {Name: ":authority", Value: authority},
				}, more...)...)
			}
			request(host("one.localhost"))
			if one.hits() != 1 {
				t.Fatal("a good request does not reach its app")
			}
			request(host("two.other.localhost"), hpack.HeaderField{Name: "host", Value: host("one.localhost")})
			request(host("one.localhost"), hpack.HeaderField{Name: "host", Value: host("two.other.localhost")})
			request(host("one.localhost"), hpack.HeaderField{Name: ":authority", Value: host("two.other.localhost")})
			request(host("two.other.localhost"), hpack.HeaderField{Name: ":path", Value: "https://" + host("one.localhost") + "/top"})
			if two.hits() != 0 {
				t.Error("the app that is not for everyone was reached")
			}
		})
	}
}
