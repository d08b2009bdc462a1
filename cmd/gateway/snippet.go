package main

import (
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
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
	var into string
	c := &cobra.Command{
		Use: "snippet {" + strings.Join(frontProxies, "|") + "} APP", Short: "Print what a front proxy needs for an app, as the configuration has it",
		Long: `Print what a front proxy needs for an app: the files that docs/front-proxies.md prints
and explains, with the hosts and addresses of the configuration. Certificates and the
app's own address (port 3000; Traefik: 8080) are yours to put in.`,
		Example: `  gateway snippet caddy wiki
  gateway snippet nginx wiki --into wiki-nginx`,
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
			files, notes, err := snippet(cfg, args[0], args[1])
			if err != nil {
				return err
			}
			for _, n := range notes {
				_, _ = fmt.Fprintln(c.ErrOrStderr(), "note:", n)
			}
			if c.Flags().Changed("into") {
				return writeFiles(c.OutOrStdout(), into, files)
			}
			return printFiles(c.OutOrStdout(), files)
		},
	}
	c.Flags().StringVar(&into, "into", "", "write the files into this folder, in the place of none that is there, instead of printing them")
	return c
}

// file is one of a front proxy's.
type file struct{ name, text string }

// printFiles prints the files, each under its name if there are several.
func printFiles(out io.Writer, files []file) error {
	var b strings.Builder
	for _, f := range files {
		if len(files) > 1 {
			fmt.Fprintf(&b, "### %s\n", f.name)
		}
		b.WriteString(f.text)
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// writeFiles writes the files into a folder, which it makes if need be, and
// prints where they are. Where one of them is there already it writes none.
func writeFiles(out io.Writer, folder string, files []file) error {
	if folder == "" {
		return badUsage{errors.New("--into names a folder")}
	}
	for _, f := range files {
		path := filepath.Join(folder, f.name)
		switch _, err := os.Lstat(path); {
		case err == nil:
			return fmt.Errorf("%s is there already: nothing was written; name another folder", path)
		case !errors.Is(err, fs.ErrNotExist):
			return err
		}
	}
	if err := os.MkdirAll(folder, 0o755); err != nil { //nolint:gosec // G301: the front proxy reads there, and nothing in it is secret
		return err
	}
	for _, f := range files {
		path := filepath.Join(folder, f.name)
		to, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644) //nolint:gosec // G302, G304: as above; the operator names the folder
		if err != nil {
			return err
		}
		_, err = to.WriteString(f.text)
		if err := errors.Join(err, to.Close()); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(out, "wrote %s\n", path); err != nil {
			return err
		}
	}
	return nil
}

// snippet returns the files of a front proxy, and what they leave to be done.
func snippet(cfg *config.Config, front, name string) (files []file, notes []string, err error) {
	app, known := cfg.Apps[name]
	switch {
	case !known:
		return nil, nil, fmt.Errorf("no app %s: there are %s", name, strings.Join(sortedKeys(cfg.Apps), ", "))
	case cfg.Authz.Listen == "":
		return nil, nil, errors.New("authz.listen is not set: a front proxy has nowhere to ask")
	}
	all := app.Hosts
	if app.Host != "" {
		all = append([]string{app.Host}, all...)
	}
	if strings.HasPrefix(all[0], "*.") {
		return nil, nil, fmt.Errorf("app %s has the hosts %s: write them into the file that docs/front-proxies.md prints", name, all[0])
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
	entries, err := snippets.ReadDir("snippets/" + front)
	if err != nil {
		return nil, nil, err
	}
	for _, e := range entries {
		content, err := snippets.ReadFile("snippets/" + front + "/" + e.Name())
		if err != nil {
			return nil, nil, err
		}
		files = append(files, file{e.Name(), replace.Replace(string(content))})
	}
	return files, notes, nil
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
