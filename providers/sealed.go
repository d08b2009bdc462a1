package providers

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gateway/internal/once"
)

// Sealer lets state travel through strangers' hands; Open refuses what Seal
// did not return, and every sealed text has one spelling.
type Sealer interface {
	Seal(plaintext []byte) string
	Open(sealed string) ([]byte, error)
}

// Spent remembers what may be used once: of all callers with the same hash the
// first wins, in the whole cluster, and the others get once.ErrSpent. It may
// forget a hash once it has expired.
type Spent interface {
	Take(ctx context.Context, hash [32]byte, expires time.Time) error
}

// The uses of a sealed text: one for the browser's way, one for token login.
const (
	useCode  = "code"
	useToken = "token"
)

// skew is how far our own clock may have stepped back while a request was out.
const skew = time.Minute

// waiting is the sealed form of what waits for its answer.
type waiting struct {
	Use      string `json:"u"`
	Origin   string `json:"o"`
	Browser  string `json:"b,omitempty"`
	Nonce    string `json:"n"`
	Verifier string `json:"v,omitempty"`
	ReturnTo string `json:"r,omitempty"`
	Expires  int64  `json:"e"` // Unix seconds
}

func (f *Foreign) seal(w waiting) (string, error) {
	plain, err := json.Marshal(w)
	if err != nil {
		return "", fmt.Errorf("encode request: %w", err)
	}
	return f.Seal.Seal(plain), nil
}

// open returns what was sealed for this use, origin and browser and has not
// expired, else ErrNoRequest. It touches no store.
func (f *Foreign) open(sealed, use, origin, browser string) (waiting, error) {
	if sealed == "" || len(sealed) > MaxState {
		return waiting{}, fmt.Errorf("%w: missing or too long", ErrNoRequest)
	}
	plain, err := f.Seal.Open(sealed)
	if err != nil {
		return waiting{}, fmt.Errorf("%w: %w", ErrNoRequest, err)
	}
	var w waiting
	if err := json.Unmarshal(plain, &w); err != nil {
		return waiting{}, fmt.Errorf("%w: not a request", ErrNoRequest)
	}
	left := time.Unix(w.Expires, 0).Sub(f.now())
	switch {
	case w.Use != use:
		return waiting{}, fmt.Errorf("%w: made for another use", ErrNoRequest)
	case w.Origin != origin:
		return waiting{}, fmt.Errorf("%w: made for another origin", ErrNoRequest)
	case subtle.ConstantTimeCompare([]byte(w.Browser), []byte(binding(browser))) != 1:
		return waiting{}, fmt.Errorf("%w: of another browser", ErrNoRequest)
	case left <= 0 || left > f.lifetime()+skew:
		return waiting{}, fmt.Errorf("%w: expired", ErrNoRequest)
	}
	return w, nil
}

// take makes sealed good once; it is called before anything is spent on it.
func (f *Foreign) take(ctx context.Context, sealed string, w waiting) error {
	err := f.Spent.Take(ctx, once.Hash("providers "+w.Use, sealed), time.Unix(w.Expires, 0).UTC())
	if errors.Is(err, once.ErrSpent) {
		return fmt.Errorf("%w: already used", ErrNoRequest)
	}
	if err != nil {
		return fmt.Errorf("take request: %w", err)
	}
	return nil
}

// binding ties a request to the pre-session cookie without carrying it. It is
// never empty, so that no browser differs from every browser.
func binding(browser string) string {
	sum := once.Hash("providers browser", browser)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
