package policy

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"gateway/internal/identity"
)

type set map[string]struct{}

func (s set) has(entry string) bool { _, ok := s[entry]; return ok }

// subjects is whom a rule admits: Subjects compiled.
type subjects struct {
	everyone, signedIn              bool
	users, groups, domains, origins set
	networks                        networks
	sets                            []namedSet // whoever is in one of these
}

// namedSet is shared by all rules that name it.
type namedSet struct {
	name string
	*subjects
}

func newSubjects() subjects {
	return subjects{users: set{}, groups: set{}, domains: set{}, origins: set{}}
}

// add takes over the people of others, not their networks. Where a rule asks
// for a person, everyone is every person.
func (s *subjects) add(others *subjects, personal bool) {
	s.signedIn = s.signedIn || others.signedIn || personal && (others.everyone || others.anywhere())
	maps.Copy(s.users, others.users)
	maps.Copy(s.groups, others.groups)
	maps.Copy(s.domains, others.domains)
	maps.Copy(s.origins, others.origins)
	for _, set := range others.sets {
		if !slices.ContainsFunc(s.sets, func(known namedSet) bool { return known.subjects == set.subjects }) {
			s.sets = append(s.sets, set)
		}
	}
}

// anywhere reports whether a network is admitted.
func (s *subjects) anywhere() bool {
	return len(s.networks) > 0 || slices.ContainsFunc(s.sets, func(set namedSet) bool { return set.anywhere() })
}

// people reports whether signing in could help somebody.
func (s *subjects) people() bool {
	return s.signedIn || len(s.users)+len(s.groups)+len(s.domains)+len(s.origins) > 0 ||
		slices.ContainsFunc(s.sets, func(set namedSet) bool { return set.people() })
}

// anybody reports whether whoever comes from that client is admitted.
func (s *subjects) anybody(client netip.Addr) bool {
	if s.everyone || s.networks.contain(client) {
		return true
	}
	for i := range s.sets {
		if s.sets[i].networks.contain(client) {
			return true
		}
	}
	return false
}

// person reports whether the person is admitted for who it is. An empty word
// of the person's meets no entry, since no entry is empty.
func (s *subjects) person(who *identity.Principal) bool {
	switch {
	case s.signedIn, s.users.has(who.Login), s.origins.has(who.Origin):
		return true
	case who.EmailVerified && len(s.domains) > 0 && s.domain(who.Email):
		return true
	case len(s.groups) > 0 && slices.ContainsFunc(who.Groups, s.groups.has):
		return true
	}
	for i := range s.sets {
		if s.sets[i].person(who) {
			return true
		}
	}
	return false
}

const (
	maxAddress = 254 // bytes of an e-mail address (RFC 5321, section 4.5.3.1.3, without the angle brackets)
	maxLocal   = 64  // bytes before the @ (section 4.5.3.1.1)
)

// domain reports whether the address is at one of the domains. Mail parsers
// disagree about quotes, comments, routes and lists, so an address that has
// any is at none: there is one "@", ASCII letters, digits and the signs of an
// atom (RFC 5322, section 3.2.3) or dots before it, and after it a domain of
// the rule to the letter, in either case.
func (s *subjects) domain(address string) bool {
	at := strings.IndexByte(address, '@')
	if at < 1 || at > maxLocal || len(address) > maxAddress {
		return false
	}
	for i := range at {
		if !atom(address[i]) {
			return false
		}
	}
	var buf [maxAddress]byte
	lower := append(buf[:0], address[at+1:]...)
	for i, c := range lower {
		if c >= 'A' && c <= 'Z' {
			lower[i] = c - 'A' + 'a'
		}
	}
	_, ok := s.domains[string(lower)]
	return ok
}

func atom(c byte) bool {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		return true
	}
	return strings.IndexByte(".!#$%&'*+-/=?^_`{|}~", c) >= 0
}
