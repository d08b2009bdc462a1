package proxy_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"gateway/internal/proxy"
)

// Headers by which an app learns who is there, of every gateway that people
// come from.
var identities = []string{
	"Remote-User", "Remote-Email", "Remote-Name", "Remote-Groups", "Remote-Sub", "X-Gateway-Jwt-Assertion", "X-Gateway-Sign-In", "X-Gateway-Decision",
	"X-Remote-User", "X-Remote-Email", "X-Remote-Name", "X-Remote-Groups", "X-Webauth-User",
	"X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Groups", "X-Forwarded-Name", "X-Forwarded-Preferred-Username", "X-Forwarded-Access-Token",
	"X-Auth-Request-User", "X-Auth-Request-Email", "X-Auth-Request-Groups", "X-Auth-Request-Preferred-Username", "X-Auth-Request-Access-Token",
	"X-Pomerium-Jwt-Assertion", "X-Pomerium-Claim-Email", "X-Vouch-User", "X-Vouch-Idp-Claims-Groups", "X-Vouch-Idp-Accesstoken",
	"X-Authentik-Username", "X-Authentik-Uid", "X-Token-User-Email", "X-Token-Subject", "Cf-Access-Authenticated-User-Email", "Cf-Access-Jwt-Assertion",
}

// Headers by which an app could take the request for another one.
var reroutings = []string{
	"Forwarded", "X-Forwarded-Uri", "X-Forwarded-Method", "X-Forwarded-Prefix", "X-Forwarded-Path",
	"X-Original-Url", "X-Original-Uri", "X-Original-Method", "X-Original-Host", "X-Rewrite-Url",
	"X-Http-Method-Override", "X-Http-Method", "X-Method-Override", "X-Envoy-Original-Path",
}

// Headers that tell where a request came from and by what way.
var informational = []string{
	"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Protocol", "X-Forwarded-Ssl", "X-Forwarded-Scheme", "X-Forwarded-Port",
	"X-Forwarded-Server", "X-Forwarded-By", "X-Forwarded-Tls-Client-Cert", "X-Forwarded-Tls-Client-Cert-Info",
	"X-Real-Ip", "X-Client-Ip", "X-Cluster-Client-Ip", "True-Client-Ip", "Cf-Connecting-Ip", "Fastly-Client-Ip",
	"X-Original-For", "X-Original-Proto", "X-Scheme", "X-Url-Scheme", "Front-End-Https", "X-Envoy-External-Address",
}

// Headers that are nobody's business but the app's, some of them only a letter
// away from those above.
var apps = []string{
	"Host", "Cookie", "Accept", "User-Agent", "Authorization", "Content-Type", "Upgrade", "X-Custom", "X-Requested-With", "X-Request-Id", "X-Csrf-Token",
	"Remote", "User", "Remote-Users", "Remote-Use", "Remote-User2", "Remoteuse-R2", "X-Forwarded", "X-Original", "Forwarded-For-X", "Emote-User", "X-Gateway",
	"X-Method", "Method", "Real-Ip", "", "-", "_", "--__..", "0", strings.Repeat("Remote-User", 10), strings.Repeat("x", 48), strings.Repeat("x", 49), strings.Repeat("-", 5000),
}

// tricks spell a name as a client could, for an app that reads names loosely.
var tricks = map[string]func(string) string{
	"plain":                 func(s string) string { return s },
	"lower case":            strings.ToLower,
	"upper case":            strings.ToUpper,
	"CGI":                   func(s string) string { return strings.ToUpper(strings.ReplaceAll(s, "-", "_")) },
	"underscores":           func(s string) string { return strings.ReplaceAll(s, "-", "_") },
	"one underscore":        func(s string) string { return strings.Replace(s, "-", "_", 1) },
	"dots":                  func(s string) string { return strings.ReplaceAll(s, "-", ".") },
	"nothing between":       func(s string) string { return strings.ReplaceAll(s, "-", "") },
	"two hyphens":           func(s string) string { return strings.ReplaceAll(s, "-", "--") },
	"a hyphen at the end":   func(s string) string { return s + "-" },
	"a hyphen at the start": func(s string) string { return "-" + s },
	"an underscore in front": func(s string) string {
		return "_" + s
	},
	"a hyphen in each gap": func(s string) string { return strings.Join(strings.Split(s, ""), "-") },
	"all that a name may have besides": func(s string) string {
		return strings.ReplaceAll(s, "-", "!#$%&'*+-.^_`|~")
	},
	"what no name may have": func(s string) string { return strings.ReplaceAll(s, "-", " \t\x00:\"\u2010\xff") },
	"far apart":             func(s string) string { return strings.ReplaceAll(s, "-", strings.Repeat("-", 1000)) },
}

func TestNames(t *testing.T) {
	for _, row := range []struct {
		kind                           string
		names                          []string
		managed, forwarding, rerouting bool
	}{
		{"identity", identities, true, false, false},
		{"another request", reroutings, false, true, true},
		{"where from", informational, false, true, false},
		{"the app's own", apps, false, false, false},
	} {
		for _, name := range row.names {
			for trick, spell := range tricks {
				spelled := http.CanonicalHeaderKey(spell(name))
				if got := proxy.Managed(spelled); got != row.managed {
					t.Errorf("%s, %s: Managed(%.100q) = %v", row.kind, trick, spelled, got)
				}
				if got := proxy.Forwarding(spelled); got != row.forwarding {
					t.Errorf("%s, %s: Forwarding(%.100q) = %v", row.kind, trick, spelled, got)
				}
				if row.managed && proxy.Ordinary(spelled) || row.forwarding && proxy.Ordinary(spelled) {
					t.Errorf("%s, %s: Ordinary(%.100q)", row.kind, trick, spelled)
				}
				if got, want := proxy.Alias(spelled), row.forwarding && spelled != name; got != want {
					t.Errorf("%s, %s: Alias(%.100q) = %v", row.kind, trick, spelled, got)
				}
				if got, want := proxy.Rerouting(spelled), row.rerouting && spelled == name; got != want {
					t.Errorf("%s, %s: Rerouting(%.100q) = %v", row.kind, trick, spelled, got)
				}
			}
		}
	}
}

func TestStrip(t *testing.T) {
	h, want := http.Header{}, http.Header{}
	for _, spell := range tricks {
		for _, name := range slices.Concat(identities, reroutings, informational) {
			h[spell(name)] = []string{"alice", "root"}
		}
		for _, name := range apps {
			h[spell(name)] = []string{"kept", name}
			want[spell(name)] = h[spell(name)]
		}
	}
	proxy.Strip(h)
	for name := range h {
		if want[name] == nil {
			t.Errorf("%.100q is left", name)
		}
	}
	if !maps.EqualFunc(h, want, slices.Equal) {
		t.Errorf("%d headers are left, want the app's own %d as they are", len(h), len(want))
	}
	proxy.Strip(nil)
}

// reduced is what is left of a name for an app that reads it most loosely.
func reduced(name string) string {
	var kept []byte
	for _, c := range []byte(name) {
		switch {
		case 'A' <= c && c <= 'Z':
			kept = append(kept, c+'a'-'A')
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
			kept = append(kept, c)
		}
	}
	return string(kept)
}

// Strip leaves nothing that could be read as one of ours, and takes nothing else.
func FuzzStrip(f *testing.F) {
	for _, spell := range tricks {
		f.Add(spell("Remote-User"), spell("X-Forwarded-Uri"))
		f.Add(spell("X-Custom"), spell("X-Forwarded-Tls-Client-Cert-Info"))
	}
	f.Fuzz(func(t *testing.T, one, other string) {
		before := http.Header{one: {"1"}, other: {"2"}, http.CanonicalHeaderKey(one): {"3"}, "X-Kept": {"4"}}
		h := before.Clone()
		proxy.Strip(h)
		for name := range before {
			bare := reduced(name)
			ours := proxy.Managed(bare) || proxy.Forwarding(bare)
			if _, left := h[name]; left == ours {
				t.Errorf("%q is left: %v, reads as %q", name, left, bare)
			}
			if ours && proxy.Ordinary(name) {
				t.Errorf("%q is ordinary, and reads as %q", name, bare)
			}
			if ours != (proxy.Managed(name) || proxy.Forwarding(name)) {
				t.Errorf("%q and %q are not told alike", name, bare)
			}
			if proxy.Rerouting(name) && !proxy.Forwarding(name) || proxy.Rerouting(name) && proxy.Alias(name) {
				t.Errorf("%q is rerouting, and not a plain forwarding header", name)
			}
		}
	})
}
