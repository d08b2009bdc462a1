package proxy

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"gateway/policy"
)

// The defaults of Upstream.
const (
	DefaultConnectTimeout = 5 * time.Second
	DefaultHeaderTimeout  = time.Minute
)

// cleartext is the scheme of an upstream that speaks HTTP/2 without TLS, from
// the first byte (RFC 9113, section 3.3).
const cleartext = "h2c"

// Upstream is where requests for some paths of an app go.
type Upstream struct {
	Paths          []string      `yaml:"paths"`           // patterns as in rules; none: all
	URL            *url.URL      `yaml:"url"`             // https, http or h2c; scheme, host and port only
	CAFile         string        `yaml:"ca_file"`         // PEM; empty: the authorities of the system
	ServerName     string        `yaml:"server_name"`     // in its certificate; empty: the host of URL
	ConnectTimeout time.Duration `yaml:"connect_timeout"` // 0: DefaultConnectTimeout
	HeaderTimeout  time.Duration `yaml:"header_timeout"`  // 0: DefaultHeaderTimeout
}

// Validate returns all complaints, joined, each beginning with its key.
func (u Upstream) Validate() error {
	var complaints []error
	if _, err := policy.ParsePaths(u.Paths); err != nil {
		complaints = append(complaints, fmt.Errorf("paths%w", err))
	}
	if u.URL == nil {
		return errors.Join(append(complaints, errors.New("url: missing"))...)
	}
	if u.URL.Scheme != "https" {
		if u.CAFile != "" {
			complaints = append(complaints, errors.New("ca_file: only an https upstream has a certificate"))
		}
		if u.ServerName != "" {
			complaints = append(complaints, errors.New("server_name: only an https upstream has a certificate"))
		}
	}
	return errors.Join(complaints...)
}

// origin returns the address that requests are sent to.
func (u Upstream) origin() *url.URL {
	scheme := u.URL.Scheme
	if scheme == cleartext {
		scheme = "http"
	}
	return &url.URL{Scheme: scheme, Host: u.URL.Host}
}

// authorities reads the file of authorities; nil are the system's.
func (u Upstream) authorities() ([]byte, *x509.CertPool, error) {
	if u.CAFile == "" {
		return nil, nil, nil
	}
	text, err := os.ReadFile(u.CAFile)
	if err != nil {
		return nil, nil, fmt.Errorf("ca_file: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, nil, fmt.Errorf("ca_file: %s holds no certificate (PEM)", u.CAFile)
	}
	return text, pool, nil
}

// transport talks to the upstream: no proxy from the environment, connections
// kept, compression passed through.
func (u Upstream) transport(pool *x509.CertPool) *http.Transport {
	connect := orElse(u.ConnectTimeout, DefaultConnectTimeout)
	dialer := &net.Dialer{Timeout: connect, KeepAlive: 30 * time.Second}
	t := &http.Transport{
		DialContext: dialer.DialContext, MaxIdleConns: 512, MaxIdleConnsPerHost: 512, IdleConnTimeout: 90 * time.Second,
		TLSHandshakeTimeout: connect, DisableCompression: true, ResponseHeaderTimeout: orElse(u.HeaderTimeout, DefaultHeaderTimeout), MaxResponseHeaderBytes: 256 << 10,
		ExpectContinueTimeout: time.Second,
		TLSClientConfig:       &tls.Config{RootCAs: pool, ServerName: u.ServerName, MinVersion: tls.VersionTLS12},
		Protocols:             new(http.Protocols),
		HTTP2:                 &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 15 * time.Second}, // what is dead does not look idle
	}
	switch u.URL.Scheme {
	case cleartext:
		t.Protocols.SetUnencryptedHTTP2(true)
	case "https":
		t.Protocols.SetHTTP1(true)
		t.Protocols.SetHTTP2(true)
	default:
		t.Protocols.SetHTTP1(true)
	}
	return t
}

func orElse(d, standard time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return standard
}

// ways are the transports of one upstream.
type ways struct {
	timed   *http.Transport
	patient *http.Transport // without a limit until the answer begins
}

func newWays(u Upstream, pool *x509.CertPool) ways {
	w := ways{u.transport(pool), u.transport(pool)}
	w.patient.ResponseHeaderTimeout = 0
	return w
}

// RoundTrip implements http.RoundTripper. A call of gRPC says itself how long it
// may take, and its answer may begin with the first message.
func (w ways) RoundTrip(r *http.Request) (*http.Response, error) {
	if kind := r.Header["Content-Type"]; len(kind) == 1 && strings.HasPrefix(kind[0], "application/grpc") {
		return persist(w.patient, r)
	}
	return persist(w.timed, r)
}

func (w ways) close() {
	w.timed.CloseIdleConnections()
	w.patient.CloseIdleConnections()
}
