package config

import "strings"

// about is what people read about a key.
type about struct {
	meaning  string
	standard any      // what holds without it, if that is one value
	example  any      // as it stands in the file
	required []string // keys of an object that must be there
	either   []string // keys, space-separated, of which exactly one is there
}

// reference is every key, for docs/config.md and the schema. A key that a room
// adds needs its row here; a test holds the two together.
var reference = map[string]about{
	"": {meaning: "The configuration of the gateway.", required: []string{"url"}},

	"url": {
		meaning: "Where the portal is reached: scheme, host, perhaps a port, nothing else. Apps have the same scheme and port. Plain http is for localhost, *.localhost and loopback addresses alone.",
		example: "https://auth.example.com",
	},
	"listen": {
		meaning:  "Address of the public listener: the portal and the hosts of all apps.",
		standard: ":8080",
	},
	"tls": {
		meaning: "The certificate of listen. Without it the listener speaks plain HTTP, and an https url needs trusted_proxies. Files that change count by themselves.",
		either:  []string{"cert certificates", "key certificates"},
	},
	"tls.cert":                {meaning: "File with the certificate and its chain (PEM), the host's own first.", example: "/etc/gateway/cert.pem"},
	"tls.key":                 {meaning: "File with the private key of the certificate (PEM).", example: "/etc/gateway/key.pem"},
	"tls.certificates":        {meaning: "Several certificates, instead of cert and key: each host gets the first that covers it, whoever names no host the first of all."},
	"tls.certificates[]":      {meaning: "One certificate.", required: []string{"cert", "key"}},
	"tls.certificates[].cert": {meaning: "File with the certificate and its chain (PEM).", example: "/etc/gateway/cert.pem"},
	"tls.certificates[].key":  {meaning: "File with its private key (PEM).", example: "/etc/gateway/key.pem"},
	"tls.redirect": {
		meaning: "Address of a listener that speaks plain HTTP and sends whoever asks for a page of a known host to https. Off unless it is given.",
		example: ":80",
	},
	"authz": {
		meaning:  "The check for front proxies. Off unless it is given.",
		required: []string{"listen"},
	},
	"authz.listen": {
		meaning: "Address of the listener that front proxies ask. Only trusted_proxies are answered; never make it public.",
		example: "127.0.0.1:8082",
	},
	"management": {
		meaning:  "Address of the listener for /healthz, /readyz and /metrics.",
		standard: "127.0.0.1:8081",
	},
	"trusted_proxies": {
		meaning:  "Peers whose forwarding headers count: networks (10.0.0.0/8 or fc00::/7 at the widest), single addresses, or unix for peers on a socket.",
		standard: []string{},
		example:  []string{"10.0.0.2/32", "fd00::/64"},
	},
	"data": {
		meaning:  "Folder for what outlives a restart: the embedded store, generated keys, the lock and the socket of the command line.",
		standard: "/var/lib/gateway",
	},

	"providers": {meaning: "Foreign providers by id. The id is part of addresses and of group names (id:group), so it should not change."},
	"providers.*": {
		meaning:  "One provider. Its callback address is url followed by /.gateway/callback/ and the id.",
		required: []string{"client_id"},
	},
	"providers.*.type":      {meaning: "Kind of the provider. Known is oidc (OpenID Connect).", standard: "oidc"},
	"providers.*.name":      {meaning: "Name on the button of the sign-in page. Without it the id.", example: "Corporate account"},
	"providers.*.issuer":    {meaning: "The provider's issuer, letter by letter as it writes it itself. The id google knows its own.", example: "https://id.corp.example"},
	"providers.*.client_id": {meaning: "What the provider knows the gateway by.", example: "gateway"},
	"providers.*.client_secret": {
		meaning: "The secret that goes with client_id. Rather use client_secret_file. Without either the gateway is a public client.",
		example: "${CORP_CLIENT_SECRET}",
	},
	"providers.*.client_secret_file": {meaning: "File that holds the client secret; a newline at its end does not count.", example: "/run/secrets/corp"},
	"providers.*.scopes": {
		meaning:  "Scopes to ask for; openid is needed.",
		standard: []string{"openid", "profile", "email"},
	},
	"providers.*.registration": {
		meaning:  "Who becomes known through this provider: open, whoever some rule could admit; approval, likewise, once an admin has approved; invite, who has an invitation; closed, nobody new.",
		standard: "open",
	},
	"providers.*.require_verified_email": {
		meaning:  "Whether new people need an e-mail address that the provider has verified. Without one they are known as unverified, and let in once it is or an admin approves. Where registration is approval the admin judges.",
		standard: false,
	},
	"providers.*.login_claim":     {meaning: "Claim that holds the person's login. Without it, and where two people share one, the login is id:subject.", example: "preferred_username"},
	"providers.*.groups_claim":    {meaning: "Claim that holds the person's groups.", standard: "groups"},
	"providers.*.group_map":       {meaning: "The provider's groups that count as ours. All others are called id:group.", example: members{{"engineering", "staff"}}},
	"providers.*.token_audiences": {meaning: "Audiences whose ID tokens are taken without a sign-in of their own, until they expire.", standard: []string{}, example: []string{"ci"}},
	"providers.*.algorithms": {
		meaning:  "Signature algorithms that count.",
		standard: []string{"RS256", "PS256", "ES256", "EdDSA"},
		example:  []string{"ES256"},
	},

	"local":         {meaning: "The password door."},
	"local.enabled": {meaning: "Whether people can sign in with a password.", standard: true},
	"local.registration": {
		meaning:  "Who becomes known through the password door: closed, whom an admin has added; invite, likewise, and the person can choose the password by a one-time link.",
		standard: "closed",
	},
	"sessions":          {meaning: "How long a sign-in lasts."},
	"sessions.idle":     {meaning: "Time without use after which a session ends; at least 1m, at most lifetime.", standard: "1h"},
	"sessions.lifetime": {meaning: "Time after which a session ends however much it is used; at most 2160h (90 days).", standard: "24h"},
	"keys":              {meaning: "The keys that sign sessions and assertions."},
	"keys.rotate":       {meaning: "How long a key signs; from 1h to 8760h (a year). Whatever it has signed stays valid until its time.", standard: "2160h"},
	"admins":            {meaning: "Who administers the gateway. They are shown why they are refused; this version has no other pages for them yet, and the command line needs no group."},
	"admins.groups":     {meaning: "Groups whose members are administrators: our own, or a provider's written id:group.", standard: []string{}, example: []string{"gateway-admins"}},

	"record":        {meaning: "What the running gateway remembers for gateway policy diff --recorded, in memory alone, beside what it has refused."},
	"record.allows": {meaning: "Whether it remembers what it has allowed lately: some 8,000 requests of people and 2,000 of nobody, each once.", standard: true},

	"log":        {meaning: "The log, on standard error."},
	"log.level":  {meaning: "The least that is written.", standard: "info"},
	"log.format": {meaning: "Form of the lines.", standard: "json"},

	"telemetry":               {meaning: "What the gateway tells about itself, beside /metrics on management and the log."},
	"telemetry.otlp":          {meaning: "A collector of traces, by OTLP over HTTP (protobuf)."},
	"telemetry.otlp.endpoint": {meaning: "Its address: scheme, host and port; /v1/traces is appended. Without it nothing is traced.", example: "http://127.0.0.1:4318"},

	"apps": {meaning: "Protected sites by name. Every host that no app has is refused."},
	"apps.*": {
		meaning: "One protected site.",
		example: members{{"host", "wiki.example.com"}, {"allow", "signed-in"}},
		either:  []string{"host hosts", "allow rules"},
	},
	"apps.*.host":  {meaning: "Host of the app: exact, or with * for its first label.", example: "wiki.example.com"},
	"apps.*.hosts": {meaning: "Hosts of the app, instead of host.", example: []string{"wiki.example.com", "*.wiki.example.com"}},
	"apps.*.upstream": {
		meaning: "Where requests that pass go: scheme (http, https, or h2c for HTTP/2 without TLS), host and port. Leave it out behind a front proxy.",
		example: "http://wiki:3000",
	},
	"apps.*.upstreams": {meaning: "Instead of upstream: several of them by path, or one with more to say. The first whose paths match is asked."},
	"apps.*.upstreams[]": {
		meaning:  "One upstream.",
		required: []string{"url"},
	},
	"apps.*.upstreams[].paths":           {meaning: "Paths that go there, written as in rules. Without it all: only the last upstream may do without.", example: []string{"/api/**"}},
	"apps.*.upstreams[].url":             {meaning: "Its address, as in upstream.", example: "https://api:3443"},
	"apps.*.upstreams[].ca_file":         {meaning: "File with the authorities that vouch for an https upstream (PEM), instead of the system's.", example: "/etc/gateway/upstreams.pem"},
	"apps.*.upstreams[].server_name":     {meaning: "Name in the certificate of an https upstream. Without it the host of url.", example: "api.internal"},
	"apps.*.upstreams[].connect_timeout": {meaning: "How long a connection may take, and its TLS handshake again.", standard: "5s"},
	"apps.*.upstreams[].header_timeout": {
		meaning:  "How long the app may take to begin its answer, once it has the request. What it sends then may last as long as it likes; calls of gRPC have their own deadlines.",
		standard: "1m",
	},
	"apps.*.headers":         {meaning: "How the app calls the headers by which it learns who is there.", example: members{{"preset", "oauth2-proxy"}, {"user_is", "email"}}},
	"apps.*.headers.preset":  {meaning: "Names that other gateways use: remote, oauth2-proxy, auth-request, authentik, pomerium, webauth.", standard: "remote", example: "oauth2-proxy"},
	"apps.*.headers.user":    {meaning: "Name of the header that says who it is, instead of the preset's. It must be one that clients are kept from sending.", example: "X-WebAuth-User"},
	"apps.*.headers.email":   {meaning: "Name of the header with the e-mail address.", example: "X-WebAuth-Email"},
	"apps.*.headers.name":    {meaning: "Name of the header with the full name.", example: "X-WebAuth-Name"},
	"apps.*.headers.groups":  {meaning: "Name of the header with the groups.", example: "X-WebAuth-Groups"},
	"apps.*.headers.user_is": {meaning: "What the header for the user carries: login; email, if it is verified, else nothing; or user_id.", standard: "login", example: "email"},
	"apps.*.sessions":        {meaning: "Limits of the sessions at this app, beside those of all. After them the person signs in again."},
	"apps.*.sessions.idle": {
		meaning: "Time without use of this app after which a session there ends; from 1m to sessions.idle. Whoever comes in anew must have signed in within it.",
		example: "15m",
	},
	"apps.*.sessions.lifetime": {meaning: "Time after the sign-in at which a session there ends; from 1m to sessions.lifetime.", example: "4h"},
	"apps.*.origins":           {meaning: "Doors that count here: ids of providers, or local. Whoever came through another one is refused. Without it all count.", example: []string{"corp"}},
	"apps.*.case_insensitive":  {meaning: "Whether paths are compared without regard to case, for apps that do so themselves.", standard: false, example: true},
	"apps.*.allow": {
		meaning: "Who may use the whole app: everyone; signed-in, any active user; or lists, of which one entry must match.",
		example: members{{"groups", []string{"staff"}}},
	},
	"apps.*.cross_origin": {
		meaning:  "Origins whose pages may use the app in a person's name: unsafe requests, WebSockets and preflights of theirs pass, and they can read refusals.",
		standard: []string{}, example: []string{"https://spa.example.com"},
	},
	"apps.*.insecure_cross_origin": {
		meaning:  "Lets pages of every origin make unsafe requests and WebSockets in a person's name. For an app that sees to it itself.",
		standard: false, example: true,
	},
	"apps.*.basic": {
		meaning:  "Whether app tokens count as the password of HTTP Basic, too, for programs that know nothing else. Nobody is ever asked for it.",
		standard: false, example: true,
	},
	"apps.*.rules":   {meaning: "Rules instead of allow. The first whose methods and paths match decides; without one the request is refused."},
	"apps.*.rules[]": {meaning: "One rule.", either: []string{"allow deny use"}},

	"apps.*.rules[].use":      {meaning: "A set under rule_sets, whose rules stand here one by one. Nothing stands beside it.", example: "health"},
	"apps.*.rules[].name":     {meaning: "How decisions name the rule. Without it app[index].", example: "administration"},
	"apps.*.rules[].methods":  {meaning: "Methods the rule decides; GET covers HEAD. Without it all.", example: []string{"GET", "POST"}},
	"apps.*.rules[].paths":    {meaning: "Paths the rule decides: exact, with * for one segment or ** for any number of them. Without it all.", example: []string{"/admin/**"}},
	"apps.*.rules[].deny":     {meaning: "Refuses everybody.", standard: false, example: true},
	"apps.*.rules[].allow":    {meaning: "Who may pass: everyone, signed-in, or lists.", example: "signed-in"},
	"apps.*.rules[].networks": {meaning: "Networks from which alone they may: a condition beside allow.", example: []string{"10.0.0.0/8"}},
	"apps.*.rules[].times":    {meaning: "When alone they may: a condition beside allow. One of them is enough."},
	"apps.*.rules[].times[]":  {meaning: "A part of the week.", required: []string{"zone"}, example: members{{"days", []string{"mon", "fri"}}, {"from", "08:00"}, {"to", "18:00"}, {"zone", "Europe/Berlin"}}},

	"apps.*.rules[].times[].days": {meaning: "Days on which it begins: mon, tue, wed, thu, fri, sat, sun. Without it every day.", example: []string{"sat", "sun"}},
	"apps.*.rules[].times[].from": {meaning: "Time of the day at which it begins.", standard: "00:00", example: "08:00"},
	"apps.*.rules[].times[].to":   {meaning: "Time of the day at which it is over. One that is not after from is of the next day.", standard: "24:00", example: "18:00"},
	"apps.*.rules[].times[].zone": {meaning: "Time zone by its name in the IANA database, or UTC.", example: "Europe/Berlin"},

	"apps.*.rules[].factors": {meaning: "How many factors the session must have, 1 to 3: a condition beside allow, for which somebody has to be signed in.", example: 2},
	"apps.*.rules[].max_age": {meaning: "How long ago the person may have proved the newest factor: a condition beside allow, for which somebody has to be signed in.", example: "15m"},
	"apps.*.rules[].when":    {meaning: "What must be true besides: an expression in CEL, a condition beside allow. docs/policy.md has its variables.", example: `request.method == "GET" || "ops" in user.groups`},

	"apps.*.rules[].tokens":  {meaning: "What app tokens are good for: allow, they meet factors and max_age, too; refuse, they do not pass. Without it they pass as the person they are of, where neither factors nor max_age is asked for.", example: "refuse"},
	"apps.*.rules[].observe": {meaning: "Whether the rule decides nothing, and is only observed: what would be decided if it counted is counted and listed beside. Beside use it is for all rules of the set.", standard: false, example: true},

	"apps.*.observe": {
		meaning: "What is observed instead of allow or rules: what it would decide is counted and listed beside what they do.",
		example: members{{"allow", members{{"groups", []string{"staff"}}}}},
		either:  []string{"allow rules"},
	},
	"apps.*.observe.allow":   {meaning: "Who could use the whole app: everyone, signed-in, or lists.", example: "signed-in"},
	"apps.*.observe.rules":   {meaning: "Rules instead, with the keys of apps.*.rules[] but observe. The first whose methods and paths match would decide."},
	"apps.*.observe.rules[]": {meaning: "One rule.", either: []string{"allow deny use"}},

	"observe": {meaning: "File with another configuration, that is observed: what it would decide is counted and listed beside what this one does. One that is wrong is told, and changes nothing.", example: "/etc/gateway/next.yaml"},

	"subjects":    {meaning: "Sets of people by name, for allow to name."},
	"subjects.*":  {meaning: "One set: lists, of which one entry must match.", example: members{{"groups", []string{"ops"}}, {"users", []string{"carol"}}}},
	"rule_sets":   {meaning: "Lists of rules by name, for rules of apps to use. An app may decide some of their paths itself, before them."},
	"rule_sets.*": {meaning: "One list of rules, with the keys of apps.*.rules[] but use."},
}

// subjects are the lists of allow and of sets of people.
var subjects = map[string]about{
	"users":         {meaning: "Logins.", example: []string{"alice"}},
	"groups":        {meaning: "Groups: our own, or a provider's written id:group.", example: []string{"staff", "corp:engineering"}},
	"email_domains": {meaning: "Domains of e-mail addresses that were verified.", example: []string{"example.com"}},
	"origins":       {meaning: "Doors the person came through: ids of providers, or local.", example: []string{"corp"}},
	"networks":      {meaning: "Networks from which anybody is admitted, without sign-in.", example: []string{"10.0.0.0/8"}},
	"subjects":      {meaning: "Sets under subjects: whoever is in one of them.", example: []string{"crew"}},
}

// about returns what people read about the key of a shape. Rules read the same
// in an app and in a set, and so do the lists of a set of people and of allow.
func (s *shape) about() about {
	ref := s.ref
	if row, ok := reference[ref]; ok {
		return row
	}
	for _, list := range []string{"rule_sets.*[]", "apps.*.observe.rules[]"} {
		if rest, ok := strings.CutPrefix(ref, list); ok {
			ref = "apps.*.rules[]" + rest
		}
	}
	if row, ok := reference[ref]; ok {
		return row
	}
	if key, ok := strings.CutPrefix(ref, "subjects.*."); ok {
		return subjects[key]
	}
	_, key, _ := strings.Cut(ref, ".allow.")
	return subjects[key]
}
