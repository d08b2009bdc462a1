package server

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"gateway/internal/audit"
)

// AdminRefusal says in a sentence why something cannot be done now.
type AdminRefusal string

func (r AdminRefusal) Error() string { return string(r) }

// Keys are the signing keys, for the command line.
type Keys struct {
	List   func() []AdminKey
	Rotate func(AdminRotate) error
}

// AdminKey is a signing key as the command line shows it.
type AdminKey struct {
	Kind  string     `json:"kind"` // sessions or assertions
	ID    string     `json:"kid"`
	State string     `json:"state"` // next, active or retired
	Since *time.Time `json:"since,omitempty"`
	Until *time.Time `json:"until,omitempty"` // of a retired one: when nothing needs it any more
}

// AdminRotate says which keys to rotate. Dropped keys are gone at once, and
// with them what they have signed.
type AdminRotate struct {
	Kinds []string `json:"kinds"`
	Drop  bool     `json:"drop"`
}

// AdminRotated says what came of it.
type AdminRotated struct {
	Keys     []AdminKey `json:"keys"`
	Sessions int        `json:"sessions"` // ended
}

func (s *Server) adminKeys(c *gin.Context) error {
	if s.Keys == nil {
		return errNoPage
	}
	writeJSON(c.Writer, http.StatusOK, "application/json", s.Keys.List())
	return nil
}

func (s *Server) adminRotate(c *gin.Context) error {
	var order AdminRotate
	switch err := readJSON(c.Request, &order); {
	case s.Keys == nil:
		return errNoPage
	case errors.Is(err, io.EOF):
		return errBad
	case err != nil:
		return err
	}
	for _, kind := range order.Kinds {
		if !slices.ContainsFunc(s.Keys.List(), func(k AdminKey) bool { return k.Kind == kind }) {
			return explain(errBad, "There are no keys of that kind: sessions and assertions have some.")
		}
	}
	if err := s.Keys.Rotate(order); err != nil {
		if refusal, ok := errors.AsType[AdminRefusal](err); ok {
			return explain(errBad, string(refusal))
		}
		return err
	}
	done := AdminRotated{Keys: s.Keys.List()}
	if order.Drop && slices.Contains(order.Kinds, "sessions") {
		var err error
		if done.Sessions, err = s.endAll(c); err != nil {
			return err
		}
	}
	action := "key rotate "
	if order.Drop {
		action = "key drop "
	}
	if err := s.done(c.Request.Context(), audit.Event{Action: action + strings.Join(order.Kinds, ",")}); err != nil {
		return err
	}
	writeJSON(c.Writer, http.StatusOK, "application/json", done)
	return nil
}

// endAll ends every session: nobody has a token of it that counts.
func (s *Server) endAll(c *gin.Context) (int, error) {
	ctx := c.Request.Context()
	all, err := s.Sessions.List(ctx, "")
	if err != nil {
		return 0, err
	}
	for _, one := range all {
		if one.Parent != "" {
			continue // ends with its parent
		}
		if err := s.Sessions.Revoke(ctx, one.ID); err != nil {
			return 0, err
		}
	}
	return len(all), nil
}
