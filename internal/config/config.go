// Package config reads the one configuration file. Parse takes nothing on
// trust: a key that is unknown, given twice, of the wrong type or not yet
// supported is a complaint, and all complaints come at once, each with its line
// and path. Values may hold ${VARIABLES}, secrets may stand in files of their
// own, and the environment overrides single keys.
//
// What is read has its final type: whoever holds a *Config need not check it
// again. The rooms own the types of their parts and never import this one.
package config

import (
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"time"

	"gateway/internal/proxy"
	"gateway/policy"
	"gateway/providers"
	"gateway/sessions"
)

// Config is a whole and valid configuration.
type Config struct {
	URL            URL                         `yaml:"url"`
	Listen         Address                     `yaml:"listen"`
	TLS            TLS                         `yaml:"tls"`
	Authz          Authz                       `yaml:"authz"`
	Management     Address                     `yaml:"management"`
	TrustedProxies TrustedProxies              `yaml:"trusted_proxies"`
	Data           string                      `yaml:"data"`
	Providers      map[string]providers.Config `yaml:"providers"` // by id, with their defaults
	Local          Local                       `yaml:"local"`
	Sessions       sessions.Config             `yaml:"sessions"`
	Keys           Keys                        `yaml:"keys"`
	Admins         Admins                      `yaml:"admins"`
	Subjects       map[string]policy.Set       `yaml:"subjects"`  // sets of people, by name
	RuleSets       map[string][]policy.Rule    `yaml:"rule_sets"` // lists of rules, by name
	Apps           map[string]App              `yaml:"apps"`      // by name
	Observe        string                      `yaml:"observe"`   // path of another configuration, that is observed
	Record         Record                      `yaml:"record"`
	Log            Log                         `yaml:"log"`
	Telemetry      Telemetry                   `yaml:"telemetry"`

	Observed *Observed `yaml:"-"` // what came of that; nil without it

	origin
}

// TLS is what listen speaks. The zero TLS is plain HTTP, behind a proxy.
type TLS struct {
	Cert         string  `yaml:"cert"`         // path of the PEM chain, leaf first
	Key          string  `yaml:"key"`          // path of the PEM key
	Certificates []Pair  `yaml:"certificates"` // several, instead of the one
	Redirect     Address `yaml:"redirect"`     // where plain HTTP is sent to https; empty: off
}

// Pair is a certificate and its key.
type Pair struct {
	Cert string `yaml:"cert"`
	Key  string `yaml:"key"`
}

// Pairs are the certificates, the one for whoever names no host first.
func (t TLS) Pairs() []Pair {
	if t.Cert == "" {
		return t.Certificates
	}
	return []Pair{{t.Cert, t.Key}}
}

// Authz is the listener for the questions of front proxies.
type Authz struct {
	Listen Address `yaml:"listen"` // empty: off
}

// Local is the password door.
type Local struct {
	Enabled      bool         `yaml:"enabled"`
	Registration Registration `yaml:"registration"`
}

// Registration says how people become known.
type Registration string

// The kinds of registration of the password door.
const (
	Closed Registration = "closed" // admins add people, with a password
	Invite Registration = "invite" // or with a link to choose one
)

// Keys are those that sign sessions and assertions.
type Keys struct {
	Rotate time.Duration `yaml:"rotate"` // how long each signs
}

// Bounds of Keys.Rotate.
const (
	minRotate = time.Hour
	maxRotate = 365 * 24 * time.Hour
)

// Admins says who administers the gateway.
type Admins struct {
	Groups []string `yaml:"groups"` // ours, or a provider's as origin:group
}

// App is a protected site.
type App struct {
	policy.App `yaml:",inline"`
	Upstream   *url.URL         `yaml:"upstream"` // nil: behind a front proxy; scheme, host and port only
	Upstreams  []proxy.Upstream `yaml:"upstreams"`
	Headers    *proxy.Headers   `yaml:"headers"` // nil: the names that we use

	Sessions sessions.Limits `yaml:"sessions"` // of the app's sessions alone

	CrossOrigin         []WebOrigin `yaml:"cross_origin"`          // whose pages may use the app in a person's name
	InsecureCrossOrigin bool        `yaml:"insecure_cross_origin"` // everybody's may

	Basic bool `yaml:"basic"` // app tokens count as the password of HTTP Basic, too
}

// Ways returns the app's upstreams, however they are written; none behind a
// front proxy.
func (a App) Ways() []proxy.Upstream {
	if a.Upstream != nil {
		return []proxy.Upstream{{URL: a.Upstream}}
	}
	return a.Upstreams
}

// Record says what is remembered, in memory alone, beside refusals.
type Record struct {
	Allows bool `yaml:"allows"` // what the policy has allowed lately
}

// Telemetry says where traces go.
type Telemetry struct {
	OTLP OTLP `yaml:"otlp"`
}

// OTLP is a collector of traces.
type OTLP struct {
	Endpoint *url.URL `yaml:"endpoint"` // nil: nothing is traced; scheme, host and port only
}

// Log says how the program writes its log.
type Log struct {
	Level  slog.Level `yaml:"level"`
	Format Format     `yaml:"format"`
}

// Format is the form of log lines.
type Format string

// The forms of log lines.
const (
	JSON Format = "json"
	Text Format = "text"
)

// defaults is what holds where a file is silent.
func defaults() *Config {
	return &Config{
		Listen:     ":8080",
		Management: "127.0.0.1:8081",
		Data:       "/var/lib/gateway",
		Local:      Local{Enabled: true, Registration: Closed},
		Sessions:   sessions.DefaultConfig(),
		Record:     Record{Allows: true},
		Keys:       Keys{Rotate: 90 * 24 * time.Hour},
		Log:        Log{Level: slog.LevelInfo, Format: JSON},
	}
}

// Policy returns what the guard is made of, the apps by name.
func (c *Config) Policy() policy.Config {
	apps := make([]policy.App, 0, len(c.Apps))
	for _, name := range slices.Sorted(maps.Keys(c.Apps)) {
		app := c.Apps[name].App
		app.Name = name
		apps = append(apps, app)
	}
	all := policy.Config{Subjects: c.Subjects, RuleSets: c.RuleSets, Apps: apps}
	if c.Observed != nil {
		all.Observe = c.Observed.Policy
	}
	return all
}
