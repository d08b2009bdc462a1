package server_test

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gateway/internal/canonical"
	"gateway/internal/identity"
	"gateway/internal/server"
	"gateway/policy"
)

// allowed lists what the policy has allowed lately, in a few words.
func (h *house) allowed() []string {
	h.Helper()
	var all server.AdminRecorded
	h.command(http.MethodGet, "/allows", nil).wants(http.StatusOK).decode(&all)
	var lines []string
	for _, one := range all.Requests {
		line := one.Method + " " + one.Host + one.Path + " by "
		if who := all.By(one); who == nil {
			line += "nobody"
		} else {
			line += who.Login + " of " + strings.Join(who.Groups, ",") + " by " + strings.Join(who.AMR, "+") + " at " + who.Origin
		}
		lines = append(lines, line+" from "+one.Client)
	}
	slices.Sort(lines)
	return lines
}

// What the policy allows is remembered once, whichever way it came; what it
// refuses, and what passes beyond it, is not.
func TestAllowsAreListed(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		listing(h)
		bob, alice := h.at(h.bob), h.at(h.alice)
		guest := h.guest(h.letsGuests(server.AdminGuest{Paths: []string{"/**"}}).Link)
		h.server.Allows.Forget()
		for range 3 {
			h.asks(forwardAuth, h.about("/x?q=1", bob...)).wants(http.StatusOK)
			h.asks(authRequest, h.about("/x?q=2", bob...)).wants(http.StatusOK)
		}
		h.asks(forwardAuth, h.about("/admin/x", alice...)).wants(http.StatusOK)
		h.asks(forwardAuth, h.about("/public/x")).wants(http.StatusOK)
		h.asks(forwardAuth, h.about("/x"))
		h.asks(forwardAuth, h.about("/admin/x", bob...)).wants(http.StatusForbidden)
		preflight := h.about("/x", append(sends(spa, "cross-site"), "Access-Control-Request-Method", "PUT")...)
		preflight.method = http.MethodOptions
		h.asks(forwardAuth, preflight).wants(http.StatusOK)
		h.asks(forwardAuth, h.about("/guest", guest...)).wants(http.StatusOK)
		h.asks(forwardAuth, h.about("/"+strings.Repeat("x", 600), bob...)).wants(http.StatusOK)
		h.program().get(h.Wiki+"/y", bob...).wants(http.StatusOK)
		client := h.about("/").client
		want := sorted([]string{
			"GET " + h.site.wiki + "/x by bob of  by pwd at local from " + client,
			"GET " + h.site.wiki + "/admin/x by alice of admins by pwd at local from " + client,
			"GET " + h.site.wiki + "/public/x by nobody from " + client,
			"GET " + h.site.wiki + "/y by bob of  by pwd at local from 127.0.0.1",
		})
		if got := h.allowed(); !slices.Equal(got, want) {
			t.Errorf("allowed lately:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		h.between(func() { h.server.Allows = nil })
		h.asks(forwardAuth, h.about("/x", bob...)).wants(http.StatusOK)
		if got := h.allowed(); len(got) != 0 {
			t.Errorf("allowed lately, where nothing is remembered: %q", got)
		}
	})
}

// remembering is a server that remembers, and nothing else.
func remembering(now func() time.Time) *server.Server {
	return &server.Server{Allows: server.NewAllows(), Now: now}
}

// asking is a request that was allowed.
func asking(who *identity.Principal, client, path string) policy.Request {
	addr, _ := netip.ParseAddr(client)
	return policy.Request{Method: "GET", Host: "wiki.example.com", Path: canonical.Path(path), Client: addr, Who: who}
}

// What differs in what a policy could see is remembered beside; what does not is
// written anew now and then.
func TestAllowsAreDistinct(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	s := remembering(func() time.Time { return now })
	bob := identity.Principal{UserID: "u1", Login: "bob", Origin: "local", AMR: []string{"pwd"}, Groups: []string{"staff"}}
	with := func(change func(*identity.Principal)) *identity.Principal {
		other := bob
		change(&other)
		return &other
	}
	otp := with(func(p *identity.Principal) { p.AMR = []string{"pwd", "otp"} })
	for _, row := range []struct {
		story string
		r     policy.Request
		more  int
	}{
		{"somebody", asking(&bob, "192.0.2.1", "/a"), 1},
		{"the same again", asking(&bob, "192.0.2.1", "/a"), 0},
		{"from the same network", asking(&bob, "192.0.2.200", "/a"), 0},
		{"the same as IPv6", asking(&bob, "::ffff:192.0.2.7", "/a"), 0},
		{"from another network", asking(&bob, "192.0.3.1", "/a"), 1},
		{"from an IPv6 network", asking(&bob, "2001:db8:1::1", "/a"), 1},
		{"from the same IPv6 network", asking(&bob, "2001:db8:1:2::1", "/a"), 0},
		{"from another IPv6 network", asking(&bob, "2001:db8:2::1", "/a"), 1},
		{"from nowhere", asking(&bob, "", "/a"), 1},
		{"another path", asking(&bob, "192.0.2.1", "/b"), 1},
		{"another factor", asking(otp, "192.0.2.1", "/a"), 1},
		{"another door", asking(with(func(p *identity.Principal) { p.Origin = "corp" }), "192.0.2.1", "/a"), 1},
		{"by a token", asking(with(func(p *identity.Principal) { p.Token = true }), "192.0.2.1", "/a"), 1},
		{"somebody else", asking(with(func(p *identity.Principal) { p.UserID = "u2" }), "192.0.2.1", "/a"), 1},
		{"a path of 512 bytes", asking(&bob, "192.0.2.1", "/"+strings.Repeat("x", 511)), 1},
		{"a longer path", asking(&bob, "192.0.2.1", "/"+strings.Repeat("x", 512)), 0},
		{"nobody", asking(nil, "192.0.2.1", "/a"), 1},
		{"nobody from elsewhere", asking(nil, "203.0.113.1", "/a"), 0},
		{"other groups, soon", asking(with(func(p *identity.Principal) { p.Groups = []string{"ops"} }), "192.0.2.1", "/a"), 0},
	} {
		before := len(s.Allows.Listed())
		if s.Allowed(row.r)(); len(s.Allows.Listed()) != before+row.more {
			t.Errorf("%s: %d more, want %d", row.story, len(s.Allows.Listed())-before, row.more)
		}
	}
	before := len(s.Allows.Listed())
	now = now.Add(time.Minute)
	s.Allows.Minutes(1)
	s.Allowed(asking(with(func(p *identity.Principal) { p.Groups = []string{"ops"} }), "192.0.2.9", "/a"))()
	all := s.Allows.Listed()
	last := all[len(all)-1]
	if len(all) != before || !last.Now.Equal(now) || last.Who.Groups[0] != "ops" || last.Client.String() != "192.0.2.9" {
		t.Errorf("a minute later: %d, want %d; %+v", len(all), before, last)
	}
}

// Who asks for many paths, and whoever is nobody, crowds out few others and
// takes little time.
func TestAllowsAreBounded(t *testing.T) {
	s := remembering(time.Now)
	person := func(i int) *identity.Principal {
		return &identity.Principal{UserID: fmt.Sprint("u", i), Login: fmt.Sprint("person", i), Origin: "local", AMR: []string{"pwd"}}
	}
	for i := range 320 {
		s.Allowed(asking(person(i), "192.0.2.1", "/"))()
	}
	if got := len(s.Allows.Listed()); got < 300 {
		t.Errorf("of 320 people %d are remembered", got)
	}
	for i := range 3000 {
		if i%400 == 0 {
			s.Allows.Minutes(1)
		}
		s.Allowed(asking(person(0), "192.0.2.1", fmt.Sprint("/", i)))()
		s.Allowed(asking(nil, "192.0.2.1", fmt.Sprint("/", i)))()
	}
	people, nobody, hers := map[string]bool{}, 0, 0
	for _, r := range s.Allows.Listed() {
		switch {
		case r.Who == nil:
			nobody++
		case r.Who.UserID == "u0":
			hers++
		default:
			people[r.Who.UserID] = true
		}
	}
	if hers != 256 || len(people) < 280 || nobody == 0 || nobody > 2048 {
		t.Errorf("of one person %d requests, of nobody %d, and %d other people", hers, nobody, len(people))
	}
	s = remembering(time.Now)
	for i := range 2000 {
		s.Allowed(asking(nil, "192.0.2.1", fmt.Sprint("/", i)))()
	}
	for i := range 2000 {
		s.Allowed(asking(person(i), "192.0.2.1", "/"))()
	}
	if got := len(s.Allows.Listed()); got > 600 || got < 500 {
		t.Errorf("in a second %d are taken, want 600", got)
	}
}

// Many at once remember, list and forget.
func TestAllowsAtOnce(t *testing.T) {
	s := remembering(time.Now)
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			who := &identity.Principal{UserID: fmt.Sprint("u", g%3), Groups: []string{"a"}}
			for i := range 300 {
				s.Allowed(asking(who, "192.0.2.1", fmt.Sprint("/", i)))()
				if i%100 == 0 {
					s.Allows.Minutes(1)
					s.Allows.Listed()
				}
			}
		})
	}
	all.Wait()
	for _, r := range s.Allows.Listed() {
		if r.Who == nil || !strings.HasPrefix(r.Who.UserID, "u") || r.Path == "" {
			t.Fatalf("remembered is %+v", r)
		}
	}
	if s.Allows.Forget(); len(s.Allows.Listed()) != 0 {
		t.Error("something is remembered still")
	}
	s.Allows.Second()
	for range 2 { // and may come again
		s.Allowed(asking(&identity.Principal{UserID: "u1", Groups: []string{"a"}}, "192.0.2.1", "/299"))()
	}
	if got := s.Allows.Listed(); len(got) != 1 {
		t.Errorf("remembered again is %+v", got)
	}
}

// New ones are taken each second, and known ones written anew each minute.
func TestAllowsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := remembering(time.Now)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go s.Allows.Watch(ctx)
		for i := range 200 {
			s.Allowed(asking(nil, "", fmt.Sprint("/", i)))()
		}
		first := len(s.Allows.Listed())
		time.Sleep(1100 * time.Millisecond)
		s.Allowed(asking(nil, "", "/more"))()
		if got := len(s.Allows.Listed()); got != first+1 {
			t.Errorf("a second later %d, want %d", got, first+1)
		}
		written := time.Now()
		time.Sleep(20 * time.Second)
		s.Allowed(asking(nil, "", "/more"))()
		all := s.Allows.Listed()
		if last := all[len(all)-1].Now; !last.Equal(written) {
			t.Errorf("what was asked again soon was written %v later", last.Sub(written))
		}
		time.Sleep(time.Minute)
		s.Allowed(asking(nil, "", "/more"))()
		all = s.Allows.Listed()
		if since := time.Since(all[len(all)-1].Now); since != 0 {
			t.Errorf("what was asked again was written %v ago", since)
		}
		cancel()
		synctest.Wait()
	})
}

// What is known costs no memory.
func TestAllowsAllocateNothing(t *testing.T) {
	s := remembering(time.Now)
	for _, who := range []*identity.Principal{nil, {UserID: "u1", Origin: "local", AMR: []string{"pwd", "otp"}}} {
		known := s.Allowed(asking(who, "192.0.2.1", "/a/b/c"))
		known()
		if got := testing.AllocsPerRun(100, known); got != 0 {
			t.Errorf("%v: %v allocations, want 0", who, got)
		}
	}
}

// BenchmarkAllow is what the memory of allows costs a check.
func BenchmarkAllow(b *testing.B) {
	who := &identity.Principal{UserID: "WHDFXHZT3DCMEVA6XE4H3X6V6P", Login: "alice", Origin: "local", AMR: []string{"pwd"}, Groups: []string{"ops", "staff"}}
	for _, row := range []struct {
		name string
		who  *identity.Principal
		s    *server.Server
	}{
		{"known person", who, remembering(time.Now)}, {"nobody", nil, remembering(time.Now)}, {"off", who, &server.Server{}},
	} {
		b.Run(row.name, func(b *testing.B) {
			known := row.s.Allowed(asking(row.who, "192.0.2.7", "/api/v1/dashboards/home"))
			b.ReportAllocs()
			for b.Loop() {
				known()
			}
		})
	}
	b.Run("new ones", func(b *testing.B) {
		s := remembering(time.Now)
		all := make([]func(), 1<<14)
		for i := range all {
			all[i] = s.Allowed(asking(who, "192.0.2.7", fmt.Sprint("/api/v1/dashboards/", i)))
		}
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			s.Allows.Second()
			all[i%len(all)]()
		}
	})
}

// BenchmarkObserve is what a request waits for a decision that is made beside.
func BenchmarkObserve(b *testing.B) {
	for _, row := range []struct {
		name string
		app  policy.App
	}{
		{"nothing", policy.App{Name: "wiki", Host: "wiki.example.com", Allow: signedIn}},
		{"a candidate", policy.App{Name: "wiki", Host: "wiki.example.com", Allow: signedIn, Observe: &policy.Candidate{Allow: inAdmins}}},
	} {
		b.Run(row.name, func(b *testing.B) {
			guard, err := policy.New(policy.Config{Apps: []policy.App{row.app}})
			if err != nil {
				b.Fatal(err)
			}
			s := &server.Server{Observer: server.NewObserver(nil, nil), Now: time.Now}
			s.Policy.Store(guard)
			s.Observer.Know(guard, server.AdminObservedFile{}, time.Now())
			ctx, cancel := context.WithCancel(b.Context())
			var watching sync.WaitGroup
			watching.Go(func() { s.Observer.Watch(ctx) })
			defer watching.Wait()
			defer cancel()
			handOver := s.Observed(asking(&identity.Principal{UserID: "u1", Login: "bob"}, "192.0.2.7", "/api/v1/dashboards/home"))
			b.ReportAllocs()
			for b.Loop() {
				handOver()
			}
		})
	}
}

// A person is kept once for all that they ask for, and anew when anything about
// them has changed; what is kept belongs to nobody else.
func TestAllowsKeepPeople(t *testing.T) {
	s := remembering(time.Now)
	proved := time.Now()
	bob := func() *identity.Principal {
		return &identity.Principal{UserID: "u1", Login: "bob", Name: "Bob", Email: "bob@example.com", EmailVerified: true, Origin: "local", AuthTime: proved, AMR: []string{"pwd"}, Groups: []string{"staff"}}
	}
	kept := func(who *identity.Principal, path string) *identity.Principal {
		t.Helper()
		s.Allowed(asking(who, "192.0.2.1", path))()
		for _, r := range s.Allows.Listed() {
			if string(r.Path) == path {
				return r.Who
			}
		}
		t.Fatalf("%s is not remembered", path)
		return nil
	}
	first := bob()
	one := kept(first, "/0")
	if one == first || kept(bob(), "/1") != one {
		t.Error("the same person is kept twice, or is the one who asks")
	}
	first.Login, first.Groups[0], first.AMR[0] = "x", "x", "x"
	if want := bob(); !reflect.DeepEqual(one, want) {
		t.Errorf("kept is %+v, want %+v", one, want)
	}
	for i, change := range []func(*identity.Principal){
		func(p *identity.Principal) { p.Login = "robert" },
		func(p *identity.Principal) { p.Name = "Robert" },
		func(p *identity.Principal) { p.Email = "robert@example.com" },
		func(p *identity.Principal) { p.EmailVerified = false },
		func(p *identity.Principal) { p.Origin = "corp" },
		func(p *identity.Principal) { p.AuthTime = proved.Add(time.Second) },
		func(p *identity.Principal) { p.Token = true },
		func(p *identity.Principal) { p.AMR = []string{"pwd", "otp"} },
		func(p *identity.Principal) { p.Groups = []string{"ops"} },
	} {
		want := bob()
		change(want)
		if got := kept(want, fmt.Sprint("/changed/", i)); !reflect.DeepEqual(got, want) {
			t.Errorf("kept is %+v, want %+v", got, want)
		}
	}
	for i := range 400 { // some of them stand where bob does
		want := bob()
		want.UserID = fmt.Sprint("v", i)
		s.Allowed(asking(want, "192.0.2.1", "/"+want.UserID))()
	}
	for _, r := range s.Allows.Listed() {
		if path := string(r.Path); path[1] == 'v' && path[1:] != r.Who.UserID {
			t.Errorf("%s was asked for by %s", path, r.Who.UserID)
		}
	}
}

// Minutes are counted to the end of their bits and on.
func TestAllowsOverTheLastMinute(t *testing.T) {
	s := remembering(time.Now)
	s.Allows.Minutes(1<<16 - 1)
	who := &identity.Principal{UserID: "u1"}
	for i := range 3000 {
		if i%400 == 0 {
			s.Allows.Second()
		}
		s.Allowed(asking(who, "192.0.2.1", fmt.Sprint("/", i)))()
	}
	if got := len(s.Allows.Listed()); got != 256 {
		t.Errorf("%d are remembered, want 256", got)
	}
}
