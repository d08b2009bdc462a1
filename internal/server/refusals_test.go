package server_test

import (
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"gateway/internal/canonical"
	"gateway/internal/identity"
	"gateway/internal/server"
	"gateway/policy"
)

// explained asks the command line's listener about a decision.
func (h *house) explained(id string) server.AdminDecision {
	h.Helper()
	var d server.AdminDecision
	h.command(http.MethodGet, "/decisions/"+id, nil).wants(http.StatusOK).decode(&d)
	return d
}

// What was refused is explained by its id: who asked for what, what was said,
// and what the policy of now says to it.
func TestRefusalsAreExplained(t *testing.T) {
	h := open(t, plain)
	a := h.asks(forwardAuth, h.about("/admin/x", "Authorization", "Bearer "+h.token(h.bob, h.site.wiki)))
	a.refuses("bob", http.StatusForbidden, "Forbidden")
	d := h.explained(a.field("decision_id"))
	if d.Login != "bob" || d.Path != "/admin/x" || d.Then.Rule != "admin" || d.Then.Reason != policy.NotListed || d.Changed || d.Unknown != "" {
		t.Errorf("the decision about bob is %+v", d)
	}
	if got := strings.Join(d.Now.Needs, "; "); got != "allow.groups: admins" {
		t.Errorf("bob needs %q", got)
	}
	nobody := h.asks(forwardAuth, h.about("/closed/x"))
	if d := h.explained(nobody.field("decision_id")); d.Login != "" || d.Then.Rule != "closed" {
		t.Errorf("the decision about nobody is %+v", d)
	}
	long := h.asks(forwardAuth, h.about("/closed/"+strings.Repeat("x", 2000)))
	if d := h.explained(long.field("decision_id")); d.Path != "" || d.Unknown == "" || d.Then.Rule != "closed" {
		t.Errorf("the decision about a long path is %+v", d)
	}
	guard, err := policy.New(policy.Config{Apps: []policy.App{{Name: "wiki", Host: h.site.wiki, Allow: &policy.Subjects{SignedIn: true}}}})
	h.must(err)
	h.server.Policy.Store(guard)
	if d := h.explained(a.field("decision_id")); !d.Changed || d.Now.Effect != policy.Allow || d.Then.Effect != policy.Deny {
		t.Errorf("under another policy the decision about bob is %+v", d)
	}
	h.command(http.MethodGet, "/decisions/NOSUCH", nil).refuses("an id of nothing", http.StatusNotFound, "BadRequest")
}

// However much strangers are refused, the refusals of people stay.
func TestStrangersCrowdOutNobody(t *testing.T) {
	h := open(t, plain)
	first := h.asks(forwardAuth, h.about("/admin/x", "Authorization", "Bearer "+h.token(h.bob, h.site.wiki))).field("decision_id")
	oldest := h.asks(forwardAuth, h.about("/closed/0")).field("decision_id")
	h.explained(oldest)
	for i := range 5000 {
		h.server.Refusals.Keep(fmt.Sprint("stranger", i), server.Refused{At: time.Now()})
	}
	h.explained(first)
	h.command(http.MethodGet, "/decisions/"+oldest, nil).refuses("the oldest of the strangers", http.StatusNotFound, "BadRequest")
	if d := h.explained("stranger4999"); d.ID != "stranger4999" {
		t.Errorf("the newest is %+v", d)
	}
}

// Only administrators are told on the page why they are refused.
func TestRefusalPageExplainsToAdministrators(t *testing.T) {
	h := open(t, plain)
	for _, row := range []struct {
		who  person
		want bool
	}{{h.alice, true}, {h.bob, false}} {
		a := h.asks(forwardAuth, h.about("/closed/x", "Accept", "text/html", "Authorization", "Bearer "+h.token(row.who, h.site.wiki)))
		if a.wants(http.StatusForbidden); strings.Contains(a.body, "rule-denies") != row.want {
			t.Errorf("%s is shown the reason: %v, want %v\n%s", row.who.login, !row.want, row.want, a.body)
		}
	}
}

// Who has proved too little is told so, and sent where a sign-in would help.
func TestFactorNeeded(t *testing.T) {
	h := open(t, plain)
	signedIn := &policy.Subjects{SignedIn: true}
	guard, err := policy.New(policy.Config{Apps: []policy.App{{Name: "wiki", Host: h.site.wiki, Rules: []policy.Rule{
		{Paths: []string{"/two"}, Allow: signedIn, Factors: 2}, {Paths: []string{"/soon"}, Allow: signedIn, MaxAge: 15 * time.Minute}, {Allow: signedIn},
	}}}})
	h.must(err)
	h.server.Policy.Store(guard)
	token := h.token(h.bob, h.site.wiki)
	ask := func(path string, page bool) answer {
		headers := []string{"Authorization", "Bearer " + token}
		if page {
			headers = append(headers, "Accept", "text/html")
		}
		return h.asks(forwardAuth, h.about(path, headers...))
	}
	ask("/two", false).refuses("one factor of two", http.StatusForbidden, "FactorNeeded")
	if a := ask("/two", true).wants(http.StatusForbidden); !strings.Contains(a.body, "second factor") || a.location() != "" {
		t.Errorf("one factor of two: %s", a.body)
	}
	ask("/soon", false).wants(http.StatusOK)
	h.clock.pass(16 * time.Minute)
	ask("/soon", false).refuses("a proof of 16 minutes ago", http.StatusUnauthorized, "FactorNeeded")
	if a := ask("/soon", true).wants(http.StatusSeeOther); a.location() != h.Wiki+"/.gateway/sign-in?rd=%2Fsoon&max_age=900" {
		t.Errorf("a proof of 16 minutes ago is sent to %s", a.location())
	}
	ask("/", false).wants(http.StatusOK)
	if a := h.asks(forwardAuth, h.about("/two", "Accept", "text/html")).wants(http.StatusSeeOther); !strings.Contains(a.location(), "/.gateway/sign-in") {
		t.Errorf("nobody is sent to %s", a.location())
	}
}

// Recent refusals are listed whole, so that another policy can be asked.
func TestRefusalsAreListed(t *testing.T) {
	h := open(t, plain)
	h.asks(forwardAuth, h.about("/admin/x", "Authorization", "Bearer "+h.token(h.bob, h.site.wiki)))
	h.asks(forwardAuth, h.about("/closed/x"))
	h.asks(forwardAuth, h.about("/closed/"+strings.Repeat("x", 2000)))
	var found server.AdminRecorded
	h.command(http.MethodGet, "/decisions", nil).wants(http.StatusOK).decode(&found)
	all := found.Requests
	if len(all) != 2 || all[0].Path != "/admin/x" || found.By(all[0]) == nil || found.By(all[0]).Login != "bob" || found.By(all[0]).Origin != "local" || all[1].Path != "/closed/x" || found.By(all[1]) != nil {
		t.Errorf("refused lately: %+v", found)
	}
}

// People stand once in what is listed, as often as they were something else:
// hundreds of groups of thousands of requests are no hundred megabytes.
func TestRecordedPeopleStandOnce(t *testing.T) {
	t.Parallel()
	h := open(t, plain)
	groups := make([]string, 300)
	for i := range groups {
		groups[i] = fmt.Sprint("corp:department of everything else, number ", i)
	}
	for i := range 500 {
		who := &identity.Principal{UserID: "u1", Login: "bob", Groups: groups, AMR: []string{"fed"}}
		if i%5 == 0 {
			who.Groups = groups[:1]
		}
		r := policy.Request{Method: "GET", Host: canonical.Host(h.site.wiki), Path: canonical.Path(fmt.Sprint("/", i)), Who: who}
		h.server.Refusals.Keep(fmt.Sprint("id", i), server.Refused{At: time.Unix(int64(i), 0), Request: r})
		h.server.Allowed(r)()
	}
	for _, path := range []string{"/decisions", "/allows"} {
		a := h.command(http.MethodGet, path, nil).wants(http.StatusOK)
		var found server.AdminRecorded
		a.decode(&found)
		if len(found.People) != 2 || len(found.Requests) < 200 || len(a.body) > 200<<10 {
			t.Errorf("%s: %d people, %d requests, in %d bytes", path, len(found.People), len(found.Requests), len(a.body))
		}
		for _, one := range found.Requests {
			n, want := 0, len(groups)
			if _, err := fmt.Sscanf(one.Path, "/%d", &n); err != nil || n%5 == 0 {
				want = 1
			}
			if who := found.By(one); who == nil || len(who.Groups) != want {
				t.Fatalf("%s: %s is by %+v", path, one.Path, who)
			}
		}
	}
}

// The shelves hold so many refusals, the oldest give way, and what was kept
// stays as it was.
func TestShelves(t *testing.T) {
	t.Parallel()
	h := open(t, plain)
	r := h.server.Refusals
	who := &identity.Principal{Login: "bob", Groups: []string{"staff"}}
	keep := func(i int, request policy.Request) {
		request.Host, request.Method = canonical.Host(h.site.wiki), http.MethodGet
		r.Keep(fmt.Sprint("id", i), server.Refused{At: time.Unix(int64(i), 0), Request: request, Decision: policy.Decision{App: "wiki", Rule: fmt.Sprint("rule", i)}})
	}
	const room = 5000
	for i := range 2*room + 2 {
		keep(i, policy.Request{Path: "/x", Who: who})
	}
	who.Login, who.Groups[0] = "mallory", "admins"
	keep(2*room+2, policy.Request{Path: canonical.Path("/" + strings.Repeat("x", 1023))})
	for i, there := range map[int]bool{0: false, room + 1: false, room + 2: true, room + 3: true, 2*room - 1: true, 2 * room: true, 2*room + 1: true, 2*room + 2: true} {
		a := h.command(http.MethodGet, fmt.Sprint("/decisions/id", i), nil)
		if (a.status == http.StatusOK) != there {
			t.Errorf("refusal %d: status %d, want it there: %v", i, a.status, there)
		}
	}
	if d := h.explained(fmt.Sprint("id", 2*room)); d.Login != "bob" || d.Then.Rule != fmt.Sprint("rule", 2*room) {
		t.Errorf("what was kept has become %+v", d)
	}
	if d := h.explained(fmt.Sprint("id", 2*room+2)); len(d.Path) != 1024 {
		t.Errorf("a path of a kibibyte is kept as %d bytes", len(d.Path))
	}
	var found server.AdminRecorded
	h.command(http.MethodGet, "/decisions", nil).wants(http.StatusOK).decode(&found)
	all := found.Requests
	if len(all) != room+1 || found.By(all[0]).Login != "bob" || found.By(all[0]).Groups[0] != "staff" {
		t.Errorf("%d are listed, want %d; the first is %+v", len(all), room+1, all[0])
	}
	if !slices.IsSortedFunc(all, func(a, b server.AdminAsked) int { return a.At.Compare(b.At) }) {
		t.Error("they are not in order")
	}
	h.between(func() { h.server.Refusals = nil }) // remembers nothing, and refuses all the same
	id := h.asks(forwardAuth, h.about("/closed/x")).wants(http.StatusForbidden).field("decision_id")
	h.command(http.MethodGet, "/decisions/"+id, nil).wants(http.StatusNotFound)
	if a := h.command(http.MethodGet, "/decisions", nil).wants(http.StatusOK); strings.TrimSpace(a.body) != `{"people":[],"requests":[]}` {
		t.Errorf("nothing is remembered, and listed is %s", a.body)
	}
}

// What is remembered of requests holds none of them: a path is no part of a
// long header any more.
func TestRememberedRequestsAreApart(t *testing.T) {
	const times, length = 2000, 8 << 10
	guard, err := policy.New(policy.Config{Apps: []policy.App{{Name: "wiki", Host: "wiki.test", Allow: everyone, Observe: &policy.Candidate{Rules: []policy.Rule{{Deny: true}}}}}})
	if err != nil {
		t.Fatal(err)
	}
	var refusals server.Refusals
	observer, s := server.NewObserver(nil, nil), remembering(time.Now)
	observer.Know(guard, server.AdminObservedFile{}, time.Now())
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	for _, row := range []struct {
		story string
		keep  func(i int, r policy.Request)
	}{
		{"a refusal", func(i int, r policy.Request) { refusals.Keep(fmt.Sprint(i), server.Refused{Request: r}) }},
		{"an allow", func(i int, r policy.Request) {
			if i%400 == 0 {
				s.Allows.Second()
			}
			s.Allowed(r)()
		}},
		{"a difference", func(i int, r policy.Request) {
			r.Who = &identity.Principal{UserID: fmt.Sprint(i)}
			observer.Decide(guard, r)
		}},
	} {
		before := heap()
		for i := range times {
			line := fmt.Sprintf("GET wiki.test /%04d?%s", i, strings.Repeat("q", length))
			row.keep(i, policy.Request{Method: line[:3], Host: canonical.Host(line[4:13]), Path: canonical.Path(line[14:19]), Who: &identity.Principal{UserID: "u"}})
		}
		if grown := int64(heap()) - int64(before); grown > times*length/4 {
			t.Errorf("%s: %d bytes for each, of a request of %d", row.story, grown/times, length)
		}
	}
	runtime.KeepAlive(&refusals)
	runtime.KeepAlive(observer)
	runtime.KeepAlive(s)
}
