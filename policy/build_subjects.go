package policy

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"unicode"

	"gateway/internal/canonical"
	"gateway/internal/identity"
)

// subjects compiles whom a rule admits.
func (b *builder) subjects(at string, c Subjects) subjects {
	lists := len(c.Users) + len(c.Groups) + len(c.EmailDomains) + len(c.Origins) + len(c.Networks) + len(c.Sets)
	switch {
	case c.Everyone && c.SignedIn, (c.Everyone || c.SignedIn) && lists > 0:
		b.complain(at, "everyone and signed-in stand alone")
	case !c.Everyone && !c.SignedIn && lists == 0:
		b.complain(at, "admits nobody: say everyone, signed-in, or list users, groups, email_domains, origins, networks or subjects")
	}
	s := subjects{everyone: c.Everyone, signedIn: c.SignedIn}
	s.users = b.entries(at+".users", c.Users, login)
	s.groups = b.entries(at+".groups", c.Groups, group)
	s.domains = b.entries(at+".email_domains", c.EmailDomains, emailDomain)
	s.origins = b.entries(at+".origins", c.Origins, origin)
	s.networks = b.networks(at+".networks", c.Networks)
	if c.Sets != nil {
		b.notEmpty(at+".subjects", c.Sets, "nobody more")
	}
	for i, name := range c.Sets {
		set := b.subjectsOf[name]
		if set == nil {
			b.complain(fmt.Sprintf("%s.subjects[%d]", at, i), "no such set under subjects")
			continue
		}
		s.sets = append(s.sets, namedSet{name, set})
	}
	return s
}

// subjectSet compiles a set for allow to name.
func (b *builder) subjectSet(name string, c Set) {
	if !word.MatchString(name) {
		b.complain("subjects", "%q is no name: letters, digits, '.', '_' and '-', at most 64", name)
	}
	s := b.subjects("subjects."+name, c.Subjects())
	b.subjectsOf[name] = &s
}

// entries compiles a list of words by what one of them may be.
func (b *builder) entries(at string, list []string, parse func(string) (string, error)) set {
	if list == nil {
		return nil
	}
	b.notEmpty(at, list, "nobody more")
	s := make(set, len(list))
	for i, raw := range list {
		entry, err := parse(raw)
		if err != nil {
			b.complain(fmt.Sprintf("%s[%d]", at, i), "%v", err)
			continue
		}
		s[entry] = struct{}{}
	}
	return s
}

func login(raw string) (string, error) {
	if raw == "" || strings.TrimSpace(raw) != raw || strings.ContainsFunc(raw, unicode.IsControl) {
		return "", errors.New("not a login")
	}
	return raw, nil
}

func group(raw string) (string, error) {
	if !identity.ValidGroup(raw) {
		return "", errors.New("not a group: no commas, controls or spaces around it, at most 255 bytes")
	}
	return raw, nil
}

func emailDomain(raw string) (string, error) {
	host, err := canonical.ParseHost(raw)
	switch {
	case err != nil:
		return "", errors.New(reason(err))
	case address(host) || !strings.EqualFold(string(host), raw):
		return "", errors.New("not a domain such as example.com")
	}
	return string(host), nil
}

var originWord = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)

func origin(raw string) (string, error) {
	if !originWord.MatchString(raw) {
		return "", errors.New("not the id of a provider, nor local")
	}
	return raw, nil
}

// networks compiles a list of networks.
func (b *builder) networks(at string, cidrs []string) networks {
	if cidrs == nil {
		return nil
	}
	b.notEmpty(at, cidrs, "every network")
	prefixes := make([]netip.Prefix, 0, len(cidrs))
	for i, cidr := range cidrs {
		prefix, err := parseNetwork(cidr)
		if err != nil {
			b.complain(fmt.Sprintf("%s[%d]", at, i), "%v", err)
			continue
		}
		prefixes = append(prefixes, prefix)
	}
	return newNetworks(prefixes)
}
