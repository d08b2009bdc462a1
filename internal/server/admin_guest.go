package server

import (
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"gateway/internal/accounts"
	"gateway/internal/audit"
	"gateway/internal/canonical"
	"gateway/policy"
)

// AdminGuest is a guest link to make.
type AdminGuest struct {
	Name    string   `json:"name"`
	Host    string   `json:"host"`
	Paths   []string `json:"paths"`
	Methods []string `json:"methods"`
	Opens   int      `json:"opens"`   // how often it can be opened
	Seconds int      `json:"seconds"` // how long it counts
}

// AdminGuestLink is a guest link as the command line shows it; Link only once.
type AdminGuestLink struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Host    string    `json:"host"`
	Paths   []string  `json:"paths"`
	Methods []string  `json:"methods"`
	Opens   int       `json:"opens"`
	Opened  int       `json:"opened"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
	Link    string    `json:"link,omitempty"`
}

func guestLink(g accounts.Guest) AdminGuestLink {
	return AdminGuestLink{
		ID: g.ID, Name: g.Name, Host: g.Host, Paths: g.Paths, Methods: g.Methods, Opens: g.Most, Opened: g.Opened,
		Created: g.Created.UTC(), Expires: g.Expires.UTC(),
	}
}

func (s *Server) adminGuest(c *gin.Context) error {
	var n AdminGuest
	if err := readJSON(c.Request, &n); errors.Is(err, io.EOF) {
		return errBad
	} else if err != nil {
		return err
	}
	g, err := s.soundGuest(n)
	if err != nil {
		return err
	}
	ctx := c.Request.Context()
	g, code, err := s.Register.AddGuest(ctx, g, lifetime(n.Seconds))
	if err != nil {
		return adminExplained(err)
	}
	if err := s.done(ctx, audit.Event{Action: "guest create", Invitation: g.ID, Guest: g.Name, Host: g.Host}); err != nil {
		return err
	}
	made := guestLink(g)
	made.Link = s.Site.Origin(canonical.Host(g.Host)) + "/.gateway/guest?code=" + code.Reveal() // to the admin who asked for it, once
	writeJSON(c.Writer, http.StatusCreated, "application/json", made)
	return nil
}

// soundGuest reads what a guest link is to be for.
func (s *Server) soundGuest(n AdminGuest) (accounts.Guest, error) {
	host, err := canonical.ParseHost(n.Host)
	if err != nil {
		return accounts.Guest{}, explain(errBad, "The host is no host name.")
	}
	if _, known := s.Policy.Load().App(host); !known {
		return accounts.Guest{}, explain(errBad, "No app has this host.")
	}
	if _, err := policy.ParsePaths(n.Paths); err != nil {
		return accounts.Guest{}, explain(errBad, "Paths are written as in rules: "+err.Error())
	}
	if _, ok := beginning(n.Paths); !ok {
		return accounts.Guest{}, explain(errBad, "The first path is where the guest begins: it is exact, or ends in /** and has no other *.")
	}
	for _, method := range n.Methods {
		if _, err := canonical.ParseMethod(method); err != nil {
			return accounts.Guest{}, explain(errBad, "Methods are written in upper case, and neither CONNECT nor TRACE.")
		}
	}
	return accounts.Guest{Name: n.Name, Host: string(host), Paths: n.Paths, Methods: n.Methods, Most: n.Opens}, nil
}

func (s *Server) adminGuests(c *gin.Context) error {
	all, err := s.Register.Guests(c.Request.Context())
	if err != nil {
		return err
	}
	found := make([]AdminGuestLink, 0, len(all))
	for _, g := range all {
		found = append(found, guestLink(g))
	}
	writeJSON(c.Writer, http.StatusOK, "application/json", found)
	return nil
}

func (s *Server) adminEndGuest(c *gin.Context) error {
	ctx, id := c.Request.Context(), c.Param("id")
	g, err := s.Register.Guest(ctx, id)
	if err == nil {
		err = s.Register.EndGuest(ctx, id)
	}
	if err != nil {
		return adminExplained(err)
	}
	if err := s.done(ctx, audit.Event{Action: "guest revoke", Invitation: g.ID, Guest: g.Name, Host: g.Host}); err != nil {
		return err
	}
	writeJSON(c.Writer, http.StatusOK, "application/json", AdminDone{})
	return nil
}
