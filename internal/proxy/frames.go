package proxy

import "encoding/binary"

// The kinds of frames that matter here, and their parts (RFC 6455, section 5.2).
const (
	opBinary  = 0x2
	opClose   = 0x8
	opPong    = 0xa
	bitFinal  = 0x80
	bitMasked = 0x80
	short     = 125 // the longest payload whose length is in the second byte, and of a control frame
)

// frames follows what a server sends over a WebSocket, to know where a frame
// ends. It looks at their heads alone.
type frames struct {
	head [10]byte
	have int    // of the head
	rest uint64 // of the payload
	lost bool   // this is no frame, or nothing follows it
}

// between reports whether a frame may be put in here.
func (f *frames) between() bool { return !f.lost && f.have == 0 && f.rest == 0 }

// pass follows what was sent.
func (f *frames) pass(sent []byte) {
	for len(sent) > 0 && !f.lost {
		if n := min(f.rest, uint64(len(sent))); n > 0 {
			f.rest -= n
			sent = sent[n:]
			continue
		}
		f.head[f.have] = sent[0]
		f.have++
		sent = sent[1:]
		if f.have > 1 {
			f.read()
		}
	}
}

// read reads the head as far as it is there.
func (f *frames) read() {
	kind, length := f.head[0]&0xf, uint64(f.head[1])
	size := 2
	switch {
	case length&bitMasked != 0, kind > opBinary && kind < opClose, kind > opPong, // no server says so
		kind > opClose && (length > short || f.head[0]&bitFinal == 0),
		kind == opClose: // the app has said it itself
		f.lost = true
		return
	case length == short+1:
		size += 2
	case length == short+2:
		size += 8
	}
	if f.have < size {
		return
	}
	switch size {
	case 4:
		length = uint64(binary.BigEndian.Uint16(f.head[2:]))
	case 10:
		length = binary.BigEndian.Uint64(f.head[2:])
	}
	f.have, f.rest, f.lost = 0, length, length > 1<<63-1
}

// closeFrame is how a server ends a WebSocket (RFC 6455, section 5.5.1).
func closeFrame(code uint16, reason string) []byte {
	reason = reason[:min(len(reason), short-2)]
	frame := []byte{bitFinal | opClose, byte(2 + len(reason))} //nolint:gosec // 125 at most
	return append(binary.BigEndian.AppendUint16(frame, code), reason...)
}
