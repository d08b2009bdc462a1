package config

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"gateway/internal/canonical"
	"gateway/internal/identity"
	"gateway/policy"
	"gateway/providers"
)

// validate checks what no single value shows. It stays silent about keys that
// already have a complaint, and about what only follows from it.
func (d *decoder) validate(c *Config) {
	v := &validation{d, c, d.complaints}
	v.portal()
	v.listeners()
	v.adopt("sessions", v.Sessions.Validate())
	if v.Keys.Rotate < minRotate || v.Keys.Rotate > maxRotate {
		v.wrong("keys.rotate", "must be from 1h to 8760h (a year)")
	}
	v.providers()
	v.admins()
	if e := v.Telemetry.OTLP.Endpoint; e != nil && e.Scheme == "h2c" {
		v.wrong("telemetry.otlp.endpoint", "must begin with http:// or https://")
	}
	v.apps()
	v.guard()
}

// validation is a configuration under scrutiny.
type validation struct {
	*decoder
	*Config
	known Complaints
}

// wrong complains about a key, in its line or that of the nearest key above it.
func (v *validation) wrong(path, format string, args ...any) {
	if !v.faulty(path) {
		v.complain(v.place(path), path, format, args...)
	}
}

// faulty reports whether a key, one above or one below it has a complaint from
// before.
func (v *validation) faulty(path string) bool {
	return slices.ContainsFunc(v.known, func(k *Complaint) bool {
		return k.Path != "" && (within(path, k.Path) || within(k.Path, path))
	})
}

// place is where a key, or the nearest one above it, was written.
func (v *validation) place(path string) Place {
	return nearest(v.places, path)
}

// within reports whether a path is another or lies below it.
func within(path, other string) bool {
	rest, ok := strings.CutPrefix(path, other)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// given reports whether the file or the environment has the key.
func (v *validation) given(path string) bool {
	_, ok := v.places[path]
	return ok
}

func (v *validation) portal() {
	if v.given("tls") && !v.faulty("tls") {
		v.certificates()
	}
	switch {
	case v.URL.Scheme == "":
		v.wrong("url", "missing")
	case v.URL.Scheme == "http" && v.given("tls"):
		v.wrong("tls", "url is plain http: make it https, or leave tls out")
	case v.URL.Scheme == "https" && !v.given("tls") && v.nobodyTrusted():
		v.wrong("url", "https needs tls here, or trusted_proxies that name the network of a proxy that has it")
	}
}

// certificates checks that each has its key, and that there is one.
func (v *validation) certificates() {
	one := Pair{v.TLS.Cert, v.TLS.Key}
	switch {
	case v.given("tls.certificates") && one != Pair{}:
		v.wrong("tls.certificates", "stands instead of cert and key: name that pair there too")
		return
	case v.given("tls.certificates") && len(v.TLS.Certificates) == 0:
		v.wrong("tls.certificates", "empty")
		return
	case !v.given("tls.certificates"):
		v.pair("tls", one)
	}
	for i, pair := range v.TLS.Certificates {
		v.pair(item("tls.certificates", i), pair)
	}
}

func (v *validation) pair(path string, p Pair) {
	if p.Cert == "" {
		v.wrong(join(path, "cert"), "missing")
	}
	if p.Key == "" {
		v.wrong(join(path, "key"), "missing")
	}
}

// nobodyTrusted reports whether no peer of our listeners can be trusted: they
// wait at addresses, so peers on a socket are none of theirs.
func (v *validation) nobodyTrusted() bool {
	return len(v.TrustedProxies.Prefixes) == 0 && !v.faulty("trusted_proxies")
}

func (v *validation) listeners() {
	type listener struct {
		path    string
		address Address
	}
	all := []listener{{"listen", v.Listen}, {"authz.listen", v.Authz.Listen}, {"management", v.Management}, {"tls.redirect", v.TLS.Redirect}}
	for i, a := range all {
		for _, b := range all[:i] {
			if a.address != "" && b.address != "" && a.address.overlaps(b.address) {
				v.wrong(a.path, "the address of %s", b.path)
			}
		}
	}
	switch {
	case !v.given("authz"), v.faulty("authz"):
	case v.Authz.Listen == "":
		v.wrong("authz.listen", "missing")
	case v.nobodyTrusted():
		v.wrong("authz.listen", "answers only trusted_proxies, and no network is among them")
	}
}

func (v *validation) providers() {
	for _, id := range slices.Sorted(maps.Keys(v.Providers)) {
		v.adopt(join("providers", id), v.Providers[id].Validate(id))
	}
	if !v.Local.Enabled && len(v.Providers) == 0 {
		v.warn(v.place("local.enabled"), "local.enabled", "nobody can sign in: there is no provider either")
	}
}

func (v *validation) admins() {
	for i, group := range v.Admins.Groups {
		v.group(item("admins.groups", i), group)
	}
}

// group checks the name of a group: ours are bare, a provider's read origin:group.
func (v *validation) group(path, name string) {
	if !identity.ValidGroup(name) {
		v.wrong(path, "no name of a group: no commas, control characters or surrounding space, at most 255 bytes")
		return
	}
	if origin, _, foreign := strings.Cut(name, ":"); foreign {
		if _, known := v.Providers[origin]; !known {
			v.wrong(path, "names no provider before its colon")
		}
	}
}

func (v *validation) apps() {
	for _, name := range slices.Sorted(maps.Keys(v.Apps)) {
		app, path := v.Apps[name], join("apps", name)
		for i, written := range slices.Concat([]string{app.Host}, app.Hosts) {
			if written == "" {
				continue
			}
			v.host(hostPath(path, i), written)
		}
		v.upstreams(path, app)
		if len(app.Ways()) == 0 && v.Authz.Listen == "" {
			v.warn(v.place(path), path, "nothing serves this app: it has no upstream, and authz.listen is off")
		}
		if !v.faulty("sessions") {
			v.adopt(path+".sessions", app.Sessions.Validate(v.Sessions))
		}
		v.crossOrigin(path, app)
		v.subjects(path+".allow", app.Allow)
		v.origins(path+".origins", app.Origins)
		if app.Headers != nil {
			_, err := app.Headers.Resolve()
			v.adopt(path+".headers", err)
		}
		v.rules(path+".rules", app.Rules)
		if app.Observe != nil {
			v.subjects(path+".observe.allow", app.Observe.Allow)
			v.rules(path+".observe.rules", app.Observe.Rules)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(v.Subjects)) {
		set := v.Subjects[name].Subjects()
		v.subjects(join("subjects", name), &set)
	}
	for _, name := range slices.Sorted(maps.Keys(v.RuleSets)) {
		v.rules(join("rule_sets", name), v.RuleSets[name])
	}
}

func (v *validation) rules(path string, rules []policy.Rule) {
	for i, rule := range rules {
		v.subjects(item(path, i)+".allow", rule.Allow)
	}
}

// upstreams checks the ways to an app.
func (v *validation) upstreams(path string, app App) {
	list := path + ".upstreams"
	if !v.given(list) {
		return
	}
	if app.Upstream != nil {
		v.wrong(list, "upstream is there too: leave one of them out")
	}
	if len(app.Upstreams) == 0 {
		v.wrong(list, "empty: name an upstream or leave it out")
	}
	for i, u := range app.Upstreams {
		v.adopt(item(list, i), u.Validate())
		if len(u.Paths) == 0 && v.given(item(list, i)+".paths") {
			v.wrong(item(list, i)+".paths", "empty: leave it out for all paths")
		}
		if len(u.Paths) == 0 && i < len(app.Upstreams)-1 {
			v.wrong(item(list, i), "has all paths, so what follows is never asked: put it last, or give it paths")
		}
	}
}

// crossOrigin checks the origins of an app's pages elsewhere.
func (v *validation) crossOrigin(path string, app App) {
	for i, origin := range app.CrossOrigin {
		for _, host := range slices.Concat([]string{app.Host}, app.Hosts) {
			if h, err := canonical.ParseHost(host); err == nil && string(origin) == v.URL.AppOrigin(string(h)) {
				v.wrong(item(path+".cross_origin", i), "the app's own origin")
			}
		}
		if slices.Contains(app.CrossOrigin[:i], origin) {
			v.wrong(item(path+".cross_origin", i), "twice")
		}
	}
}

func hostPath(app string, i int) string {
	if i == 0 {
		return app + ".host"
	}
	return item(app+".hosts", i-1)
}

// host checks the host of an app against the portal; that it is one, and no
// other app's, is the policy's to say.
func (v *validation) host(path, written string) {
	if v.URL.Scheme == "" {
		return
	}
	host, err := canonical.ParseHost(strings.TrimPrefix(written, "*."))
	switch {
	case err != nil:
	case host == v.URL.Host && !strings.HasPrefix(written, "*."):
		v.wrong(path, "the portal's own host")
	case v.URL.Scheme == "http" && !local(string(host)):
		v.wrong(path, "url is plain http, which is for localhost, *.localhost and loopback addresses alone")
	}
}

// subjects checks that what a rule admits can exist.
func (v *validation) subjects(path string, s *policy.Subjects) {
	if s == nil {
		return
	}
	for i, group := range s.Groups {
		v.group(item(path+".groups", i), group)
	}
	v.origins(path+".origins", s.Origins)
}

// origins checks that doors exist.
func (v *validation) origins(path string, origins []string) {
	for i, origin := range origins {
		_, known := v.Providers[origin]
		if !known && (origin != identity.Local || !v.Local.Enabled) {
			v.wrong(item(path, i), "no such origin: neither a provider's id nor an open password door")
		}
	}
}

// guard lets the policy room judge the apps.
func (v *validation) guard() {
	_, err := policy.New(v.Policy())
	v.adopt("", err)
}

// adopt makes a room's complaints ours; their paths begin below base.
func (v *validation) adopt(base string, err error) {
	for _, e := range apart(err) {
		ofPolicy, fromPolicy := errors.AsType[*policy.Complaint](e)
		ofProvider, fromProvider := errors.AsType[*providers.Complaint](e)
		switch {
		case fromPolicy:
			v.wrong(ofPolicy.Path, "%s", ofPolicy.Message)
		case fromProvider && ofProvider.Path == "":
			v.wrong(base, "%s", ofProvider.Message)
		case fromProvider:
			v.wrong(base+"."+ofProvider.Path, "%s", ofProvider.Message)
		default:
			v.plainly(base, e)
		}
	}
}

// plainly adopts an error that begins with its key and a colon.
func (v *validation) plainly(base string, err error) {
	key, message, keyed := strings.Cut(err.Error(), ": ")
	name := strings.TrimRight(key, "[]0123456789") // of a list
	if !keyed || !plainKey(name) {
		v.wrong(base, "%v", err)
		return
	}
	v.wrong(join(base, name)+key[len(name):], "%s", message)
}

// apart returns the errors that were joined.
func apart(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	if err == nil {
		return nil
	}
	return []error{err}
}
