package providers_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"gateway/internal/secret"
	"gateway/providers"
)

func TestConfig(t *testing.T) {
	whole := func(change func(*providers.Config)) providers.Config {
		c := providers.Config{Issuer: "https://id.example", ClientID: "gateway"}
		if change != nil {
			change(&c)
		}
		return c
	}
	for _, row := range []struct {
		name, id string
		config   providers.Config
		want     []string // paths of the complaints, sorted
	}{
		{"smallest", "corp", whole(nil), nil},
		{"smallest of all", "google", providers.Config{ClientID: "x"}, nil},
		{"google elsewhere", "google", whole(nil), nil},
		{"hyphens and digits", "id-2", whole(nil), nil},
		{"local is ours", "local", whole(nil), []string{""}},
		{"slash", "a/b", whole(nil), []string{""}},
		{"dots", "..", whole(nil), []string{""}},
		{"capital", "A", whole(nil), []string{""}},
		{"no id", "", whole(nil), []string{""}},
		{"line break", "corp\n", whole(nil), []string{""}},
		{"endless id", strings.Repeat("a", 64), whole(nil), []string{""}},
		{"nothing", "corp", providers.Config{}, []string{"client_id", "issuer"}},
		{"unknown type", "corp", whole(func(c *providers.Config) { c.Type = "saml" }), []string{"type"}},
		{"plain http", "corp", whole(func(c *providers.Config) { c.Issuer = "http://id.example" }), []string{"issuer"}},
		{"plain http on loopback", "corp", whole(func(c *providers.Config) { c.Issuer = "http://127.0.0.1:5556/dex" }), nil},
		{"plain http below localhost", "corp", whole(func(c *providers.Config) { c.Issuer = "http://id.localhost:8080" }), nil},
		{"issuer with a query", "corp", whole(func(c *providers.Config) { c.Issuer = "https://id.example?" }), []string{"issuer"}},
		{"issuer with a fragment", "corp", whole(func(c *providers.Config) { c.Issuer = "https://id.example#" }), []string{"issuer"}},
		{"issuer with a user", "corp", whole(func(c *providers.Config) { c.Issuer = "https://id.example@evil.example" }), []string{"issuer"}},
		{"issuer is a name", "corp", whole(func(c *providers.Config) { c.Issuer = "id.example" }), []string{"issuer"}},
		{"issuer by ftp", "corp", whole(func(c *providers.Config) { c.Issuer = "ftp://id.example" }), []string{"issuer"}},
		{"secret twice", "corp", whole(func(c *providers.Config) { c.ClientSecret, c.ClientSecretFile = secret.New("x"), "/x" }), []string{"client_secret"}},
		{"scopes without openid", "corp", whole(func(c *providers.Config) { c.Scopes = []string{"email"} }), []string{"scopes"}},
		{"scope with a space", "corp", whole(func(c *providers.Config) { c.Scopes = []string{"openid", "a b"} }), []string{"scopes[1]"}},
		{"invite", "corp", whole(func(c *providers.Config) { c.Registration = "invite" }), nil},
		{"unknown registration", "corp", whole(func(c *providers.Config) { c.Registration = "Open" }), []string{"registration"}},
		{"closed", "corp", whole(func(c *providers.Config) { c.Registration = "closed" }), nil},
		{"our client as token audience", "corp", whole(func(c *providers.Config) { c.TokenAudiences = []string{"api", "gateway", ""} }), []string{"token_audiences[1]", "token_audiences[2]"}},
		{"none", "corp", whole(func(c *providers.Config) { c.Algorithms = []string{"RS256", "none", "HS256"} }), []string{"algorithms[1]", "algorithms[2]"}},
		{"groups mapped", "corp", whole(func(c *providers.Config) { c.GroupMap = map[string]string{"CN=x,DC=y": "ops"} }), nil},
		{"mapped to an origin's", "corp", whole(func(c *providers.Config) { c.GroupMap = map[string]string{"a": "google:ops", "b": "a,b", "": "c"} }), []string{`group_map[""]`, `group_map["a"]`, `group_map["b"]`}},
		{"claims not printable", "corp", whole(func(c *providers.Config) { c.LoginClaim, c.GroupsClaim, c.Name = "\x00", "\n", "\t" }), []string{"groups_claim", "login_claim", "name"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			var got []string
			err := row.config.Validate(row.id)
			if joined, ok := err.(interface{ Unwrap() []error }); ok {
				for _, e := range joined.Unwrap() {
					var c *providers.Complaint
					if !errors.As(e, &c) || c.Message == "" {
						t.Errorf("%v is no complaint", e)
						continue
					}
					got = append(got, c.Path)
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, row.want) {
				t.Errorf("Validate(%q) complains about %q: %v, want %q", row.id, got, err, row.want)
			}
		})
	}
}

func TestUnsupportedRegistrationSaysSo(t *testing.T) {
	err := providers.Config{Issuer: "https://id.example", ClientID: "x", Registration: "sometimes"}.Validate("corp")
	if err == nil || err.Error() != "registration: must be open, approval, invite or closed" {
		t.Errorf("Validate = %v", err)
	}
}

func TestDefaults(t *testing.T) {
	got := providers.Config{ClientID: "x"}.WithDefaults("google")
	if got.Issuer != "https://accounts.google.com" || got.Name != "Google" || got.Type != "oidc" || got.Registration != "open" || got.GroupsClaim != "groups" {
		t.Errorf("google = %+v", got)
	}
	if want := []string{"openid", "profile", "email"}; !slices.Equal(got.Scopes, want) {
		t.Errorf("scopes = %q, want %q", got.Scopes, want)
	}
	if got := (providers.Config{Issuer: "https://id.example"}).WithDefaults("google"); got.Issuer != "https://id.example" || got.Name != "google" {
		t.Errorf("google elsewhere = %+v", got)
	}
}
