package providers_test

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gateway/providers"
	"gateway/providers/providertest"
)

func TestSignIn(t *testing.T) {
	d := newDoor(t)
	a, req, err := d.Finish(t.Context(), "corp", "alices", d.begin(t, "/wiki?x=1"))
	if err != nil {
		t.Fatal(err)
	}
	if who := a.Identity; who.Issuer != d.corp.URL || who.Subject != "248289761001" || who.Provider != "corp" {
		t.Errorf("identity = %+v, want the person at corp", who)
	}
	if req.ReturnTo != "/wiki?x=1" || req.Provider != "corp" {
		t.Errorf("request = %+v, want what was asked", req)
	}
	if a.SessionID == "" || a.IDToken.Empty() || a.Expires.IsZero() {
		t.Errorf("assertion = %+v, want sid, ID token and its end", a)
	}
}

func TestFinish(t *testing.T) {
	for _, row := range []struct {
		name    string
		origin  string
		browser string
		late    time.Duration
		bend    func(cb *providers.Callback)
		want    error
	}{
		{"honest", "corp", "alices", 0, nil, nil},
		{"just in time", "corp", "alices", 10*time.Minute - time.Second, nil, nil},
		{"too late", "corp", "alices", 10 * time.Minute, nil, providers.ErrNoRequest},
		{"far too late", "corp", "alices", 24 * time.Hour, nil, providers.ErrNoRequest},
		{"clock stepped back a second", "corp", "alices", -time.Second, nil, nil},
		{"clock stepped back an hour", "corp", "alices", -time.Hour, nil, providers.ErrNoRequest},
		{"another browser", "corp", "mallorys", 0, nil, providers.ErrNoRequest},
		{"no browser", "corp", "", 0, nil, providers.ErrNoRequest},
		{"at another origin's callback", "partner", "alices", 0, nil, providers.ErrNoRequest},
		{"at an unknown origin's callback", "nobody", "alices", 0, nil, providers.ErrUnknownOrigin},
		{"at no origin's callback", "", "alices", 0, nil, providers.ErrUnknownOrigin},
		{"no state", "corp", "alices", 0, func(cb *providers.Callback) { cb.State = "" }, providers.ErrNoRequest},
		{"cut state", "corp", "alices", 0, func(cb *providers.Callback) { cb.State = cb.State[:len(cb.State)-4] }, providers.ErrNoRequest},
		{"changed state", "corp", "alices", 0, func(cb *providers.Callback) { cb.State = "A" + cb.State[1:] }, providers.ErrNoRequest},
		{"state with a line break", "corp", "alices", 0, func(cb *providers.Callback) { cb.State += "\n" }, providers.ErrNoRequest},
		{"huge state", "corp", "alices", 0, func(cb *providers.Callback) { cb.State = strings.Repeat("A", 100<<10) }, providers.ErrNoRequest},
		{"no code", "corp", "alices", 0, func(cb *providers.Callback) { cb.Code = "" }, providers.ErrNoRequest},
		{"huge code", "corp", "alices", 0, func(cb *providers.Callback) { cb.Code = strings.Repeat("A", 100<<10) }, providers.ErrNoRequest},
		{"code and error", "corp", "alices", 0, func(cb *providers.Callback) { cb.Error = "access_denied" }, providers.ErrNoRequest},
		{"another code", "corp", "alices", 0, func(cb *providers.Callback) { cb.Code = "nobody's" }, providers.ErrRefused},
		{"our issuer", "corp", "alices", 0, func(cb *providers.Callback) { cb.Issuer, cb.IssuerPresent = "http://127.0.0.1:1", true }, nil},
		{"another issuer", "corp", "alices", 0, func(cb *providers.Callback) { cb.Issuer, cb.IssuerPresent = "http://127.0.0.1:2", true }, providers.ErrRefused},
		{"issuer with a slash", "corp", "alices", 0, func(cb *providers.Callback) { cb.Issuer, cb.IssuerPresent = "http://127.0.0.1:1/", true }, providers.ErrRefused},
		{"empty issuer", "corp", "alices", 0, func(cb *providers.Callback) { cb.IssuerPresent = true }, providers.ErrRefused},
		{"denied", "corp", "alices", 0, func(cb *providers.Callback) { cb.Code, cb.Error = "", "access_denied" }, providers.ErrDenied},
	} {
		t.Run(row.name, func(t *testing.T) {
			d := newDoor(t)
			cb := d.begin(t, "/")
			if row.bend != nil {
				row.bend(&cb)
			}
			d.now = d.now.Add(row.late)
			a, _, err := d.Finish(t.Context(), row.origin, row.browser, cb)
			if !errors.Is(err, row.want) {
				t.Errorf("Finish = %v, want %v", err, row.want)
			}
			if err != nil && a.Identity.Subject != "" {
				t.Errorf("refused and still asserted: %+v", a)
			}
			asked := d.corp.Count(providertest.Token) + d.partner.Count(providertest.Token)
			if spends := row.want == nil || row.name == "another code"; (asked > 0) != spends {
				t.Errorf("%d token requests, want some: %v", asked, spends)
			}
		})
	}
}

func TestStateIsGoodOnce(t *testing.T) {
	d := newDoor(t)
	cb := d.begin(t, "/")
	var signedIn, none atomic.Int32
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			_, _, err := d.Finish(t.Context(), "corp", "alices", cb)
			switch {
			case err == nil:
				signedIn.Add(1)
			case errors.Is(err, providers.ErrNoRequest):
				none.Add(1)
			}
		})
	}
	all.Wait()
	if signedIn.Load() != 1 || none.Load() != 49 || d.corp.Count(providertest.Token) != 1 {
		t.Errorf("%d signed in, %d turned away, %d token requests, want 1, 49, 1", signedIn.Load(), none.Load(), d.corp.Count(providertest.Token))
	}
}

func TestDenied(t *testing.T) {
	for _, row := range []struct{ said, want string }{
		{"access_denied", "access_denied"},
		{"login_required", "login_required"},
		{"temporarily_unavailable", "temporarily_unavailable"},
		{"<script>", "other"},
		{"Access Denied", "other"},
		{strings.Repeat("a", 65), "other"},
	} {
		d := newDoor(t)
		cb := d.begin(t, "/wiki")
		code := cb.Code
		cb.Code, cb.Error = "", row.said
		_, req, err := d.Finish(t.Context(), "corp", "alices", cb)
		var denied *providers.Denied
		if !errors.As(err, &denied) || denied.Code != row.want || !errors.Is(err, providers.ErrDenied) {
			t.Errorf("error=%s: %v, want ErrDenied with %s", row.said, err, row.want)
		}
		if req.ReturnTo != "/wiki" {
			t.Errorf("error=%s: return to %q, want /wiki: the person may try again", row.said, req.ReturnTo)
		}
		cb.Code, cb.Error = code, ""
		if _, _, err := d.Finish(t.Context(), "corp", "alices", cb); !errors.Is(err, providers.ErrNoRequest) {
			t.Errorf("the same state again: %v, want ErrNoRequest", err)
		}
	}
}

func TestNothingIsTakenForStrangers(t *testing.T) {
	d := newDoor(t)
	cb := d.begin(t, "/")
	for _, browser := range []string{"", "mallorys"} {
		_, _, _ = d.Finish(t.Context(), "corp", browser, cb)
	}
	_, _, _ = d.Finish(t.Context(), "partner", "alices", cb)
	if got := d.spent.count(); got != 0 {
		t.Errorf("%d taken, want 0", got)
	}
	if _, _, err := d.Finish(t.Context(), "corp", "alices", cb); err != nil {
		t.Errorf("alice herself: %v, want nil", err)
	}
}

func TestStoreThatCannotTell(t *testing.T) {
	d := newDoor(t)
	cb := d.begin(t, "/")
	broken := errors.New("disk on fire")
	d.spent.err = broken
	_, _, err := d.Finish(t.Context(), "corp", "alices", cb)
	if !errors.Is(err, broken) || errors.Is(err, providers.ErrNoRequest) || errors.Is(err, providers.ErrRefused) {
		t.Errorf("Finish = %v, want that it cannot tell", err)
	}
	if got := d.corp.Count(providertest.Token); got != 0 {
		t.Errorf("%d token requests, want 0: the code is spent only once the request is taken", got)
	}
}

func TestTabsDoNotDisturbEachOther(t *testing.T) {
	d := newDoor(t)
	tabs := []string{"/a", "/b", "/c", "/d"}
	callbacks := make([]providers.Callback, len(tabs))
	for i, tab := range tabs {
		callbacks[i] = d.begin(t, tab)
	}
	var all sync.WaitGroup
	for i, tab := range tabs {
		all.Go(func() {
			if _, req, err := d.Finish(t.Context(), "corp", "alices", callbacks[i]); err != nil || req.ReturnTo != tab {
				t.Errorf("tab %s: %q, %v", tab, req.ReturnTo, err)
			}
		})
	}
	all.Wait()
}

// A code that answers one tab's request does not end another's.
func TestCodesDoNotChangeTabs(t *testing.T) {
	d := newDoor(t)
	one, two := d.begin(t, "/one"), d.begin(t, "/two")
	one.Code, two.Code = two.Code, one.Code
	for _, cb := range []providers.Callback{one, two} {
		if _, _, err := d.Finish(t.Context(), "corp", "alices", cb); !errors.Is(err, providers.ErrRefused) {
			t.Errorf("Finish = %v, want ErrRefused", err)
		}
	}
}

func TestBegin(t *testing.T) {
	d := newDoor(t)
	for _, row := range []struct {
		name, id, browser, returnTo string
		want                        error
	}{
		{"unknown origin", "nobody", "alices", "/", providers.ErrUnknownOrigin},
		{"local is no provider", "local", "alices", "/", providers.ErrUnknownOrigin},
		{"no browser", "corp", "", "/", providers.ErrNoRequest},
	} {
		if _, err := d.Begin(t.Context(), row.id, row.browser, row.returnTo, 0); !errors.Is(err, row.want) {
			t.Errorf("%s: %v, want %v", row.name, err, row.want)
		}
	}
	if _, err := d.Begin(t.Context(), "corp", "alices", strings.Repeat("/", providers.MaxReturnTo+1), 0); err == nil {
		t.Error("return address too long: nil, want an error")
	}
	seen := map[string]bool{}
	for range 20 {
		address, err := d.Begin(t.Context(), "corp", "alices", "/secret-place", 0)
		if err != nil || seen[address] || strings.Contains(address, "secret-place") {
			t.Errorf("Begin = %s, %v, want another address each time, and the return address nowhere", address, err)
		}
		seen[address] = true
	}
}

func TestLongestReturnAddressComesBack(t *testing.T) {
	d := newDoor(t)
	far := "/" + strings.Repeat("a", providers.MaxReturnTo-1)
	_, req, err := d.Finish(t.Context(), "corp", "alices", d.begin(t, far))
	if err != nil || req.ReturnTo != far {
		t.Errorf("Finish = %d bytes, %v, want %d", len(req.ReturnTo), err, len(far))
	}
}

func TestHealth(t *testing.T) {
	d := newDoor(t)
	d.begin(t, "/")
	got := d.Health()
	if len(got) != 2 || !got[0].Up || got[0].ID != "corp" || got[1].Up || got[1].Err == "" || got[1].Name != "Partner" {
		t.Errorf("Health = %+v, want corp up and partner not yet", got)
	}
}
