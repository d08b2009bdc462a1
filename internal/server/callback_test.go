package server_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"gateway/providers/providertest"
)

// sourceFree is how many failures of one address cause no wait.
const sourceFree = 100

// spent takes out what is remembered of the things that are good once, and
// returns how many they were.
func (h *house) spent() int {
	h.Helper()
	n, err := h.store.Sweep(h.Context(), h.clock.now().Add(48*time.Hour))
	h.must(err)
	return n
}

// comesBack begins a sign-in and returns at once, with a code of nobody's.
func (b *browser) comesBack(headers ...string) answer {
	b.Helper()
	start := b.navigate(b.Portal + "/.gateway/start/corp?rd=%2F.gateway%2Fsign-out").wants(http.StatusSeeOther)
	asked, err := url.Parse(start.location())
	b.must(err)
	back := url.Values{"state": {asked.Query().Get("state")}, "code": {"made-up"}}
	return b.get(b.Portal+"/.gateway/callback/corp?"+back.Encode(), headers...)
}

// Whoever sends callbacks that come to nothing makes the gateway write and ask
// only so often.
func TestFailingCallbacksRest(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	h.clock.stop()
	h.spent()
	b := h.browser()
	for range sourceFree {
		b.comesBack().refuses("a free try", http.StatusBadRequest, "InvalidSession")
	}
	if got := h.spent(); got != sourceFree {
		t.Errorf("%d states are spent, want %d", got, sourceFree)
	}
	asked := len(h.corp.Seen(providertest.Token))
	before := h.rows()
	for range 10 {
		a := b.comesBack()
		a.refuses("one more", http.StatusTooManyRequests, "TooManyAttempts")
		if got := a.header.Get("Retry-After"); got != "1" {
			t.Errorf("Retry-After: %q, want 1", got)
		}
	}
	page := b.comesBack(navigation...).wants(http.StatusTooManyRequests)
	if !strings.HasPrefix(page.header.Get("Content-Type"), "text/html") || page.header.Get("Retry-After") != "1" || !strings.Contains(page.body, `href="/.gateway/sign-in?rd=`) {
		t.Errorf("a person sees %v, %s, want a page that says when and where to begin again", page.header, page.body)
	}
	honest := h.browser()
	callback := honest.leave("/")
	honest.navigate(callback).wants(http.StatusTooManyRequests) // it has lost nothing
	if got := h.spent(); got != 0 {
		t.Errorf("%d states are spent by callbacks that are not looked at", got)
	}
	if got := len(h.corp.Seen(providertest.Token)) - asked; got != 0 {
		t.Errorf("the provider's token endpoint is asked %d times more", got)
	}
	h.unchanged("throttled", before)

	elsewhere := &browser{h, nil, h.client(nil, stranger, h.public.Listener.Addr())}
	elsewhere.get(h.Portal+"/.gateway/callback/corp?state=x&code=y").refuses("from elsewhere", http.StatusUnauthorized, "ChallengeNotFoundOrExpired")
	h.clock.pass(time.Second)
	honest.navigate(callback).wants(http.StatusSeeOther)
	if got := honest.get(h.Portal + "/.gateway/connect").who().Login; got != "dave" {
		t.Errorf("signed in is %q, want dave", got)
	}
}

// Callbacks that nobody could have begun are counted like the others.
func TestForgedCallbacksAreThrottled(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	h.clock.stop()
	h.spent()
	p := h.program()
	callback := h.Portal + "/.gateway/callback/"
	for range sourceFree / 4 {
		for _, query := range []string{"state=x&code=y", "state=x&error=access_denied", "state=x&code=y&iss=https%3A%2F%2Fevil.test", "state=" + strings.Repeat("A", 400) + "&code=y"} {
			p.get(callback+"corp?"+query).refuses(query, http.StatusUnauthorized, "ChallengeNotFoundOrExpired")
		}
	}
	p.get(callback+"corp?state=x&code=y").refuses("one more", http.StatusTooManyRequests, "TooManyAttempts")
	p.get(callback+"guests?state=x&code=y").refuses("of another origin", http.StatusTooManyRequests, "TooManyAttempts")
	if got := h.spent(); got != 0 {
		t.Errorf("%d states are spent by callbacks without one", got)
	}
}

// A whole office may sign in from one address.
func TestSignInsAreForgiven(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	h.clock.stop()
	b := h.browser()
	for range sourceFree + sourceFree/5 {
		b.navigate(b.leave("/")).wants(http.StatusSeeOther)
	}
	if got := b.get(h.Portal + "/.gateway/connect").who().Login; got != "dave" {
		t.Errorf("signed in is %q, want dave", got)
	}
	if got := h.live(h.dave); got != 1 {
		t.Errorf("dave has %d sessions, want 1", got)
	}
}
