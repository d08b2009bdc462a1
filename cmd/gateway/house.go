package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"strings"
	"sync/atomic"
	"time"

	"gateway/internal/accounts"
	"gateway/internal/config"
	"gateway/internal/identity"
	"gateway/internal/proxy"
	"gateway/internal/server"
	"gateway/internal/telemetry"
	"gateway/localauth"
	"gateway/policy"
	"gateway/providers"
	"gateway/providers/oidc"
	"gateway/sessions"
)

// house is the wired program: its foundation, and the rooms that stand on it
// now. A reload furnishes other rooms on the same foundation.
type house struct {
	*foundation
	rooms    atomic.Pointer[rooms]
	metrics  *server.Metrics
	observer *server.Observer
	tracing  tracing // the one that was made last

	// reloaded is told how each reload ended that was asked for or found
	// something new.
	reloaded func(error)
}

// rooms are what one configuration comes to. They never change.
type rooms struct {
	config    *config.Config
	server    *server.Server
	tls       *tls.Config             // of the public listener; nil: plain
	handlers  map[string]http.Handler // by the listener's name
	providers map[string]*oidc.Provider
	upstreams map[string]*proxy.Proxy // by the app's name
	tracing   tracing
}

// build wires the program. It owns the data folder from here on.
func build(ctx context.Context, cfg *config.Config, logs *logs) (*house, error) {
	f, err := found(ctx, cfg, logs)
	if err != nil {
		return nil, err
	}
	h := &house{foundation: f}
	h.measure()
	h.observer = server.NewObserver(h.metrics, h.log)
	r, err := h.furnish(cfg)
	if err != nil {
		return nil, errors.Join(err, f.close())
	}
	h.rooms.Store(r)
	h.count(cfg)
	h.observe(r)
	return h, nil
}

// furnish makes the rooms of a configuration, beside those that are in use.
func (h *house) furnish(cfg *config.Config) (*rooms, error) {
	guard, err := policy.New(cfg.Policy())
	if err != nil {
		return nil, badConfig{err}
	}
	if err := h.keys.sessions.allow(cfg.Sessions.Lifetime); err != nil {
		return nil, err
	}
	s := &server.Server{
		Site:     server.Site{Scheme: cfg.URL.Scheme, Host: cfg.URL.Host, Port: cfg.URL.Port},
		Trusted:  server.Trusted{Prefixes: cfg.TrustedProxies.Prefixes, Unix: cfg.TrustedProxies.Unix},
		Sessions: h.manager(cfg, guard),
		Tokens:   h.tokens,
		Asserter: h.asserter,
		Throttle: h.throttle,
		Spent:    h.store,
		Streams:  h.streams,
		Refusals: h.refusals,
		Observer: h.observer,
		Admins:   cfg.Admins.Groups,
		Pepper:   h.keys.pepper,
		Keys:     h.keyOffice(),
		Seals:    h.seals,
		Audit:    h.audit,
		Log:      h.log,
		Metrics:  h.metrics,
		Ready:    h.store.Ping,
	}
	s.Policy.Store(guard)
	if cfg.Record.Allows {
		s.Allows = h.allows
	}
	s.Register = &accounts.Register{
		Store: h.store, Cache: h.users, Origins: origins(cfg), Login: localauth.CanonicalLogin,
		Admit:      func(p identity.Principal) bool { return s.Policy.Load().CouldAdmit(p) },
		Registered: s.Registered,
	}
	if cfg.Local.Enabled {
		s.Local = h.local
	}
	r := &rooms{config: cfg, server: s}
	if err := h.foreignDoor(r); err != nil {
		return nil, err
	}
	if err := h.apps(r); err != nil {
		return nil, err
	}
	r.tracing = h.trace(cfg)
	s.Tracer = r.tracing.tracer
	r.handlers = map[string]http.Handler{
		listenPublic: s.Handler(), listenRedirect: s.RedirectHandler(), listenAuthz: s.AuthzHandler(), listenManagement: s.ManagementHandler(), listenAdmin: s.AdminHandler(),
	}
	return r, nil
}

// manager keeps the one that is in use, and what it remembers of tokens, while
// the limits of sessions stay.
func (h *house) manager(cfg *config.Config, guard *policy.Policy) *sessions.Manager {
	if old := h.rooms.Load(); old != nil && sameLimits(old.config, cfg) {
		return old.server.Sessions
	}
	return &sessions.Manager{
		Store: h.sessions, Codes: h.store, Signer: h.keys.sessions.signer, Issuer: h.portal,
		Lifetime: cfg.Sessions.Lifetime, Idle: cfg.Sessions.Idle, Limits: limits(cfg, guard),
		OnTouchError: func(err error) { h.log.Error("last use of a session could not be written", slog.Any("cause", err)) },
	}
}

func (h *house) foreignDoor(r *rooms) error {
	if len(r.config.Providers) == 0 {
		return nil
	}
	r.providers = make(map[string]*oidc.Provider, len(r.config.Providers))
	r.server.Foreign = &providers.Foreign{Seal: h.request, Spent: h.store}
	for _, id := range sortedKeys(r.config.Providers) {
		p, err := h.provider(id, r.config.Providers[id])
		if err != nil {
			return badConfig{fmt.Errorf("providers.%s: %w", id, err)}
		}
		r.providers[id] = p
		r.server.Foreign.Providers = append(r.server.Foreign.Providers, providers.Named{ID: id, Name: r.config.Providers[id].Name, Provider: p})
	}
	return nil
}

// provider keeps one that is asked in the same way as before, and what it knows.
func (h *house) provider(id string, c providers.Config) (*oidc.Provider, error) {
	callback := h.portal + "/.gateway/callback/" + id
	wanted := oidc.Of(id, c, callback)
	if old := h.rooms.Load(); old != nil && old.providers[id] != nil && reflect.DeepEqual(oidc.Of(id, old.config.Providers[id], callback), wanted) {
		return old.providers[id], nil
	}
	wanted.Watch = func(ctx context.Context, began time.Time, err error) {
		telemetry.Did(ctx, "provider", began, err != nil)
	}
	return oidc.New(wanted)
}

// origins says what becomes of strangers, door by door.
func origins(cfg *config.Config) map[string]accounts.Origin {
	all := make(map[string]accounts.Origin, len(cfg.Providers)+1)
	all[identity.Local] = accounts.Origin{Registration: accounts.Registration(cfg.Local.Registration)}
	for id, c := range cfg.Providers {
		all[id] = accounts.Origin{Registration: accounts.Registration(c.Registration), LoginClaim: c.LoginClaim != "", RequireVerified: c.VerifiedEmail}
	}
	return all
}

func (h *house) apps(r *rooms) error {
	r.server.Apps = make(map[string]server.App, len(r.config.Apps))
	r.upstreams = make(map[string]*proxy.Proxy)
	for _, name := range sortedKeys(r.config.Apps) {
		a := r.config.Apps[name]
		app := server.App{Name: name, Hosts: a.Hosts}
		if a.Host != "" {
			app.Hosts = append([]string{a.Host}, a.Hosts...)
		}
		if len(a.Ways()) > 0 {
			p, err := h.upstream(r.config, name)
			if err != nil {
				return err
			}
			app.Upstream, r.upstreams[name] = p, p
		}
		for _, origin := range a.CrossOrigin {
			app.CrossOrigin = append(app.CrossOrigin, string(origin))
		}
		app.InsecureCrossOrigin, app.Basic = a.InsecureCrossOrigin, a.Basic
		if a.Headers != nil {
			names, err := a.Headers.Resolve()
			if err != nil {
				return badConfig{err}
			}
			app.Headers = &names
		}
		r.server.Apps[name] = app
	}
	return nil
}

// upstream keeps the proxy of an app whose ways stay as they were, with its open
// connections: what the policy says of the app is none of its business.
func (h *house) upstream(cfg *config.Config, name string) (*proxy.Proxy, error) {
	fresh, err := newUpstream(cfg, name, func(w http.ResponseWriter, r *http.Request, err error) {
		h.rooms.Load().server.UpstreamFailed(w, r, err)
	}, h.log)
	if err != nil {
		return nil, err
	}
	if old := h.rooms.Load(); old != nil && old.upstreams[name] != nil && old.upstreams[name].Same(fresh) {
		return old.upstreams[name], nil
	}
	return fresh, nil
}

func newUpstream(cfg *config.Config, name string, failed proxy.Failed, log *slog.Logger) (*proxy.Proxy, error) {
	p, err := proxy.New(cfg.Apps[name].Ways(), failed, log)
	if err != nil {
		key, message, _ := strings.Cut(err.Error(), ": ")
		return nil, badConfig{cfg.Complaint("apps."+name+"."+key, message)}
	}
	return p, nil
}
