package policy_test

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

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
		if !rule.Observe && covers(rule, r.Method, string(r.Path), app.CaseInsensitive) {
			name := rule.Name
			if name == "" {
				name = app.Name + "[" + string(rune('0'+i)) + "]"
			}
			effect, reason, public := judge(rule, app.Origins, r)
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

func covers(rule policy.Rule, method, path string, fold bool) bool {
	if fold && strings.ContainsAny(path, "ıİſ\u212A") {
		return false
	}
	if rule.Methods != nil && !slices.Contains(rule.Methods, method) && (method != "HEAD" || !slices.Contains(rule.Methods, "GET")) {
		return false
	}
	return rule.Paths == nil || slices.ContainsFunc(rule.Paths, func(pattern string) bool {
		if fold {
			pattern, path = strings.ToLower(pattern), strings.ToLower(path)
		}
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

// expressions are what the dice write into when; what they say stands in says.
var expressions = []string{`request.method == "GET"`, `user.login == "alice"`, `int(request.host) == 1`, `now.getHours() == 12`, `session.factors.exists(f, f == "otp")`, `session.token`}

// says is what an expression comes to, whether it speaks of the person, and
// whether it can be told.
func says(when string, r policy.Request) (holds, personal, sure bool) {
	who := r.Who
	if who == nil {
		who = &identity.Principal{}
	}
	if r.Now.IsZero() {
		return false, strings.Contains(when, "user") || strings.Contains(when, "session"), false
	}
	switch slices.Index(expressions, when) {
	case 0:
		return r.Method == http.MethodGet, false, true
	case 1:
		return who.Login == "alice", true, true
	case 3:
		return r.Now.UTC().Hour() == 12, false, true
	case 4:
		return slices.Contains(who.AMR, "otp"), true, true
	case 5:
		return who.Token, true, true
	}
	return false, false, false
}

func judge(rule policy.Rule, origins []string, r policy.Request) (policy.Effect, policy.Reason, bool) {
	holds, personal, sure := true, false, true
	if rule.When != "" {
		holds, personal, sure = says(rule.When, r)
	}
	unproved := map[bool]policy.Reason{true: policy.NotTrue, false: policy.CannotTell}[sure]
	asks := rule.Factors > 0 || rule.MaxAge > 0
	anybody := !rule.Deny && (rule.Allow.Everyone || within(rule.Allow.Networks, r.Client))
	nobody := r.Who == nil || r.Who.UserID+r.Who.Login == ""
	token := !nobody && r.Who.Token
	switch {
	case rule.Deny:
		return policy.Deny, policy.RuleDenies, false
	case rule.Networks != nil && !within(rule.Networks, r.Client):
		return policy.Deny, policy.WrongNetwork, false
	case rule.Times != nil && !during(rule.Times[0], r.Now):
		return policy.Deny, policy.WrongTime, false
	case !holds && !personal:
		return policy.Deny, unproved, false
	case anybody && !asks && !holds:
		return policy.Deny, unproved, false
	case anybody && !asks && token && rule.Tokens == "refuse":
		return policy.Deny, policy.NoTokens, false
	case anybody && !asks:
		return policy.Allow, policy.Allowed, !personal && rule.Tokens != "refuse"
	case !anybody && !rule.Allow.SignedIn && len(rule.Allow.Users)+len(rule.Allow.Groups)+len(rule.Allow.EmailDomains)+len(rule.Allow.Origins) == 0:
		return policy.Deny, policy.NotListed, false
	case nobody:
		return policy.Login, policy.SignIn, false
	case len(origins) > 0 && !slices.Contains(origins, r.Who.Origin):
		return policy.Deny, policy.WrongOrigin, false
	case !anybody && !rule.Allow.SignedIn && !listed(rule.Allow, r.Who):
		return policy.Deny, policy.NotListed, false
	case !holds:
		return policy.Deny, unproved, false
	case token && rule.Tokens == "refuse":
		return policy.Deny, policy.NoTokens, false
	case token && rule.Tokens == "allow":
		return policy.Allow, policy.Allowed, false
	}
	lacks := policy.Allowed
	if age := r.Now.Sub(r.Who.AuthTime); rule.MaxAge > 0 && (r.Now.IsZero() || r.Who.AuthTime.IsZero() || age > rule.MaxAge || age < -time.Minute) {
		lacks = policy.TooLongAgo
	}
	if token && rule.MaxAge > 0 {
		lacks = policy.TooLongAgo
	}
	if counted(r.Who.AMR) < rule.Factors || token && rule.Factors > 0 {
		lacks = policy.FewFactors
	}
	switch {
	case lacks == policy.Allowed:
		return policy.Allow, policy.Allowed, false
	case r.Reach > 0 && r.Reach >= rule.Factors && !token:
		return policy.StepUp, lacks, false
	}
	return policy.Deny, lacks, false
}

// counted is how many factors methods are.
func counted(amr []string) int {
	worth := map[string]int{}
	for _, method := range amr {
		switch method {
		case "pwd", "fed":
			worth["door"] = 1
		case "otp", "recovery":
			worth["otp"] = 1
		case "passkey":
			worth["passkey"] = 2
		}
	}
	return min(3, worth["door"]+worth["otp"]+worth["passkey"])
}

// during compares what clocks show as text; the windows of the dice are in UTC.
func during(t policy.Time, now time.Time) bool {
	shown, from, to := now.UTC().Format("15:04"), t.From, t.To
	if from == "" {
		from = "00:00"
	}
	switch {
	case now.IsZero():
		return false
	case from < to:
		return from <= shown && shown < to
	}
	return shown >= from || shown < to
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
