package policy

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// App is the part of an app's configuration that the policy reads. Exactly one
// of Host and Hosts and exactly one of Allow and Rules is given.
type App struct {
	Name  string    `yaml:"-"`     // the key under apps
	Host  string    `yaml:"host"`  // wiki.example.com, or *.example.com for exactly one label
	Hosts []string  `yaml:"hosts"` // the same, several
	Allow *Subjects `yaml:"allow"` // one rule for all paths and methods
	Rules []Rule    `yaml:"rules"` // the first whose methods and paths match decides
}

// Rule is one rule of an app: Methods and Paths say which requests it decides,
// the rest how. Exactly one of Deny and Allow is given.
type Rule struct {
	Name     string    `yaml:"name"`     // how decisions name it; default app[index]
	Methods  []string  `yaml:"methods"`  // none: all methods. GET covers HEAD
	Paths    []string  `yaml:"paths"`    // none: all paths. /exact, /one/*, /any/depth/**
	Deny     bool      `yaml:"deny"`     // refuses everybody
	Allow    *Subjects `yaml:"allow"`    // who may pass
	Networks []string  `yaml:"networks"` // from where alone they may: a condition beside Allow
}

// Subjects says whom a rule admits: everyone, anybody who is signed in, or
// whoever meets one entry of any of the lists. The zero Subjects admits nobody.
type Subjects struct {
	Everyone     bool     `yaml:"-"`             // the scalar everyone
	SignedIn     bool     `yaml:"-"`             // the scalar signed-in
	Users        []string `yaml:"users"`         // logins, exact
	Groups       []string `yaml:"groups"`        // group names, exact
	EmailDomains []string `yaml:"email_domains"` // domains of verified e-mail addresses, exact
	Origins      []string `yaml:"origins"`       // doors the session was opened through
	Networks     []string `yaml:"networks"`      // CIDR or single addresses: admitted without sign-in
}

// UnmarshalYAML reads the scalar everyone or signed-in, or a mapping of lists
// of strings; any other key, kind or scalar is an error. It has the signature
// that YAML decoders look for (goccy/go-yaml's InterfaceUnmarshaler); decode may
// be called more than once.
func (s *Subjects) UnmarshalYAML(decode func(any) error) error {
	var value any
	if err := decode(&value); err != nil {
		return err
	}
	switch value {
	case nil:
		return errSubjects
	case "everyone":
		*s = Subjects{Everyone: true}
		return nil
	case "signed-in":
		*s = Subjects{SignedIn: true}
		return nil
	}
	var mapping map[string]any
	if err := decode(&mapping); err != nil {
		return fmt.Errorf("%w: %w", errSubjects, err)
	}
	var read Subjects
	for _, key := range slices.Sorted(maps.Keys(mapping)) {
		list := read.list(key)
		if list == nil {
			return fmt.Errorf("unknown key %q: %w", key, errSubjects)
		}
		words, err := words(mapping[key])
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		*list = words
	}
	*s = read
	return nil
}

var errSubjects = errors.New("allow is everyone, signed-in, or a mapping of users, groups, email_domains, origins, networks")

// list returns the list of a key, nil if there is no such key.
func (s *Subjects) list(key string) *[]string {
	switch key {
	case "users":
		return &s.Users
	case "groups":
		return &s.Groups
	case "email_domains":
		return &s.EmailDomains
	case "origins":
		return &s.Origins
	case "networks":
		return &s.Networks
	}
	return nil
}

// words returns a decoded value as the list of strings that it must be.
func words(value any) ([]string, error) {
	list, ok := value.([]any)
	if !ok {
		return nil, errors.New("not a list")
	}
	words := make([]string, 0, len(list))
	for i, entry := range list {
		word, ok := entry.(string)
		if !ok {
			return nil, fmt.Errorf("entry %d is not a string: put it in quotes", i)
		}
		words = append(words, word)
	}
	return words, nil
}

// Complaint is one thing that is wrong with a configuration.
type Complaint struct {
	Path    string // where: apps.wiki.rules[1].paths[0]
	Message string // what, and what would be right
}

// Error returns path and message.
func (c *Complaint) Error() string { return c.Path + ": " + c.Message }
