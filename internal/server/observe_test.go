package server_test

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gateway/internal/canonical"
	"gateway/internal/identity"
	"gateway/internal/server"
	"gateway/policy"
)

var (
	inAdmins = &policy.Subjects{Groups: []string{"admins"}}
	signedIn = &policy.Subjects{SignedIn: true}
	everyone = &policy.Subjects{Everyone: true}
)

// tightening is wiki open to whoever is signed in, where one rule is observed
// that would let admins alone see a part, and one that would open another part.
func tightening(h *house) policy.Config {
	return policy.Config{Apps: []policy.App{
		{Name: "wiki", Host: h.site.wiki, Rules: []policy.Rule{
			{Paths: []string{"/plans/**"}, Allow: inAdmins, Observe: true},
			{Paths: []string{"/news"}, Allow: everyone, Observe: true},
			{Paths: []string{"/closed/**"}, Deny: true},
			{Allow: signedIn},
		}},
		{Name: "board", Host: h.site.board, Allow: signedIn},
	}}
}

// rules puts a policy into effect, as a reload does.
func (h *house) rules(c policy.Config) {
	h.Helper()
	guard, err := policy.New(c)
	h.must(err)
	h.server.Policy.Store(guard)
	h.server.Observer.Know(guard, server.AdminObservedFile{}, h.clock.now())
}

// observed asks what would be decided otherwise at wiki, once so many of its
// decisions were made beside.
func (h *house) observed(asked uint64) server.AdminObservedApp {
	h.Helper()
	var all server.AdminObserved
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		h.command(http.MethodGet, "/observed", nil).wants(http.StatusOK).decode(&all)
		for _, one := range all.Apps {
			if one.App == "wiki" && one.Asked >= asked {
				return one
			}
		}
		if time.Now().After(deadline) {
			h.Fatalf("%d decisions of wiki were not made beside: %+v", asked, all)
		}
	}
}

// lines are differences in a few words.
func lines(all []server.AdminDifference) []string {
	var lines []string
	for _, d := range all {
		lines = append(lines, fmt.Sprintf("%s %s %s: %v by %s, would be %v by %s (%s), %d times", d.Login, d.Method, d.Path,
			d.Is.Effect, d.Is.Rule, d.Would.Effect, d.Would.Rule, d.Would.Reason, d.Times))
	}
	return lines
}

// What is observed changes no answer, by any way in; who would be answered
// otherwise is counted and listed.
func TestObservedRules(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		bob, alice := h.at(h.bob), h.at(h.alice)
		h.rules(tightening(h))
		before := h.metrics()
		asked := uint64(0)
		for _, row := range []struct {
			path  string
			lines []string
			want  string
		}{
			{"/plans/2027", bob, "allow bob"},
			{"/plans/2027", alice, "allow alice"},
			{"/plans/2027", nil, "login"},
			{"/news", nil, "login"},
			{"/news", bob, "allow bob"},
			{"/closed/x", bob, "deny"},
			{"/other", bob, "allow bob"},
		} {
			for way, got := range h.ways(h.about(row.path, row.lines...)) {
				if asked++; got != row.want {
					t.Errorf("%s, %s: %s, want %s", row.path, way, got, row.want)
				}
			}
		}
		ways := int(asked) / 7
		got := h.observed(asked)
		want := []string{
			fmt.Sprintf("bob GET /plans/2027: allow by wiki[3], would be deny by wiki[0] (not-listed), %d times", ways),
			fmt.Sprintf(" GET /news: login by wiki[3], would be allow by wiki[1] (allowed), %d times", ways),
		}
		if !slices.Equal(lines(got.Differences), want) || got.Asked != asked || int(got.Differ) != 2*ways {
			t.Errorf("observed %+v, want %q", got, want)
		}
		counters := map[string]float64{}
		for name, n := range h.counted(before) {
			if strings.HasPrefix(name, "gateway_observed") {
				counters[name] = n
			}
		}
		n := float64(ways)
		if want := map[string]float64{
			besides("allow", "deny"): n, besides("allow", "allow"): 3 * n, besides("login", "login"): n, besides("login", "allow"): n, besides("deny", "deny"): n,
		}; !maps.Equal(counters, want) {
			t.Errorf("counted %v, want %v", counters, want)
		}
	})
}

func besides(effect, observed string) string {
	return `gateway_observed_decisions_total{app="wiki",effect="` + effect + `",observed="` + observed + `"}`
}

// What no app has, what is not observed and what the policy does not decide is
// not decided beside.
func TestNotObserved(t *testing.T) {
	h := open(t, https, listing)
	bob := h.at(h.bob)
	c := tightening(h)
	c.Apps[0].Rules = slices.Insert(c.Apps[0].Rules, 3, policy.Rule{Paths: []string{"/open"}, Allow: everyone})
	h.rules(c)
	h.asks(forwardAuth, question{"GET", h.site.scheme, h.site.board, "/plans/x", "192.0.2.1", nil}) // not observed
	h.asks(forwardAuth, question{"GET", h.site.scheme, "nowhere.example.com", "/", "192.0.2.1", nil})
	act := h.about("/plans/x", slices.Concat(bob, sends(sibling, "same-site"))...)
	act.method = http.MethodPost
	h.asks(forwardAuth, act).wants(http.StatusForbidden) // a page of another origin
	act.target = "/open"                                 // where it passes as nobody's
	h.asks(forwardAuth, act).wants(http.StatusOK).says("a page of another origin")
	preflight := h.about("/plans/x", slices.Concat(sends(spa, "cross-site"), []string{"Access-Control-Request-Method", "PUT"})...)
	preflight.method = http.MethodOptions
	h.asks(forwardAuth, preflight).wants(http.StatusOK)
	h.asks(forwardAuth, h.about("/plans/..%2fx", bob...)) // no question
	h.asks(forwardAuth, h.about("/plans/x", bearer("gw_A")...)).wants(http.StatusUnauthorized)
	h.asks(forwardAuth, h.about("/plans/x", bob...)).wants(http.StatusOK)
	act.headers = slices.Concat(bob, sends(h.Wiki, "same-origin")) // its own page
	h.asks(forwardAuth, act).wants(http.StatusOK)
	if got := h.observed(2); got.Asked != 2 || len(got.Differences) != 1 {
		t.Errorf("observed %+v", got)
	}
	h.between(func() {
		h.server.Register.Cache = nil
		h.server.Register.Store = forgetful{h.store, errors.New("the disk is on fire")}
	})
	h.asks(forwardAuth, h.about("/open", bob...)).wants(http.StatusOK).says("of whom it cannot be told who they are")
	h.asks(forwardAuth, h.about("/plans/x")).wants(http.StatusUnauthorized)
	if got := h.observed(3); got.Asked != 3 {
		t.Errorf("observed %+v", got)
	}
	var all server.AdminObserved
	if h.command(http.MethodGet, "/observed", nil).decode(&all); len(all.Apps) != 1 || all.Skipped != 0 || all.Lost != 0 {
		t.Errorf("observed %+v", all)
	}
}

// However long it takes to decide beside, and whatever goes wrong there, the
// answers are the same; what is left out is told.
func TestObservingHoldsUpNobody(t *testing.T) {
	h := open(t, https)
	bob := h.at(h.bob)
	h.rules(tightening(h))
	before := h.metrics()
	h.between(func() { // nobody decides beside
		for range 1024 + 10 {
			h.asks(forwardAuth, h.about("/plans/x", bob...)).wants(http.StatusOK)
		}
	})
	if got := h.observed(1024); len(got.Differences) != 1 || got.Differences[0].Times != 1024 {
		t.Errorf("observed %+v", got)
	}
	h.watch.panics.Store(true)
	h.server.Observer.Panic(h.server.Policy.Load(), "wiki")
	h.asks(forwardAuth, h.about("/plans/x", bob...)).wants(http.StatusOK)
	h.observed(1025)
	if got := h.counted(before)["gateway_observed_skipped_total"]; got != 11 {
		t.Errorf("%v were skipped, want 11", got)
	}
	var all server.AdminObserved
	if h.command(http.MethodGet, "/observed", nil).decode(&all); all.Skipped != 11 {
		t.Errorf("%d were skipped, want 11", all.Skipped)
	}
}

// A whole other configuration is observed, hosts that no app has here among
// them.
func TestObservedConfiguration(t *testing.T) {
	h := open(t, https)
	bob := h.at(h.bob)
	c := policy.Config{Apps: []policy.App{{Name: "wiki", Host: h.site.wiki, Rules: []policy.Rule{{Allow: inAdmins, Observe: true}, {Allow: signedIn}}}}}
	c.Observe = &policy.Config{Apps: []policy.App{{Name: "handbook", Host: h.site.wiki, Allow: everyone}, {Name: "new", Host: "new.example.com", Allow: everyone}}}
	h.rules(c)
	h.asks(forwardAuth, h.about("/x", bob...)).wants(http.StatusOK)
	h.asks(forwardAuth, h.about("/x")).wants(http.StatusUnauthorized)
	h.asks(forwardAuth, question{"GET", h.site.scheme, "new.example.com", "/n", "192.0.2.1", nil}).wants(http.StatusForbidden)
	if got := h.observed(2); !slices.Equal(lines(got.Differences), []string{" GET /x: login by wiki[1], would be allow by handbook[0] (allowed), 1 times"}) {
		t.Errorf("observed %+v", got)
	}
	var all server.AdminObserved
	for deadline := time.Now().Add(time.Minute); len(all.Apps) != 2 || all.Apps[0].Asked != 1; time.Sleep(5 * time.Millisecond) {
		if h.command(http.MethodGet, "/observed", nil).decode(&all); time.Now().After(deadline) {
			t.Fatalf("observed %+v", all)
		}
	}
	if none := all.Apps[0]; none.App != "" || len(none.Differences) != 1 || none.Differences[0].Host != "new.example.com" || none.Differences[0].Would.App != "new" {
		t.Errorf("of hosts that no app has: %+v", none)
	}
	if m := h.metrics(); m[`gateway_observed_decisions_total{app="unknown",effect="deny",observed="allow"}`] != 1 {
		t.Errorf("counted %v", m)
	}
}

// A guest passes beside where a link would stand for the sign-in.
func TestObservedGuests(t *testing.T) {
	h := open(t, https)
	c := tightening(h)
	c.Apps[0].Rules = []policy.Rule{
		{Paths: []string{"/a"}, Allow: inAdmins, Observe: true}, {Paths: []string{"/b"}, Deny: true, Observe: true}, {Paths: []string{"/c"}, Allow: signedIn, Factors: 1, Observe: true}, {Allow: signedIn},
	}
	h.rules(c)
	cookie := h.guest(h.letsGuests(server.AdminGuest{Paths: []string{"/**"}}).Link)
	for _, path := range []string{"/a", "/b", "/c", "/d"} {
		h.asks(forwardAuth, h.about(path, cookie...)).wants(http.StatusOK)
	}
	got := lines(h.observed(4).Differences)
	want := []string{" GET /b: allow by wiki[3], would be deny by wiki[1] (rule-denies), 1 times", " GET /c: allow by wiki[3], would be login by wiki[2] (sign-in), 1 times"}
	if !slices.Equal(got, want) {
		t.Errorf("observed %q, want %q", got, want)
	}
}

// A change of what an app's decisions depend on begins anew; any other leaves
// what was found.
func TestObservedAnew(t *testing.T) {
	h := open(t, https)
	bob := h.at(h.bob)
	h.rules(tightening(h))
	h.asks(forwardAuth, h.about("/plans/x", bob...)).wants(http.StatusOK)
	first := h.observed(1)
	h.clock.pass(time.Minute)
	c := tightening(h)
	c.Apps[1].Allow = everyone
	h.rules(c)
	if got := h.observed(1); !got.Since.Equal(first.Since) || len(got.Differences) != 1 {
		t.Errorf("once board has changed: %+v, before %+v", got, first)
	}
	c.Apps[0].Rules[0].Allow = signedIn
	h.rules(c)
	if got := h.observed(0); !got.Since.After(first.Since) || len(got.Differences) != 0 || got.Asked != 0 {
		t.Errorf("once wiki has changed: %+v", got)
	}
	h.asks(forwardAuth, h.about("/plans/x", bob...)).wants(http.StatusOK)
	if got := h.observed(1); len(got.Differences) != 0 {
		t.Errorf("bob would be let in: %+v", got)
	}
	h.rules(policy.Config{Apps: []policy.App{{Name: "wiki", Host: h.site.wiki, Allow: signedIn}}})
	var all server.AdminObserved
	if h.command(http.MethodGet, "/observed", nil).decode(&all); len(all.Apps) != 0 {
		t.Errorf("nothing is observed: %+v", all)
	}
}

// One person's many paths are counted together, strangers crowd out nobody, and
// what is forgotten is told.
func TestDifferencesAreBounded(t *testing.T) {
	h := open(t, https)
	h.rules(policy.Config{Apps: []policy.App{{Name: "wiki", Host: "*." + h.site.wiki, Allow: everyone, Observe: &policy.Candidate{Rules: []policy.Rule{{Paths: []string{"/a/**"}, Deny: true}, {Deny: true}}}}}})
	ask := func(who *identity.Principal, host, path string) {
		h.server.Observer.Decide(h.server.Policy.Load(), policy.Request{Method: "GET", Host: canonical.Host(host), Path: canonical.Path(path), Who: who, Now: time.Now(), Client: netip.Addr{}})
	}
	of := func(i int) *identity.Principal {
		return &identity.Principal{UserID: fmt.Sprint("u", i), Login: fmt.Sprint("person", i)}
	}
	for i := range 60 {
		ask(of(0), "x."+h.site.wiki, fmt.Sprint("/b/", i))
		ask(nil, "x."+h.site.wiki, fmt.Sprint("/b/", i))
	}
	ask(of(0), "x."+h.site.wiki, "/b/0")
	ask(of(0), "x."+h.site.wiki, "/a/"+strings.Repeat("ü", 300))
	var all server.AdminObserved
	h.command(http.MethodGet, "/observed", nil).decode(&all)
	perPerson := map[string]int{}
	for _, d := range all.Apps[0].Differences {
		perPerson[d.Login]++
		switch {
		case d.Path == "/b/0" && d.Login != "" && d.Times != 2, d.Path == "" && (d.Times != 10 || d.Method != "" || d.Host != ""), strings.HasPrefix(d.Path, "/a/") && (len(d.Path) > 260 || !strings.HasSuffix(d.Path, "ü…")):
			t.Errorf("%+v", d)
		}
	}
	if perPerson["person0"] != 52 || perPerson[""] != 51 || all.Lost != 0 || all.Apps[0].Differ != 122 {
		t.Errorf("%v, %d differ, %d were forgotten", perPerson, all.Apps[0].Differ, all.Lost)
	}
	for i := range 4100 {
		if ask(of(1+i), "x."+h.site.wiki, "/"); i == 3000 {
			ask(of(0), "x."+h.site.wiki, "/b/0") // what comes up again is kept
		}
	}
	h.command(http.MethodGet, "/observed", nil).decode(&all)
	strangers := 0
	for _, d := range all.Apps[0].Differences {
		if d.Login == "" {
			strangers++
		}
	}
	if len(all.Apps[0].Differences) != 4000+51 || strangers != 51 || all.Lost != 152 {
		t.Errorf("%d differences, %d of strangers, %d were forgotten", len(all.Apps[0].Differences), strangers, all.Lost)
	}
	hers := func() (paths []string) {
		h.command(http.MethodGet, "/observed", nil).decode(&all)
		for _, d := range all.Apps[0].Differences {
			if d.Login == "person0" {
				paths = append(paths, d.Path)
			}
		}
		return paths
	}
	if got := hers(); !slices.Equal(got, []string{"/b/0"}) {
		t.Errorf("of the first person %q are left", got)
	}
	ask(of(0), "x."+h.site.wiki, "/b/1") // what was forgotten may come again
	if got := hers(); !slices.Equal(got, []string{"/b/0", "/b/1"}) {
		t.Errorf("of the first person %q are left", got)
	}
	for i := range 60 {
		ask(of(0), "x."+h.site.wiki, fmt.Sprint("/b/", i))
	}
	if got := hers(); len(got) != 51 {
		t.Errorf("of the first person there are %d, want 50 and the rest", len(got))
	}

	lost := all.Lost
	wiki := policy.App{Name: "wiki", Host: "*." + h.site.wiki, Allow: everyone, Observe: &policy.Candidate{Rules: []policy.Rule{{Paths: []string{"/a/**"}, Deny: true}, {Deny: true}}}}
	h.rules(policy.Config{Apps: []policy.App{wiki, {Name: "board", Host: h.site.board, Allow: signedIn}}})
	if hers(); all.Lost != lost {
		t.Errorf("another app has changed: %d are forgotten, want %d", all.Lost, lost)
	}
	wiki.Allow = signedIn
	h.rules(policy.Config{Apps: []policy.App{wiki}})
	if hers(); all.Lost != 0 || len(all.Apps[0].Differences) != 0 {
		t.Errorf("begun anew with %d differences, %d forgotten", len(all.Apps[0].Differences), all.Lost)
	}
}

// Losses stand before gains, gains before all else; apps stand by name; a long
// path is cut.
func TestObservedInOrder(t *testing.T) {
	h := open(t, https)
	c := policy.Config{Apps: []policy.App{{Name: "wiki", Host: h.site.wiki, Rules: []policy.Rule{
		{Paths: []string{"/z"}, Deny: true, Observe: true},
		{Paths: []string{"/m"}, Allow: everyone, Observe: true},
		{Paths: []string{"/a"}, Deny: true, Observe: true},
		{Paths: []string{"/long/**"}, Deny: true, Observe: true},
		{Paths: []string{"/m"}, Deny: true},
		{Allow: signedIn},
	}}}}
	want := []string{"wiki"}
	for _, name := range []string{"tea", "soup", "rice", "milk", "jam", "eggs", "cake"} {
		c.Apps = append(c.Apps, policy.App{Name: name, Host: name + "." + h.site.wiki, Allow: signedIn, Observe: &policy.Candidate{Allow: inAdmins}})
		want = append(want, name)
	}
	h.rules(c)
	bob := &identity.Principal{UserID: "u1", Login: "bob", Origin: "local", AMR: []string{"pwd"}}
	ask := func(who *identity.Principal, path string) {
		h.server.Observer.Decide(h.server.Policy.Load(), policy.Request{Method: "GET", Host: canonical.Host(h.site.wiki), Path: canonical.Path(path), Who: who, Now: time.Now()})
	}
	ask(nil, "/a")
	ask(bob, "/m")
	ask(bob, "/z")
	var paths []string
	for _, d := range h.observed(3).Differences {
		paths = append(paths, d.Path)
	}
	if !slices.Equal(paths, []string{"/z", "/m", "/a"}) {
		t.Errorf("listed are %q, want what is lost, what is gained, and the rest", paths)
	}
	var all server.AdminObserved
	h.command(http.MethodGet, "/observed", nil).decode(&all)
	var names []string
	for _, app := range all.Apps {
		names = append(names, app.App)
	}
	if !slices.Equal(names, sorted(want)) || all.File != nil {
		t.Errorf("apps %q, file %v", names, all.File)
	}
	for length, want := range map[int]int{256: 256, 257: 256 + len("…")} {
		path := "/long/" + strings.Repeat("x", length-len("/long/"))
		ask(bob, path)
		found := slices.ContainsFunc(h.observed(4).Differences, func(d server.AdminDifference) bool { return len(d.Path) == want })
		if !found {
			t.Errorf("a path of %d bytes is not told by %d", length, want)
		}
	}
	file := server.AdminObservedFile{Path: "next.yaml", Wrong: []string{"apps.wiki: unknown"}}
	h.server.Observer.Know(h.server.Policy.Load(), file, time.Now())
	if h.command(http.MethodGet, "/observed", nil).decode(&all); all.File == nil || all.File.Path != file.Path || !slices.Equal(all.File.Wrong, file.Wrong) {
		t.Errorf("the file is %+v, want %+v", all.File, file)
	}
}

// A decision by rules that count no more is not kept, nobody's or anybody's; and
// nothing has to listen, nor to count.
func TestObservedTooLate(t *testing.T) {
	h := open(t, https)
	h.rules(tightening(h))
	old := h.server.Policy.Load()
	bob := &identity.Principal{UserID: "u1", Login: "bob", Origin: "local", AMR: []string{"pwd"}}
	ask := func(who *identity.Principal, path string) {
		h.server.Observer.Decide(old, policy.Request{Method: "GET", Host: canonical.Host(h.site.wiki), Path: canonical.Path(path), Who: who, Now: time.Now()})
	}
	ask(nil, "/news")
	if got := h.observed(1); len(got.Differences) != 1 {
		t.Errorf("observed %+v", got)
	}
	c := tightening(h)
	c.Apps[0].Rules[2].Paths = []string{"/shut/**"}
	h.rules(c)
	ask(nil, "/news")
	ask(bob, "/plans/x")
	if got := h.observed(0); got.Asked != 0 || len(got.Differences) != 0 {
		t.Errorf("by rules that count no more: %+v", got)
	}
	h.rules(policy.Config{Apps: []policy.App{{Name: "wiki", Host: h.site.wiki, Allow: signedIn}}})
	ask(bob, "/plans/x")
	var all server.AdminObserved
	if h.command(http.MethodGet, "/observed", nil).decode(&all); len(all.Apps) != 0 || all.Skipped != 0 {
		t.Errorf("where nothing is observed: %+v", all)
	}

	uncounted := server.NewObserver(nil, h.server.Log)
	uncounted.Know(old, server.AdminObservedFile{}, time.Now())
	h.watch.panics.Store(true)
	uncounted.Panic(old, "wiki")
	uncounted.Decide(old, policy.Request{Method: "GET", Host: canonical.Host(h.site.wiki), Path: "/news", Now: time.Now()})

	h.retire()
	h.retire = func() {}
	h.server.Observer = nil
	h.server.Policy.Store(old)
	h.asks(forwardAuth, h.about("/plans/x")).wants(http.StatusUnauthorized)
	if h.command(http.MethodGet, "/observed", nil).wants(http.StatusOK).decode(&all); len(all.Apps) != 0 {
		t.Errorf("where nobody observes: %+v", all)
	}
}

// Whoever meets many rules differently crowds out nobody else, however many
// paths they ask for.
func TestOnePersonsDifferencesAreBounded(t *testing.T) {
	h := open(t, https)
	app := policy.App{Name: "wiki", Host: h.site.wiki, Observe: &policy.Candidate{}}
	const rules = 100
	for i := range rules {
		path := []string{fmt.Sprintf("/%d/**", i)}
		app.Rules = append(app.Rules, policy.Rule{Paths: path, Allow: everyone})
		app.Observe.Rules = append(app.Observe.Rules, policy.Rule{Paths: path, Deny: true})
	}
	h.rules(policy.Config{Apps: []policy.App{app}})
	ask := func(who *identity.Principal, path string) {
		h.server.Observer.Decide(h.server.Policy.Load(), policy.Request{Method: "GET", Host: canonical.Host(h.site.wiki), Path: canonical.Path(path), Who: who, Now: time.Now()})
	}
	ask(&identity.Principal{UserID: "u1", Login: "bob"}, "/7/mine")
	for i := range rules {
		for j := range 49 {
			ask(&identity.Principal{UserID: "u2", Login: "mallory"}, fmt.Sprintf("/%d/%d", i, j))
			ask(nil, fmt.Sprintf("/%d/%d", i, j))
		}
	}
	got, counted := map[string]int{}, uint64(0)
	for _, d := range h.observed(0).Differences {
		if got[d.Login]++; d.Login == "mallory" {
			counted += d.Times
		}
		if d.Login == "bob" && d.Path != "/7/mine" {
			t.Errorf("of bob %+v", d)
		}
	}
	const together = rules - 500/49 // rules beyond the paths that are kept one by one, one of them in part
	if want := map[string]int{"bob": 1, "mallory": 500 + together, "": 500 + together}; !maps.Equal(got, want) || counted != rules*49 {
		t.Errorf("kept are %v, want %v; of mallory %d times", got, want, counted)
	}
}

// No answer shows that something is observed, or what: by any way it has the
// same status, headers, cookies and words.
func TestObservedAnswersAreTheSame(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		h.clock.stop()
		ids := regexp.MustCompile(`[A-Z2-7]{26}`)
		credentials := [][]string{nil, h.at(h.bob), h.at(h.alice), h.guest(h.letsGuests(server.AdminGuest{Paths: []string{"/**"}}).Link), bearer("gw_A")}
		say := func(c policy.Config) (all []string) {
			t.Helper()
			h.rules(c)
			for _, path := range []string{"/plans/x", "/news", "/closed/x", "/other?a=b"} {
				for _, lines := range credentials {
					page := append([]string{"Accept", "text/html"}, lines...)
					answers := []answer{h.program().get(h.Wiki+path, lines...), h.program().get(h.Wiki+path, page...)}
					for _, dialect := range dialects {
						answers = append(answers, h.asks(dialect, h.about(path, lines...)), h.asks(dialect, h.about(path, page...)))
					}
					for _, a := range answers {
						text := ids.ReplaceAllString(fmt.Sprintf("%s %d %v %s", path, a.status, a.header, a.body), "an id")
						for _, own := range []string{"Date", "X-Gateway-Jwt-Assertion"} { // which each has its own of
							if value := a.header.Get(own); value != "" {
								text = strings.ReplaceAll(text, value, own)
							}
						}
						all = append(all, text)
					}
				}
			}
			return all
		}
		plain, rules := tightening(h), tightening(h)
		for _, c := range []policy.Config{plain, rules} {
			c.Apps[0].Rules[2].Name, c.Apps[0].Rules[3].Name = "closed", "rest" // wherever they stand
		}
		observed := plain.Apps[0].Rules[:2]
		plain.Apps[0].Rules = plain.Apps[0].Rules[2:]
		candidate, whole := plain, plain
		candidate.Apps = slices.Clone(plain.Apps)
		candidate.Apps[0].Observe = &policy.Candidate{Rules: []policy.Rule{{Paths: observed[0].Paths, Allow: inAdmins}, {Allow: everyone}}}
		whole.Observe = &policy.Config{Apps: []policy.App{{Name: "handbook", Host: h.site.wiki, Rules: []policy.Rule{{Paths: observed[0].Paths, Deny: true}, {Allow: everyone}}}}}
		want := say(plain)
		for story, c := range map[string]policy.Config{"rules": rules, "a candidate": candidate, "another configuration": whole, "nothing": plain} {
			got := say(c)
			for i := range got {
				if got[i] != want[i] {
					t.Errorf("with %s observed:\n%s\nwant\n%s", story, got[i], want[i])
				}
			}
		}
	})
}

// Requests, reloads and whoever lists come at the same time.
func TestObservedAtOnce(t *testing.T) {
	h := open(t, https)
	bob := h.at(h.bob)
	h.rules(tightening(h))
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 60 {
				a := h.asks(forwardAuth, h.about(fmt.Sprint("/plans/", i), bob...))
				if a.status != http.StatusOK {
					t.Errorf("status %d", a.status)
				}
			}
		})
	}
	for i := range 30 {
		c := tightening(h)
		c.Apps[0].Rules[1].Paths = []string{fmt.Sprint("/news/", i%3)}
		if i%4 == 3 {
			c.Observe = &policy.Config{Apps: []policy.App{{Name: "wiki", Host: h.site.wiki, Allow: inAdmins}}}
		}
		h.rules(c)
		h.command(http.MethodGet, "/observed", nil).wants(http.StatusOK)
	}
	all.Wait()
	h.rules(tightening(h))
	h.asks(forwardAuth, h.about("/plans/last", bob...)).wants(http.StatusOK)
	if got := h.observed(1); len(got.Differences) == 0 {
		t.Errorf("observed %+v", got)
	}
}
