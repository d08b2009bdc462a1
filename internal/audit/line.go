package audit

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"time"
)

// Kinds of lines that the book writes about itself.
const (
	Opened     Kind = "file"       // the first line of every file
	Note       Kind = "note"       // what was found when the book was opened
	Suppressed Kind = "suppressed" // so many lines were left out
)

// Line is one line of the book.
type Line struct {
	Seq  uint64    `json:"seq"`  // 1, 2, 3 … over all files
	Time time.Time `json:"time"` // UTC
	Event
	Count    int    `json:"count,omitempty"`    // of lines that were left out
	Previous string `json:"previous,omitempty"` // in the first line of a file: the MAC before it
	MAC      string `json:"mac,omitempty"`      // over the line before and all of this one up to here
}

// The end of every line: its MAC, of which 128 bits are kept.
const (
	macSize   = 32 // hexadecimal digits
	macBefore = `,"mac":"`
	macAfter  = `"}`
	endSize   = len(macBefore) + macSize + len(macAfter)
)

// errLine says that a text is no line of a book.
var errLine = errors.New("not a line of the book")

// chain makes MACs. It is not safe for concurrent use.
type chain struct{ hash hash.Hash }

func newChain(key []byte) chain { return chain{hmac.New(sha256.New, key)} }

// mac chains a line to the one before it.
func (c chain) mac(previous string, body []byte) string {
	c.hash.Reset()
	_, _ = c.hash.Write([]byte(previous)) // a hash never fails
	_, _ = c.hash.Write(body)
	return hex.EncodeToString(c.hash.Sum(nil)[:macSize/2])
}

// text writes the line, chained to the one before it, and fills in its MAC.
func (l *Line) text(c chain, previous string) ([]byte, error) {
	l.MAC = ""
	raw, err := json.Marshal(l)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	body := raw[:len(raw)-1]
	l.MAC = c.mac(previous, body)
	return append(append(append(append(body, macBefore...), l.MAC...), macAfter...), '\n'), nil
}

// parse reads a line, without its newline, and returns what its MAC is over.
func parse(text []byte) (l Line, body []byte, err error) {
	if len(text) < endSize || !bytes.HasPrefix(text[len(text)-endSize:], []byte(macBefore)) {
		return Line{}, nil, errLine
	}
	if err := json.Unmarshal(text, &l); err != nil || l.Seq == 0 || len(l.MAC) != macSize {
		return Line{}, nil, errLine
	}
	return l, text[:len(text)-endSize], nil
}
