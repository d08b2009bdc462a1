package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"gateway/internal/backup"
	"gateway/internal/config"
	"gateway/internal/datadir"
	"gateway/internal/seal"
	"gateway/internal/secret"
	"gateway/internal/store/sqlite"
)

func backupCommand(o *options) *cobra.Command {
	var keys, fromStdin bool
	c := &cobra.Command{
		Use: "backup FILE", Short: "Write a copy of the store, or of its keys, to a new file; the gateway may run meanwhile", Args: cobra.ExactArgs(1),
		Long: `Write a copy of the store to a new file: people, their links, their passwords' records.
The keys without which no password works are left out: "backup --keys" writes them
to a file of their own, sealed by a passphrase. Keep the two apart, and the
configuration with the files that it names beside them. The audit log is in neither.`,
		Example: `  gateway backup /backup/gateway-2026-03-01
  gateway backup --keys /elsewhere/gateway-keys`,
		RunE: func(c *cobra.Command, args []string) error {
			if fromStdin && !keys {
				return badUsage{errors.New("--passphrase-stdin goes with --keys")}
			}
			data, err := dataFolder(o, c.ErrOrStderr())
			if err != nil {
				return err
			}
			if err := begun(c, data); err != nil {
				return err
			}
			if keys {
				return backupKeys(c, data, args[0], fromStdin)
			}
			portal := "" // not known while the configuration is wrong
			if cfg, err := load(o, io.Discard); err == nil {
				portal = cfg.URL.Origin()
			}
			return backupStore(c, data, portal, args[0])
		},
	}
	c.Flags().BoolVar(&keys, "keys", false, "write the keys instead, sealed by a passphrase")
	c.Flags().BoolVar(&fromStdin, "passphrase-stdin", false, "read the passphrase, one line, from standard input; else one is made and printed")
	return c
}

// backupStore puts a backup together beside its file, and names it when it is
// whole.
func backupStore(c *cobra.Command, data, portal, path string) error {
	k, err := keptKeys(data)
	if err != nil {
		return err
	}
	m := backup.Manifest{Made: time.Now(), Program: version, URL: portal, Store: sqlite.FileName, Keys: k.ID()} //nolint:forbidigo // a backup is stamped with the real time
	err = newFile(path, func(folder string, into *os.File) error {
		copied := filepath.Join(folder, sqlite.FileName)
		if err := sqlite.Copy(c.Context(), data, copied); err != nil {
			return err
		}
		store, err := os.Open(copied) //nolint:gosec // we have just made it
		if err != nil {
			return err
		}
		return errors.Join(backup.Write(into, m, store), store.Close())
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.OutOrStdout(), "wrote %s; its keys (%s) are not in it: gateway backup --keys\n", path, m.Keys)
	return err
}

func backupKeys(c *cobra.Command, data, path string, fromStdin bool) error {
	k, err := keptKeys(data)
	if err != nil {
		return err
	}
	passphrase := secret.New(rand.Text())
	if fromStdin {
		if passphrase, err = readSecret(c, true, ""); err != nil {
			return err
		}
	}
	text, err := k.Seal(passphrase, time.Now()) //nolint:forbidigo // a backup is stamped with the real time
	if err != nil {
		return err
	}
	if err := newFile(path, func(_ string, into *os.File) error {
		_, err := into.Write(text)
		return err
	}); err != nil {
		return err
	}
	if !fromStdin {
		if _, err := fmt.Fprintf(c.OutOrStdout(), "passphrase: %s\n", passphrase.Reveal()); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(c.OutOrStdout(), "wrote %s: the keys %s\n", path, k.ID())
	return err
}

// keptKeys reads the keys that a store cannot do without, of a data folder that
// a gateway may own.
func keptKeys(data string) (backup.Keys, error) {
	var k backup.Keys
	for name, into := range map[string]*[]byte{"pepper": &k.Pepper, "salt": &k.Salt} {
		path := filepath.Join(data, "keys", name)
		key, err := os.ReadFile(path) //nolint:gosec // the folder is the operator's choice
		if err != nil {
			return backup.Keys{}, fmt.Errorf("the keys of the store: %w", err)
		}
		if len(key) != seal.KeySize {
			return backup.Keys{}, fmt.Errorf("key %s has %d bytes, want %d", path, len(key), seal.KeySize)
		}
		*into = key
	}
	return k, nil
}

// newFile makes a file of mode 0600 that is there whole or not at all, and never
// in the place of another one. It is put together in a folder beside it.
func newFile(path string, write func(folder string, into *os.File) error) error {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%s is there already: name a new file", path)
	}
	folder, err := os.MkdirTemp(filepath.Dir(path), ".gateway-backup-*") // mode 0700
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	part, err := os.OpenFile(filepath.Join(folder, "part"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // in our own folder
	if err != nil {
		return err
	}
	if err := errors.Join(write(folder, part), part.Sync(), part.Close()); err != nil {
		return err
	}
	switch err := os.Link(part.Name(), path); { // a rename would take another one's place
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("%s is there already: name a new file", path)
	case err != nil: // file systems without links
		if err := os.Rename(part.Name(), path); err != nil {
			return err
		}
	}
	beside, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(beside.Sync(), beside.Close())
}

func restoreCommand(o *options) *cobra.Command {
	var keys string
	var newKeys, fromStdin bool
	c := &cobra.Command{
		Use: "restore FILE", Short: "Make an empty data folder what a backup says", Args: cobra.ExactArgs(1),
		Long: `Make an empty data folder what a backup says. It is looked through before anything
counts, and counts whole or not at all. What may have been ended or used since it
was made does not come back: all sessions, app tokens, invitations and guest links
are over, and every key but those of --keys is made anew. People who were disabled
or deleted since are as they were.`,
		Example: `  gateway restore /backup/gateway-2026-03-01 --keys /elsewhere/gateway-keys
  gateway restore /backup/gateway-2026-03-01 --new-keys`,
		RunE: func(c *cobra.Command, args []string) error {
			if (keys == "") != newKeys {
				return badUsage{errors.New("name the file of keys with --keys, or say --new-keys: then no password of before works")}
			}
			if fromStdin && newKeys {
				return badUsage{errors.New("--passphrase-stdin goes with --keys")}
			}
			cfg, err := load(o, c.ErrOrStderr())
			if err != nil {
				return err
			}
			ask := func() (backup.Keys, error) { return keysToRestore(c, keys, fromStdin) }
			return restore(c, cfg, args[0], ask, newKeys)
		},
	}
	c.Flags().StringVar(&keys, "keys", "", "the file that \"backup --keys\" wrote")
	c.Flags().BoolVar(&newKeys, "new-keys", false, "make new keys: people with a password have to choose another one")
	c.Flags().BoolVar(&fromStdin, "passphrase-stdin", false, "read the passphrase, one line, from standard input")
	return c
}

// keysToRestore opens the file of keys, or makes new ones.
func keysToRestore(c *cobra.Command, path string, fromStdin bool) (backup.Keys, error) {
	if path == "" {
		k := backup.Keys{Pepper: make([]byte, seal.KeySize), Salt: make([]byte, seal.KeySize)}
		_, _ = rand.Read(k.Pepper) // never fails
		_, _ = rand.Read(k.Salt)
		return k, nil
	}
	file, err := os.ReadFile(path) //nolint:gosec // the operator names it
	if err != nil {
		return backup.Keys{}, err
	}
	passphrase, err := readSecret(c, fromStdin, askPassphrase)
	if err != nil {
		return backup.Keys{}, err
	}
	return backup.OpenKeys(file, passphrase)
}

func restore(c *cobra.Command, cfg *config.Config, path string, keys func() (backup.Keys, error), newKeys bool) error {
	file, err := os.Open(path) //nolint:gosec // the operator names it
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // it is only read
	dir, err := datadir.Open(cfg.Data)
	if err != nil {
		return err
	}
	m, r, err := restoreInto(c.Context(), dir, file, keys, newKeys)
	if err = errors.Join(err, dir.Close()); err != nil {
		return err
	}
	if m.URL != "" && m.URL != cfg.URL.Origin() {
		if _, err := fmt.Fprintf(c.ErrOrStderr(), "the backup is of %s, url in the configuration is %s\n", m.URL, cfg.URL.Origin()); err != nil {
			return err
		}
	}
	said := fmt.Sprintf("restored %d people as of %s; everybody signs in again", r.Users, instant(m.Made))
	if newKeys && r.Passwords > 0 {
		said += fmt.Sprintf("; passwords of before do not work: let %d people choose another one by gateway user reset", r.Passwords)
	}
	_, err = fmt.Fprintln(c.OutOrStdout(), said)
	return err
}

// restoreInto puts together beside the rest what a backup holds, and makes it
// count when all of it is right. Nobody is asked for a passphrase in vain.
func restoreInto(ctx context.Context, dir *datadir.Dir, file *os.File, keys func() (backup.Keys, error), newKeys bool) (backup.Manifest, sqlite.Restored, error) {
	stage, err := dir.Stage()
	if err != nil {
		return backup.Manifest{}, sqlite.Restored{}, err
	}
	defer func() { _ = os.RemoveAll(stage) }() // once it counts there is none
	m, err := backup.Read(file, stage, sqlite.FileName)
	if err != nil {
		return m, sqlite.Restored{}, fmt.Errorf("%s: %w", file.Name(), err)
	}
	k, err := keys()
	if err != nil {
		return m, sqlite.Restored{}, err
	}
	if !newKeys && m.Keys != k.ID() {
		return m, sqlite.Restored{}, fmt.Errorf("the keys %s are not those of this backup, which are %s", k.ID(), m.Keys)
	}
	r, err := sqlite.Restore(ctx, stage)
	if err != nil {
		return m, r, remedied(err)
	}
	return m, r, errors.Join(datadir.Put(stage, "keys/pepper", k.Pepper), datadir.Put(stage, "keys/salt", k.Salt), dir.Commit(stage))
}
