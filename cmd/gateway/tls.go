package main

import (
	"crypto/tls"
	"os"
	"reflect"
	"strconv"

	"gateway/internal/canonical"
	"gateway/internal/config"
)

// secure reads the certificates of the public listener. Those that are as they
// were keep their configuration, and clients what they resume by.
func (r *rooms) secure(old *rooms) error {
	fresh, err := tlsConfig(r.config)
	if err != nil {
		return badConfig{err}
	}
	r.tls = fresh
	if fresh != nil && old.tls != nil && reflect.DeepEqual(fresh.Certificates, old.tls.Certificates) {
		r.tls = old.tls
	}
	if r.tls != nil {
		r.server.Covers = covers(r.tls.Certificates)
	}
	return nil
}

// tlsConfig reads the certificates of the public listener; nil is plain HTTP.
// Its error is Complaints.
func tlsConfig(cfg *config.Config) (*tls.Config, error) {
	pairs := cfg.TLS.Pairs()
	if len(pairs) == 0 {
		return nil, nil //nolint:nilnil // no TLS is what the configuration asks for
	}
	// The suites and curves are the library's: what is sound changes with it.
	secure := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
	var wrong config.Complaints
	for i, pair := range pairs {
		path := "tls"
		if cfg.TLS.Cert == "" {
			path += ".certificates[" + strconv.Itoa(i) + "]"
		}
		cert, complaint := readPair(cfg, path, pair)
		if complaint != nil {
			wrong = append(wrong, complaint)
			continue
		}
		secure.Certificates = append(secure.Certificates, cert)
	}
	if wrong != nil {
		return nil, wrong
	}
	return secure, nil
}

// readPair reads a certificate and its key, which may be half written.
func readPair(cfg *config.Config, path string, pair config.Pair) (tls.Certificate, *config.Complaint) {
	chain, err := os.ReadFile(pair.Cert)
	if err != nil {
		return tls.Certificate{}, cfg.Complaint(path+".cert", err.Error())
	}
	key, err := os.ReadFile(pair.Key)
	if err != nil {
		return tls.Certificate{}, cfg.Complaint(path+".key", err.Error())
	}
	cert, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return tls.Certificate{}, cfg.Complaint(path, "certificate "+pair.Cert+" with key "+pair.Key+": "+err.Error())
	}
	return cert, nil
}

// covers says what the certificates speak for. As in the handshake, the first
// one answers for names that none covers.
func covers(certificates []tls.Certificate) func(name string, host canonical.Host) bool {
	return func(name string, host canonical.Host) bool {
		known := false
		for _, c := range certificates {
			if c.Leaf.VerifyHostname(name) == nil {
				known = true
				if c.Leaf.VerifyHostname(string(host)) == nil {
					return true
				}
			}
		}
		return !known && certificates[0].Leaf.VerifyHostname(string(host)) == nil
	}
}
