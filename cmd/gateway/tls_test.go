package main

import (
	"crypto/tls"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"gateway/internal/canonical"
)

const secureHouse = `url: https://auth.corp.test
listen: 127.0.0.1:$LISTEN
management: 127.0.0.1:$MANAGEMENT
tls:
  certificates:
    - {cert: portal.pem, key: portal-key.pem}
    - {cert: apps.pem, key: apps-key.pem}
  redirect: 127.0.0.1:$OTHER
data: $FOLDER/data
apps:
  wiki: {host: wiki.apps.test, upstream: "$APP", allow: everyone}
  board: {host: board.apps.test, upstream: "$APP", allow: everyone}
`

// renew writes a new certificate for hosts and returns its serial number.
func (r *running) renew(name string, until time.Duration, hosts ...string) (serial string) {
	r.Helper()
	cert, key := r.issue(until, hosts...)
	r.write(name+".pem", cert)
	r.write(name+"-key.pem", key)
	return serialOf(r.T, cert, key)
}

func (r *running) issue(until time.Duration, hosts ...string) (cert, key string) {
	r.Helper()
	c, k, err := pair(hosts, until)
	if err != nil {
		r.Fatal(err)
	}
	return string(c), string(k)
}

func serialOf(t *testing.T, cert, key string) string {
	t.Helper()
	c, err := tls.X509KeyPair([]byte(cert), []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	return c.Leaf.SerialNumber.String()
}

// shown returns the certificate that a client is shown who asks for a name.
func (r *running) shown(name string, change ...func(*tls.Config)) (tls.ConnectionState, error) {
	r.Helper()
	c := &tls.Config{ServerName: name, InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}}
	for _, do := range change {
		do(c)
	}
	var d tls.Dialer
	d.Config = c
	conn, err := d.DialContext(r.Context(), "tcp", r.ports.Replace("127.0.0.1:$LISTEN"))
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer conn.Close()
	secure, ok := conn.(*tls.Conn)
	if !ok {
		r.Fatal("no TLS")
	}
	return secure.ConnectionState(), nil
}

func (r *running) serial(name string) string {
	r.Helper()
	s, err := r.shown(name)
	if err != nil {
		r.Fatal(err)
	}
	return s.PeerCertificates[0].SerialNumber.String()
}

// startSecure starts a house with a certificate for the portal and one for the apps.
func startSecure(t *testing.T) (r *running, portal, apps string) {
	t.Helper()
	r = prepare(t)
	portal, apps = r.renew("portal", time.Hour, "auth.corp.test"), r.renew("apps", time.Hour, "*.apps.test")
	r.start(secureHouse)
	return r, portal, apps
}

// Each host gets its certificate, by TLS 1.2 at least, and HTTP/2.
func TestCertificates(t *testing.T) {
	t.Parallel()
	r, portal, apps := startSecure(t)
	for name, want := range map[string]string{"auth.corp.test": portal, "wiki.apps.test": apps, "BOARD.apps.test": apps, "unknown.test": portal, "": portal} {
		if got := r.serial(name); got != want {
			t.Errorf("%q is shown %s, want %s (portal %s, apps %s)", name, got, want, portal, apps)
		}
	}
	state, err := r.shown("auth.corp.test")
	if err != nil || state.Version != tls.VersionTLS13 || state.NegotiatedProtocol != "h2" {
		t.Errorf("TLS %x with %q, %v; want 1.3 with h2", state.Version, state.NegotiatedProtocol, err)
	}
	for _, row := range []struct {
		name   string
		change func(*tls.Config)
		good   bool
	}{
		{"TLS 1.2", func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }, true},
		{"TLS 1.1", func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }, false},
		{"no secrecy forward", func(c *tls.Config) {
			c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_256_CBC_SHA}
		}, false},
		{"3DES", func(c *tls.Config) {
			c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA, tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA}
		}, false},
		{"another protocol", func(c *tls.Config) { c.NextProtos = []string{"acme-tls/1"} }, false},
	} {
		if _, err := r.shown("auth.corp.test", row.change); (err == nil) != row.good {
			t.Errorf("%s: %v, want it to work: %t", row.name, err, row.good)
		}
	}
}

// Files that change count by themselves; a pair that is half written does not,
// and is told.
func TestCertificatesAreRenewed(t *testing.T) {
	t.Parallel()
	r, portal, apps := startSecure(t)
	renewed := r.renew("portal", time.Hour, "auth.corp.test")
	if err := <-r.ended; err != nil {
		t.Fatal(err)
	}
	if got := r.serial("auth.corp.test"); got != renewed || got == portal {
		t.Errorf("after a renewal %s is shown, want %s", got, renewed)
	}
	cert, key := r.issue(time.Hour, "*.apps.test")
	r.write("apps.pem", cert)
	if err := <-r.ended; !strings.Contains(r.complaints(err), "gateway.yaml:7: tls.certificates[1]: certificate ") || !strings.Contains(r.out.String(), "does not match") {
		t.Errorf("a certificate without its key: %v", err)
	}
	if got := r.serial("wiki.apps.test"); got != apps {
		t.Errorf("half a pair: %s is shown, want %s", got, apps)
	}
	r.write("apps-key.pem", key)
	if err := <-r.ended; err != nil {
		t.Fatal(err)
	}
	if got, want := r.serial("wiki.apps.test"), serialOf(t, cert, key); got != want {
		t.Errorf("the whole pair: %s is shown, want %s", got, want)
	}
	r.mustReload(strings.Replace(secureHouse, "    - {cert: portal.pem, key: portal-key.pem}\n", "", 1))
	if got, want := r.serial("auth.corp.test"), serialOf(t, cert, key); got != want {
		t.Errorf("one certificate fewer: %s is shown, want %s", got, want)
	}
}

// One connection may carry requests for every host that its certificate covers,
// and for no other.
func TestStrayRequests(t *testing.T) {
	t.Parallel()
	r, _, _ := startSecure(t)
	for _, row := range []struct {
		name, host string
		want       int
	}{
		{"auth.corp.test", "auth.corp.test", 200},
		{"wiki.apps.test", "wiki.apps.test", 200},
		{"wiki.apps.test", "board.apps.test", 200}, // as browsers coalesce
		{"wiki.apps.test", "auth.corp.test", 421},
		{"auth.corp.test", "wiki.apps.test", 421},
		{"wiki.apps.test", "unknown.apps.test", 421},
		{"unknown.test", "auth.corp.test", 200}, // shown the portal's certificate
		{"unknown.test", "wiki.apps.test", 421},
		{"", "wiki.apps.test", 200}, // by address
	} {
		for _, h2 := range []bool{true, false} {
			way := r.way()
			way.ForceAttemptHTTP2 = h2
			way.TLSClientConfig = &tls.Config{ServerName: row.name, InsecureSkipVerify: true}
			if row.name == "" {
				way.TLSClientConfig.ServerName = "127.0.0.1"
			}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.ports.Replace("https://127.0.0.1:$LISTEN/"), http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			req.Host = row.host
			resp, err := way.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			way.CloseIdleConnections()
			if resp.StatusCode != row.want || resp.ProtoMajor == 2 != h2 {
				t.Errorf("%s over a connection for %q: %s by %s, want %d", row.host, row.name, resp.Status, resp.Proto, row.want)
			}
		}
	}
}

// What is certain to be noticed is in the log once.
func TestCertificateTroubleIsTold(t *testing.T) {
	t.Parallel()
	r := prepare(t)
	r.renew("portal", time.Hour, "auth.corp.test")
	r.renew("apps", -time.Hour, "other.apps.test")
	if err := os.Chmod(r.path("apps-key.pem"), 0o644); err != nil {
		t.Fatal(err)
	}
	r.start(secureHouse)
	for _, line := range []string{`"level":"WARN","msg":"everybody on this machine may read the key","file":"` + r.path("apps-key.pem"), `"level":"ERROR","msg":"certificate has expired","file":"` + r.path("apps.pem"), `"level":"WARN","msg":"no certificate covers the host","host":"board.apps.test"`} {
		eventuallyTrue(t, "the log says "+line, func() bool { return strings.Contains(r.out.String(), line) })
	}
	now := time.Now()
	secure := r.rooms.Load().tls
	for _, row := range []struct {
		name string
		at   time.Time
		want []string
	}{
		{"now", now, []string{shared, expired, uncovered, uncovered}},
		{"before it began", now.Add(-3 * time.Hour), []string{shared, notYet, notYet, uncovered, uncovered}},
		{"before it ends", now.Add(45 * time.Minute), []string{shared, expires, expired, uncovered, uncovered}},
	} {
		var got []string
		for _, trouble := range troubles(r.rooms.Load().config, secure, row.at) {
			got = append(got, trouble.what)
		}
		if strings.Join(got, "; ") != strings.Join(row.want, "; ") {
			t.Errorf("%s: %q, want %q", row.name, got, row.want)
		}
	}
	if troubles(r.rooms.Load().config, nil, now) != nil {
		t.Error("there is trouble with certificates that there are none of")
	}
}

func TestCovers(t *testing.T) {
	t.Parallel()
	var all []tls.Certificate
	for _, hosts := range [][]string{{"a.test", "b.test"}, {"*.c.test"}, {"b.test", "d.test"}} {
		cert, key, err := pair(hosts, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		c, err := tls.X509KeyPair(cert, key)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	for _, row := range []struct {
		name, host string
		want       bool
	}{
		{"a.test", "b.test", true},
		{"b.test", "d.test", true},
		{"a.test", "d.test", false},
		{"x.c.test", "y.c.test", true},
		{"x.c.test", "x.y.c.test", false},
		{"nobody.test", "a.test", true},
		{"nobody.test", "x.c.test", false},
		{"nobody.test", "nobody.test", false},
	} {
		if got := covers(all)(row.name, canonical.Host(row.host)); got != row.want {
			t.Errorf("covers(%s, %s) = %t, want %t", row.name, row.host, got, row.want)
		}
	}
}

// Who comes by plain HTTP is sent to https, on a listener that is only there
// while the configuration has it.
func TestPlainIsSentToHTTPS(t *testing.T) {
	t.Parallel()
	r, _, _ := startSecure(t)
	plain := func(method, host string) (status int, location string) {
		req, err := http.NewRequestWithContext(t.Context(), method, r.ports.Replace("http://"+host+":$OTHER/a?b=c"), http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Close = true
		resp, err := r.way().RoundTrip(req)
		if err != nil {
			return 0, ""
		}
		_ = resp.Body.Close()
		return resp.StatusCode, resp.Header.Get("Location")
	}
	for _, row := range []struct {
		method, host string
		status       int
		location     string
	}{
		{"GET", "wiki.apps.test", 308, "https://wiki.apps.test/a?b=c"},
		{"GET", "auth.corp.test", 308, "https://auth.corp.test/a?b=c"},
		{"GET", "evil.test", 421, ""},
		{"POST", "auth.corp.test", 405, ""},
	} {
		if status, location := plain(row.method, row.host); status != row.status || location != row.location {
			t.Errorf("%s %s: %d to %q, want %d to %q", row.method, row.host, status, location, row.status, row.location)
		}
	}
	r.mustReload(strings.Replace(secureHouse, "  redirect: 127.0.0.1:$OTHER\n", "", 1))
	if status, _ := plain("GET", "wiki.apps.test"); status != 0 {
		t.Errorf("a listener that is off answers %d", status)
	}
}
