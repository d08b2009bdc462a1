package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"gateway/internal/accounts"
	"gateway/internal/audit"
	"gateway/internal/config"
	"gateway/internal/datadir"
	"gateway/internal/seal"
	"gateway/internal/server"
	"gateway/internal/store/sqlite"
	"gateway/internal/throttle"
	"gateway/localauth"
	"gateway/sessions"
)

// foundation is what every configuration stands on: what a reload leaves as it
// is. Of a configuration it knows only what needs a restart, url and data.
type foundation struct {
	portal   string // the portal's origin
	logs     *logs
	log      *slog.Logger
	dir      *datadir.Dir
	store    *sqlite.Store
	keys     keyring
	seals    server.Seals
	request  *seal.Box // of sign-ins that are under way at a provider
	local    *localauth.Local
	sessions sessions.Store // with what is held of it in memory
	tokens   *sessions.AppTokens
	asserter *sessions.Asserter
	users    *accounts.Cache
	throttle *throttle.Table
	streams  *server.Streams
	book     *audit.Book
	refusals *server.Refusals
	allows   *server.Allows
	audit    *audit.Log
}

// found takes the data folder and opens what is in it.
func found(ctx context.Context, cfg *config.Config, logs *logs) (*foundation, error) {
	dir, err := datadir.Open(cfg.Data)
	if err != nil {
		return nil, err
	}
	f := &foundation{portal: cfg.URL.Origin(), logs: logs, log: logs.logger(), dir: dir}
	if err := f.open(ctx); err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}

// tellLost warns where a new store begins beside an audit log: then there was
// one, with people in it, and a login may be given twice.
func (f *foundation) tellLost() {
	store, err := os.Stat(f.dir.Path(sqlite.FileName))
	if _, ran := os.Stat(bookFolder(f.dir.Path(""))); ran != nil || err == nil && store.Size() > 0 {
		return
	}
	f.log.Warn("the store is gone, though the audit log is there: a new one begins, and nobody is known",
		slog.String("remedy", "if that is not meant, stop the gateway and restore the data folder from a backup"))
}

// tellPepper warns where no password is kept under the pepper that is there.
func (f *foundation) tellPepper(ctx context.Context) error {
	some, err := f.store.Verifiers(ctx, 32)
	if err != nil {
		return err
	}
	if opens, err := localauth.Opens(f.keys.pepper, some); opens || err != nil {
		return err
	}
	f.log.Warn("the passwords are kept under another keys/pepper: nobody can sign in by one from before",
		slog.String("remedy", "stop the gateway and put back the pepper that belongs to this store; if it is lost, let people choose other passwords by gateway user reset"))
	return nil
}

func (f *foundation) open(ctx context.Context) error {
	var err error
	if f.keys, err = readKeys(f.dir); err != nil {
		return err
	}
	f.tellLost()
	if f.store, err = sqlite.Open(ctx, f.dir.Path("")); err != nil {
		return remedied(err)
	}
	if err := f.tellPepper(ctx); err != nil {
		return err
	}
	if err := f.openBook(); err != nil {
		return err
	}
	if f.seals, err = seals(f.keys.seal); err != nil {
		return err
	}
	if f.request, err = seal.New(f.keys.seal, "authorization request"); err != nil {
		return err
	}
	challenge, err := seal.New(f.keys.seal, "challenge")
	if err != nil {
		return err
	}
	f.local = &localauth.Local{Users: f.store, Seal: challenge, Spent: f.store, Pepper: f.keys.pepper, SaltKey: f.keys.salt, Portal: f.portal}
	f.local.Live = localauth.Remembered(f.store.Iterations, time.Minute, time.Now) //nolint:forbidigo // the only clock there is
	f.sessions = sessions.Cached(f.store, 0)
	f.tokens = &sessions.AppTokens{
		Store:        f.store,
		OnTouchError: func(err error) { f.log.Error("last use of an app token could not be written", slog.Any("cause", err)) },
	}
	f.asserter = &sessions.Asserter{Signer: f.keys.assertions.signer, Issuer: f.portal}
	f.users = &accounts.Cache{}
	f.throttle = &throttle.Table{Store: f.store, Key: f.keys.throttle}
	f.streams, f.refusals, f.allows = &server.Streams{}, &server.Refusals{}, server.NewAllows()
	f.audit = &audit.Log{Book: f.book, Handler: f.log.Handler()}
	f.log.Debug("keys", slog.String("sessions", f.keys.sessions.signer.KeyID()), slog.String("assertions", f.keys.assertions.signer.KeyID()))
	return nil
}

// close gives the data folder up.
func (f *foundation) close() error {
	var err error
	if f.book != nil {
		err = f.book.Close()
	}
	if f.store != nil {
		err = errors.Join(err, f.store.Close())
	}
	return errors.Join(err, f.dir.Close())
}

// adminSocket is the command line's way into the gateway that runs on a data folder.
func adminSocket(data string) string { return filepath.Join(data, "admin.sock") }
