package policy

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

// UnmarshalYAML reads the scalar everyone or signed-in, or a mapping of lists.
// It has the signature that YAML decoders look for (goccy/go-yaml's InterfaceUnmarshaler).
func (s *Subjects) UnmarshalYAML(decode func(any) error) error {
	return decode(s)
}

// Complaint is one thing that is wrong with a configuration.
type Complaint struct {
	Path    string // where: apps.wiki.rules[1].paths[0]
	Message string // what, and what would be right
}

// Error returns path and message.
func (c *Complaint) Error() string { return c.Path + ": " + c.Message }
