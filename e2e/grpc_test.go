package e2e

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	health_v1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection"
	reflection_v1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
)

// startGRPC is an app that speaks gRPC without TLS, and returns its address.
func startGRPC(t *testing.T) (*health.Server, string) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	app, state := grpc.NewServer(), health.NewServer()
	state.SetServingStatus("shop", health_v1.HealthCheckResponse_SERVING)
	health_v1.RegisterHealthServer(app, state)
	reflection.Register(app)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = app.Serve(l)
	}()
	t.Cleanup(func() {
		app.Stop()
		<-done
	})
	return state, l.Addr().String()
}

// dialGRPC connects to the app as its clients do: TLS and HTTP/2 to the gateway.
func (s *site) dialGRPC(host string) *grpc.ClientConn {
	s.t.Helper()
	_, authority, _ := strings.Cut(s.at(host), "://")
	conn, err := grpc.NewClient("passthrough:///127.0.0.1:"+fmt.Sprint(s.public), grpc.WithAuthority(authority), grpc.WithTransportCredentials(credentials.NewTLS(believing(s.t))))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// atHome sends what is for the plain web to the hosts of another one.
type atHome struct {
	*site
	inner http.RoundTripper
}

func (a atHome) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host, r.Host = a.scheme, a.hosts.Replace(r.Host), a.hosts.Replace(r.Host)
	return a.inner.RoundTrip(r)
}

// gRPC passes: calls, calls that fail with a status in trailers, and streams in
// both directions, which end with their session.
func TestGRPC(t *testing.T) {
	state, address := startGRPC(t)
	s := secure.newSite(t, false, fmt.Sprintf(`apps:
  one:
    host: one.localhost
    upstream: "h2c://%s"
    rules:
      - {paths: [/grpc.health.v1.Health/Check], allow: everyone}
      - {allow: signed-in}
`, address)).serve()
	s.addAlice()
	transport := &http.Transport{DialContext: onlyHere, TLSClientConfig: believing(t)}
	t.Cleanup(transport.CloseIdleConnections)
	token, err := signIn(t.Context(), atHome{s, transport}, s.public, newPerson(t, "alice"), s.hosts.Replace("one.localhost"))
	if err != nil {
		t.Fatal(err)
	}
	conn := s.dialGRPC("one.localhost")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	signedIn := metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)

	app := health_v1.NewHealthClient(conn)
	answer, err := app.Check(ctx, &health_v1.HealthCheckRequest{Service: "shop"})
	if err != nil || answer.GetStatus() != health_v1.HealthCheckResponse_SERVING {
		t.Fatalf("a call: %v, %v", answer, err)
	}
	if _, err = app.Check(ctx, &health_v1.HealthCheckRequest{Service: "nothing"}); status.Code(err) != codes.NotFound || status.Convert(err).Message() != "unknown service" {
		t.Errorf("a call that fails: %v, want the app's own status", err)
	}
	nobody, err := app.Watch(ctx, &health_v1.HealthCheckRequest{Service: "shop"})
	if err == nil {
		_, err = nobody.Recv()
	}
	if status.Code(err) != codes.Unauthenticated {
		t.Errorf("a stream without session: %v, want Unauthenticated", err)
	}

	watch, err := app.Watch(signedIn, &health_v1.HealthCheckRequest{Service: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	for _, now := range []health_v1.HealthCheckResponse_ServingStatus{health_v1.HealthCheckResponse_SERVING, health_v1.HealthCheckResponse_NOT_SERVING, health_v1.HealthCheckResponse_SERVING} {
		state.SetServingStatus("shop", now)
		if got, err := watch.Recv(); err != nil || got.GetStatus() != now {
			t.Fatalf("a stream: %v, %v, want %v", got, err, now)
		}
	}
	talk, err := reflection_v1.NewServerReflectionClient(conn).ServerReflectionInfo(signedIn)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := talk.Send(&reflection_v1.ServerReflectionRequest{MessageRequest: &reflection_v1.ServerReflectionRequest_ListServices{}}); err != nil {
			t.Fatal(err)
		}
		got, err := talk.Recv()
		if err != nil || !slices.ContainsFunc(got.GetListServicesResponse().GetService(), func(one *reflection_v1.ServiceResponse) bool { return one.GetName() == "grpc.health.v1.Health" }) {
			t.Fatalf("a stream in both directions: %v, %v", got, err)
		}
	}

	began := time.Now()
	mustCLI(t, "", "session", "revoke", "--user", "alice", "--config", s.config)
	if got, err := watch.Recv(); err == nil {
		t.Errorf("a stream whose session has ended: %v", got)
	}
	if got, err := talk.Recv(); err == nil {
		t.Errorf("a stream in both directions whose session has ended: %v", got)
	}
	t.Logf("both ended %v after the command was given", time.Since(began))
	if _, err := app.Check(ctx, &health_v1.HealthCheckRequest{Service: "shop"}); err != nil {
		t.Errorf("a call that everyone may make: %v", err)
	}
}
