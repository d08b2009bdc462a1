package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"gateway/internal/demo"
	"gateway/internal/secret"
	"gateway/internal/server"
)

func demoCommand() *cobra.Command {
	var listen string
	c := &cobra.Command{
		Use: "demo", Short: "Try the gateway: two apps, a provider and two people, on this machine alone", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if c.Flags().Changed("config") {
				return badUsage{errors.New("the demo brings its own configuration; to use yours: gateway serve")}
			}
			address, err := netip.ParseAddrPort(listen)
			if err != nil || !address.Addr().IsLoopback() || address.Port() == 0 {
				return badUsage{fmt.Errorf("--listen %s: the demo listens on loopback only, like 127.0.0.1:8080", listen)}
			}
			return runDemo(c.Context(), address, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	c.Flags().StringVar(&listen, "listen", "127.0.0.1:8080", "loopback address and port")
	return c
}

// stage is what the demo puts around a gateway: apps, a provider, people.
type stage struct {
	folder   string
	address  netip.AddrPort
	provider net.Listener
	whoami   net.Listener
	wiki     net.Listener
	secret   string
}

const demoConfig = `url: http://auth.localhost:%[1]d
listen: %[2]q
management: %[3]q
data: %[4]q
providers:
  demo: {name: Demo provider, issuer: %[5]q, client_id: gateway, client_secret: %[6]q}
admins: {groups: [gateway-admins]}
apps:
  whoami: {host: whoami.localhost, upstream: %[7]q, allow: signed-in}
  wiki:
    host: wiki.test.localhost
    upstream: %[8]q
    rules:
      - {paths: [/public/**], allow: everyone}
      - {paths: [/admin/**], allow: {groups: [gateway-admins]}}
      - {allow: {groups: [staff, "demo:engineering"]}}
log: {level: warn, format: text}
`

func runDemo(ctx context.Context, address netip.AddrPort, out, errs io.Writer) error {
	folder, err := os.MkdirTemp("", "gateway-demo-") // mode 0700
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder) //nolint:errcheck // a temporary folder
	s := &stage{folder: folder, address: address, secret: demo.Password()}
	if err := s.listen(ctx); err != nil {
		return err
	}
	text := []byte(s.config())
	if err := os.WriteFile(s.file(), text, 0o600); err != nil {
		return err
	}
	cfg, err := source{path: s.file()}.load(errs)
	if err != nil {
		return fmt.Errorf("the demo's configuration: %w", err)
	}
	h, err := build(ctx, cfg, logsTo(errs, cfg.Log))
	if err != nil {
		return err
	}
	return errors.Join(s.play(ctx, h, out), h.close())
}

// play runs the apps, the provider and the gateway until the context ends.
func (s *stage) play(ctx context.Context, h *house, out io.Writer) error {
	passwords, err := s.people(ctx, h)
	if err != nil {
		return err
	}
	portal := h.portal
	provider, err := demo.NewProvider(s.issuer(), demo.Client{
		ID: "gateway", Secret: secret.New(s.secret), RedirectURI: portal + "/.gateway/callback/demo", LogoutURI: portal + "/",
	})
	if err != nil {
		return err
	}
	var running sync.WaitGroup
	defer running.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for socket, handler := range map[net.Listener]http.Handler{s.provider: provider, s.whoami: demo.Whoami{Portal: portal}, s.wiki: demo.Wiki{Portal: portal}} {
		srv := h.httpServer(handler)
		running.Go(func() {
			if err := srv.Serve(socket); !errors.Is(err, http.ErrServerClosed) {
				h.log.Error("demo", slog.Any("cause", err))
			}
		})
		context.AfterFunc(ctx, func() { _ = srv.Close() })
	}
	return h.serve(ctx, source{path: s.file()}, nil, func() { s.greet(out, portal, passwords) })
}

// listen takes the free ports that the demo's other parts need.
func (s *stage) listen(ctx context.Context) error {
	for _, socket := range []*net.Listener{&s.provider, &s.whoami, &s.wiki} {
		l, err := bind(ctx, "tcp", net.JoinHostPort(s.address.Addr().String(), "0"))
		if err != nil {
			return err
		}
		*socket = l
	}
	return nil
}

func (s *stage) issuer() string { return "http://" + s.provider.Addr().String() }

func (s *stage) file() string { return filepath.Join(s.folder, "gateway.yaml") }

func (s *stage) config() string {
	management := s.address.Addr().String()
	free, err := net.Listen("tcp", net.JoinHostPort(management, "0")) //nolint:noctx // a port to be named in the configuration
	if err == nil {
		management = free.Addr().String()
		_ = free.Close()
	}
	return fmt.Sprintf(demoConfig, s.address.Port(), s.address.String(), management, filepath.Join(s.folder, "data"), s.issuer(), s.secret,
		"http://"+s.whoami.Addr().String(), "http://"+s.wiki.Addr().String())
}

// people adds alice and bob, with fresh passwords.
func (s *stage) people(ctx context.Context, h *house) (map[string]string, error) {
	passwords := map[string]string{"alice": demo.Password(), "bob": demo.Password()}
	people := []server.AdminNew{
		{Login: "alice", Name: "Alice Demo", Email: "alice@demo.example", Groups: []string{"gateway-admins", "staff"}},
		{Login: "bob", Name: "Bob Demo", Email: "bob@demo.example", Groups: []string{"staff"}},
	}
	failures := make([]error, len(people))
	var all sync.WaitGroup
	for i := range people {
		all.Go(func() { failures[i] = derive(&people[i], secret.New(passwords[people[i].Login])) })
	}
	all.Wait()
	a := &administrator{transport: inProcess{h.at(listenAdmin)}}
	for i, n := range people {
		var u server.AdminUser
		if err := errors.Join(failures[i], a.call(ctx, http.MethodPost, "/users", n, &u)); err != nil {
			return nil, err
		}
	}
	return passwords, nil
}

func (s *stage) greet(out io.Writer, portal string, passwords map[string]string) {
	whoami, wiki := fmt.Sprintf("http://whoami.localhost:%d", s.address.Port()), fmt.Sprintf("http://wiki.test.localhost:%d", s.address.Port())
	lines := []string{"", "The gateway is running. Open in a browser on this machine:", ""}
	lines = append(lines, aligned(
		[2]string{portal, "your apps, and the sign-in"},
		[2]string{whoami, "an app that shows who the gateway says you are"},
		[2]string{wiki, "another app on another domain: one sign-in serves both"},
	)...)
	lines = append(lines, "", "Sign in by password:", "")
	lines = append(lines, aligned([2]string{"alice", passwords["alice"]}, [2]string{"bob", passwords["bob"]})...)
	lines = append(lines, "", "or choose the demo provider, and be carol or dave.", "", "Try:", "")
	lines = append(lines, aligned(
		[2]string{wiki + "/public/", "open to everyone"},
		[2]string{wiki + "/admin/", "for alice alone; bob gets a refusal with a decision_id"},
	)...)
	lines = append(
		lines,
		"",
		"Sign out in one tab, then reload the other. See who is signed in, from another terminal in this folder:",
		"",
		"  "+program()+" session list --config "+s.file(),
		"",
		"Its configuration, and everything it stores, is in "+s.folder+" until you stop it with Ctrl-C.",
		"",
	)
	_, _ = io.WriteString(out, strings.Join(lines, "\n"))
}

// program is how whoever started this program starts it again, from the same
// folder.
func program() string { return startedAs(os.Args[0]) }

// built is where go run puts a program: a temporary folder, or from the second
// time on the one of the build cache that has the program's hash for its name.
var built = regexp.MustCompile(`/go-build[0-9]*/b[0-9]{3}/exe/[^/]+$|/[0-9a-f]{64}-d/[^/]+$`)

// startedAs is the command line for the name that a program was started by.
func startedAs(name string) string {
	switch {
	case built.MatchString(filepath.ToSlash(name)):
		return "go run ./cmd/gateway"
	case plainWord.MatchString(name):
		return name
	default:
		return "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
	}
}

// plainWord is what shells take as it stands.
var plainWord = regexp.MustCompile(`^[\w./:@%+=-]+$`)

// aligned are lines of two words, such as an address and what is there, the second
// of which begins in one column.
func aligned(rows ...[2]string) []string {
	widest, lines := 0, make([]string, len(rows))
	for _, row := range rows {
		widest = max(widest, len(row[0]))
	}
	for i, row := range rows {
		lines[i] = fmt.Sprintf("  %-*s  %s", widest, row[0], row[1])
	}
	return lines
}
