// Package proxy is the gateway's own reverse proxy: it passes a request on
// exactly as it was decided, with the identity headers of the gateway and no
// others, and without the gateway's own cookies and tokens.
package proxy

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"

	"gateway/internal/canonical"
	"gateway/policy"
)

// Proxy passes the requests of one app on to its upstreams.
type Proxy struct{ ways []*Way }

// Way is the way to one upstream.
type Way struct {
	upstream  Upstream
	ca        []byte // what was in its CAFile
	paths     policy.Paths
	transport ways
	reverse   httputil.ReverseProxy
}

// Failed answers a request whose upstream did not, or that was cut before it
// did: err is then what it was cut by.
type Failed func(w http.ResponseWriter, r *http.Request, err error)

// Forward is what was decided about a request.
type Forward struct {
	Target            canonical.Target
	Host              string // what the app is called: host, and port if it is not the default
	Scheme            string
	Client            netip.Addr // zero: unknown
	Identity          http.Header
	DropAuthorization bool                   // it was ours
	OwnCookie         func(name string) bool // cookies that are ours

	body   *upload // nil: none
	stream *Stream
}

type forwardKey struct{}

// New returns a proxy to upstreams, which are valid. Their files are read.
func New(upstreams []Upstream, failed Failed, log *slog.Logger) (*Proxy, error) {
	p := &Proxy{}
	for i, u := range upstreams {
		way, err := newWay(u, failed, log)
		if err != nil {
			return nil, fmt.Errorf("upstreams[%d].%w", i, err)
		}
		p.ways = append(p.ways, way)
	}
	return p, nil
}

func newWay(u Upstream, failed Failed, log *slog.Logger) (*Way, error) {
	if err := u.Validate(); err != nil {
		return nil, err
	}
	ca, pool, err := u.authorities()
	if err != nil {
		return nil, err
	}
	paths, err := policy.ParsePaths(u.Paths)
	if err != nil {
		return nil, err
	}
	origin := u.origin()
	w := &Way{upstream: u, ca: ca, paths: paths, transport: newWays(u, pool)}
	w.reverse = httputil.ReverseProxy{
		Rewrite:        func(pr *httputil.ProxyRequest) { rewrite(pr, origin) },
		ModifyResponse: answered,
		Transport:      w.transport,
		BufferPool:     &buffers,
		FlushInterval:  0, // event streams and unknown lengths are flushed at once by httputil, the others by Stream
		ErrorHandler: func(rw http.ResponseWriter, r *http.Request, err error) {
			early(rw.Header(), r)
			if cutBy(r.Context()) != nil {
				lastOf(rw.Header(), r)
			}
			failed(rw, r, w.because(r, err))
		},
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	return w, nil
}

// Way returns the first way that has the path, or nil.
func (p *Proxy) Way(path canonical.Path) *Way {
	for _, w := range p.ways {
		if w.paths.Have(path) {
			return w
		}
	}
	return nil
}

// Same reports whether both lead to the same, in the same way.
func (p *Proxy) Same(other *Proxy) bool {
	return slices.EqualFunc(p.ways, other.ways, func(a, b *Way) bool { return reflect.DeepEqual(a.upstream, b.upstream) && bytes.Equal(a.ca, b.ca) })
}

// Close lets go of connections that nobody uses, those that are in use once
// they are not. What is under way goes on.
func (p *Proxy) Close() {
	for _, w := range p.ways {
		w.transport.close()
	}
}

// Serve passes the request on as the stream, until it is over or cut. It
// reports whether the app has had the whole body; else somebody has to close it.
func (way *Way) Serve(s *Stream, w http.ResponseWriter, r *http.Request, f Forward) (whole bool) {
	if r.ContentLength != 0 && r.Body != nil {
		f.body = &upload{ReadCloser: r.Body}
	}
	f.stream = s
	r = s.begin(w, r, &f)
	defer s.end()
	if f.body != nil {
		r.Body = f.body // of the copy that is passed on
	}
	way.reverse.ServeHTTP(s, r)
	delete(w.Header(), "Set-Cookie") // of trailers: the header has gone
	delete(w.Header(), http.TrailerPrefix+"Set-Cookie")
	return f.body == nil || f.body.ended.Load()
}

// rewrite runs after the hop-by-hop headers are gone, so that no Connection
// header can take away what is set here.
func rewrite(pr *httputil.ProxyRequest, origin *url.URL) {
	f, ok := pr.In.Context().Value(forwardKey{}).(*Forward)
	if !ok { // never: Serve is the only way in
		pr.Out.URL = &url.URL{Scheme: "http", Host: "invalid."}
		return
	}
	out := pr.Out
	out.URL = &url.URL{Scheme: origin.Scheme, Host: origin.Host, Path: string(f.Target.Path), RawPath: f.Target.Raw, RawQuery: f.Target.Query}
	out.Host = f.Host
	out.Trailer = nil
	Strip(out.Header)
	h := out.Header
	if up := pr.In.Header["Upgrade"]; len(up) != 1 || !strings.EqualFold(up[0], "websocket") || f.body != nil { // httputil has kept the first alone
		delete(h, "Upgrade") // whatever is spoken inside a tunnel was never decided on
		delete(h, "Connection")
	}
	if f.Client.IsValid() {
		h["X-Forwarded-For"] = []string{f.Client.String()}
	}
	h["X-Forwarded-Host"] = []string{f.Host}
	h["X-Forwarded-Proto"] = []string{f.Scheme}
	if f.DropAuthorization {
		delete(h, "Authorization")
	}
	dropCookies(h, f.OwnCookie)
	maps.Copy(h, f.Identity)
}

// dropCookies takes our cookies out of the request and leaves the others as
// they are, to the byte.
func dropCookies(h http.Header, own func(string) bool) {
	lines := h["Cookie"]
	if len(lines) == 0 {
		return
	}
	kept := lines[:0:0]
	for _, line := range lines {
		if line = withoutCookies(line, own); line != "" {
			kept = append(kept, line)
		}
	}
	if len(kept) == 0 {
		delete(h, "Cookie")
		return
	}
	h["Cookie"] = kept
}

func withoutCookies(line string, own func(string) bool) string {
	parts := strings.Split(line, ";")
	kept := parts[:0]
	for _, part := range parts {
		name, _, _ := strings.Cut(part, "=")
		if !own(strings.Trim(name, " \t")) {
			kept = append(kept, part)
		}
	}
	return strings.TrimLeft(strings.Join(kept, ";"), " \t")
}

// answered makes ready what an app says.
func answered(resp *http.Response) error {
	f, ok := resp.Request.Context().Value(forwardKey{}).(*Forward)
	if !ok { // never: Serve is the only way in
		return errors.New("an answer that nobody asked for")
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		early(resp.Header, resp.Request)
	}
	f.stream.rest = resp.ContentLength
	f.stream.spoken = speaks(resp)
	f.keepOwnCookies(resp)
	return nil
}

// speaks reports whether an answer begins a WebSocket of RFC 6455, section 4:
// who has upgraded to something of that name alone may not know its frames.
func speaks(resp *http.Response) bool {
	return resp.StatusCode == http.StatusSwitchingProtocols && resp.Request.Header.Get("Sec-Websocket-Version") == "13" && resp.Header.Get("Sec-Websocket-Accept") != ""
}

// keepOwnCookies lets no app set a cookie under one of our names.
func (f *Forward) keepOwnCookies(resp *http.Response) {
	lines := resp.Header["Set-Cookie"]
	if len(lines) == 0 {
		return
	}
	kept := lines[:0:0]
	for _, line := range lines {
		if !f.OwnCookie(cookieName(line)) {
			kept = append(kept, line)
		}
	}
	if len(kept) == 0 {
		delete(resp.Header, "Set-Cookie")
		return
	}
	resp.Header["Set-Cookie"] = kept
}

// cookieName returns the name under which a cookie comes back that a Set-Cookie
// line sets. Browsers send one without a name as its bare value (RFC 6265bis,
// section 5.8.3), which may have the look of another name and value.
func cookieName(line string) string {
	pair, _, _ := strings.Cut(line, ";")
	name, value, _ := strings.Cut(pair, "=")
	if name = strings.Trim(name, " \t"); name == "" {
		name, _, _ = strings.Cut(value, "=")
	}
	return strings.Trim(name, " \t")
}

// pool lends copy buffers.
type pool struct{ buffers sync.Pool }

var buffers = pool{sync.Pool{New: func() any { return new([32 << 10]byte) }}}

func (p *pool) Get() []byte {
	b, ok := p.buffers.Get().(*[32 << 10]byte)
	if !ok {
		b = new([32 << 10]byte)
	}
	return b[:]
}

func (p *pool) Put(b []byte) {
	if len(b) == 32<<10 {
		p.buffers.Put((*[32 << 10]byte)(b))
	}
}
