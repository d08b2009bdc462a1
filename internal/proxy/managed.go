package proxy

import "net/http"

// managed names the identity headers that gateways send to apps: ours and
// those of every preset family. A client may send none of them, however
// spelled: WSGI, PHP and FastCGI apps fold "_" and "." into "-".
var managed = reducedSet(
	"Remote-User", "Remote-Email", "Remote-Name", "Remote-Groups", "Remote-Sub", "X-Gateway-Jwt-Assertion", "X-Gateway-Sign-In", "X-Gateway-Decision",
	"X-Remote-User", "X-Remote-Email", "X-Remote-Name", "X-Remote-Groups", "X-WebAuth-User", "X-WebAuth-Email", "X-WebAuth-Name", "X-WebAuth-FullName", "X-WebAuth-Groups",
	"X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Groups", "X-Forwarded-Name", "X-Forwarded-Preferred-Username", "X-Forwarded-Access-Token",
	"X-Auth-Request-User", "X-Auth-Request-Email", "X-Auth-Request-Groups", "X-Auth-Request-Preferred-Username", "X-Auth-Request-Access-Token",
	"X-Pomerium-Jwt-Assertion", "X-Pomerium-Claim-Email", "X-Pomerium-Claim-User", "X-Pomerium-Claim-Groups", "X-Pomerium-Claim-Name",
	"X-Vouch-User", "X-Vouch-IdP-Claims-Email", "X-Vouch-IdP-Claims-Groups", "X-Vouch-IdP-Claims-Name", "X-Vouch-IdP-AccessToken", "X-Vouch-IdP-IdToken",
	"X-Authentik-Username", "X-Authentik-Email", "X-Authentik-Groups", "X-Authentik-Name", "X-Authentik-Uid", "X-Authentik-Jwt",
	"X-Token-User-Email", "X-Token-User-Name", "X-Token-Subject", "X-Token-User-Roles", "Cf-Access-Authenticated-User-Email", "Cf-Access-Jwt-Assertion",
)

// forwarding names the headers by which proxies speak of the original request,
// each in its plain spelling, by its reduced name.
var forwarding = plainNames(
	"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Protocol", "X-Forwarded-Ssl", "X-Forwarded-Scheme",
	"X-Forwarded-Port", "X-Forwarded-Server", "X-Forwarded-Prefix", "X-Forwarded-Path", "X-Forwarded-Uri", "X-Forwarded-Method", "X-Forwarded-By",
	"X-Forwarded-Tls-Client-Cert", "X-Forwarded-Tls-Client-Cert-Info",
	"X-Real-Ip", "X-Client-Ip", "X-Cluster-Client-Ip", "True-Client-Ip", "Cf-Connecting-Ip", "Fastly-Client-Ip", "X-Original-For", "X-Original-Host",
	"X-Original-Url", "X-Original-Uri", "X-Original-Method", "X-Original-Proto", "X-Rewrite-Url", "X-Scheme", "X-Url-Scheme", "Front-End-Https",
	"X-Http-Method-Override", "X-Http-Method", "X-Method-Override", "X-Envoy-Original-Path", "X-Envoy-External-Address",
)

// initials are the first letters of the names above: most headers have another.
var initials = func() (set [256]bool) {
	for name := range managed {
		set[name[0]], set[name[0]&^0x20] = true, true
	}
	for name := range forwarding {
		set[name[0]], set[name[0]&^0x20] = true, true
	}
	return set
}()

// Ordinary reports, sooner than the others, that a name is surely none of the
// above.
func Ordinary(name string) bool {
	if name == "" {
		return false
	}
	c := name[0]
	return (c|0x20 >= 'a' && c|0x20 <= 'z') && !initials[c]
}

// Managed reports whether the header name, once reduced to its letters and
// digits, is that of an identity header.
func Managed(name string) bool { return reducedIn(managed, name) }

// Forwarding reports whether the header name, reduced likewise, is that of a
// forwarding header.
func Forwarding(name string) bool { return plain(name) != "" }

// Alias reports whether the name, in the form that http.Header keeps it in,
// stands for a forwarding header without being the plain spelling of it.
func Alias(name string) bool {
	p := plain(name)
	return p != "" && p != name
}

// plain returns the forwarding header that a name stands for, or "".
func plain(name string) string {
	var buf [maxReduced]byte
	return forwarding[string(reduce(buf[:0], name))]
}

// rerouting names the forwarding headers by which an app could be led to take
// a request for another one than was decided on.
var rerouting = map[string]bool{
	"Forwarded": true, "X-Forwarded-Uri": true, "X-Forwarded-Method": true, "X-Forwarded-Prefix": true, "X-Forwarded-Path": true,
	"X-Original-Url": true, "X-Original-Uri": true, "X-Original-Method": true, "X-Original-Host": true, "X-Rewrite-Url": true,
	"X-Http-Method-Override": true, "X-Http-Method": true, "X-Method-Override": true, "X-Envoy-Original-Path": true,
}

// Rerouting reports whether a header, by its plain name, says that another
// request was made than this one.
func Rerouting(name string) bool { return rerouting[name] }

// Strip deletes every managed and forwarding header from h.
func Strip(h http.Header) {
	for name := range h {
		if Managed(name) || Forwarding(name) {
			delete(h, name)
		}
	}
}

func reducedSet(names ...string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, name := range names {
		var buf [maxReduced]byte
		set[string(reduce(buf[:0], name))] = true
	}
	return set
}

func plainNames(names ...string) map[string]string {
	all := make(map[string]string, len(names))
	for _, name := range names {
		var buf [maxReduced]byte
		all[string(reduce(buf[:0], name))] = http.CanonicalHeaderKey(name)
	}
	return all
}

// maxReduced is longer than any name in the sets, so a longer one is in none.
const maxReduced = 48

func reducedIn(set map[string]bool, name string) bool {
	var buf [maxReduced]byte
	return set[string(reduce(buf[:0], name))]
}

// reduce keeps letters and digits, in lower case.
func reduce(into []byte, name string) []byte {
	for i := range len(name) {
		c := name[i]
		switch {
		case c >= 'A' && c <= 'Z':
			c |= 0x20
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
		default:
			continue
		}
		if len(into) == maxReduced {
			return nil
		}
		into = append(into, c)
	}
	return into
}
