package server_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gateway/internal/accounts"
	"gateway/internal/audit"
	"gateway/internal/canonical"
	"gateway/internal/identity"
	"gateway/internal/proxy"
	"gateway/internal/seal"
	"gateway/internal/server"
	"gateway/internal/store/sqlite"
	"gateway/internal/telemetry"
	"gateway/internal/throttle"
	"gateway/localauth"
	"gateway/policy"
	"gateway/providers"
	"gateway/providers/oidc"
	"gateway/providers/providertest"
	"gateway/sessions"
)

// The peers of the tests: browsers come from 127.0.0.1.
const (
	trusted  = "127.0.0.2" // the front proxy
	stranger = "127.0.0.3"
)

// site is where a gateway lives: the portal and apps on unrelated hosts.
type site struct {
	scheme, port               string
	portal, wiki, board        string // hosts
	sessionCookie, pre, enters string // names of our cookies
}

// https is a real site, plain the one that is allowed on localhost.
var (
	https = site{
		"https", "", "auth.example.com", "wiki.example.net", "board.example.org",
		"__Host-gateway", "__Host-gateway-pre", "__Host-gateway-enter-",
	}
	plain = site{
		"http", "8080", "auth.localhost", "wiki.localhost", "board.test.localhost",
		"gateway", "gateway-pre", "gateway-enter-",
	}
)

func (s site) origin(host string) string {
	if s.port != "" {
		host += ":" + s.port
	}
	return s.scheme + "://" + host
}

// house is a whole gateway over real listeners, wired of the real rooms as the
// program wires them.
type house struct {
	testing.TB
	server  *server.Server
	current atomic.Pointer[server.Server] // whom open streams are asked about of
	retire  func()                        // ends the watch over them; nil: there is none

	site   site
	Portal string // origins
	Wiki   string
	Board  string

	dir    string // of the store
	store  *sqlite.Store
	book   *audit.Book
	audits string // its folder
	echo   *upstream
	corp   *providertest.Server
	log    *book
	clock  *clock
	own    atomic.Pointer[sessions.Limits] // of wiki's sessions

	public     *httptest.Server // https where the site is
	front      *httptest.Server // the public listener without TLS, as behind a front proxy
	authz      *httptest.Server
	admin      *httptest.Server
	management *httptest.Server

	alice, bob, carol person
	dave              string // user_id; has no password

	watch watch
}

// open builds a gateway. Its apps are wiki, with rules of every kind; board,
// for whoever is signed in; tools, which has no upstream; and down, whose
// upstream does not answer. alice is in admins, bob in nothing, carol is
// disabled, dave comes by the provider alone.
func open(t testing.TB, s site, change ...func(*house)) *house {
	t.Helper()
	h := &house{
		TB: t, site: s, Portal: s.origin(s.portal), Wiki: s.origin(s.wiki), Board: s.origin(s.board),
		dir: t.TempDir(), audits: t.TempDir(), echo: newUpstream(t), corp: providertest.New(t), log: &book{}, clock: &clock{},
	}
	var err error
	if h.store, err = sqlite.Open(t.Context(), h.dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.store.Close() }) // some tests close it themselves
	if h.book, err = audit.Open(h.audits, random(), true, audit.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.book.Close() })
	h.corp.RedirectURL, h.corp.Now = h.Portal+"/.gateway/callback/corp", h.clock.now
	h.corp.Person = map[string]any{
		"sub": "dave-1", "preferred_username": "dave", "name": "Dave D", "email": daveMail, "email_verified": true, "groups": []string{"staff"},
	}
	h.wire()
	h.people()
	for _, c := range change {
		c(h)
	}
	h.listen()
	h.patrol()
	t.Cleanup(h.inspectLog)
	return h
}

// wire is what the program does: a room is made, and handed to those who need it.
func (h *house) wire() {
	root := random()
	box := func(purpose string) *seal.Box {
		b, err := seal.New(root, purpose)
		h.must(err)
		return b
	}
	log := slog.New(slog.NewJSONHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s := &server.Server{
		Site:     server.Site{Scheme: h.site.scheme, Host: canonical.Host(h.site.portal), Port: h.site.port},
		Trusted:  server.Trusted{Prefixes: []netip.Prefix{netip.MustParsePrefix(trusted + "/32")}},
		Throttle: &throttle.Table{Store: h.store, Key: random(), Now: h.clock.now},
		Spent:    h.store, Streams: &server.Streams{}, HoldTime: time.Nanosecond, Refusals: &server.Refusals{}, Admins: []string{"admins"}, Pepper: random(), Audit: &audit.Log{Book: h.book, Handler: log.Handler()}, Log: log, Metrics: server.NewMetrics(telemetry.NewRegistry()), Ready: h.store.Ping, Now: h.clock.now,
		Seals: server.Seals{Request: box("hand-off request"), Enter: box("hand-off entering"), Switch: box("switch of user"), Wait: box("wait for approval"), Invite: box("invitation"), Guest: box("guest"), Device: box("known device")},
	}
	s.Metrics.Show(s.Streams)
	s.Sessions = &sessions.Manager{
		Store: sessions.Cached(h.store, 0), Codes: h.store, Signer: signer(h), Issuer: h.Portal, Limits: h.limitsOf, Now: h.clock.now,
		OnTouchError: func(err error) { log.Error("last use of a session could not be written", slog.Any("cause", err)) },
	}
	s.Tokens = &sessions.AppTokens{Store: h.store, Now: h.clock.now}
	s.Asserter = &sessions.Asserter{Signer: signer(h), Issuer: h.Portal, Now: h.clock.now}
	s.Register = &accounts.Register{
		Store: h.store, Cache: &accounts.Cache{}, Login: localauth.CanonicalLogin, Now: h.clock.now,
		Origins: map[string]accounts.Origin{"corp": {Registration: accounts.Open, LoginClaim: true}, "guests": {Registration: accounts.Closed}},
		Admit:   func(p identity.Principal) bool { return s.Policy.Load().CouldAdmit(p) }, Registered: s.Registered,
	}
	s.Local = &localauth.Local{
		Users: h.store, Seal: box("challenge"), Spent: h.store, Pepper: s.Pepper, SaltKey: random(), Portal: h.Portal, Now: h.clock.now,
	}
	s.Foreign = &providers.Foreign{
		Seal: box("authorization request"), Spent: h.store, Now: h.clock.now,
		Providers: []providers.Named{{ID: "corp", Name: "Corp", Provider: h.provider("corp")}, {ID: "guests", Name: "Guests", Provider: h.provider("guests")}},
	}
	s.Observer, s.Allows = server.NewObserver(s.Metrics, log), server.NewAllows()
	h.server = s
	h.guard()
}

func (h *house) provider(id string) *oidc.Provider {
	p, err := oidc.New(oidc.Config{
		ID: id, Issuer: h.corp.URL, ClientID: h.corp.ClientID, ClientSecret: h.corp.Config().ClientSecret,
		RedirectURL: h.Portal + "/.gateway/callback/" + id, LoginClaim: "preferred_username", TokenAudiences: []string{"machines"}, Now: h.clock.now,
		Watch: func(ctx context.Context, began time.Time, err error) {
			telemetry.Did(ctx, "provider", began, err != nil)
		},
	})
	h.must(err)
	return p
}

// guard sets the policy and the apps.
func (h *house) guard() {
	everyone, signedIn := &policy.Subjects{Everyone: true}, &policy.Subjects{SignedIn: true}
	apps := []policy.App{
		{Name: "wiki", Host: h.site.wiki, Rules: []policy.Rule{
			{Name: "public", Paths: []string{"/public/**"}, Allow: everyone},
			{Name: "admin", Paths: []string{"/admin/**"}, Allow: &policy.Subjects{Groups: []string{"admins"}}},
			{Name: "office", Paths: []string{"/office/**"}, Allow: &policy.Subjects{Networks: []string{"192.0.2.0/24"}}},
			{Name: "closed", Paths: []string{"/closed/**"}, Deny: true},
			{Name: "rest", Allow: signedIn},
		}},
		{Name: "board", Host: h.site.board, Allow: signedIn},
		{Name: "tools", Host: "tools." + h.site.wiki, Allow: &policy.Subjects{Groups: []string{"admins"}}},
		{Name: "down", Host: "down." + h.site.wiki, Allow: everyone},
	}
	guard, err := policy.New(policy.Config{Apps: apps})
	h.must(err)
	h.server.Policy.Store(guard)
	h.server.Apps = map[string]server.App{}
	for _, a := range apps {
		h.server.Apps[a.Name] = server.App{Name: a.Name, Hosts: []string{a.Host}}
	}
	for name, address := range map[string]string{"wiki": h.echo.URL, "board": h.echo.URL, "down": refusing} {
		h.leads(name, proxy.Upstream{URL: h.url(address)})
	}
}

// leads puts an app behind the own proxy.
func (h *house) leads(name string, upstreams ...proxy.Upstream) {
	h.Helper()
	p, err := proxy.New(upstreams, func(w http.ResponseWriter, r *http.Request, err error) { h.server.UpstreamFailed(w, r, err) }, h.server.Log)
	h.must(err)
	h.between(func() {
		app := h.server.Apps[name]
		app.Upstream = p
		h.server.Apps[name] = app
	})
}

func (h *house) url(address string) *url.URL {
	h.Helper()
	u, err := url.Parse(address)
	h.must(err)
	return u
}

func (h *house) people() {
	h.alice = h.add("alice", aliceMail, "admins")
	h.bob = h.add("bob", bobMail)
	h.carol = h.add("carol", carolMail)
	_, err := h.server.Register.SetStatus(h.Context(), h.carol.id, identity.Disabled)
	h.must(err)
	u, err := h.server.Register.Resolve(h.Context(), identity.Identity{
		Key: identity.Key{Issuer: h.corp.URL, Subject: "dave-1"}, Provider: "corp", Username: "dave", Name: "Dave D", Email: daveMail, EmailVerified: true,
	})
	h.must(err)
	h.dave = u.ID
}

// listen opens every listener. All of them tell the log what goes wrong.
func (h *house) listen() {
	serve := func(handler http.Handler) *httptest.Server {
		s := httptest.NewUnstartedServer(handler)
		s.Config.ErrorLog = slog.NewLogLogger(h.server.Log.Handler(), slog.LevelError)
		s.Config.MaxHeaderBytes = 64 << 10
		h.Cleanup(s.Close)
		return s
	}
	h.public, h.front = serve(h.server.Handler()), serve(h.server.Handler())
	h.authz, h.admin, h.management = serve(h.server.AuthzHandler()), serve(h.server.AdminHandler()), serve(h.server.ManagementHandler())
	if h.site.scheme == "https" {
		h.public.StartTLS()
	} else {
		h.public.Start()
	}
	for _, s := range []*httptest.Server{h.front, h.authz, h.admin, h.management} {
		s.Start()
	}
}

// patrol watches the open streams, until the test ends.
func (h *house) patrol() {
	h.current.Store(h.server)
	h.watches()
	h.Cleanup(func() { h.retire() })
}

// watches begins the watch over the open streams.
func (h *house) watches() {
	ctx, cancel := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	watching.Go(func() { h.server.Streams.Watch(ctx, h.current.Load) })
	watching.Go(func() { h.server.Observer.Watch(ctx) })
	h.retire = func() {
		cancel()
		watching.Wait()
	}
}

// between changes a house that is open, while nobody watches: a request counts
// as open for a moment after its client has the whole answer.
func (h *house) between(change func()) {
	if h.retire == nil {
		change()
		return
	}
	h.retire()
	change()
	h.watches()
}

func (h *house) must(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

// clock is real time, which tests can move and stop.
type clock struct {
	ahead   atomic.Int64
	stopped atomic.Pointer[time.Time]
}

func (c *clock) now() time.Time {
	now := time.Now()
	if at := c.stopped.Load(); at != nil {
		now = *at
	}
	return now.Add(time.Duration(c.ahead.Load()))
}

func (c *clock) pass(d time.Duration) { c.ahead.Add(int64(d)) }

func (c *clock) stop() {
	now := time.Now().Truncate(time.Microsecond) // as the store keeps times
	c.stopped.Store(&now)
}

func random() []byte {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return b
}

func signer(h *house) *sessions.Signer {
	key, err := sessions.NewKey()
	h.must(err)
	s, err := sessions.NewSigner(key, map[string]crypto.PublicKey{})
	h.must(err)
	return s
}

// refusing is an address where nobody listens: a port that was free a moment
// ago may be somebody else's by now.
const refusing = "http://127.0.0.1:1"

// rows is what the store holds that a stranger could change.
type rows struct {
	accounts []accounts.Account
	sessions []sessions.Session
	links    []accounts.Link
}

// rows reads the store. Last uses are left out: they are written now and then.
func (h *house) rows() rows {
	h.Helper()
	ctx := context.Background()
	var r rows
	var err error
	r.accounts, err = h.store.Accounts(ctx)
	h.must(err)
	r.sessions, err = h.store.Sessions(ctx, "")
	h.must(err)
	for i := range r.sessions {
		r.sessions[i].Seen = time.Time{}
	}
	for _, a := range r.accounts {
		links, err := h.store.Links(ctx, a.ID)
		h.must(err)
		r.links = append(r.links, links...)
	}
	return r
}

// diff says what differs.
func (r rows) diff(before rows) string { return cmp.Diff(before, r, cmp.AllowUnexported(rows{})) }

// live returns how many sessions somebody has.
func (h *house) live(userID string) int {
	h.Helper()
	all, err := h.store.Sessions(context.Background(), userID)
	h.must(err)
	return len(all)
}

// both runs a test at a real site and at the one on localhost.
func both(t *testing.T, test func(t *testing.T, h *house)) {
	for _, s := range []site{https, plain} {
		t.Run(s.scheme, func(t *testing.T) {
			t.Parallel()
			test(t, open(t, s))
		})
	}
}

var _ io.Writer = (*book)(nil)

func sorted(all []string) []string { return slices.Sorted(slices.Values(all)) }

// uncached lets every question reach the store.
func (h *house) uncached() { h.asksOf(h.store) }

// asksOf has sessions kept elsewhere, by a manager that knows nothing yet.
func (h *house) asksOf(store sessions.Store) {
	old := h.server.Sessions
	h.between(func() {
		h.server.Sessions = &sessions.Manager{
			Store: store, Codes: old.Codes, Signer: old.Signer, Issuer: old.Issuer, Lifetime: old.Lifetime, Idle: old.Idle,
			TouchEvery: old.TouchEvery, Limits: old.Limits, OnTouchError: old.OnTouchError, Now: old.Now,
		}
	})
}
