package policy

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Config is everything that a Policy is made of.
type Config struct {
	Subjects map[string]Set    // sets of people, for allow to name
	RuleSets map[string][]Rule // lists of rules, for apps to use
	Apps     []App
	Observe  *Config // another one, that is observed beside this; instead of what apps and rules of this one observe
}

// App is the part of an app's configuration that the policy reads. Exactly one
// of Host and Hosts and exactly one of Allow and Rules is given.
type App struct {
	Name  string    `yaml:"-"`     // the key under apps
	Host  string    `yaml:"host"`  // wiki.example.com, or *.example.com for exactly one label
	Hosts []string  `yaml:"hosts"` // the same, several
	Allow *Subjects `yaml:"allow"` // one rule for all paths and methods
	Rules []Rule    `yaml:"rules"` // the first whose methods and paths match decides

	Origins         []string `yaml:"origins"`          // the doors that count here; none: all
	CaseInsensitive bool     `yaml:"case_insensitive"` // whether paths are compared without regard to case

	Observe *Candidate `yaml:"observe"` // what is observed beside Allow or Rules; nil: at most some of the rules
}

// Candidate is what an app could have instead of its Allow or Rules. Exactly
// one of both is given.
type Candidate struct {
	Allow *Subjects `yaml:"allow"`
	Rules []Rule    `yaml:"rules"`
}

// Rule is one rule of an app: Methods and Paths say which requests it decides,
// the rest how. Exactly one of Deny, Allow and Use is given; Use stands alone.
type Rule struct {
	Use      string        `yaml:"use"`      // a set of rules, which stand here one by one
	Name     string        `yaml:"name"`     // how decisions name it; default app[index]
	Methods  []string      `yaml:"methods"`  // none: all methods. GET covers HEAD
	Paths    []string      `yaml:"paths"`    // none: all paths. /exact, /one/*, /any/depth/**
	Deny     bool          `yaml:"deny"`     // refuses everybody
	Allow    *Subjects     `yaml:"allow"`    // who may pass, if all conditions beside it hold:
	Networks []string      `yaml:"networks"` // from where alone they may
	Times    []Time        `yaml:"times"`    // when alone they may: within one of these
	Factors  int           `yaml:"factors"`  // how many factors their session must have
	MaxAge   time.Duration `yaml:"max_age"`  // how long ago they may have proved the newest
	When     string        `yaml:"when"`     // what else must be true, in the Common Expression Language
	Tokens   Tokens        `yaml:"tokens"`   // what app tokens are good for
	Observe  bool          `yaml:"observe"`  // it decides nothing: it is only observed. All of a set's rules, beside Use
}

// Tokens says what app tokens are good for at a rule. Without a word they count
// as the person they are of, who has proved nothing.
type Tokens string

// The words for Tokens.
const (
	AllowTokens  Tokens = "allow"  // they meet factors and max_age, too
	RefuseTokens Tokens = "refuse" // they do not pass
)

// Time is a part of the week.
type Time struct {
	Days []string `yaml:"days"` // mon, tue, wed, thu, fri, sat, sun; none: every day
	From string   `yaml:"from"` // 08:00; default 00:00
	To   string   `yaml:"to"`   // 18:00, no more included; default 24:00. Not after From: the next day
	Zone string   `yaml:"zone"` // of the IANA Time Zone Database: Europe/Berlin, UTC
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
	Sets         []string `yaml:"subjects"`      // whoever is in one of these sets
}

// Set is a set of people that several rules admit: whoever meets one entry of
// any of the lists, which are those of Subjects.
type Set struct {
	Users        []string `yaml:"users"`
	Groups       []string `yaml:"groups"`
	EmailDomains []string `yaml:"email_domains"`
	Origins      []string `yaml:"origins"`
	Networks     []string `yaml:"networks"`
}

// Subjects is the set as one rule alone would have it.
func (s Set) Subjects() Subjects {
	return Subjects{Users: s.Users, Groups: s.Groups, EmailDomains: s.EmailDomains, Origins: s.Origins, Networks: s.Networks}
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

var errSubjects = errors.New("allow is everyone, signed-in, or a mapping of users, groups, email_domains, origins, networks, subjects")

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
	case "subjects":
		return &s.Sets
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
