package main

import (
	"errors"
	"time"

	"gateway/internal/datadir"
	"gateway/internal/seal"
	"gateway/internal/server"
	"gateway/internal/store/sqlite"
	"gateway/sessions"
)

// keyring is every key of data/keys.
type keyring struct {
	seal, pepper, salt, throttle []byte
	sessions, assertions         *signing
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
	k.sessions = &signing{kind: keysOfSessions, file: "session.pem", dir: dir}
	k.assertions = &signing{kind: keysOfAssertions, file: "assertion.pem", dir: dir, published: true}
	now := time.Now() //nolint:forbidigo // keys are stamped with the real time
	return k, errors.Join(k.sessions.open(0, now), k.assertions.open(sessions.MaxAssertion, now))
}

func seals(root []byte) (server.Seals, error) {
	request, err1 := seal.New(root, "hand-off request")
	enter, err2 := seal.New(root, "hand-off entering")
	change, err3 := seal.New(root, "switch of user")
	wait, err4 := seal.New(root, "wait for approval")
	device, err5 := seal.New(root, "known device")
	invite, err6 := seal.New(root, "invitation")
	guest, err7 := seal.New(root, "guest link")
	return server.Seals{Guest: guest, Request: request, Enter: enter, Switch: change, Wait: wait, Device: device, Invite: invite}, errors.Join(err1, err2, err3, err4, err5, err6, err7)
}
