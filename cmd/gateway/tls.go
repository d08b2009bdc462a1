package main

import (
	"crypto/tls"
	"fmt"

	"gateway/internal/config"
)

// tlsConfig reads the certificate of the public listener; nil is plain HTTP.
func tlsConfig(files config.TLS) (*tls.Config, error) {
	if files == (config.TLS{}) {
		return nil, nil //nolint:nilnil // no TLS is what the configuration asks for
	}
	pair, err := tls.LoadX509KeyPair(files.Cert, files.Key)
	if err != nil {
		return nil, badConfig{fmt.Errorf("tls: certificate %s with key %s: %w", files.Cert, files.Key, err)}
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, nil
}
