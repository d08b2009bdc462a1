package backup

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gateway/internal/seal"
	"gateway/internal/secret"
	"gateway/internal/strictjson"
)

// ErrPassphrase says that sealed keys do not open: another passphrase, or they
// are not whole.
var ErrPassphrase = errors.New("backup: the keys do not open with this passphrase, or they were changed")

// Keys are those that the store cannot do without. All others are made anew by a
// restore, so that nothing counts any more that they have signed or sealed.
type Keys struct {
	Pepper []byte `json:"pepper"` // encrypts the verifiers of passwords
	Salt   []byte `json:"salt"`   // makes the salts of names that nobody has
}

// ID tells keys apart, and says nothing of them.
func (k Keys) ID() string {
	mac := hmac.New(sha256.New, k.Pepper)
	mac.Write([]byte("gateway backup"))
	mac.Write(k.Salt)
	return hex.EncodeToString(mac.Sum(nil)[:8])
}

// complete reports whether all are there.
func (k Keys) complete() bool { return len(k.Pepper) == seal.KeySize && len(k.Salt) == seal.KeySize }

// MinPassphrase is how many characters a passphrase has at least: whoever has
// the file can guess for as long as they like.
const MinPassphrase = 16

// The iterations of PBKDF2-HMAC-SHA-256 (RFC 8018, section 5.2): how many we
// write, and between which bounds we read.
const (
	iterations    = 1_000_000
	minIterations = 600_000
	maxIterations = 20_000_000
)

// sealed is a file of keys.
type sealed struct {
	Format     int       `json:"format"`
	Made       time.Time `json:"made"`
	Keys       string    `json:"keys"` // Keys.ID
	Iterations int       `json:"pbkdf2_sha256_iterations"`
	Salt       []byte    `json:"salt"`
	Sealed     string    `json:"sealed"`
}

// Seal returns the file of keys that a passphrase opens.
func (k Keys) Seal(passphrase secret.Text, made time.Time) ([]byte, error) {
	if !k.complete() {
		return nil, errors.New("backup: keys are missing")
	}
	if n := len([]rune(passphrase.Reveal())); n < MinPassphrase {
		return nil, fmt.Errorf("the passphrase has %d characters, want %d at least", n, MinPassphrase)
	}
	s := sealed{Format: format, Made: made.UTC().Truncate(time.Second), Keys: k.ID(), Iterations: iterations, Salt: make([]byte, 32)}
	_, _ = rand.Read(s.Salt) // never fails
	box, err := s.box(passphrase)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(k)
	if err != nil {
		return nil, err
	}
	s.Sealed = box.Seal(text)
	file, err := json.MarshalIndent(s, "", "  ")
	return append(file, '\n'), err
}

// OpenKeys opens a file of keys.
func OpenKeys(file []byte, passphrase secret.Text) (Keys, error) {
	var s sealed
	if err := strictjson.Unmarshal(file, &s); err != nil || s.Format != format || s.Iterations < minIterations || s.Iterations > maxIterations || len(s.Salt) != 32 {
		return Keys{}, fmt.Errorf("%w: this is no file of keys that this gateway can read", ErrDamaged)
	}
	box, err := s.box(passphrase)
	if err != nil {
		return Keys{}, err
	}
	text, err := box.Open(s.Sealed)
	if err != nil {
		return Keys{}, ErrPassphrase
	}
	var k Keys
	if err := strictjson.Unmarshal(text, &k); err != nil || !k.complete() || k.ID() != s.Keys {
		return Keys{}, ErrPassphrase
	}
	return k, nil
}

func (s sealed) box(passphrase secret.Text) (*seal.Box, error) {
	key, err := pbkdf2.Key(sha256.New, passphrase.Reveal(), s.Salt, s.Iterations, seal.KeySize)
	if err != nil {
		return nil, fmt.Errorf("backup: derive key: %w", err)
	}
	return seal.New(key, "backup of keys")
}
