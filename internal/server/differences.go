package server

import (
	"cmp"
	"container/list"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"gateway/policy"
)

// The bounds of what is remembered of differences. Whoever asks for many paths
// has the rest of them counted together, so that nobody crowds out others; and
// strangers crowd out nobody who is signed in.
const (
	maxDifferences         = 4000 // of people
	maxDifferencesOfNobody = 1000
	maxPathsEach           = 50  // of one person and one pair of rules, one by one
	maxPathsOfOne          = 500 // of one person, or of nobody, by whichever rules
	maxShownPath           = 256 // bytes
)

// difference is what an observed policy would decide otherwise, again and again.
type difference struct {
	kind
	login       string
	times       uint64
	first, last time.Time
}

// kind is what makes differences the same.
type kind struct {
	pair
	method, host, path string // empty: of many
}

// pair is who meets which two answers.
type pair struct {
	user      string // empty: nobody
	is, would policy.Decision
}

// differences are remembered until too many others have come up since.
type differences struct {
	most   int
	byKind map[kind]*list.Element // of *difference
	order  list.List              // those that came up last at the front
	each   map[pair]int           // how many there are one by one
	of     map[string]int         // and of a person
	lost   uint64                 // how many were forgotten for want of space
}

// add counts a difference.
func (d *differences) add(r policy.Request, is, would policy.Decision) {
	if d.byKind == nil {
		d.byKind, d.each, d.of = map[kind]*list.Element{}, map[pair]int{}, map[string]int{}
	}
	of := kind{pair{"", is, would}, r.Method, string(r.Host), shortened(string(r.Path))}
	login := ""
	if r.Who != nil {
		of.user, login = cmp.Or(r.Who.UserID, r.Who.Login), r.Who.Login
	}
	known := d.byKind[of]
	if known == nil && (d.each[of.pair] >= maxPathsEach || d.of[of.user] >= maxPathsOfOne) {
		of = kind{pair: of.pair}
		known = d.byKind[of]
	}
	if known == nil {
		of.method, of.host, of.path = strings.Clone(of.method), strings.Clone(of.host), strings.Clone(of.path) // not the request that they are parts of
		known = d.order.PushFront(&difference{kind: of, first: r.Now})
		d.byKind[of] = known
		d.each[of.pair]++
		d.of[of.user]++
	}
	d.order.MoveToFront(known)
	one, _ := known.Value.(*difference)
	one.times++
	one.last, one.login = r.Now, login
	if d.order.Len() > d.most {
		d.remove(d.order.Back())
		d.lost++
	}
}

func (d *differences) remove(e *list.Element) {
	one, _ := d.order.Remove(e).(*difference)
	delete(d.byKind, one.kind)
	if d.each[one.pair]--; d.each[one.pair] <= 0 {
		delete(d.each, one.pair)
	}
	if d.of[one.user]--; d.of[one.user] <= 0 {
		delete(d.of, one.user)
	}
}

// forget removes those of some apps.
func (d *differences) forget(gone func(app string) bool) {
	for e := d.order.Front(); e != nil; {
		next := e.Next()
		if one, _ := e.Value.(*difference); gone(one.is.App) {
			d.remove(e)
		}
		e = next
	}
	if d.order.Len() == 0 {
		d.lost = 0
	}
}

// shortened is a path within its bound.
func shortened(path string) string {
	if len(path) <= maxShownPath {
		return path
	}
	n := maxShownPath
	for n > 0 && !utf8.RuneStart(path[n]) {
		n--
	}
	return path[:n] + "…"
}

// AdminObserved is what would be decided otherwise if what is only observed
// counted.
type AdminObserved struct {
	File    *AdminObservedFile `json:"file,omitempty"` // which is observed; nil: rules and candidates of the apps are
	Apps    []AdminObservedApp `json:"apps"`           // of which something is observed
	Skipped uint64             `json:"skipped"`        // decisions that were not made beside, since the start: too many came at once
	Lost    uint64             `json:"lost"`           // differences that were forgotten, since too many others came up
}

// AdminObservedFile is another configuration that is observed.
type AdminObservedFile struct {
	Path  string   `json:"path"`
	Wrong []string `json:"wrong,omitempty"` // why it is not observed
}

// AdminObservedApp is an app of which something is observed.
type AdminObservedApp struct {
	App         string            `json:"app"` // empty: hosts that no app has
	Since       time.Time         `json:"since"`
	Asked       uint64            `json:"asked"`  // decisions that were made beside
	Differ      uint64            `json:"differ"` // with another effect
	Differences []AdminDifference `json:"differences"`
}

// AdminDifference is one person, or nobody, who would be answered otherwise.
type AdminDifference struct {
	UserID string          `json:"user_id"` // empty: nobody
	Login  string          `json:"login"`
	Method string          `json:"method"` // with host and path empty: of many paths
	Host   string          `json:"host"`
	Path   string          `json:"path"`
	Is     policy.Decision `json:"is"`
	Would  policy.Decision `json:"would_be"`
	Times  uint64          `json:"times"`
	First  time.Time       `json:"first"`
	Last   time.Time       `json:"last"`
}

// adminObserved lists what would be decided otherwise: losses first, then
// gains, by person.
func (s *Server) adminObserved(c *gin.Context) error {
	all := AdminObserved{Apps: []AdminObservedApp{}}
	if o := s.Observer; o != nil {
		all = o.list()
	}
	writeJSON(c.Writer, http.StatusOK, "application/json", all)
	return nil
}

func (o *Observer) list() AdminObserved {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := AdminObserved{Apps: []AdminObservedApp{}, Skipped: o.skipped.Load(), Lost: o.people.lost + o.nobody.lost}
	if o.file.Path != "" {
		file := o.file
		all.File = &file
	}
	for name, app := range o.apps {
		shown := AdminObservedApp{App: name, Since: app.since.UTC(), Asked: app.asked, Differ: app.differ, Differences: []AdminDifference{}}
		for _, kept := range []*differences{&o.people, &o.nobody} {
			for e := kept.order.Front(); e != nil; e = e.Next() {
				if one, _ := e.Value.(*difference); one.is.App == name {
					shown.Differences = append(shown.Differences, one.shown())
				}
			}
		}
		slices.SortFunc(shown.Differences, AdminDifference.compare)
		all.Apps = append(all.Apps, shown)
	}
	slices.SortFunc(all.Apps, func(a, b AdminObservedApp) int { return cmp.Compare(a.App, b.App) })
	return all
}

func (d *difference) shown() AdminDifference {
	return AdminDifference{
		UserID: d.user, Login: d.login, Method: d.method, Host: d.host, Path: d.path,
		Is: d.is, Would: d.would, Times: d.times, First: d.first.UTC(), Last: d.last.UTC(),
	}
}

// compare puts losses before gains before all else, and one person's together.
func (d AdminDifference) compare(other AdminDifference) int {
	rank := func(d AdminDifference) int {
		switch {
		case d.Is.Effect == policy.Allow:
			return 0
		case d.Would.Effect == policy.Allow:
			return 1
		}
		return 2
	}
	return cmp.Or(rank(d)-rank(other), cmp.Compare(d.Login, other.Login), cmp.Compare(d.UserID, other.UserID), cmp.Compare(d.Host, other.Host),
		cmp.Compare(d.Path, other.Path), cmp.Compare(d.Method, other.Method), cmp.Compare(d.Is.Rule, other.Is.Rule), cmp.Compare(d.Would.Rule, other.Would.Rule))
}
