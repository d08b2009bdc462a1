package deploy_test

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	authzv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	managerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// unpack reads what stands inside a typed_config, and has it checked by the
// rules that Envoy's own messages come with.
func unpack[M interface {
	proto.Message
	ValidateAll() error
}](t *testing.T, packed *anypb.Any, into M,
) M {
	t.Helper()
	if err := packed.UnmarshalTo(into); err != nil {
		t.Fatal(err)
	}
	if err := into.ValidateAll(); err != nil {
		t.Error(err)
	}
	return into
}

// envoy is the configuration as Envoy's own messages have it.
func envoy(t *testing.T) (*bootstrapv3.Bootstrap, *listenerv3.FilterChain, *managerv3.HttpConnectionManager) {
	t.Helper()
	text, err := os.ReadFile("envoy/envoy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var plain any
	if err := yaml.Unmarshal(text, &plain); err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(plain)
	if err != nil {
		t.Fatal(err)
	}
	all := &bootstrapv3.Bootstrap{}
	if err := protojson.Unmarshal(raw, all); err != nil {
		t.Fatal(err)
	}
	if err := all.ValidateAll(); err != nil {
		t.Error(err)
	}
	chain := all.GetStaticResources().GetListeners()[0].GetFilterChains()[0]
	return all, chain, unpack(t, chain.GetFilters()[0].GetTypedConfig(), &managerv3.HttpConnectionManager{})
}

// Envoy's own messages take the configuration, and what it says keeps the check
// closed: it was tried with no Envoy.
func TestEnvoyConfiguration(t *testing.T) {
	all, chain, manager := envoy(t)
	unpack(t, chain.GetTransportSocket().GetTypedConfig(), &tlsv3.DownstreamTlsContext{})
	if len(manager.GetHttpFilters()) != 2 {
		t.Fatalf("%d filters, want the check and the router", len(manager.GetHttpFilters()))
	}
	check := unpack(t, manager.GetHttpFilters()[0].GetTypedConfig(), &authzv3.ExtAuthz{})
	unpack(t, manager.GetHttpFilters()[1].GetTypedConfig(), &routerv3.Router{})
	if check.GetFailureModeAllow() || check.GetStatusOnError().GetCode() != 503 || check.GetFilterEnabled() != nil || check.GetClearRouteCache() {
		t.Error("the check lets through what it cannot tell")
	}
	if got := check.GetHttpService().GetPathPrefix(); got != "/.gateway/authz/ext-authz" {
		t.Errorf("path_prefix %q", got)
	}
	if !manager.GetUseRemoteAddress().GetValue() || manager.GetXffNumTrustedHops() != 0 || manager.GetSkipXffAppend() {
		t.Error("a client says where it comes from")
	}
	var said []string
	for _, p := range check.GetHttpService().GetAuthorizationResponse().GetAllowedUpstreamHeaders().GetPatterns() {
		said = append(said, p.GetExact())
	}
	if want := []string{"remote-user", "remote-email", "remote-name", "remote-groups", "x-gateway-jwt-assertion"}; !slices.Equal(said, want) {
		t.Errorf("allowed_upstream_headers %q, want %q: the gateway says each of them always", said, want)
	}

	known := map[string]bool{}
	for _, c := range all.GetStaticResources().GetClusters() {
		known[c.GetName()] = true
	}
	if !known[check.GetHttpService().GetServerUri().GetCluster()] {
		t.Error("the check asks a cluster that is not there")
	}
	// Unchecked is what the gateway itself answers, and nothing else.
	for _, host := range manager.GetRouteConfig().GetVirtualHosts() {
		for _, r := range host.GetRoutes() {
			to := r.GetRoute().GetCluster()
			if !known[to] {
				t.Errorf("%s leads to %q, which is not there", host.GetName(), to)
			}
			if unchecked(t, host, r) != (to == "gateway") {
				t.Errorf("%s: %s to %s: checked is %v", host.GetName(), r.GetMatch(), to, !unchecked(t, host, r))
			}
			if to == "gateway" && host.GetName() != "portal" && r.GetMatch().GetPrefix() != "/.gateway/" {
				t.Errorf("%s: %s goes to the gateway", host.GetName(), r.GetMatch())
			}
		}
	}
}

// unchecked reports whether a route is not asked about.
func unchecked(t *testing.T, host *routev3.VirtualHost, r *routev3.Route) bool {
	t.Helper()
	settings := maps.Clone(host.GetTypedPerFilterConfig())
	if settings == nil {
		settings = map[string]*anypb.Any{}
	}
	maps.Copy(settings, r.GetTypedPerFilterConfig())
	packed := settings["envoy.filters.http.ext_authz"]
	return packed != nil && unpack(t, packed, &authzv3.ExtAuthzPerRoute{}).GetDisabled()
}

// What clients forge comes to the check, or goes before the app sees it.
func TestEnvoyHidesNothingFromTheCheck(t *testing.T) {
	_, _, manager := envoy(t)
	check := unpack(t, manager.GetHttpFilters()[0].GetTypedConfig(), &authzv3.ExtAuthz{})
	told := func(name string) bool {
		return slices.ContainsFunc(check.GetAllowedHeaders().GetPatterns(), func(p *matcherv3.StringMatcher) bool {
			return p.GetExact() == name || p.GetPrefix() != "" && strings.HasPrefix(name, p.GetPrefix())
		})
	}
	for _, name := range []string{
		"cookie", "accept", "origin", "sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest", "sec-websocket-key", "sec-websocket-version", "access-control-request-method",
		"x-requested-with", "x-forwarded-for", "x-forwarded-proto", "remote-user", "remoteuser", "forwarded", "cf-access-jwt-assertion", "x-original-url", "xforwardeduser",
	} {
		if !told(name) {
			t.Errorf("the check is not told %s", name)
		}
	}
	for _, name := range []string{"content-length", "transfer-encoding", "connection", "upgrade", "te", "expect", "host"} {
		if told(name) {
			t.Errorf("the check is told %s, which is of the connection", name)
		}
	}
}
