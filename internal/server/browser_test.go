package server_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/netip"
	"net/url"
	"strings"
	"testing"
)

// answer is a response, read whole.
type answer struct {
	testing.TB
	asked  string // method and address
	status int
	header http.Header
	body   string
}

// field returns a text of the JSON body, or "".
func (a answer) field(name string) string {
	var all map[string]any
	_ = json.Unmarshal([]byte(a.body), &all) // what is no JSON has no fields
	text, _ := all[name].(string)
	return text
}

// decode reads the JSON body.
func (a answer) decode(into any) {
	a.Helper()
	if err := json.Unmarshal([]byte(a.body), into); err != nil {
		a.Fatalf("%s: %v: %s", a.asked, err, a.body)
	}
}

// cookie returns the cookie that the answer sets, or nil.
func (a answer) cookie(name string) *http.Cookie {
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		if c.Name == name {
			return c
		}
	}
	return nil
}

func (a answer) location() string { return a.header.Get("Location") }

// wants fails the test unless the answer has the status.
func (a answer) wants(status int) answer {
	a.Helper()
	if a.status != status {
		a.Fatalf("%s: status %d, want %d: %.300s", a.asked, a.status, status, a.body)
	}
	return a
}

// refuses reports an answer that is not this problem.
func (a answer) refuses(story string, status int, word string) {
	a.Helper()
	if a.status != status || a.field("error") != word {
		a.Errorf("%s: %s: status %d, error %q, want %d %s: %.300s", story, a.asked, a.status, a.field("error"), status, word, a.body)
		return
	}
	if got := a.header.Get("Content-Type"); got != "application/problem+json" {
		a.Errorf("%s: Content-Type %q, want a problem", story, got)
	}
}

// browser is one browser: a cookie jar, redirects followed by hand.
type browser struct {
	*house
	jar    http.CookieJar
	client *http.Client
}

func (h *house) browser() *browser {
	jar, err := cookiejar.New(nil)
	h.must(err)
	return &browser{h, jar, h.client(jar, "", h.public.Listener.Addr())}
}

// program is a client without cookies.
func (h *house) program() *browser {
	return &browser{h, nil, h.client(nil, "", h.public.Listener.Addr())}
}

// client connects from an address of ours, to a listener, whatever the host;
// loopback addresses are the provider's and mean what they say.
func (h *house) client(jar http.CookieJar, from string, to net.Addr) *http.Client {
	dialer := net.Dialer{LocalAddr: local(from)}
	transport := &http.Transport{
		DisableCompression: true,
		TLSClientConfig:    &tls.Config{InsecureSkipVerify: true},
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if ap, err := netip.ParseAddrPort(address); err == nil && ap.Addr().IsLoopback() {
				return dialer.DialContext(ctx, network, address)
			}
			return dialer.DialContext(ctx, network, to.String())
		},
	}
	h.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func local(from string) net.Addr {
	if from == "" {
		return nil
	}
	return &net.TCPAddr{IP: net.ParseIP(from)}
}

// do sends a request; headers are names and values, and "Host" is the host.
func (b *browser) do(method, address, body string, headers ...string) answer {
	b.Helper()
	var reader io.Reader = http.NoBody
	if body != "" {
		reader = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(context.Background(), method, address, reader)
	b.must(err)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	set := map[string]bool{}
	for i := 0; i+1 < len(headers); i += 2 {
		name := http.CanonicalHeaderKey(headers[i])
		if !set[name] {
			r.Header.Del(name)
		}
		set[name] = true
		if name == "Host" {
			r.Host = headers[i+1]
			continue
		}
		r.Header.Add(name, headers[i+1])
	}
	return b.send(r, body)
}

func (b *browser) send(r *http.Request, body string) answer {
	b.Helper()
	resp, err := b.client.Do(r)
	b.must(err)
	return b.read(r, body, resp)
}

// read reads a response, and looks it over.
func (h *house) read(r *http.Request, sent string, resp *http.Response) answer {
	h.Helper()
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	h.must(err)
	a := answer{TB: h.TB, asked: r.Method + " " + r.URL.String(), status: resp.StatusCode, header: resp.Header, body: string(body)}
	h.inspect(r, sent, a)
	return a
}

func (b *browser) get(address string, headers ...string) answer {
	b.Helper()
	return b.do(http.MethodGet, address, "", headers...)
}

func (b *browser) post(address, body string, headers ...string) answer {
	b.Helper()
	return b.do(http.MethodPost, address, body, headers...)
}

// navigation is what browsers send when a person follows a link.
var navigation = []string{"Accept", "text/html,*/*;q=0.8", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Fetch-Site", "none"}

// navigate asks for a page, once.
func (b *browser) navigate(address string) answer {
	b.Helper()
	return b.get(address, navigation...)
}

// maxHops is where browsers give up.
const maxHops = 20

// visit goes where the redirects lead, and returns the page that comes last,
// with the addresses on the way.
func (b *browser) visit(address string) (page answer, way []string) {
	b.Helper()
	for range maxHops {
		way = append(way, address)
		page = b.navigate(address)
		if page.status != http.StatusSeeOther {
			return page, way
		}
		address = b.resolve(address, page.location())
	}
	b.Fatalf("no end after %d redirects: %s", maxHops, strings.Join(way, "\n"))
	return page, way
}

func (h *house) resolve(base, location string) string {
	h.Helper()
	from, err := url.Parse(base)
	h.must(err)
	to, err := from.Parse(location)
	h.must(err)
	return to.String()
}

// kept returns the value of a cookie in the jar.
func (b *browser) kept(origin, name string) string {
	b.Helper()
	for _, c := range b.cookies(origin) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

func (b *browser) cookies(origin string) []*http.Cookie {
	b.Helper()
	u, err := url.Parse(origin + "/")
	b.must(err)
	return b.jar.Cookies(u)
}

// keep puts a cookie into the jar.
func (b *browser) keep(origin, name, value string) {
	b.Helper()
	u, err := url.Parse(origin + "/")
	b.must(err)
	b.jar.SetCookies(u, []*http.Cookie{{Name: name, Value: value, Path: "/", Secure: b.site.scheme == "https"}})
}

// forget takes a cookie out of the jar.
func (b *browser) forget(origin, name string) {
	b.Helper()
	u, err := url.Parse(origin + "/")
	b.must(err)
	b.jar.SetCookies(u, []*http.Cookie{{Name: name, Path: "/", MaxAge: -1}})
}

// raw sends bytes as they are to the public listener without TLS, and reads
// one answer.
func (h *house) raw(text string) answer {
	h.Helper()
	return h.rawTo(h.front.Listener.Addr(), "", text)
}

// hangUp, at the end of a text, is where the client stops sending for good.
const hangUp = "<hangs up>"

func (h *house) rawTo(to net.Addr, from, text string) answer {
	h.Helper()
	conn, err := (&net.Dialer{LocalAddr: local(from)}).DialContext(context.Background(), "tcp", to.String())
	h.must(err)
	defer conn.Close()
	go func() { // what is refused early is not read to the end
		_, _ = io.WriteString(conn, strings.TrimSuffix(text, hangUp))
		if tcp, ok := conn.(*net.TCPConn); ok && strings.HasSuffix(text, hangUp) {
			_ = tcp.CloseWrite()
		}
	}()
	method, rest, _ := strings.Cut(text, " ")
	target, _, _ := strings.Cut(rest, " ")
	r := &http.Request{Method: method, URL: &url.URL{Opaque: target}, Header: http.Header{}}
	resp, err := http.ReadResponse(bufio.NewReader(conn), r)
	h.must(err)
	return h.read(r, text, resp)
}

// command speaks to the admin's socket.
func (h *house) command(method, path string, body any) answer {
	h.Helper()
	text := ""
	if body != nil {
		raw, err := json.Marshal(body)
		h.must(err)
		text = string(raw)
	}
	b := &browser{h, nil, h.client(nil, "", h.admin.Listener.Addr())}
	return b.do(method, "http://admin"+path, text)
}

// decode reads a JSON body, in any goroutine.
func decode(t testing.TB, resp *http.Response, into any) {
	t.Helper()
	if err := errors.Join(json.NewDecoder(resp.Body).Decode(into), resp.Body.Close()); err != nil {
		t.Error(err)
	}
}
