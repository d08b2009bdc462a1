package server

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"gateway/internal/identity"
	"gateway/policy"
)

// AdminDecision is a refusal as the command line shows it: what was asked, what
// was said then, and what the policy of now says to the same request.
type AdminDecision struct {
	ID      string             `json:"decision_id"`
	At      time.Time          `json:"at"`
	Method  string             `json:"method"`
	Host    string             `json:"host"`
	Path    string             `json:"path"`
	Client  string             `json:"client"`
	Login   string             `json:"login"`
	Token   string             `json:"token_id,omitempty"` // of the app token that was brought
	Then    policy.Decision    `json:"then"`
	Changed bool               `json:"changed"`       // the policy of now says something else
	Now     policy.Explanation `json:"now,omitzero"`  // not there where the path was too long to be kept
	Unknown string             `json:"why,omitempty"` // why it is not
}

// AdminRecorded are requests that were refused or allowed lately, whole, so that
// another policy can be asked about them. People stand once, with all their
// groups, however much they asked for.
type AdminRecorded struct {
	People   []AdminWho   `json:"people"`
	Requests []AdminAsked `json:"requests"`
}

// AdminAsked is one of them.
type AdminAsked struct {
	At     time.Time `json:"at"`
	Method string    `json:"method"`
	Host   string    `json:"host"`
	Path   string    `json:"path"`
	Client string    `json:"client"`
	Reach  int       `json:"reach"`         // factors that a step-up could bring the session to
	Who    *int      `json:"who,omitempty"` // which of the people; nobody, if it is not there
}

// By is who asked for one of the requests, nil for nobody.
func (r *AdminRecorded) By(one AdminAsked) *AdminWho {
	if one.Who == nil || *one.Who < 0 || *one.Who >= len(r.People) {
		return nil
	}
	return &r.People[*one.Who]
}

// AdminWho is the person that a session spoke for.
type AdminWho struct {
	UserID        string    `json:"user_id"`
	Login         string    `json:"login"`
	Name          string    `json:"name"`
	Email         string    `json:"email"`
	EmailVerified bool      `json:"email_verified"`
	Groups        []string  `json:"groups"`
	Origin        string    `json:"origin"`
	AMR           []string  `json:"amr"`
	AuthTime      time.Time `json:"auth_time"`
	Token         bool      `json:"token,omitempty"` // it was an app token
}

// adminDecisions lists recent refusals of the policy, but for those whose path
// was too long to be kept.
func (s *Server) adminDecisions(c *gin.Context) error {
	found := newRecords()
	for _, one := range s.Refusals.list() {
		r := one.Request
		if r.Path == "" || beyondPolicy(one.Decision.Reason) {
			continue
		}
		found.add(one.At, r)
	}
	writeJSON(c.Writer, http.StatusOK, "application/json", found.AdminRecorded)
	return nil
}

// beyondPolicy reports whether a refusal was the front's own.
func beyondPolicy(reason policy.Reason) bool {
	return reason == crossOrigin || reason == tooLongAgo || ofTokens(reason)
}

// records gather requests, and whose they are.
type records struct {
	AdminRecorded
	people []*identity.Principal // as they stand in People
	known  map[string][]int      // their places, by user_id
}

func newRecords() *records {
	return &records{AdminRecorded: AdminRecorded{People: []AdminWho{}, Requests: []AdminAsked{}}, known: map[string][]int{}}
}

func (all *records) add(at time.Time, r policy.Request) {
	shown := AdminAsked{At: at.UTC(), Method: r.Method, Host: string(r.Host), Path: string(r.Path), Client: address(r.Client), Reach: r.Reach}
	if r.Who != nil {
		place := all.place(r.Who)
		shown.Who = &place
	}
	all.Requests = append(all.Requests, shown)
}

// place is where somebody stands among the people.
func (all *records) place(w *identity.Principal) int {
	for _, i := range all.known[w.UserID] {
		if all.people[i] == w || same(all.people[i], w) {
			return i
		}
	}
	place := len(all.people)
	all.people = append(all.people, w)
	all.known[w.UserID] = append(all.known[w.UserID], place)
	all.People = append(all.People, AdminWho{w.UserID, w.Login, w.Name, w.Email, w.EmailVerified, w.Groups, w.Origin, w.AMR, w.AuthTime, w.Token})
	return place
}

// adminDecision explains a recent refusal.
func (s *Server) adminDecision(c *gin.Context) error {
	id := c.Param("id")
	one, ok := s.Refusals.find(id)
	if !ok {
		return explain(errNoPage, "There is no such decision among the recent refusals.")
	}
	d := AdminDecision{
		ID: id, At: one.At.UTC(), Method: one.Request.Method, Host: string(one.Request.Host), Path: string(one.Request.Path),
		Client: address(one.Request.Client), Then: one.Decision, Token: one.Token, Login: one.Login,
	}
	if one.Request.Who != nil {
		d.Login = one.Request.Who.Login
	}
	useless, token := uselessBy(one.Decision.Reason)
	switch {
	case token:
		d.Unknown = useless.detail
	case one.Decision.Reason == crossOrigin:
		d.Unknown = "a page of another site asked for it, and cross_origin of the app does not name that"
	case one.Decision.Reason == tooLongAgo:
		d.Unknown = "the rules let it pass; the app asks for a more recent sign-in, by its sessions or in the address of the sign-in"
	case one.Request.Path == "":
		d.Unknown = "the path was too long to be kept"
	default:
		d.Now = s.Policy.Load().Explain(one.Request)
		d.Changed = d.Now.Decision != one.Decision
	}
	writeJSON(c.Writer, http.StatusOK, "application/json", d)
	return nil
}
