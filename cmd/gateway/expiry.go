package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"gateway/internal/canonical"
	"gateway/internal/config"
)

// A certificate that ends within soon, or within a sixth of its life if that is
// shorter, should have been renewed by now.
const soon = 14 * 24 * time.Hour

// trouble is something about a certificate that people will notice.
type trouble struct {
	what string // the same words for the same trouble
	file string
	host string
	at   time.Time
}

// String is the trouble as a command says it.
func (t trouble) String() string {
	switch {
	case t.host != "":
		return "tls: " + t.what + ": " + t.host
	case t.what == shared:
		return "tls: " + t.file + ": " + t.what + ": chmod o-r, and replace it if it leaked"
	default:
		return "tls: " + t.file + ": " + t.what + ": " + t.at.UTC().Format(time.RFC3339)
	}
}

// What can be wrong with certificates that can be read.
const (
	expired   = "certificate has expired"
	expires   = "certificate expires soon"
	notYet    = "certificate is not valid yet"
	uncovered = "no certificate covers the host"
	shared    = "everybody on this machine may read the key"
)

// troubles are those of the certificates of a configuration, nil without TLS.
func troubles(cfg *config.Config, secure *tls.Config, now time.Time) []trouble {
	if secure == nil {
		return nil
	}
	var found []trouble
	for _, pair := range cfg.TLS.Pairs() {
		if info, err := os.Stat(pair.Key); err == nil && info.Mode().Perm()&0o004 != 0 {
			found = append(found, trouble{what: shared, file: pair.Key})
		}
	}
	for i, c := range secure.Certificates {
		leaf, file := c.Leaf, cfg.TLS.Pairs()[i].Cert
		switch {
		case !now.Before(leaf.NotAfter):
			found = append(found, trouble{what: expired, file: file, at: leaf.NotAfter})
		case now.Before(leaf.NotBefore):
			found = append(found, trouble{what: notYet, file: file, at: leaf.NotBefore})
		case leaf.NotAfter.Sub(now) < min(soon, leaf.NotAfter.Sub(leaf.NotBefore)/6):
			found = append(found, trouble{what: expires, file: file, at: leaf.NotAfter})
		}
	}
	for _, host := range hosts(cfg) {
		if !slices.ContainsFunc(secure.Certificates, func(c tls.Certificate) bool { return speaksFor(c.Leaf, host) }) {
			found = append(found, trouble{what: uncovered, host: host})
		}
	}
	return found
}

// hosts are all that the public listener answers for, patterns among them.
func hosts(cfg *config.Config) []string {
	all := []string{string(cfg.URL.Host)}
	for _, name := range sortedKeys(cfg.Apps) {
		a := cfg.Apps[name]
		for _, written := range append([]string{a.Host}, a.Hosts...) {
			name, pattern := strings.CutPrefix(written, "*.")
			host, err := canonical.ParseHost(name)
			switch {
			case err != nil: // none given
			case pattern:
				all = append(all, "*."+string(host))
			default:
				all = append(all, string(host))
			}
		}
	}
	return all
}

// speaksFor reports whether a certificate covers a host or a pattern.
func speaksFor(leaf *x509.Certificate, host string) bool {
	if slices.Contains(leaf.DNSNames, host) {
		return true // a pattern too
	}
	return leaf.VerifyHostname(host) == nil
}

// How often certificates are looked at, and trouble that stays is told again.
const (
	certificatesEvery = time.Minute
	troubleEvery      = 24 * time.Hour
)

// watchCertificates tells the log of trouble with certificates until the
// context ends: at once, and once a day while it stays.
func (h *house) watchCertificates(ctx context.Context) {
	tick := time.NewTicker(certificatesEvery)
	defer tick.Stop()
	told := map[trouble]time.Time{}
	for {
		r, now := h.rooms.Load(), time.Now() //nolint:forbidigo // the real time is what certificates are judged by
		fresh := map[trouble]time.Time{}
		for _, t := range troubles(r.config, r.tls, now) {
			fresh[t] = told[t]
			if now.Sub(told[t]) >= troubleEvery {
				h.tellTrouble(t)
				fresh[t] = now
			}
		}
		told = fresh
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (h *house) tellTrouble(t trouble) {
	switch t.what {
	case uncovered:
		h.log.Warn(uncovered, slog.String("host", t.host))
	case shared:
		h.log.Warn(shared, slog.String("file", t.file))
	case expires:
		h.log.Warn(expires, slog.String("file", t.file), slog.Time("expires", t.at.UTC()))
	case notYet:
		h.log.Error(notYet, slog.String("file", t.file), slog.Time("from", t.at.UTC()))
	default:
		h.log.Error(expired, slog.String("file", t.file), slog.Time("expired", t.at.UTC()))
	}
}
