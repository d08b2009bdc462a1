package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gateway/internal/audit"
	"gateway/internal/cases"
	"gateway/internal/config"
	"gateway/internal/identity"
	"gateway/internal/server"
	"gateway/internal/store/sqlite"
	"gateway/policy"
)

func policyCommand(o *options) *cobra.Command {
	return group("policy", "Explain and try who may pass", policyExplain(o), policyTest(o), policyLint(o), policyDiff(), policyObserved(o))
}

// guardOf compiles the policy of a configuration.
func guardOf(cfg *config.Config) (*policy.Policy, error) {
	p, err := policy.New(cfg.Policy())
	if err != nil {
		return nil, badConfig{err}
	}
	return p, nil
}

// asked is a request and a person as flags say it.
type asked struct {
	as, client      string
	nobody, json    bool
	token           bool
	groups, factors []string
	origin, now     string
	ago             time.Duration
}

func (a *asked) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&a.as, "as", "", "login of who asks, from the store; where it has none, made up")
	f.BoolVar(&a.nobody, "nobody", false, "nobody is signed in")
	f.StringArrayVar(&a.groups, "group", nil, "group that the person has beside those of the store; may be given several times")
	f.StringArrayVar(&a.factors, "factor", nil, "factor of the session: pwd, fed, otp, passkey, recovery; may be given several times")
	f.BoolVar(&a.token, "token", false, "an app token of the person asks, not a session")
	f.StringVar(&a.origin, "origin", "", "door of the session: a provider's id, or local")
	spanFlag(c, &a.ago, "proved-ago", 0, "how long ago the newest factor was proved")
	f.StringVar(&a.now, "now", "", "moment of the request, as in 2026-11-22T09:30:00+01:00 (default now)")
	f.StringVar(&a.client, "client", "", "IP address that the request comes from")
	f.BoolVar(&a.json, "json", false, "print JSON")
}

// person says who asks.
func (a *asked) person(p *people) (cases.Person, error) {
	switch {
	case a.token && (a.factors != nil || a.ago != 0):
		return cases.Person{}, badUsage{errors.New("an app token proves nothing: it has neither --factor nor --proved-ago")}
	case a.token && slices.ContainsFunc(a.groups, func(g string) bool { return strings.Contains(g, ":") }):
		return cases.Person{}, badUsage{errors.New("an app token has no group of a provider")}
	case a.nobody && (a.as != "" || a.token || a.groups != nil || a.factors != nil || a.origin != "" || a.ago != 0):
		return cases.Person{}, badUsage{errors.New("nobody has neither login, group, factor nor origin")}
	case a.nobody:
		var nobody cases.Person
		return nobody, nobody.UnmarshalText([]byte("nobody"))
	case a.as == "":
		return cases.Person{}, badUsage{errors.New("say who asks: --as LOGIN, or --nobody")}
	}
	for _, factor := range a.factors {
		if err := cases.CheckFactor(factor); err != nil {
			return cases.Person{}, badUsage{fmt.Errorf("--factor: %w", err)}
		}
	}
	who := cases.Person{Groups: a.groups, Factors: a.factors, Origin: a.origin, Ago: a.ago, Token: a.token}
	known, err := p.knows(a.as)
	if known {
		who.User = a.as
	} else {
		who.Login = a.as
	}
	return who, err
}

func policyExplain(o *options) *cobra.Command {
	var a asked
	c := &cobra.Command{
		Use: "explain [METHOD] URL | DECISION-ID", Short: "Say what the policy answers to a request, and why", Args: cobra.RangeArgs(1, 2),
		Example: "  gateway policy explain --as alice GET https://grafana.example.com/admin/users\n" +
			"  gateway policy explain --nobody https://grafana.example.com/\n" +
			"  gateway policy explain GTYQ5X3LGXSDEPMQGQ2SHJYBAR",
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 1 && decisionID.MatchString(args[0]) {
				return explainDecision(c, o, args[0], a)
			}
			request := strings.Join(args, " ")
			ask, err := cases.ParseAsk(request)
			if err != nil {
				return badUsage{fmt.Errorf("%q: %w, nor is it the decision_id of a refusal", request, err)}
			}
			cfg, err := load(o, c.ErrOrStderr())
			if err != nil {
				return err
			}
			guard, err := guardOf(cfg)
			if err != nil {
				return err
			}
			return withPeople(c, cfg, func(p *people) error {
				who, err := a.person(p)
				if err != nil {
					return err
				}
				return a.explain(c, cfg, guard, ask, who, p)
			})
		},
	}
	a.flags(c)
	return c
}

var decisionID = regexp.MustCompile(`^[A-Z2-7]{26}$`)

// explainDecision asks the running gateway about a refusal.
func explainDecision(c *cobra.Command, o *options, id string, a asked) error {
	if a.says() {
		return badUsage{errors.New("a decision has its own person, client and moment")}
	}
	cfg, wrong := load(o, io.Discard) // of the app's limits; administer tells what is wrong with it
	return administer(c, o, func(ctx context.Context, admin *administrator) error {
		var d server.AdminDecision
		err := admin.call(ctx, http.MethodGet, "/decisions/"+id, nil, &d)
		if errorAs[notThere](err) {
			d, err = writtenDecision(admin.data, id, err)
		}
		if err != nil {
			return err
		}
		if a.json {
			return indented(c.OutOrStdout(), d)
		}
		rows := []row{
			{"at", instant(d.At)},
			{"request", d.Method + " " + d.Host + d.Path},
			{"as", cmp.Or(d.Login, "nobody")},
			{"from", cmp.Or(d.Client, "an unknown address")},
			{"answer", fmt.Sprintf("%v by %s, %s", d.Then.Effect, cmp.Or(d.Then.Rule, "no rule"), d.Then.Reason)},
		}
		if d.Token != "" {
			rows = append(rows, row{"by", "app token " + d.Token})
		}
		if d.Changed {
			rows = append(rows, row{"now", "the policy has changed since; this is what it would say"})
		}
		if d.Unknown != "" {
			rows = append(rows, row{"why", d.Unknown})
		}
		if err := table(c.OutOrStdout(), rows); err != nil || d.Unknown != "" {
			return err
		}
		if _, err := fmt.Fprintln(c.OutOrStdout()); err != nil {
			return err
		}
		if err := cases.Explain(c.OutOrStdout(), d.Now); err != nil || wrong != nil {
			return err
		}
		return tellLimits(c.OutOrStdout(), cfg, d.Now.App)
	})
}

// writtenDecision is what the audit log has of a refusal that no gateway
// remembers; unknown says so where it has none.
func writtenDecision(data, id string, unknown error) (server.AdminDecision, error) {
	found, err := audit.Find(bookFolder(data), audit.Filter{Decision: id}, 1)
	switch {
	case err != nil:
		return server.AdminDecision{}, err
	case len(found) == 0:
		return server.AdminDecision{}, fmt.Errorf("%w Nor has the audit log one: gateway audit list --kind refusal shows those that it has", unknown)
	}
	l := found[0]
	d := server.AdminDecision{
		ID: id, At: l.Time, Method: l.Method, Host: l.Host, Path: l.Path, Login: l.Login, Token: l.Token,
		Then:    policy.Decision{App: l.App, Rule: l.Rule, Reason: policy.Reason(l.Reason)},
		Unknown: "only the audit log has it still; gateway policy explain --as LOGIN METHOD URL says what would be answered now",
	}
	if l.Client.IsValid() {
		d.Client = l.Client.String()
	}
	return d, nil
}

// says reports whether flags say anything about who asks.
func (a *asked) says() bool {
	return a.nobody || a.token || a.as != "" || a.groups != nil || a.factors != nil || a.origin != "" || a.ago != 0 || a.client != "" || a.now != ""
}

func (a *asked) explain(c *cobra.Command, cfg *config.Config, guard *policy.Policy, ask cases.Ask, who cases.Person, p *people) error {
	if ask.Refuse != "" {
		return fmt.Errorf("refused before any policy is asked: %s", ask.Refuse)
	}
	var client netip.Addr
	var err error
	if a.client != "" {
		if client, err = netip.ParseAddr(a.client); err != nil {
			return badUsage{fmt.Errorf("--client: %w", err)}
		}
	}
	now := time.Now() //nolint:forbidigo // the moment of the command
	if a.now != "" {
		if now, err = time.Parse(time.RFC3339, a.now); err != nil {
			return badUsage{fmt.Errorf("--now: %w", err)}
		}
	}
	run := cases.Runner{Policy: guard, User: p.principal}
	r, err := run.Request(ask, who, client, now)
	if err != nil {
		return err
	}
	e := guard.Explain(r)
	if a.json {
		return indented(c.OutOrStdout(), e)
	}
	if err := cases.Explain(c.OutOrStdout(), e); err != nil {
		return err
	}
	if a.token { // it has a life of its own
		return nil
	}
	return tellLimits(c.OutOrStdout(), cfg, e.App)
}

func indented(out io.Writer, value any) error {
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(value)
}

// people asks the store who somebody is. Where there is no store yet, it knows
// nobody, and makes none.
type people struct {
	ctx   context.Context //nolint:containedctx // of the one command that it lives for
	admin *administrator  // nil: no store
}

func withPeople(c *cobra.Command, cfg *config.Config, do func(*people) error) error {
	if _, err := os.Stat(filepath.Join(cfg.Data, sqlite.FileName)); err != nil {
		return do(&people{ctx: c.Context()})
	}
	return administerOf(c, cfg, func(ctx context.Context, a *administrator) error {
		return do(&people{ctx: ctx, admin: a})
	})
}

// knows reports whether the store has a person of that login.
func (p *people) knows(login string) (bool, error) {
	if p.admin == nil {
		return false, nil
	}
	_, err := p.user(login)
	if errorAs[notThere](err) {
		return false, nil
	}
	return err == nil, err
}

func (p *people) user(login string) (server.AdminUser, error) {
	var u server.AdminUser
	if p.admin == nil {
		return u, fmt.Errorf("%s is to be taken from the store, and there is none", login)
	}
	return u, p.admin.call(p.ctx, http.MethodGet, "/users/"+url.PathEscape(login), nil, &u)
}

// principal is the person as a session of theirs would speak for.
func (p *people) principal(login string) (identity.Principal, error) {
	u, err := p.user(login)
	if err != nil {
		return identity.Principal{}, fmt.Errorf("%s: %w", login, err)
	}
	if u.Status != string(identity.Active) {
		return identity.Principal{}, fmt.Errorf("%s is %s, so nobody signs in as %s", login, u.Status, login)
	}
	who := identity.Principal{
		UserID: u.UserID, Login: u.Login, Name: u.Name, Email: u.Email, EmailVerified: u.EmailVerified, Groups: u.Groups,
	}
	if len(u.Links) > 0 {
		who.Origin = u.Links[0].Origin
	}
	return who, nil
}
