package main

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"

	"gateway/internal/accounts"
	"gateway/internal/audit"
	"gateway/internal/config"
	"gateway/internal/datadir"
	"gateway/internal/identity"
	"gateway/internal/proxy"
	"gateway/internal/seal"
	"gateway/internal/server"
	"gateway/internal/store/sqlite"
	"gateway/internal/throttle"
	"gateway/localauth"
	"gateway/policy"
	"gateway/providers"
	"gateway/providers/oidc"
	"gateway/sessions"
)

// house is the wired program: every room, and what has to be closed again.
type house struct {
	config *config.Config
	log    *slog.Logger
	dir    *datadir.Dir
	store  *sqlite.Store
	server *server.Server
}

// build wires the rooms. It owns the data folder from here on.
func build(ctx context.Context, cfg *config.Config, log *slog.Logger) (*house, error) {
	dir, err := datadir.Open(cfg.Data)
	if err != nil {
		return nil, err
	}
	h := &house{config: cfg, log: log, dir: dir}
	if err := h.furnish(ctx); err != nil {
		return nil, errors.Join(err, h.close())
	}
	return h, nil
}

func (h *house) close() error {
	var err error
	if h.store != nil {
		err = h.store.Close()
	}
	return errors.Join(err, h.dir.Close())
}

func (h *house) furnish(ctx context.Context) error {
	keys, err := readKeys(h.dir)
	if err != nil {
		return err
	}
	if h.store, err = sqlite.Open(ctx, h.dir.Path("")); err != nil {
		return err
	}
	guard, err := policy.New(h.config.PolicyApps())
	if err != nil {
		return badConfig{err}
	}
	cfg, portal := h.config, h.config.URL.Origin()
	s := &server.Server{
		Site:     server.Site{Scheme: cfg.URL.Scheme, Host: cfg.URL.Host, Port: cfg.URL.Port},
		Trusted:  server.Trusted{Prefixes: cfg.TrustedProxies.Prefixes, Unix: cfg.TrustedProxies.Unix},
		Throttle: &throttle.Table{Store: h.store, Key: keys.throttle},
		Spent:    h.store,
		Pepper:   keys.pepper,
		Audit:    &audit.Log{Handler: h.log.Handler()},
		Log:      h.log,
		Ready:    h.store.Ping,
	}
	s.Policy.Store(guard)
	s.Sessions = &sessions.Manager{
		Store: sessions.Cached(h.store, 0), Codes: h.store, Signer: keys.sessions, Issuer: portal,
		Lifetime: cfg.Sessions.Lifetime, Idle: cfg.Sessions.Idle,
		OnTouchError: func(err error) { h.log.Error("last use of a session could not be written", slog.Any("cause", err)) },
	}
	s.Asserter = &sessions.Asserter{Signer: keys.assertions, Issuer: portal}
	s.Register = &accounts.Register{
		Store: h.store, Origins: origins(cfg), Login: localauth.CanonicalLogin,
		Admit: func(p identity.Principal) bool { return s.Policy.Load().CouldAdmit(p) },
	}
	if s.Seals, err = seals(keys.seal); err != nil {
		return err
	}
	if s.Local, err = h.localDoor(keys, portal); err != nil {
		return err
	}
	if s.Foreign, err = h.foreignDoor(keys, portal); err != nil {
		return err
	}
	s.Apps = h.apps(s)
	h.log.Debug("keys", slog.String("sessions", keys.sessions.KeyID()), slog.String("assertions", keys.assertions.KeyID()))
	h.server = s
	return nil
}

// keyring is every key of data/keys.
type keyring struct {
	seal, pepper, salt, throttle []byte
	sessions, assertions         *sessions.Signer
}

func readKeys(dir *datadir.Dir) (keyring, error) {
	var k keyring
	for name, into := range map[string]*[]byte{"pepper": &k.pepper, "salt": &k.salt} {
		key, err := dir.Kept(name, seal.KeySize, sqlite.FileName)
		if err != nil {
			return keyring{}, err
		}
		*into = key
	}
	for name, into := range map[string]*[]byte{"seal": &k.seal, "throttle": &k.throttle} {
		key, err := dir.Secret(name, seal.KeySize)
		if err != nil {
			return keyring{}, err
		}
		*into = key
	}
	for name, into := range map[string]**sessions.Signer{"session.pem": &k.sessions, "assertion.pem": &k.assertions} {
		signer, err := readSigner(dir, name)
		if err != nil {
			return keyring{}, err
		}
		*into = signer
	}
	return k, nil
}

func readSigner(dir *datadir.Dir, name string) (*sessions.Signer, error) {
	text, err := dir.File(name, func() ([]byte, error) {
		key, err := sessions.NewKey()
		if err != nil {
			return nil, err
		}
		return key.MarshalPEM()
	})
	if err != nil {
		return nil, err
	}
	key, err := sessions.ParseKey(text)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w; restore it from a backup", dir.Path(filepath.Join("keys", name)), err)
	}
	return sessions.NewSigner(key, map[string]crypto.PublicKey{})
}

func seals(root []byte) (server.Seals, error) {
	request, err1 := seal.New(root, "hand-off request")
	enter, err2 := seal.New(root, "hand-off entering")
	change, err3 := seal.New(root, "switch of user")
	return server.Seals{Request: request, Enter: enter, Switch: change}, errors.Join(err1, err2, err3)
}

func (h *house) localDoor(keys keyring, portal string) (*localauth.Local, error) {
	if !h.config.Local.Enabled {
		return nil, nil //nolint:nilnil // no door is what the configuration asks for
	}
	box, err := seal.New(keys.seal, "challenge")
	if err != nil {
		return nil, err
	}
	return &localauth.Local{Users: h.store, Seal: box, Spent: h.store, Pepper: keys.pepper, SaltKey: keys.salt, Portal: portal}, nil
}

func (h *house) foreignDoor(keys keyring, portal string) (*providers.Foreign, error) {
	if len(h.config.Providers) == 0 {
		return nil, nil //nolint:nilnil // no door is what the configuration asks for
	}
	box, err := seal.New(keys.seal, "authorization request")
	if err != nil {
		return nil, err
	}
	f := &providers.Foreign{Seal: box, Spent: h.store}
	for _, id := range sortedKeys(h.config.Providers) {
		c := h.config.Providers[id]
		p, err := oidc.New(oidc.Of(id, c, portal+"/.gateway/callback/"+id))
		if err != nil {
			return nil, badConfig{fmt.Errorf("providers.%s: %w", id, err)}
		}
		f.Providers = append(f.Providers, providers.Named{ID: id, Name: c.Name, Provider: p})
	}
	return f, nil
}

// origins says what becomes of strangers, door by door.
func origins(cfg *config.Config) map[string]accounts.Origin {
	all := make(map[string]accounts.Origin, len(cfg.Providers))
	for id, c := range cfg.Providers {
		all[id] = accounts.Origin{Registration: accounts.Registration(c.Registration), LoginClaim: c.LoginClaim != ""}
	}
	return all
}

func (h *house) apps(s *server.Server) map[string]server.App {
	apps := make(map[string]server.App, len(h.config.Apps))
	for name, a := range h.config.Apps {
		app := server.App{Name: name, Hosts: a.Hosts}
		if a.Host != "" {
			app.Hosts = append([]string{a.Host}, a.Hosts...)
		}
		if a.Upstream != nil {
			app.Upstream = proxy.New(a.Upstream, func(w http.ResponseWriter, r *http.Request, err error) { s.UpstreamFailed(w, r, err) }, h.log)
		}
		apps[name] = app
	}
	return apps
}

func (h *house) adminSocket() string { return filepath.Join(h.config.Data, "admin.sock") }
