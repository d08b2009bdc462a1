package providers

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"gateway/internal/identity"
	"gateway/internal/secret"
)

// The ways in which people may become known through a provider.
const (
	RegistrationOpen     = "open"     // whoever some rule could admit
	RegistrationApproval = "approval" // likewise, once an admin has approved
	RegistrationInvite   = "invite"   // who has an invitation
	RegistrationClosed   = "closed"   // nobody new
)

// TypeOIDC is the type of OpenID Connect providers.
const TypeOIDC = "oidc"

// Config is what the configuration holds for one provider, under its id.
type Config struct {
	Type             string            `yaml:"type"`                   // kind of provider: oidc (default)
	Name             string            `yaml:"name"`                   // shown on the button (default: the id)
	Issuer           string            `yaml:"issuer"`                 // the provider's issuer, byte for byte as it writes it; known for the id google
	ClientID         string            `yaml:"client_id"`              // what the provider knows us by
	ClientSecret     secret.Text       `yaml:"client_secret"`          // rather client_secret_file; without either we are a public client
	ClientSecretFile string            `yaml:"client_secret_file"`     // file that holds the client secret
	Scopes           []string          `yaml:"scopes"`                 // default: openid profile email
	Registration     string            `yaml:"registration"`           // open (default), approval, invite or closed
	VerifiedEmail    bool              `yaml:"require_verified_email"` // new people have to have an address that the provider has verified
	LoginClaim       string            `yaml:"login_claim"`            // claim that holds the login (default: none, logins read origin:subject)
	GroupsClaim      string            `yaml:"groups_claim"`           // claim that holds the groups (default: groups)
	GroupMap         map[string]string `yaml:"group_map"`              // provider's group → our group; the others read origin:group
	TokenAudiences   []string          `yaml:"token_audiences"`        // audiences whose tokens are taken without a sign-in (default: none)
	Algorithms       []string          `yaml:"algorithms"`             // signatures that count, of RS256, PS256, ES256, EdDSA (default: all four)
}

// Algorithms are the signature algorithms we know (RFC 7518, RFC 8037): one
// hash per key type, all asymmetric.
func Algorithms() []string { return []string{"RS256", "PS256", "ES256", "EdDSA"} }

// presets are the providers whose id alone says where they are.
var presets = map[string]Config{
	"google": {Name: "Google", Issuer: "https://accounts.google.com"},
}

// WithDefaults returns the configuration with every default filled in.
func (c Config) WithDefaults(id string) Config {
	preset := presets[id]
	c.Type = cmp.Or(c.Type, TypeOIDC)
	if c.Issuer == "" {
		c.Issuer = preset.Issuer
		c.Name = cmp.Or(c.Name, preset.Name)
	}
	c.Name = cmp.Or(c.Name, id)
	c.Registration = cmp.Or(c.Registration, RegistrationOpen)
	c.GroupsClaim = cmp.Or(c.GroupsClaim, "groups")
	if len(c.Scopes) == 0 {
		c.Scopes = []string{"openid", "profile", "email"}
	}
	if len(c.Algorithms) == 0 {
		c.Algorithms = Algorithms()
	}
	return c
}

// Complaint is one thing that is wrong with a configuration.
type Complaint struct {
	Path    string // of the key, relative to the provider; empty for its id
	Message string
}

// Error reads "path: message".
func (c *Complaint) Error() string {
	if c.Path == "" {
		return c.Message
	}
	return c.Path + ": " + c.Message
}

// complaints collects them.
type complaints []error

func (cs *complaints) add(path, format string, args ...any) {
	*cs = append(*cs, &Complaint{Path: path, Message: fmt.Sprintf(format, args...)})
}

var (
	originID = regexp.MustCompile(`^[a-z][a-z0-9-]{0,62}$`)
	scope    = regexp.MustCompile(`^[\x21\x23-\x5B\x5D-\x7E]+$`) // RFC 6749, section 3.3
)

// Validate checks the configuration as it was written, before the file of
// client_secret_file is read. It joins all complaints, each a *Complaint.
func (c Config) Validate(id string) error {
	var cs complaints
	if id == identity.Local || !originID.MatchString(id) {
		cs.add("", "an origin is named by lower-case letters, digits and hyphens, begins with a letter, has at most 63 of them and is not %q", identity.Local)
	}
	d := c.WithDefaults(id)
	if d.Type != TypeOIDC {
		cs.add("type", "unknown; known is %s", TypeOIDC)
	}
	if strings.ContainsFunc(c.Name, control) || len(c.Name) > 64 {
		cs.add("name", "must be printable and have at most 64 bytes")
	}
	d.validateClient(&cs)
	switch d.Registration {
	case RegistrationOpen, RegistrationApproval, RegistrationInvite, RegistrationClosed:
	default:
		cs.add("registration", "must be open, approval, invite or closed")
	}
	d.validateClaims(&cs)
	for i, alg := range d.Algorithms {
		if !slices.Contains(Algorithms(), alg) {
			cs.add(fmt.Sprintf("algorithms[%d]", i), "must be one of %s", strings.Join(Algorithms(), ", "))
		}
	}
	return errors.Join(cs...)
}

func (c Config) validateClient(cs *complaints) {
	if c.Issuer == "" {
		cs.add("issuer", "missing")
	} else if _, err := ParseIssuer(c.Issuer); err != nil {
		cs.add("issuer", "%v", err)
	}
	switch {
	case c.ClientID == "":
		cs.add("client_id", "missing")
	case strings.ContainsFunc(c.ClientID, control) || len(c.ClientID) > 512:
		cs.add("client_id", "must be printable and have at most 512 bytes")
	}
	if !c.ClientSecret.Empty() && c.ClientSecretFile != "" {
		cs.add("client_secret", "also given by client_secret_file")
	}
	for i, s := range c.Scopes {
		if !scope.MatchString(s) || len(s) > 255 {
			cs.add(fmt.Sprintf("scopes[%d]", i), "not a scope")
		}
	}
	if !slices.Contains(c.Scopes, "openid") {
		cs.add("scopes", "must contain openid")
	}
	for i, aud := range c.TokenAudiences {
		path := fmt.Sprintf("token_audiences[%d]", i)
		switch aud {
		case "":
			cs.add(path, "empty")
		case c.ClientID:
			cs.add(path, "is our client_id: ID tokens for our client need a challenge")
		}
	}
}

func (c Config) validateClaims(cs *complaints) {
	if strings.ContainsFunc(c.LoginClaim, control) {
		cs.add("login_claim", "must be printable")
	}
	if strings.ContainsFunc(c.GroupsClaim, control) {
		cs.add("groups_claim", "must be printable")
	}
	for _, from := range slices.Sorted(maps.Keys(c.GroupMap)) {
		to := c.GroupMap[from]
		path := fmt.Sprintf("group_map[%q]", from)
		switch {
		case from == "":
			cs.add(path, "empty group of the provider")
		case !identity.ValidGroup(to) || strings.Contains(to, ":"):
			cs.add(path, "%q is no group of ours: no commas, colons, control characters or surrounding space", to)
		}
	}
}

// control reports what must not stand in a name that is shown or sent.
func control(r rune) bool { return r < 0x20 || r == 0x7f || r == '\uFFFD' }
