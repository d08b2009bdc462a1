package server

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"

	"gateway/internal/accounts"
	"gateway/internal/audit"
	"gateway/internal/canonical"
	"gateway/internal/proxy"
	"gateway/internal/telemetry"
	"gateway/internal/throttle"
	"gateway/localauth"
	"gateway/policy"
	"gateway/providers"
	"gateway/sessions"
)

// Sealer seals the state that travels through browsers.
type Sealer interface {
	Seal(plaintext []byte) string
	Open(sealed string) ([]byte, error)
}

// Spent takes what may be used once; a second take gives once.ErrSpent.
type Spent interface {
	Take(ctx context.Context, hash [32]byte, expires time.Time) error
}

// App is a protected site as the front knows it: the guard knows the rest.
type App struct {
	Name     string
	Hosts    []string     // patterns, as configured
	Upstream *proxy.Proxy // nil behind a front proxy
	Headers  *proxy.Names // how the app calls the identity headers; nil: as we do

	CrossOrigin         []string // origins whose pages may use the app in a person's name, as browsers write them
	InsecureCrossOrigin bool     // pages of every origin may: the app sees to it itself

	Basic bool // app tokens count as the password of HTTP Basic, too
}

// Server is the front: it alone speaks HTTP to browsers, front proxies and the
// command line. Its fields are its dependencies; all but Local, Foreign, Refusals,
// Observer, Allows, Admins, Audit, Log, Metrics and Now are needed.
type Server struct {
	Site     Site
	Trusted  Trusted
	Apps     map[string]App
	Policy   atomic.Pointer[policy.Policy]
	Local    *localauth.Local // nil: the password door is shut
	Foreign  *providers.Foreign
	Register *accounts.Register
	Sessions *sessions.Manager
	Asserter *sessions.Asserter
	Tokens   *sessions.AppTokens
	Throttle *throttle.Table
	Spent    Spent
	Streams  *Streams
	Keys     *Keys     // nil: the command line cannot ask about keys
	Refusals *Refusals // nil: none are remembered
	Observer *Observer // nil: nothing is observed
	Allows   *Allows   // nil: none are remembered
	Admins   []string  // groups whose members are told why they are refused: ours, or a provider's as origin:group
	Pepper   []byte    // wraps verifiers that the command line brings
	Seals    Seals
	Audit    *audit.Log
	Log      *slog.Logger
	Metrics  *Metrics                    // nil: nothing is counted
	Tracer   *telemetry.Tracer           // nil: nothing is traced
	Ready    func(context.Context) error // nil: always ready
	Covers   Covers                      // nil: no certificate is ours
	HoldTime time.Duration               // that an answer waits which says that a try came too early; 0 means 250 ms
	BodyTime time.Duration               // in which a request that is not let in has to send its body; 0 means 30 seconds
	Now      func() time.Time

	stopping  atomic.Bool
	held      atomic.Int32 // answers that wait
	listed    sync.Once
	audiences map[canonical.Host]string // of hosts that apps name in full
}

// Covers reports whether the certificate that a connection was shown for a name
// covers a host too.
type Covers func(name string, host canonical.Host) bool

// Seals are the boxes for what the front itself sends through browsers.
type Seals struct {
	Request Sealer // from an app host to the portal
	Enter   Sealer // what an app host remembers of a sign-in it began
	Switch  Sealer // a sign-in that would change who is signed in
	Wait    Sealer // somebody who waits for approval
	Guest   Sealer // somebody who has opened a guest link
	Invite  Sealer // somebody who is invited, on the way to the provider and back
	Device  Sealer // what a browser shows that has signed in by password before
}

// audience returns the app origin of a host: what its tokens are for.
func (s *Server) audience(host canonical.Host) string {
	s.listed.Do(func() {
		s.audiences = make(map[canonical.Host]string)
		for _, app := range s.Apps {
			for _, pattern := range app.Hosts {
				if h, err := canonical.ParseHost(pattern); err == nil {
					s.audiences[h] = s.Site.Origin(h)
				}
			}
		}
	})
	if known, ok := s.audiences[host]; ok {
		return known
	}
	return s.Site.Origin(host)
}

// Stop makes /readyz say no, so that front proxies look elsewhere.
func (s *Server) Stop() { s.stopping.Store(true) }

func (s *Server) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

func (s *Server) log() *slog.Logger {
	if s.Log != nil {
		return s.Log
	}
	return slog.New(slog.DiscardHandler)
}

// Handler serves the public listener: the portal and the app hosts.
func (s *Server) Handler() http.Handler {
	portal, app := s.portalRoutes(), s.appRoutes()
	return s.guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, err := canonical.ParseHost(r.Host)
		if err != nil || s.strayed(r, host) {
			s.refuseHost(w, r)
			return
		}
		if host == s.Site.Host {
			portal.ServeHTTP(w, r)
			return
		}
		if _, known := s.Policy.Load().App(host); known {
			if strings.HasPrefix(r.URL.Path, "/.gateway/") {
				app.ServeHTTP(w, r)
				return
			}
			s.app(w, r)
			return
		}
		s.refuseHost(w, r)
	}))
}

// strayed reports whether a request came over a connection that was opened for
// another host, with a certificate that does not speak for this one (RFC 9110,
// section 7.4): no browser sends it, and no client knows whom it asked. What a
// trusted proxy calls its connection is its own business.
func (s *Server) strayed(r *http.Request, host canonical.Host) bool {
	if s.Covers == nil || r.TLS == nil || r.TLS.ServerName == "" || strings.EqualFold(r.TLS.ServerName, string(host)) {
		return false
	}
	_, trusted := s.peer(r)
	return !trusted && !s.Covers(r.TLS.ServerName, host)
}

// engine returns a Gin engine with its two traps disarmed: no proxy is
// trusted for ClientIP, and no path is ever rewritten or redirected.
func (s *Server) engine() *gin.Engine {
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	_ = e.SetTrustedProxies(nil) // nil never fails
	e.RedirectTrailingSlash = false
	e.RedirectFixedPath = false
	e.RemoveExtraSlash = false
	e.HandleMethodNotAllowed = true
	e.ContextWithFallback = true
	e.NoMethod(s.handle(func(*gin.Context) error { return errMethod }))
	e.NoRoute(s.handle(func(*gin.Context) error { return errNoPage }))
	return e
}
