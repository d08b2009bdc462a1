package main

import (
	"crypto/tls"
	"fmt"
	"reflect"

	"gateway/internal/config"
)

// secure reads the certificate of the public listener. One that is as it was
// keeps its configuration, and clients their resumed sessions.
func (r *rooms) secure(old *rooms) error {
	fresh, err := tlsConfig(r.config.TLS)
	if err != nil {
		return err
	}
	r.tls = fresh
	if fresh != nil && old.tls != nil && reflect.DeepEqual(fresh.Certificates[0].Certificate, old.tls.Certificates[0].Certificate) {
		r.tls = old.tls
	}
	return nil
}

// tlsConfig reads the certificate of the public listener; nil is plain HTTP.
func tlsConfig(files config.TLS) (*tls.Config, error) {
	if files == (config.TLS{}) {
		return nil, nil //nolint:nilnil // no TLS is what the configuration asks for
	}
	pair, err := tls.LoadX509KeyPair(files.Cert, files.Key)
	if err != nil {
		return nil, badConfig{fmt.Errorf("tls: certificate %s with key %s: %w", files.Cert, files.Key, err)}
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}, nil
}
