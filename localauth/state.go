package localauth

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"
)

// state is what has to be remembered between Begin and Finish. It travels
// sealed as the challenge's id.
type state struct {
	want       Want
	genuine    bool // a real record stood behind the challenge
	expires    time.Time
	version    int64 // of the record
	iterations int
	salt       []byte
	browser    [32]byte // SHA-256 of the pre-session cookie
	portal     [32]byte // SHA-256 of the portal's URL
	nonce      string   // ours
	bare       string   // client-first-message-bare
}

const (
	stateFormat = 1
	nonceSize   = 24                      // random bytes of our nonce
	nonceText   = (nonceSize*8 + 5) / 6   // characters of it in base64url
	stateSize   = 1 + 1 + 1 + 8 + 8 + 4 + // format, want, genuine, expires, version, iterations
		1 + maxSalt + 32 + 32 + nonceText + // salt with its length, browser, portal, nonce
		2 + maxBare // message with its length
	// minID and maxID bound a challenge's id before anything is computed from
	// it. Sealing adds to the size, base64 by a third; every id has one length
	// between them.
	minID = stateSize
	maxID = 2 * stateSize
)

// encode returns s in stateSize bytes, whatever it holds.
func (s state) encode() []byte {
	b := make([]byte, 0, stateSize)
	b = append(b, stateFormat, byte(s.want), byte(one(s.genuine))) //nolint:gosec // G115: 0 or 1
	b = binary.BigEndian.AppendUint64(b, uint64(s.expires.UnixMilli()))
	b = binary.BigEndian.AppendUint64(b, uint64(s.version))    //nolint:gosec // G115: the same bits either way
	b = binary.BigEndian.AppendUint32(b, uint32(s.iterations)) //nolint:gosec // G115: at most MaxIterations
	b = append(b, byte(len(s.salt)))                           //nolint:gosec // G115: at most maxSalt
	b = append(b, s.salt...)
	b = append(b, make([]byte, maxSalt-len(s.salt))...)
	b = append(b, s.browser[:]...)
	b = append(b, s.portal[:]...)
	b = append(b, s.nonce...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(s.bare))) //nolint:gosec // G115: at most maxBare
	b = append(b, s.bare...)
	return append(b, make([]byte, maxBare-len(s.bare))...)
}

// decodeState reads what encode wrote.
func decodeState(b []byte) (state, error) {
	if len(b) != stateSize || b[0] != stateFormat {
		return state{}, fmt.Errorf("%w: of another format", ErrNoChallenge)
	}
	cut := func(n int) (part []byte) {
		part, b = b[:n], b[n:]
		return part
	}
	cut(1)
	s := state{want: Want(cut(1)[0]), genuine: cut(1)[0] == 1}
	s.expires = time.UnixMilli(int64(binary.BigEndian.Uint64(cut(8)))) //nolint:gosec // G115: the same bits either way
	s.version = int64(binary.BigEndian.Uint64(cut(8)))                 //nolint:gosec // G115: the same bits either way
	s.iterations = int(binary.BigEndian.Uint32(cut(4)))
	salted := int(cut(1)[0])
	salt := cut(maxSalt)
	s.browser, s.portal = [32]byte(cut(32)), [32]byte(cut(32))
	s.nonce = string(cut(nonceText))
	said := int(binary.BigEndian.Uint16(cut(2)))
	if salted > maxSalt || said > len(b) {
		return state{}, fmt.Errorf("%w: of another format", ErrNoChallenge)
	}
	s.salt, s.bare = salt[:salted], string(b[:said])
	return s, nil
}

// digest is how a text is bound into a challenge.
func digest(text string) [32]byte { return sha256.Sum256([]byte(text)) }
