package oidc_test

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"gateway/providers"
	"gateway/providers/oidc"
	"gateway/providers/providertest"
)

// network is a network of names, where every connection ends at the provider's
// real TLS listener and is written down.
type network struct {
	where  map[string][]string
	target string

	mu     sync.Mutex
	dialed []string
}

func (n *network) lookup(_ context.Context, host string) ([]netip.Addr, error) {
	all := make([]netip.Addr, 0, 2)
	for _, a := range n.where[host] {
		all = append(all, netip.MustParseAddr(a))
	}
	if len(all) == 0 {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	return all, nil
}

func (n *network) dial(ctx context.Context, network, address string) (net.Conn, error) {
	n.mu.Lock()
	n.dialed = append(n.dialed, address)
	n.mu.Unlock()
	if strings.HasPrefix(address, "9.9.9.9:") {
		return nil, errors.New("connection refused")
	}
	return (&net.Dialer{}).DialContext(ctx, network, n.target)
}

func (n *network) hits(prefix string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.ContainsFunc(n.dialed, func(a string) bool { return strings.HasPrefix(a, prefix) })
}

// site is a provider whose issuer is https://example.com, the name in
// httptest's certificate.
type site struct {
	*providertest.Server
	network *network
	roots   *x509.CertPool
}

func secure(t *testing.T) *site {
	t.Helper()
	s := providertest.Offline(t)
	s.URL = "https://example.com"
	server := httptest.NewUnstartedServer(s)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // clients that hang up are meant to
	server.StartTLS()
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	return &site{s, &network{target: server.Listener.Addr().String()}, roots}
}

// at returns a client of the site that finds names as where says, and forgets
// what was dialled before.
func (s *site) at(t *testing.T, where map[string][]string) *oidc.Provider {
	t.Helper()
	s.network.mu.Lock()
	defer s.network.mu.Unlock()
	s.network.where, s.network.dialed = where, nil
	return open(t, s.Server, func(c *oidc.Config) { c.Lookup, c.Dial, c.RootCAs = s.network.lookup, s.network.dial, s.roots })
}

func TestAddresses(t *testing.T) {
	const public, other = "8.8.8.8", "1.1.1.1"
	s := secure(t)
	for _, row := range []struct {
		name   string
		issuer []string // where example.com is
		token  string   // the token endpoint
		at     string   // where its name leads
		want   error
	}{
		{"public, own host", []string{public}, "https://example.com/token", "", nil},
		{"public, another public host", []string{public}, "https://www.example.com/token", other, nil},
		{"public, another port", []string{public}, "https://example.com:8443/token", "", nil},
		{"public, second address answers", []string{"9.9.9.9", public}, "https://example.com/token", "", nil},
		{"public, name that leads to loopback", []string{public}, "https://www.example.com/token", "127.0.0.1", providers.ErrUnavailable},
		{"public, name that leads to a private network", []string{public}, "https://www.example.com/token", "10.0.0.7", providers.ErrUnavailable},
		{"public, name that leads to the metadata service", []string{public}, "https://www.example.com/token", "169.254.169.254", providers.ErrUnavailable},
		{"private, own host", []string{"10.0.0.5"}, "https://example.com/token", "", nil},
		{"private, another host", []string{"10.0.0.5"}, "https://www.example.com/token", "10.0.0.6", providers.ErrUnavailable},
		{"private, another public host", []string{"10.0.0.5"}, "https://www.example.com/token", other, providers.ErrUnavailable},
		{"private, another port", []string{"10.0.0.5"}, "https://example.com:6379/token", "", providers.ErrUnavailable},
		{"loopback by name, own host", []string{"127.0.0.1"}, "https://example.com/token", "", nil},
		{"issuer on a link-local address", []string{"169.254.169.254"}, "https://example.com/token", "", providers.ErrUnavailable},
		{"issuer nowhere", nil, "https://example.com/token", "", providers.ErrUnavailable},
	} {
		t.Run(row.name, func(t *testing.T) {
			where := map[string][]string{"example.com": row.issuer}
			if row.at != "" {
				where["www.example.com"] = []string{row.at}
			}
			p := s.at(t, where)
			s.Bend(providertest.Bend{Discovery: func(doc map[string]any) { doc["token_endpoint"] = row.token }})
			req := providertest.NewRequest()
			address, err := p.AuthCodeURL(t.Context(), req)
			if err == nil {
				_, err = p.Exchange(t.Context(), req, s.Callback(t, address).Code)
			}
			if !errors.Is(err, row.want) {
				t.Errorf("sign-in = %v, want %v", err, row.want)
			}
			if row.want != nil && row.at != "" && s.network.hits(row.at+":") {
				t.Errorf("dialled %s, want never", row.at)
			}
		})
	}
}

func TestEndpointsOfAPublicIssuer(t *testing.T) {
	s := secure(t)
	for _, endpoint := range []string{
		"http://example.com/token", "https://127.0.0.1/", "https://169.254.169.254/", "https://[::ffff:7f00:1]/", "https://[::1]/",
		"https://0.0.0.0/", "https://localhost/", "https://idp.localhost/", "https://10.1.2.3/", "https://[fe80::1]/", "https://example.com@evil.example/",
		"file:///etc/passwd", "ftp://example.com/", "https:///token", "https://example.com/#x", "//example.com/",
	} {
		for _, member := range []string{"authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint", "end_session_endpoint"} {
			p := s.at(t, map[string][]string{"example.com": {"8.8.8.8"}})
			s.Bend(providertest.Bend{Discovery: func(doc map[string]any) { doc[member] = endpoint }})
			if _, err := p.AuthCodeURL(t.Context(), providertest.NewRequest()); !errors.Is(err, providers.ErrUnavailable) {
				t.Errorf("%s %s: %v, want ErrUnavailable", member, endpoint, err)
			}
			if len(s.network.dialed) != 1 {
				t.Errorf("%s %s: dialled %v, want the issuer once", member, endpoint, s.network.dialed)
			}
		}
	}
}

func TestCertificateIsChecked(t *testing.T) {
	s := secure(t)
	s.roots = nil
	p := s.at(t, map[string][]string{"example.com": {"8.8.8.8"}})
	if _, err := p.AuthCodeURL(t.Context(), providertest.NewRequest()); !errors.Is(err, providers.ErrUnavailable) {
		t.Errorf("certificate of nobody we know: %v, want ErrUnavailable", err)
	}
}

func TestProxyOfTheEnvironmentIsIgnored(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("asked the proxy") }))
	defer proxy.Close()
	t.Setenv("HTTPS_PROXY", proxy.URL)
	t.Setenv("HTTP_PROXY", proxy.URL)
	s := secure(t)
	p := s.at(t, map[string][]string{"example.com": {"8.8.8.8"}})
	if _, err := providertest.SignIn(t, s.Server, p); err != nil {
		t.Errorf("SignIn = %v, want nil", err)
	}
}

func TestPublicAddresses(t *testing.T) {
	s := secure(t)
	s.Bend(providertest.Bend{Discovery: func(doc map[string]any) { doc["token_endpoint"] = "https://www.example.com/token" }})
	for address, want := range map[string]error{
		"1.0.0.1": nil, "2606:4700::1111": nil, "::ffff:1.0.0.1": nil,
		"127.0.0.1": providers.ErrUnavailable, "10.0.0.1": providers.ErrUnavailable, "172.16.0.1": providers.ErrUnavailable,
		"192.168.0.1": providers.ErrUnavailable, "169.254.169.254": providers.ErrUnavailable, "100.64.0.1": providers.ErrUnavailable,
		"0.0.0.0": providers.ErrUnavailable, "224.0.0.1": providers.ErrUnavailable, "240.0.0.1": providers.ErrUnavailable,
		"198.18.0.1": providers.ErrUnavailable, "192.0.2.1": providers.ErrUnavailable, "255.255.255.255": providers.ErrUnavailable,
		"::1": providers.ErrUnavailable, "::": providers.ErrUnavailable, "fe80::1": providers.ErrUnavailable, "fe80::1%eth0": providers.ErrUnavailable,
		"fd00::1": providers.ErrUnavailable, "ff02::1": providers.ErrUnavailable, "2001:db8::1": providers.ErrUnavailable,
		"2002:a00:1::": providers.ErrUnavailable, "64:ff9b::7f00:1": providers.ErrUnavailable, "::ffff:10.0.0.1": providers.ErrUnavailable,
	} {
		p := s.at(t, map[string][]string{"example.com": {"8.8.8.8"}, "www.example.com": {address}})
		if _, err := providertest.SignIn(t, s.Server, p); !errors.Is(err, want) {
			t.Errorf("token endpoint at %s: %v, want %v", address, err, want)
		}
	}
}
