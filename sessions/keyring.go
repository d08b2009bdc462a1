package sessions

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Keyring is the keys of a Signer over time: the next one is published before
// it signs, the active one signs, and of retired ones only the public half is
// kept, while tokens live that they have signed. It is a value: each change
// makes another one.
type Keyring struct {
	Active  Key
	Since   time.Time     // when Active began to sign
	Longest time.Duration // the longest life of what Active signs
	Next    Key
	Known   time.Time // when Next was published; zero: before anybody could ask
	Retired []Retired // the last one first
}

// Retired is what is left of a key that signs no more.
type Retired struct {
	ID     string
	Public *ecdsa.PublicKey
	Since  time.Time // when it was retired
	Until  time.Time // when nothing is valid any more that it has signed
}

// Limits of a Keyring.
const (
	// PublishedFor is how long a key is published before it signs: twice as long
	// as a copy of the published keys may be kept.
	PublishedFor = 10 * time.Minute
	// maxRetired bounds the file: whoever rotates so often has to wait.
	maxRetired = 256
	// leeway is how much longer than its tokens a retired key is kept: clocks differ.
	leeway = 5 * time.Minute
)

// NewKeyring returns keys that nobody has seen yet, for tokens of a longest life.
func NewKeyring(longest time.Duration, now time.Time) (Keyring, error) {
	active, err := NewKey()
	if err != nil {
		return Keyring{}, err
	}
	next, err := NewKey()
	if err != nil {
		return Keyring{}, err
	}
	return Keyring{Active: active, Since: second(now), Longest: longest, Next: next}, nil
}

// Ready returns since when the next key may sign: whoever keeps a copy of the
// published keys knows it by then.
func (k Keyring) Ready() time.Time {
	if k.Known.IsZero() {
		return time.Time{}
	}
	return k.Known.Add(PublishedFor)
}

// Rotate retires the active key and makes the next one active, for tokens of
// a longest life.
func (k Keyring) Rotate(longest time.Duration, now time.Time) (Keyring, error) {
	k, _ = k.Sweep(now)
	if len(k.Retired) >= maxRetired {
		return Keyring{}, fmt.Errorf("sessions: %d retired keys whose tokens still live are enough", len(k.Retired))
	}
	old, err := k.Active.private()
	if err != nil {
		return Keyring{}, err
	}
	fresh, err := NewKey()
	if err != nil {
		return Keyring{}, err
	}
	now = second(now)
	retired := Retired{ID: k.Active.ID, Public: &old.PublicKey, Since: now, Until: now.Add(k.Longest + leeway)}
	return Keyring{
		Active: k.Next, Since: now, Longest: longest, Next: fresh, Known: now,
		Retired: append([]Retired{retired}, k.Retired...),
	}, nil
}

// Sweep returns the keys without retired ones that are over, and whether there
// were any.
func (k Keyring) Sweep(now time.Time) (Keyring, bool) {
	over := func(r Retired) bool { return !now.Before(r.Until) }
	if !slices.ContainsFunc(k.Retired, over) {
		return k, false
	}
	k.Retired = slices.DeleteFunc(slices.Clone(k.Retired), over)
	return k, true
}

// Signer returns a Signer that signs with the active key and verifies with all
// of them.
func (k Keyring) Signer() (*Signer, error) {
	others, err := k.others()
	if err != nil {
		return nil, err
	}
	return NewSigner(k.Active, others)
}

// Turn makes a Signer do as Signer says.
func (k Keyring) Turn(s *Signer) error {
	others, err := k.others()
	if err != nil {
		return err
	}
	return s.Replace(k.Active, others)
}

// others are the keys that verify beside the active one.
func (k Keyring) others() (map[string]crypto.PublicKey, error) {
	others := make(map[string]crypto.PublicKey, len(k.Retired)+1)
	for _, r := range k.Retired {
		others[r.ID] = r.Public
	}
	next, err := k.Next.private()
	if err != nil {
		return nil, err
	}
	others[k.Next.ID] = &next.PublicKey
	return others, nil
}

// The form of keys at rest: a PEM block each, with what is known of it in its
// headers. One block alone without a state is a key from before there were
// rings.
const (
	pemPublic  = "PUBLIC KEY"
	pemState   = "State"
	pemSince   = "Since"
	pemUntil   = "Until"
	pemLongest = "Longest"

	stateActive  = "active"
	stateNext    = "next"
	stateRetired = "retired"
)

// MarshalPEM returns the keys for a file that only its owner reads.
func (k Keyring) MarshalPEM() ([]byte, error) {
	var out bytes.Buffer
	for _, one := range []struct {
		key     Key
		headers map[string]string
	}{
		{k.Active, map[string]string{pemState: stateActive, pemSince: stamp(k.Since), pemLongest: k.Longest.String()}},
		{k.Next, map[string]string{pemState: stateNext, pemSince: stamp(k.Known)}},
	} {
		text, err := one.key.MarshalPEM()
		if err != nil {
			return nil, err
		}
		block, _ := pem.Decode(text)
		maps.Copy(block.Headers, one.headers)
		out.Write(pem.EncodeToMemory(block))
	}
	for _, r := range k.Retired {
		raw, err := x509.MarshalPKIXPublicKey(r.Public)
		if err != nil {
			return nil, fmt.Errorf("marshal key %s: %w", r.ID, err)
		}
		out.Write(pem.EncodeToMemory(&pem.Block{Type: pemPublic, Bytes: raw, Headers: map[string]string{
			pemHeader: r.ID, pemState: stateRetired, pemSince: stamp(r.Since), pemUntil: stamp(r.Until),
		}}))
	}
	return out.Bytes(), nil
}

// ParseKeyring reads what MarshalPEM wrote, or a key alone, whose next one has
// to be made: Next is the zero Key then. Anything else is ErrKey.
func ParseKeyring(text []byte) (Keyring, error) {
	var k Keyring
	seen := map[string]bool{}
	for rest := bytes.TrimSpace(text); len(rest) > 0; rest = bytes.TrimSpace(rest) {
		block, after := pem.Decode(rest)
		if block == nil || !bytes.HasPrefix(rest, []byte("-----BEGIN ")) {
			return Keyring{}, fmt.Errorf("%w: want PEM blocks alone", ErrKey)
		}
		if err := k.add(block, rest[:len(rest)-len(after)]); err != nil {
			return Keyring{}, err
		}
		if id := block.Headers[pemHeader]; seen[id] {
			return Keyring{}, fmt.Errorf("%w: %q is there twice", ErrKey, id)
		}
		seen[block.Headers[pemHeader]] = true
		rest = after
	}
	if k.Active.ID == "" {
		return Keyring{}, fmt.Errorf("%w: none is active", ErrKey)
	}
	return k, nil
}

// add takes one block, as it was decoded and as it stood there.
func (k *Keyring) add(block *pem.Block, text []byte) error {
	since, err := moment(block, pemSince)
	if err != nil {
		return err
	}
	switch state := block.Headers[pemState]; {
	case block.Type == pemType && (state == stateActive || state == "") && k.Active.ID == "":
		if longest := block.Headers[pemLongest]; longest != "" {
			if k.Longest, err = time.ParseDuration(longest); err != nil || k.Longest < 0 {
				return fmt.Errorf("%w: header %s", ErrKey, pemLongest)
			}
		}
		k.Since = since
		k.Active, err = ParseKey(text)
		return err
	case block.Type == pemType && state == stateNext && k.Next.ID == "":
		k.Known = since
		k.Next, err = ParseKey(text)
		return err
	case block.Type == pemPublic && state == stateRetired:
		return k.addRetired(block, since)
	}
	return fmt.Errorf("%w: block %.32q in state %.32q", ErrKey, block.Type, block.Headers[pemState])
}

func (k *Keyring) addRetired(block *pem.Block, since time.Time) error {
	until, err := moment(block, pemUntil)
	if err != nil {
		return err
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return fmt.Errorf("%w: PKIX: %w", ErrKey, err)
	}
	public, ok := parsed.(*ecdsa.PublicKey)
	if id := block.Headers[pemHeader]; !ok || public.Curve != elliptic.P256() || !validID(id) || until.IsZero() {
		return fmt.Errorf("%w: retired key %.64q", ErrKey, id)
	}
	k.Retired = append(k.Retired, Retired{ID: block.Headers[pemHeader], Public: public, Since: since, Until: until})
	return nil
}

// second is a time as the file keeps it.
func second(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// moment reads a time in a header; none is the zero time.
func moment(block *pem.Block, name string) (time.Time, error) {
	text := block.Headers[name]
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: header %s", ErrKey, name)
	}
	return t.UTC(), nil
}
