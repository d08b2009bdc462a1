package main

import (
	"embed"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"gateway/internal/config"
)

// snippets are the files that the documents print and tests run. They lie in
// deploy, which is a module of its own: these are copies, and a test compares
// them.
//
//go:generate sh -c "cp ../../deploy/nginx/*.conf snippets/nginx/ && cp ../../deploy/caddy/* snippets/caddy/ && cp ../../deploy/haproxy/* snippets/haproxy/ && cp ../../deploy/envoy/* snippets/envoy/ && cp ../../deploy/compose/routes.yaml snippets/traefik/"
//go:embed snippets
var snippets embed.FS

// frontProxies are those that there are snippets for.
var frontProxies = []string{"nginx", "traefik", "caddy", "haproxy", "envoy"}

func snippetCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "snippet {" + strings.Join(frontProxies, "|") + "} APP", Short: "Print what a front proxy needs for an app, as the configuration has it",
		Long: `Print what a front proxy needs for an app: the files that docs/front-proxies.md prints
and explains, with the hosts and addresses of the configuration. Certificates and the
app's own address (port 3000; Traefik: 8080) are yours to put in.`,
		Args: func(c *cobra.Command, args []string) error {
			if err := cobra.ExactArgs(2)(c, args); err != nil {
				return err
			}
			if !slices.Contains(frontProxies, args[0]) {
				return fmt.Errorf("no such front proxy: %s", args[0])
			}
			return nil
		},
		ValidArgs: frontProxies,
		RunE: func(c *cobra.Command, args []string) error {
			cfg, err := load(o, c.ErrOrStderr())
			if err != nil {
				return err
			}
			text, notes, err := snippet(cfg, args[0], args[1])
			if err != nil {
				return err
			}
			for _, n := range notes {
				_, _ = fmt.Fprintln(c.ErrOrStderr(), "note:", n)
			}
			_, err = fmt.Fprint(c.OutOrStdout(), text)
			return err
		},
	}
}

// snippet returns the files of a front proxy, each under its name if there are
// several, and what they leave to be done.
func snippet(cfg *config.Config, front, name string) (text string, notes []string, err error) {
	app, known := cfg.Apps[name]
	switch {
	case !known:
		return "", nil, fmt.Errorf("no app %s: there are %s", name, strings.Join(sortedKeys(cfg.Apps), ", "))
	case cfg.Authz.Listen == "":
		return "", nil, errors.New("authz.listen is not set: a front proxy has nowhere to ask")
	}
	all := app.Hosts
	if app.Host != "" {
		all = append([]string{app.Host}, all...)
	}
	if strings.HasPrefix(all[0], "*.") {
		return "", nil, fmt.Errorf("app %s has the hosts %s: write them into the file that docs/front-proxies.md prints", name, all[0])
	}
	if len(all) > 1 {
		notes = append(notes, "the app has further hosts, which go beside "+all[0]+": "+strings.Join(all[1:], ", "))
	}
	if app.Headers != nil {
		notes = append(notes, "the app knows headers of other names, which the front proxy has to copy too: docs/apps.md")
	}
	if len(cfg.TrustedProxies.Prefixes) == 0 && !cfg.TrustedProxies.Unix {
		notes = append(notes, "trusted_proxies names nobody: the front proxy would not be answered")
	}
	public, check := cfg.Listen, cfg.Authz.Listen
	replace := strings.NewReplacer(append(ported(cfg.URL, all[0]),
		"auth.example.com", string(cfg.URL.Host), "auth.gw.localhost", string(cfg.URL.Host), "wiki.example.com", all[0], "whoami.gw.localhost", all[0],
		"address: 127.0.0.1, port_value: 8080", socket(public), "address: 127.0.0.1, port_value: 8082", socket(check),
		"127.0.0.1:8080", reached(public), "127.0.0.1:8082", reached(check), "http://gateway:8080", "http://"+reached(public), "http://gateway:8082", "http://"+reached(check),
		"wiki", name, "whoami", name,
	)...)
	files, err := snippets.ReadDir("snippets/" + front)
	if err != nil {
		return "", nil, err
	}
	var b strings.Builder
	for _, f := range files {
		content, err := snippets.ReadFile("snippets/" + front + "/" + f.Name())
		if err != nil {
			return "", nil, err
		}
		if len(files) > 1 {
			fmt.Fprintf(&b, "### %s\n", f.Name())
		}
		b.WriteString(replace.Replace(string(content)))
	}
	return b.String(), notes, nil
}

// ported are the places where a front proxy's files name the port of a url that
// has one.
func ported(u config.URL, app string) []string {
	if u.Port == "" {
		return nil
	}
	return []string{
		"listen 443 ssl", "listen " + u.Port + " ssl", "bind :443", "bind :" + u.Port, "port_value: 443", "port_value: " + u.Port,
		"auth.example.com {", string(u.Host) + ":" + u.Port + " {", "wiki.example.com {", app + ":" + u.Port + " {",
	}
}

// reached is where somebody on this machine reaches a listener.
func reached(a config.Address) string {
	host, port, err := net.SplitHostPort(string(a))
	if err != nil {
		return string(a)
	}
	if host == "" || host == "0.0.0.0" || host == "::" {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// socket is reached as Envoy writes it.
func socket(a config.Address) string {
	host, port, err := net.SplitHostPort(reached(a))
	if err != nil {
		return string(a)
	}
	return fmt.Sprintf("address: %q, port_value: %s", host, port)
}
