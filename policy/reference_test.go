package policy_test

import (
	"net/netip"
	"slices"
	"strings"

	"gateway/internal/canonical"
	"gateway/internal/identity"
	"gateway/policy"
)

// reference decides as the documentation says it, one rule after the other,
// with no thought of speed. It reads valid configurations only.
type reference []policy.App

func (apps reference) decide(r policy.Request) policy.Decision {
	app := apps.app(r.Host)
	if app == nil {
		return policy.Decision{Reason: policy.UnknownHost}
	}
	rules := app.Rules
	if app.Allow != nil {
		rules = []policy.Rule{{Allow: app.Allow}}
	}
	for i, rule := range rules {
		if covers(rule, r.Method, string(r.Path)) {
			name := rule.Name
			if name == "" {
				name = app.Name + "[" + string(rune('0'+i)) + "]"
			}
			effect, reason, public := judge(rule, r)
			return policy.Decision{Effect: effect, App: app.Name, Rule: name, Reason: reason, Public: public}
		}
	}
	return policy.Decision{App: app.Name, Reason: policy.NoRule}
}

func (apps reference) app(host canonical.Host) *policy.App {
	_, parent, _ := strings.Cut(string(host), ".")
	for _, pattern := range []string{string(host), "*." + parent} {
		for i, app := range apps {
			if slices.Contains(append(app.Hosts, app.Host), pattern) {
				return &apps[i]
			}
		}
	}
	return nil
}

func covers(rule policy.Rule, method, path string) bool {
	if rule.Methods != nil && !slices.Contains(rule.Methods, method) && (method != "HEAD" || !slices.Contains(rule.Methods, "GET")) {
		return false
	}
	return rule.Paths == nil || slices.ContainsFunc(rule.Paths, func(pattern string) bool {
		return match(strings.Split(pattern[1:], "/"), strings.Split(path[1:], "/"))
	})
}

func match(pattern, path []string) bool {
	switch {
	case len(pattern) == 0:
		return len(path) == 0
	case pattern[0] == "**":
		return match(pattern[1:], path) || len(path) > 0 && match(pattern, path[1:])
	case len(path) == 0:
		return false
	case pattern[0] == "*":
		return path[0] != "" && match(pattern[1:], path[1:])
	}
	return pattern[0] == path[0] && match(pattern[1:], path[1:])
}

func judge(rule policy.Rule, r policy.Request) (policy.Effect, policy.Reason, bool) {
	switch {
	case rule.Deny:
		return policy.Deny, policy.RuleDenies, false
	case rule.Networks != nil && !within(rule.Networks, r.Client):
		return policy.Deny, policy.WrongNetwork, false
	case rule.Allow.Everyone, within(rule.Allow.Networks, r.Client):
		return policy.Allow, policy.Allowed, true
	case !rule.Allow.SignedIn && len(rule.Allow.Users)+len(rule.Allow.Groups)+len(rule.Allow.EmailDomains)+len(rule.Allow.Origins) == 0:
		return policy.Deny, policy.NotListed, false
	case r.Who == nil || r.Who.UserID+r.Who.Login == "":
		return policy.Login, policy.SignIn, false
	case rule.Allow.SignedIn, listed(rule.Allow, r.Who):
		return policy.Allow, policy.Allowed, false
	}
	return policy.Deny, policy.NotListed, false
}

func listed(subjects *policy.Subjects, who *identity.Principal) bool {
	_, domain, _ := strings.Cut(who.Email, "@")
	return slices.Contains(subjects.Users, who.Login) || slices.Contains(subjects.Origins, who.Origin) ||
		slices.ContainsFunc(who.Groups, func(g string) bool { return slices.Contains(subjects.Groups, g) }) ||
		who.EmailVerified && domain != "" && slices.Contains(subjects.EmailDomains, strings.ToLower(domain))
}

func within(cidrs []string, client netip.Addr) bool {
	return slices.ContainsFunc(cidrs, func(cidr string) bool {
		prefix, err := netip.ParsePrefix(cidr)
		if err != nil {
			addr := netip.MustParseAddr(cidr)
			prefix = netip.PrefixFrom(addr, addr.BitLen())
		}
		return prefix.Contains(client.Unmap().WithZone(""))
	})
}
