// Package cases tries a policy: cases say who asks for what and what should
// come of it, and a run says what did come of it, by which rule and why. It is
// what `gateway policy test` is made of, so that a policy can be changed the
// way programs are. It reads no files and asks no clock.
package cases

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"gateway/internal/canonical"
	"gateway/internal/identity"
	"gateway/policy"
)

// File is a file of cases.
type File struct {
	People map[string]Person `yaml:"people"` // to be named by cases
	Cases  []Case            `yaml:"cases"`

	Path string `yaml:"-"` // where it was read
}

// Case is one request and what is expected of the policy.
type Case struct {
	Name    string `yaml:"name"`    // what it is about; optional
	Request string `yaml:"request"` // GET https://wiki.example.com/page; without a method GET
	As      Person `yaml:"as"`      // nobody, the name of one of people, or a person
	Client  string `yaml:"client"`  // address that the request comes from; default: unknown
	Now     string `yaml:"now"`     // RFC 3339; default: the moment of the run
	Expect  string `yaml:"expect"`  // allow, deny, login, step-up
	Rule    string `yaml:"rule"`    // the deciding rule; none: any. "none": no rule
	Reason  string `yaml:"reason"`  // of the decision; none: any

	Observed string `yaml:"observed"` // what would be expected if what is only observed counted; none: anything

	Line int `yaml:"-"` // where it stands in the file
}

// Person is who asks.
type Person struct {
	User    string   `yaml:"user"`           // taken from the store
	Login   string   `yaml:"login"`          // made up, like all that follows
	UserID  string   `yaml:"user_id"`        // default: the login
	Name    string   `yaml:"name"`           //
	Email   string   `yaml:"email"`          //
	Proven  *bool    `yaml:"email_verified"` // default: true
	Groups  []string `yaml:"groups"`         // beside those of the store, if user is given
	Origin  string   `yaml:"origin"`         // default: local
	Factors []string `yaml:"factors"`        // of the session; default: pwd, or fed for another origin than local
	More    []string `yaml:"enrolled"`       // factors that the person could prove besides

	Token bool `yaml:"token"` // it is an app token of theirs that asks: it has no factors, and of the groups our own

	Ago time.Duration `yaml:"proved_ago"` // how long ago the newest factor was proved; default: just now

	word string // nobody, or whom to find among people
}

// UnmarshalText reads nobody or the name of one of people.
func (p *Person) UnmarshalText(text []byte) error {
	*p = Person{word: string(text)}
	return nil
}

// nobody reports whether nobody asks.
func (p *Person) nobody() bool { return p.word == "nobody" }

// given reports whether the file says anything about the person.
func (p *Person) given() bool {
	return p.word != "" || p.User != "" || p.Login != ""
}

// Complaint is one thing that is wrong with a file of cases.
type Complaint struct{ Path, Message string }

// Error returns path and message.
func (c *Complaint) Error() string { return c.Path + ": " + c.Message }

// Resolve checks the file and puts people in the places of their names. The
// errors are *Complaint, joined.
func (f *File) Resolve() error {
	var all []error
	complain := func(path, format string, args ...any) {
		all = append(all, &Complaint{path, fmt.Sprintf(format, args...)})
	}
	for _, name := range slices.Sorted(maps.Keys(f.People)) {
		person := f.People[name]
		switch {
		case name == "nobody":
			complain("people."+name, "is the word for nobody")
		case person.word != "":
			complain("people."+name, "must be a mapping")
		default:
			person.check("people."+name, complain)
		}
	}
	if len(f.Cases) == 0 {
		complain("cases", "missing: there is nothing to try")
	}
	for i := range f.Cases {
		f.resolve(&f.Cases[i], fmt.Sprintf("cases[%d]", i), complain)
	}
	return errors.Join(all...)
}

func (f *File) resolve(c *Case, at string, complain func(path, format string, args ...any)) {
	if _, err := c.ask(); err != nil {
		complain(at+".request", "%v", err)
	}
	switch person, known := f.People[c.As.word]; {
	case c.As.nobody():
	case known:
		c.As = person
	case c.As.word != "":
		complain(at+".as", "must be nobody, the name of one of people, or a mapping")
	case !c.As.given():
		complain(at+".as", "missing: nobody, the name of one of people, or a mapping with login or user")
	default:
		c.As.check(at+".as", complain)
	}
	if _, err := c.address(); err != nil {
		complain(at+".client", "must be an IP address")
	}
	if _, err := c.moment(time.Time{}); err != nil {
		complain(at+".now", "must be a moment such as 2026-11-22T09:30:00+01:00")
	}
	if !slices.Contains(effects, c.Expect) {
		complain(at+".expect", "must be one of %s", strings.Join(effects, ", "))
	}
	if c.Observed != "" && !slices.Contains(effects, c.Observed) {
		complain(at+".observed", "must be one of %s", strings.Join(effects, ", "))
	}
}

// effects are the words of expect and observed.
var effects = []string{policy.Allow.String(), policy.Deny.String(), policy.Login.String(), policy.StepUp.String()}

func (p *Person) check(at string, complain func(path, format string, args ...any)) {
	switch {
	case p.User != "" && p.Login != "":
		complain(at+".login", "stands beside user, which is taken from the store")
	case p.User == "" && p.Login == "":
		complain(at, "has neither login nor user")
	case p.User != "" && (p.UserID != "" || p.Name != "" || p.Email != "" || p.Proven != nil):
		complain(at+".user", "is taken from the store: only groups, origin and factors can be said")
	}
	if p.Token && (p.Factors != nil || p.More != nil || p.Ago != 0) {
		complain(at+".token", "stands beside factors, enrolled or proved_ago: an app token proves nothing")
	}
	if p.Token && slices.ContainsFunc(p.Groups, foreign) {
		complain(at+".token", "stands beside a provider's group: an app token has our own alone")
	}
	for i, group := range p.Groups {
		if !identity.ValidGroup(group) {
			complain(fmt.Sprintf("%s.groups[%d]", at, i), "is no name of a group")
		}
	}
	checkFactors(at+".factors", p.Factors, complain)
	checkFactors(at+".enrolled", p.More, complain)
}

func checkFactors(at string, factors []string, complain func(path, format string, args ...any)) {
	for i, factor := range factors {
		if err := CheckFactor(factor); err != nil {
			complain(fmt.Sprintf("%s[%d]", at, i), "%v", err)
		}
	}
}

// CheckFactor refuses what is no factor: it would count as none, and what was
// to be tried with it would not be tried.
func CheckFactor(name string) error {
	if policy.Factors([]string{name}) == 0 {
		return fmt.Errorf("%q is no factor: pwd, fed, otp, passkey or recovery", name)
	}
	return nil
}

// foreign reports whether a group is a provider's.
func foreign(group string) bool { return strings.Contains(group, ":") }

// Ask is what a request line asks for.
type Ask struct {
	Method string
	Host   canonical.Host
	Path   canonical.Path
	Refuse string // why the gateway refuses it before any policy; empty: it does not
}

// ParseAsk reads GET https://wiki.example.com/page. What the gateway refuses
// however it is asked is no error: that it does is the answer.
func ParseAsk(line string) (Ask, error) {
	method, address, found := strings.Cut(line, " ")
	if !found {
		method, address = "GET", line
	}
	scheme, rest, ok := strings.Cut(address, "://")
	if !ok || scheme != "https" && scheme != "http" {
		return Ask{}, errors.New("must be a method and an address, as in GET https://wiki.example.com/page")
	}
	authority, target := rest, "/"
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority, target = rest[:i], rest[i:]
	}
	if target[0] == '?' { // as browsers ask for it
		target = "/" + target
	}
	if u, err := url.Parse(scheme + "://" + authority); err != nil || u.User != nil || u.Host == "" {
		return Ask{}, errors.New("must name a host, as in GET https://wiki.example.com/page")
	}
	host, err := canonical.ParseHost(authority)
	if err != nil {
		return Ask{}, err
	}
	a := Ask{Method: method, Host: host}
	if _, err := canonical.ParseMethod(method); err != nil {
		a.Refuse = err.Error()
		return a, nil
	}
	goal, err := canonical.ParseTarget(target)
	if err != nil {
		a.Refuse = err.Error()
		return a, nil
	}
	if strings.HasPrefix(string(goal.Path), "/.gateway/") {
		return Ask{}, errors.New("paths below /.gateway/ are the gateway's own: no policy is asked about them")
	}
	a.Path = goal.Path
	return a, nil
}

func (c *Case) ask() (Ask, error) { return ParseAsk(c.Request) }

func (c *Case) address() (netip.Addr, error) {
	if c.Client == "" {
		return netip.Addr{}, nil
	}
	return netip.ParseAddr(c.Client)
}

// moment is when the case takes place.
func (c *Case) moment(now time.Time) (time.Time, error) {
	if c.Now == "" {
		return now, nil
	}
	return time.Parse(time.RFC3339, c.Now)
}
