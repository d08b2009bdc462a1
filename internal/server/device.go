package server

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"net/http"
	"time"

	"gateway/internal/throttle"
	"gateway/localauth"
)

// deviceLifetime is how long a browser stays known after a sign-in by password.
const deviceLifetime = 90 * 24 * time.Hour

const deviceIDSize = 16 // random bytes

// device is a browser that has signed somebody in by password. It opens
// nothing: its wrong passwords are counted apart from those of strangers, who
// can slow each other down, but not somebody at a browser of their own.
type device struct {
	id      [deviceIDSize]byte
	login   [32]byte // SHA-256: a cookie tells nobody's name, nor its length
	expires int64    // Unix seconds
}

func (d device) seal(box Sealer) string {
	b := make([]byte, 0, deviceIDSize+32+8)
	b = append(append(b, d.id[:]...), d.login[:]...)
	return box.Seal(binary.BigEndian.AppendUint64(b, uint64(d.expires))) //nolint:gosec // G115: a time of ours
}

func openDevice(box Sealer, sealed string) (d device, ok bool) {
	b, err := box.Open(sealed)
	if err != nil || len(b) != deviceIDSize+32+8 {
		return device{}, false
	}
	copy(d.id[:], b)
	copy(d.login[:], b[deviceIDSize:])
	d.expires = int64(binary.BigEndian.Uint64(b[deviceIDSize+32:])) //nolint:gosec // G115: a time of ours
	return d, true
}

// device returns the browser if it is one that has signed in under this login.
// A program has none, nor has a browser with two, and one that has failed a
// hundred times in a row is as unknown as any other.
func (s *Server) device(r *http.Request, login string, want localauth.Want) (device, bool) {
	if want != localauth.WantCookie {
		return device{}, false
	}
	cookie, err := s.cookie(r, cookieDevice)
	if err != nil || cookie == "" {
		return device{}, false
	}
	d, ok := openDevice(s.Seals.Device, cookie)
	whose := sha256.Sum256([]byte(login))
	if !ok || s.now().Unix() >= d.expires || subtle.ConstantTimeCompare(d.login[:], whose[:]) != 1 {
		return device{}, false
	}
	shut, err := s.Throttle.Shut(r.Context(), throttle.Cap(d.tries(login)))
	return d, err == nil && !shut
}

// tries is the bucket of wrong passwords at this browser.
func (d device) tries(login string) throttle.Bucket {
	return throttle.Device(login, hex.EncodeToString(d.id[:]))
}

// tries returns the buckets of wrong passwords for a login: the browser's own,
// if it is known, else those of all strangers together. One forgets with time,
// the other one counts how many there were in a row.
func (s *Server) tries(r *http.Request, login string, want localauth.Want) []throttle.Bucket {
	if d, ok := s.device(r, login, want); ok {
		return capped(d.tries(login))
	}
	return capped(throttle.Account(login))
}

func capped(b throttle.Bucket) []throttle.Bucket { return []throttle.Bucket{b, throttle.Cap(b)} }

// know makes the browser a known one of the login, or keeps it one.
func (s *Server) know(w http.ResponseWriter, r *http.Request, login string) {
	d, ok := s.device(r, login, localauth.WantCookie)
	if !ok { // or no longer
		_, _ = rand.Read(d.id[:]) // never fails: crypto/rand ends the program instead
		d.login = sha256.Sum256([]byte(login))
	}
	d.expires = s.now().Add(deviceLifetime).Unix()
	s.setCookie(w, cookieDevice, d.seal(s.Seals.Device), int(deviceLifetime/time.Second))
}
