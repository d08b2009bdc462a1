package e2e

import (
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// standIn does what Envoy's documentation says of a configuration, as far as
// deploy/envoy says it: no Envoy can be had where these tests run. It asks by
// HTTP with the original method, host and path behind path_prefix, tells only
// the headers that are allowed, and shows the answer unless it is 200.
type standIn struct {
	checked  authz
	unwanted []string
	hosts    []virtualHost
	clusters map[string]string // host:port
}

type authz struct {
	AllowedHeaders patterns       `yaml:"allowed_headers"`
	StatusOnError  map[string]any `yaml:"status_on_error"`
	Service        struct {
		Server   struct{ Cluster string } `yaml:"server_uri"`
		Prefix   string                   `yaml:"path_prefix"`
		Response struct {
			Upstream patterns `yaml:"allowed_upstream_headers"`
		} `yaml:"authorization_response"`
	} `yaml:"http_service"`
}

type patterns struct {
	Patterns []struct {
		Exact, Prefix string
		Regex         struct{ Regex string } `yaml:"safe_regex"`
	}
}

// have reports whether a name, in lower case, is one of them.
func (p patterns) have(name string) bool {
	for _, one := range p.Patterns {
		if one.Exact == name && name != "" || one.Prefix != "" && strings.HasPrefix(name, one.Prefix) ||
			one.Regex.Regex != "" && regexp.MustCompile("^(?:"+one.Regex.Regex+")$").MatchString(name) {
			return true
		}
	}
	return false
}

type unchecked struct {
	ByFilter map[string]struct{ Disabled bool } `yaml:"typed_per_filter_config"`
}

type virtualHost struct {
	unchecked `yaml:",inline"`
	Domains   []string
	Routes    []struct {
		unchecked `yaml:",inline"`
		Match     struct{ Prefix string }
		Route     struct{ Cluster string }
	}
}

// readEnvoy reads the configuration.
func readEnvoy(t *testing.T, text string) *standIn {
	t.Helper()
	var file struct {
		Static struct {
			Listeners []struct {
				Chains []struct {
					Filters []struct {
						Manager struct {
							Filters []struct {
								Config authz `yaml:"typed_config"`
							} `yaml:"http_filters"`
							Routes struct {
								Unwanted []string      `yaml:"request_headers_to_remove"`
								Hosts    []virtualHost `yaml:"virtual_hosts"`
							} `yaml:"route_config"`
						} `yaml:"typed_config"`
					}
				} `yaml:"filter_chains"`
			}
			Clusters []struct {
				Name string
				Load struct {
					Endpoints []struct {
						All []struct {
							Endpoint struct {
								Address struct {
									Socket struct {
										Address string
										Port    int `yaml:"port_value"`
									} `yaml:"socket_address"`
								}
							}
						} `yaml:"lb_endpoints"`
					}
				} `yaml:"load_assignment"`
			}
		} `yaml:"static_resources"`
	}
	if err := yaml.Unmarshal([]byte(text), &file); err != nil {
		t.Fatal(err)
	}
	manager := file.Static.Listeners[0].Chains[0].Filters[0].Manager
	s := &standIn{checked: manager.Filters[0].Config, unwanted: manager.Routes.Unwanted, hosts: manager.Routes.Hosts, clusters: map[string]string{}}
	for _, c := range file.Static.Clusters {
		at := c.Load.Endpoints[0].All[0].Endpoint.Address.Socket
		s.clusters[c.Name] = fmt.Sprintf("%s:%d", at.Address, at.Port)
	}
	return s
}

func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for name := range r.Header {
		if strings.Contains(name, "_") { // headers_with_underscores_action
			delete(r.Header, name)
		}
	}
	upgrade := r.Header.Get("Upgrade")
	if upgrade != "" && !strings.EqualFold(upgrade, "websocket") {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	uri := r.RequestURI
	if absolute, err := url.Parse(uri); err == nil && absolute.IsAbs() {
		uri = absolute.RequestURI()
	}
	client, _, _ := net.SplitHostPort(r.RemoteAddr)
	r.Header.Set("X-Forwarded-For", strings.TrimPrefix(strings.Join(append(r.Header["X-Forwarded-For"], client), ","), ","))
	r.Header.Set("X-Forwarded-Proto", map[bool]string{true: "https", false: "http"}[r.TLS != nil])
	name, _, _ := strings.Cut(r.Host, ":")
	for _, host := range s.hosts {
		if !slices.Contains(host.Domains, strings.ToLower(name)) {
			continue
		}
		for _, route := range host.Routes {
			if !strings.HasPrefix(uri, route.Match.Prefix) {
				continue
			}
			const filter = "envoy.filters.http.ext_authz"
			if host.ByFilter[filter].Disabled || route.ByFilter[filter].Disabled || s.asks(w, r, uri) {
				s.passes(w, r, s.clusters[route.Route.Cluster], uri)
			}
			return
		}
	}
	w.WriteHeader(http.StatusNotFound)
}

// asks reports whether a request may pass, and has answered it where not.
func (s *standIn) asks(w http.ResponseWriter, r *http.Request, uri string) bool {
	question := &http.Request{
		Method: r.Method, Host: r.Host, Header: http.Header{},
		URL: &url.URL{Scheme: "http", Host: s.clusters[s.checked.Service.Server.Cluster], Opaque: s.checked.Service.Prefix + uri},
	}
	for name, values := range r.Header {
		if lower := strings.ToLower(name); lower == "authorization" || s.checked.AllowedHeaders.have(lower) {
			between := ","
			if lower == "cookie" {
				between = "; "
			}
			question.Header[name] = []string{strings.Join(values, between)}
		}
	}
	answer, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(question.WithContext(r.Context()))
	if err != nil || answer.StatusCode >= 500 {
		status := http.StatusForbidden
		if s.checked.StatusOnError["code"] == "ServiceUnavailable" {
			status = http.StatusServiceUnavailable
		}
		w.WriteHeader(status)
		return false
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		maps.Copy(w.Header(), answer.Header)
		w.WriteHeader(answer.StatusCode)
		_, _ = io.Copy(w, answer.Body)
		return false
	}
	for name, values := range answer.Header {
		if s.checked.Service.Response.Upstream.have(strings.ToLower(name)) {
			r.Header[name] = values
		}
	}
	for name := range strings.SplitSeq(answer.Header.Get("X-Envoy-Auth-Headers-To-Remove"), ",") {
		r.Header.Del(strings.TrimSpace(name))
	}
	return true
}

// passes hands a request on.
func (s *standIn) passes(w http.ResponseWriter, r *http.Request, to, uri string) {
	proxy := httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) {
		p.Out.URL, p.Out.Host = &url.URL{Scheme: "http", Host: to, Opaque: uri}, r.Host
		p.Out.Header = r.Header.Clone()
		if upgrade := r.Header.Get("Upgrade"); upgrade == "" {
			p.Out.Header.Del("Connection")
		} else {
			p.Out.Header.Set("Connection", "Upgrade")
		}
		for _, name := range s.unwanted {
			p.Out.Header.Del(name)
		}
	}}
	proxy.ServeHTTP(w, r)
}

// startEnvoy stands in for an Envoy with the file of deploy/envoy, but for the
// addresses, the hosts and a second app.
func startEnvoy(t *testing.T, s *site, one, two *echo) {
	t.Helper()
	text := read(t, "../deploy/envoy/envoy.yaml")
	text = strings.NewReplacer("auth.example.com", "auth.localhost", "wiki.example.com", "one.localhost").Replace(text)
	e := readEnvoy(t, s.hosts.Replace(text))
	second := e.hosts[1]
	second.Domains, second.Routes = []string{s.hosts.Replace("two.other.localhost")}, slices.Clone(second.Routes)
	second.Routes[1].Route.Cluster = "two"
	e.hosts = append(e.hosts, second)
	for cluster, at := range map[string]string{
		"gateway": fmt.Sprintf("127.0.0.1:%d", s.listen), "gateway_authz": fmt.Sprintf("127.0.0.1:%d", s.authz),
		"wiki": strings.TrimPrefix(one.URL, "http://"), "two": strings.TrimPrefix(two.URL, "http://"),
	} {
		if _, known := e.clusters[cluster]; !known && cluster != "two" {
			t.Fatalf("envoy.yaml has no cluster %s", cluster)
		}
		e.clusters[cluster] = at
	}
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", s.public))
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: e, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)} //nolint:gosec // of a test
	if s.cert != "" {
		pair, err := tls.LoadX509KeyPair(s.cert, s.key)
		if err != nil {
			t.Fatal(err)
		}
		server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
		go func() { _ = server.ServeTLS(l, "", "") }()
	} else {
		go func() { _ = server.Serve(l) }()
	}
	t.Cleanup(func() { _ = server.Close() })
}
