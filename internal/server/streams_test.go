package server_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gateway/internal/accounts"
	"gateway/internal/proxy"
	"gateway/internal/server"
	"gateway/policy"
	"gateway/sessions"
)

// lasting is an app that goes on until somebody ends it.
type lasting struct {
	under atomic.Int64 // requests that it is busy with
}

// behind lets the apps of a house last.
func (l *lasting) behind(h *house) {
	app := httptest.NewServer(l)
	h.Cleanup(app.Close)
	for _, name := range []string{"wiki", "board"} {
		h.leads(name, proxy.Upstream{URL: h.url(app.URL)})
	}
}

func (l *lasting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.under.Add(1)
	defer l.under.Add(-1)
	w.Header().Set(echoes, "1")
	pause := pieceTime
	switch r.URL.Query().Get("way") {
	case "websocket":
		tunnels(w, r)
		return
	case "socket":
		socket(w, r)
		return
	case "events":
		w.Header().Set("Content-Type", "text/event-stream")
	case "download":
		w.Header().Set("Content-Length", fmt.Sprint(1<<40))
	case "flood":
		w.Header().Set("Content-Length", fmt.Sprint(1<<40))
		pause = 0
	case "upload":
		_, _ = io.Copy(io.Discard, r.Body)
		return
	case "poll":
		<-r.Context().Done()
		return
	}
	piece := []byte("data: hello\n\n")
	if pause == 0 {
		piece = make([]byte, 64<<10)
	}
	for r.Context().Err() == nil {
		if _, err := w.Write(piece); err != nil {
			return
		}
		_ = http.NewResponseController(w).Flush()
		time.Sleep(pause)
	}
}

// idle waits until the app is busy with so many requests.
func (l *lasting) idle(t *testing.T, want int64) {
	t.Helper()
	for end := time.Now().Add(patience); l.under.Load() != want; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the app is busy with %d requests, want %d", l.under.Load(), want)
		}
	}
}

// ways are the kinds of requests that last.
var ways = []string{"websocket", "events", "chunks", "download", "flood", "upload", "poll"}

// open is a request that lasts, as its client sees it.
type lastingRequest struct {
	way    string
	conn   net.Conn
	r      *bufio.Reader
	end    chan error // once: how it ended, nil for an answer
	answer answer     // of those that were not answered before
}

// dial connects to the public listener, as the site is.
func (h *house) dial() net.Conn {
	h.Helper()
	conn, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", h.public.Listener.Addr().String())
	h.must(err)
	if h.site.scheme == "https" {
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
	}
	h.Cleanup(func() { _ = conn.Close() })
	h.must(conn.SetDeadline(time.Now().Add(2 * patience)))
	return conn
}

// lasts begins a request in one of the ways, and waits until it is under way.
func (h *house) lasts(way, path string, lines ...string) *lastingRequest {
	h.Helper()
	l := &lastingRequest{way: way, conn: h.dial(), end: make(chan error, 1)}
	text := h.page(path+"?way="+way, lines...)
	switch way {
	case "websocket":
		text = h.upgrades(path+"?way="+way, []string{"websocket"}, lines...)
	case "upload":
		text = posts(h.site.wiki, path+"?way="+way, chunked, lines...)
	default:
		text = strings.Replace(text, "Connection: close\r\n", "", 1)
	}
	_, err := io.WriteString(l.conn, text)
	h.must(err)
	l.r = bufio.NewReader(l.conn)
	if way == "upload" || way == "poll" {
		go l.awaits(h)
		return l
	}
	resp, err := http.ReadResponse(l.r, nil) //nolint:bodyclose // it ends with the connection
	h.must(err)
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusSwitchingProtocols {
		h.Fatalf("%s: status %d", way, resp.StatusCode)
	}
	body := io.Reader(resp.Body)
	if way == "websocket" {
		body = l.r
	}
	_, err = io.ReadFull(body, make([]byte, len("data: hello\n\n")))
	h.must(err)
	if way != "flood" { // which reads no more until it is over
		go l.reads(body)
	}
	return l
}

// reads reads until the end.
func (l *lastingRequest) reads(body io.Reader) {
	_, err := io.Copy(io.Discard, body)
	if err == nil && l.way == "websocket" {
		err = io.EOF
	}
	l.end <- err
}

// awaits waits for the answer, sending what there is to send.
func (l *lastingRequest) awaits(h *house) {
	r := &http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/x"}}
	if l.way == "upload" {
		stop := make(chan struct{})
		defer close(stop)
		go func() {
			for {
				if _, err := io.WriteString(l.conn, "1\r\n \r\n"); err != nil {
					return
				}
				select {
				case <-stop:
					return
				case <-time.After(pieceTime):
				}
			}
		}()
	}
	resp, err := http.ReadResponse(l.r, r)
	if err == nil {
		l.answer = h.read(r, "", resp)
		_, err = io.Copy(io.Discard, l.r) // the connection is over, too
	}
	l.end <- err
}

// wantsEnd waits for the end, and fails the test if it looks like a good one.
func (l *lastingRequest) wantsEnd(t *testing.T, story string, status ...int) {
	t.Helper()
	if l.way == "flood" {
		l.reads(l.r)
	}
	select {
	case err := <-l.end:
		switch answers := l.way == "upload" || l.way == "poll"; {
		case errors.Is(err, os.ErrDeadlineExceeded):
			t.Errorf("%s: %s goes on", story, l.way)
		case answers && err == nil && !slices.Contains(status, l.answer.status):
			t.Errorf("%s: %s: answered %d, want %v: %.200s", story, l.way, l.answer.status, status, l.answer.body)
		case answers && l.answer.status == 0 && l.way == "poll":
			t.Errorf("%s: %s: no answer: %v", story, l.way, err)
		case !answers && l.way != "flood" && err == nil:
			t.Errorf("%s: %s ended as if it were whole", story, l.way)
		}
	case <-time.After(patience):
		t.Errorf("%s: %s goes on", story, l.way)
	}
}

// child returns a browser at wiki and the header of its session there.
func (h *house) child(p person) (*browser, []string) {
	h.Helper()
	b := h.as(p)
	page, _ := b.visit(h.Wiki + "/.gateway/sign-in?rd=/.gateway/connect")
	page.wants(http.StatusOK)
	return b, b.session(h.Wiki)
}

// swap makes another policy current: wiki is closed but for /public.
func (h *house) swap() {
	h.Helper()
	var apps []policy.App
	for _, name := range []string{"wiki", "board"} {
		apps = append(apps, policy.App{Name: name, Host: h.server.Apps[name].Hosts[0], Rules: []policy.Rule{{Name: "shut", Deny: true}}})
	}
	guard, err := policy.New(policy.Config{Apps: apps})
	h.must(err)
	h.server.Policy.Store(guard)
}

// Whoever may not begin a request any more may not go on with one either,
// whatever its kind, and that within R; everybody else goes on.
func TestStreamsEnd(t *testing.T) {
	for _, row := range []struct {
		story  string
		who    func(*house) person
		path   string
		status int
		do     func(h *house, b *browser)
	}{
		{"the command line ends the session", bobs, "/x", 401, func(h *house, _ *browser) {
			h.command(http.MethodDelete, "/sessions/"+h.rows().sessionOf(h.bob.id), nil).wants(200)
		}},
		{"the command line ends all sessions", bobs, "/x", 401, func(h *house, _ *browser) { h.command(http.MethodDelete, "/sessions?user=bob", nil).wants(200) }},
		{"sign-out at the app", bobs, "/x", 401, func(h *house, b *browser) { b.post(h.Wiki+"/.gateway/logout", "").wants(200) }},
		{"sign-out at the portal", bobs, "/x", 401, func(h *house, b *browser) { b.post(h.Portal+"/.gateway/logout", "").wants(200) }},
		{"sign-out, of what everyone may", bobs, "/public/x", 401, func(h *house, b *browser) { b.post(h.Portal+"/.gateway/logout", "").wants(200) }},
		{"the person is disabled", bobs, "/x", 401, func(h *house, _ *browser) { h.command(http.MethodPost, "/users/bob/disable", nil).wants(200) }},
		{"the person is deleted", bobs, "/x", 401, func(h *house, _ *browser) { h.command(http.MethodDelete, "/users/bob", nil).wants(200) }},
		{"the person leaves the group", alices, "/admin/x", 403, func(h *house, _ *browser) {
			h.command(http.MethodPost, "/users/alice/groups", server.AdminGroups{Remove: []string{"admins"}}).wants(200)
		}},
		{"the policy changes", bobs, "/x", 403, func(h *house, _ *browser) { h.swap() }},
		{"the policy changes for nobody in particular", nil, "/public/x", 403, func(h *house, _ *browser) { h.swap() }},
		{"the session is a day old", bobs, "/x", 401, func(h *house, _ *browser) { h.clock.pass(25 * time.Hour) }},
		{"the app's own limit has passed", bobs, "/x", 401, func(h *house, _ *browser) {
			h.limits(sessions.Limits{Lifetime: 20 * time.Minute})
			h.clock.pass(20 * time.Minute)
		}},
		{"the app's limits are shorter now", bobs, "/public/x", 401, func(h *house, _ *browser) {
			h.clock.pass(20 * time.Minute)
			h.limits(sessions.Limits{Idle: 15 * time.Minute})
		}},
		{"the proof is too old for the rule by now", alices, "/admin/x", 401, func(h *house, _ *browser) {
			h.recent()
			h.clock.pass(15*time.Minute + time.Second)
		}},
		{"a proof once more opens another session", bobs, "/x", 401, func(h *house, b *browser) { b.proves(h.bob).wants(200) }},
	} {
		t.Run(strings.ReplaceAll(row.story, " ", "-"), func(t *testing.T) {
			t.Parallel()
			both(t, func(t *testing.T, h *house) {
				app := &lasting{}
				app.behind(h)
				h.watch.failing.Store(true)
				var b *browser
				var cookie []string
				if row.who != nil {
					b, cookie = h.child(row.who(h))
				}
				var all []*lastingRequest
				for _, way := range ways {
					all = append(all, h.lasts(way, row.path, cookie...))
				}
				app.idle(t, int64(len(ways)))
				row.do(h, b)
				late := lag()
				app.idle(t, 0)
				took, lost := late()
				if took > time.Second+lost {
					t.Errorf("%s: the app was let go after %v, want a second at most (the machine itself lost %v)", row.story, took, lost)
				}
				ends := []int{row.status}
				if lost > 100*time.Millisecond { // it may have been too late to tell why
					ends = append(ends, http.StatusServiceUnavailable)
				}
				for _, one := range all {
					one.wantsEnd(t, row.story, ends...)
				}
			})
		})
	}
}

func bobs(h *house) person { return h.bob }

func alices(h *house) person { return h.alice }

func (r rows) sessionOf(userID string) string {
	for _, s := range r.sessions {
		if s.UserID == userID && s.Parent != "" {
			return s.ID
		}
	}
	return ""
}

// lag measures time, and how much of it the machine was late by.
func lag() func() (took, lost time.Duration) {
	began, stop, total := time.Now(), make(chan struct{}), make(chan time.Duration)
	go func() {
		var lost time.Duration
		for {
			before := time.Now()
			select {
			case <-stop:
				total <- lost
				return
			case <-time.After(time.Millisecond):
				lost += max(0, time.Since(before)-3*time.Millisecond)
			}
		}
	}()
	return func() (time.Duration, time.Duration) {
		took := time.Since(began)
		close(stop)
		return took, <-total
	}
}

// Who has done nothing goes on, however many others are ended; so does who
// passed as nobody.
func TestOthersGoOn(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		app := &lasting{}
		app.behind(h)
		_, bob := h.child(h.bob)
		_, alice := h.child(h.alice)
		_, second := h.child(h.bob)
		var mine, others []*lastingRequest
		for range 5 {
			mine = append(mine, h.lasts("websocket", "/x", bob...))
		}
		for _, cookie := range [][]string{alice, second, nil} {
			others = append(others, h.lasts("websocket", "/public/x", cookie...))
		}
		h.must(h.server.Sessions.Revoke(t.Context(), h.rows().sessionOf(h.bob.id)))
		for _, one := range mine {
			one.wantsEnd(t, "revoked", 0)
		}
		app.idle(t, int64(len(others)))
		for _, one := range others {
			_, err := io.WriteString(one.conn, "hello\n")
			h.must(err)
			select {
			case err := <-one.end:
				t.Errorf("a stream of somebody else ended: %v", err)
			default:
			}
		}
	})
}

// Whoever leaves, in whatever order, the rest are watched as before.
func TestStreamsThatLeave(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	app := &lasting{}
	app.behind(h)
	_, bob := h.child(h.bob)
	_, alice := h.child(h.alice)
	for _, leave := range [][]int{{0}, {1}, {3}, {0, 2}, {3, 0}, {1, 2, 0}} {
		var all []*lastingRequest
		for range 4 {
			all = append(all, h.lasts("websocket", "/x", alice...))
		}
		gone := map[int]bool{}
		for _, i := range leave {
			h.must(all[i].conn.Close())
			gone[i] = true
			app.idle(t, int64(len(all)-len(gone)))
		}
		all = append(all, h.lasts("websocket", "/x", bob...))
		h.must(h.server.Sessions.Revoke(t.Context(), h.rows().sessionOf(h.alice.id)))
		app.idle(t, 1)
		for i, one := range all {
			if i < 4 && !gone[i] {
				one.wantsEnd(t, "revoked", 0)
			}
		}
		h.must(all[4].conn.Close())
		app.idle(t, 0)
		_, alice = h.child(h.alice)
	}
	if got := h.audited("audit", "refusal"); len(got) != 0 {
		t.Errorf("the book has refusals of who is only to sign in again: %v", got)
	}
}

// A page of an origin that the app lists reads why its request has ended.
func TestEndsThatPagesRead(t *testing.T) {
	t.Parallel()
	h := open(t, https, listing)
	h.watch.failing.Store(true)
	app := &lasting{}
	app.behind(h)
	for _, row := range []struct {
		path   string
		status int
		end    func()
	}{
		{"/public/x", http.StatusUnauthorized, func() { h.command(http.MethodDelete, "/sessions?user=bob", nil).wants(http.StatusOK) }},
		{"/x", http.StatusUnauthorized, func() { h.command(http.MethodDelete, "/sessions?user=bob", nil).wants(http.StatusOK) }},
		{"/x", http.StatusServiceUnavailable, func() {
			u := &unsure{Store: h.store}
			u.cannot.Store(1 << 40)
			h.asksOf(u)
		}},
	} {
		_, bob := h.child(h.bob)
		one := h.lasts("poll", row.path, append(sends(spa, "cross-site"), bob...)...)
		app.idle(t, 1)
		row.end()
		one.wantsEnd(t, row.path, row.status)
		if got := one.answer.header.Get("Access-Control-Allow-Origin"); got != spa {
			t.Errorf("%s, %d: %q may read it", row.path, row.status, got)
		}
	}
}

// unsure is a store of sessions that cannot tell so many times, or not at all
// while it hangs.
type unsure struct {
	sessions.Store
	cannot atomic.Int64
	hang   atomic.Pointer[chan struct{}]
	asked  atomic.Int64
	panics atomic.Bool
}

func (u *unsure) Session(ctx context.Context, id string) (sessions.Session, error) {
	u.asked.Add(1)
	if wait := u.hang.Load(); wait != nil {
		<-*wait
	}
	if u.panics.Load() {
		panic("the store of sessions")
	}
	if u.cannot.Add(-1) >= 0 {
		return sessions.Session{}, errors.New("the store does not answer")
	}
	return u.Store.Session(ctx, id)
}

// A store that cannot tell ends a stream, but not at once: it may be back for
// the next question.
func TestStreamsOfAStoreThatCannotTell(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		h.watch.failing.Store(true)
		h.watch.panics.Store(true)
		app := &lasting{}
		app.behind(h)
		u := &unsure{Store: h.store}
		h.asksOf(u)
		_, bob := h.child(h.bob)
		begin := func() (all []*lastingRequest) {
			t.Helper()
			for _, way := range ways {
				all = append(all, h.lasts(way, "/public/x", bob...))
			}
			app.idle(t, int64(len(ways)))
			return all
		}
		for _, row := range []struct {
			path  string
			lines []string
		}{
			{"/x", bob},
			{"/public/x", bob},
			{"/public/x", slices.Concat(bearer(h.token(h.bob, "wiki")), sends("https://evil.test", "cross-site"))}, // from a page that was given it
		} {
			one := h.lasts("websocket", row.path, row.lines...)
			u.cannot.Store(1)
			for before, end := u.asked.Load(), time.Now().Add(patience); u.asked.Load() < before+10; time.Sleep(time.Millisecond) {
				if time.Now().After(end) {
					t.Fatal("nobody asks")
				}
			}
			select {
			case err := <-one.end:
				t.Fatalf("%s: it ended after one question without an answer: %v", row.path, err)
			default:
			}
			h.must(one.conn.Close())
			app.idle(t, 0)
		}
		for story, down := range map[string]func() (up func()){
			"the store is down": func() func() {
				u.cannot.Store(1 << 40)
				return func() { u.cannot.Store(0) }
			},
			"the store panics": func() func() {
				u.panics.Store(true)
				return func() { u.panics.Store(false) }
			},
			"the store hangs": func() func() {
				wait := make(chan struct{})
				u.hang.Store(&wait)
				return func() {
					u.hang.Store(nil)
					close(wait)
				}
			},
		} {
			all := begin()
			up := down()
			for _, one := range all {
				one.wantsEnd(t, story, http.StatusServiceUnavailable)
			}
			app.idle(t, 0)
			up()
		}
	})
}

// Streams outlast a configuration, and are asked about by the one that holds.
func TestStreamsOutlastTheServer(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		app := &lasting{}
		app.behind(h)
		_, bob := h.child(h.bob)
		stays, goes := h.lasts("websocket", "/public/x"), h.lasts("websocket", "/public/x", bob...)
		old := h.server
		next := &server.Server{
			Site: old.Site, Trusted: old.Trusted, Apps: old.Apps, Foreign: old.Foreign, Register: old.Register, Sessions: old.Sessions, Asserter: old.Asserter,
			Throttle: old.Throttle, Spent: old.Spent, Streams: old.Streams, Pepper: old.Pepper, Seals: old.Seals, Audit: old.Audit, Log: old.Log, Now: old.Now,
		} // its password door is shut
		next.Policy.Store(old.Policy.Load())
		h.current.Store(next)
		goes.wantsEnd(t, "the door is shut", 0)
		_, err := io.WriteString(stays.conn, "hello\n")
		h.must(err)
		app.idle(t, 1)
	})
}

// A stream is use of its session, and of the parent of that.
func TestStreamsAreUse(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	app := &lasting{}
	app.behind(h)
	_, bob := h.child(h.bob)
	h.lasts("websocket", "/x", bob...)
	seen := func() time.Time {
		s, err := h.store.Session(t.Context(), h.rows().parentOf(h.bob.id))
		h.must(err)
		return s.Seen
	}
	h.clock.pass(50 * time.Minute)
	for before, end := seen(), time.Now().Add(patience); !seen().After(before.Add(49 * time.Minute)); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the session was last used at %v, the stream is open", seen())
		}
	}
	h.clock.pass(50 * time.Minute)
	h.program().get(h.Wiki+"/public/x?way=upload", bob...).wants(http.StatusOK)
	app.idle(t, 1)
}

func (r rows) parentOf(userID string) string {
	for _, s := range r.sessions {
		if s.UserID == userID && s.Parent == "" {
			return s.ID
		}
	}
	return ""
}

// The book says who was refused the rest, once; nobody else is in it.
func TestStreamsInTheBook(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	app := &lasting{}
	app.behind(h)
	_, alice := h.child(h.alice)
	for range 3 {
		h.lasts("websocket", "/admin/x", alice...)
	}
	h.lasts("websocket", "/x", alice...)
	app.idle(t, 4)
	_, err := h.server.Register.SetGroups(t.Context(), h.alice.id, accounts.GroupEdit{Remove: []string{"admins"}})
	h.must(err)
	app.idle(t, 1)
	refusals := func() int { return strings.Count(h.log.String(), `"audit":"refusal"`) }
	for end := time.Now().Add(patience); refusals() < 3 && time.Now().Before(end); { // the app is told before the book
		time.Sleep(10 * time.Millisecond)
	}
	if got := refusals(); got != 3 {
		t.Errorf("%d refusals in the book, want 3: %s", got, h.log)
	}
	if got := strings.Count(h.log.String(), "a request under way was ended"); got != 3 {
		t.Errorf("the log tells of %d ends, want 3", got)
	}
	ids := map[any]bool{}
	for _, line := range h.audited("audit", "refusal") {
		ids[line["decision_id"]] = line["decision_id"] != nil && line["decision_id"] != ""
	}
	if len(ids) != 3 || ids[nil] {
		t.Errorf("the decisions are %v, want three", ids)
	}
}

// Nothing is left of streams that were cut.
func TestStreamsLeaveNothing(t *testing.T) { //nolint:paralleltest // goroutines are counted
	h := open(t, https)
	app := &lasting{}
	app.behind(h)
	round := func() {
		b, bob := h.child(h.bob)
		b.client.CloseIdleConnections()
		var all []*lastingRequest
		for range 3 {
			for _, way := range ways {
				all = append(all, h.lasts(way, "/x", bob...))
			}
		}
		app.idle(t, int64(len(all)))
		_, err := h.server.Sessions.RevokeUser(t.Context(), h.bob.id)
		h.must(err)
		for _, one := range all {
			one.wantsEnd(t, "revoked", http.StatusUnauthorized)
			_ = one.conn.Close()
		}
		app.idle(t, 0)
	}
	round()
	base := runtime.NumGoroutine()
	for range 3 {
		round()
	}
	for end := time.Now().Add(patience); runtime.NumGoroutine() > base+5; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			buf := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, %d before\n%s", runtime.NumGoroutine(), base, buf[:runtime.Stack(buf, true)])
		}
	}
}
