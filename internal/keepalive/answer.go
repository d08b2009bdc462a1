package keepalive

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// answer is the answer to one request: written into memory, sent once. It is
// used again for the next.
type answer struct {
	conn   *conn
	header http.Header
	names  []string // of the header, in order
	out    []byte   // what has been said of status line and header
	body   []byte
	now    time.Time
	status int
	head   bool // to HEAD: no body is sent
}

// maxKept is the longest buffer that is kept for the next answer.
const maxKept = 64 << 10

func (a *answer) begin(r *http.Request, now time.Time) {
	clear(a.header)
	if cap(a.body) > maxKept {
		a.body = nil
	}
	a.out, a.body, a.status, a.now = a.out[:0], a.body[:0], 0, now
	a.head = r != nil && r.Method == http.MethodHead
}

// Header is what WriteHeader will say.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader says the header, but for what depends on the body. Informational
// answers are not sent.
func (a *answer) WriteHeader(status int) {
	if a.status != 0 || status < http.StatusOK {
		return
	}
	a.status = status
	a.out = append(a.out, "HTTP/1.1 "...)
	a.out = strconv.AppendInt(a.out, int64(status), 10)
	a.out = append(a.out, ' ')
	a.out = append(a.out, http.StatusText(status)...)
	a.out = append(a.out, "\r\n"...)
	a.names = a.names[:0]
	for name := range a.header {
		a.names = append(a.names, name)
	}
	slices.Sort(a.names)
	for _, name := range a.names {
		if name == "Content-Length" || name == "Connection" || name == "Transfer-Encoding" || name == "Date" {
			continue // ours to say
		}
		for _, value := range a.header[name] {
			a.out = append(a.out, name...)
			a.out = append(a.out, ": "...)
			if strings.ContainsAny(value, "\r\n") {
				value = oneLine.Replace(value)
			}
			a.out = append(a.out, value...)
			a.out = append(a.out, "\r\n"...)
		}
	}
	a.out = append(a.out, a.conn.all.date(a.now)...)
}

var oneLine = strings.NewReplacer("\r", " ", "\n", " ")

// Write adds to the body.
func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	if a.bodiless() {
		return 0, http.ErrBodyNotAllowed
	}
	a.body = append(a.body, p...)
	return len(p), nil
}

// bodiless reports whether the status has no body (RFC 9110, section 6.4.1).
func (a *answer) bodiless() bool {
	return a.status == http.StatusNoContent || a.status == http.StatusNotModified
}

// SetReadDeadline is for a handler that reads the body.
func (a *answer) SetReadDeadline(t time.Time) error {
	a.conn.until = time.Time{}
	return a.conn.SetReadDeadline(t)
}

// finish sends the answer, in one write.
func (a *answer) finish(stays bool) error {
	a.WriteHeader(http.StatusOK)
	if !a.bodiless() {
		a.out = append(a.out, "Content-Length: "...)
		a.out = strconv.AppendInt(a.out, int64(len(a.body)), 10)
		a.out = append(a.out, "\r\n"...)
	}
	if !stays {
		a.out = append(a.out, "Connection: close\r\n"...)
	}
	a.out = append(a.out, "\r\n"...)
	if !a.head {
		a.out = append(a.out, a.body...)
	}
	_, err := a.conn.Write(a.out)
	return err
}
