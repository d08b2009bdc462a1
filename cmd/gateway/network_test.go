package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"gateway/client"
	"gateway/internal/secret"
)

// given are the ports that some script has.
var given sync.Map

// freePort returns a port that nobody else has or will get: it lies below those
// that systems give to outgoing connections.
func freePort() (int, net.Listener, error) {
	for range 1000 {
		port := 20_000 + mathrand.IntN(10_000)
		if _, taken := given.LoadOrStore(port, true); taken {
			continue
		}
		var lc net.ListenConfig
		if l, err := lc.Listen(context.Background(), "tcp", loopback(strconv.Itoa(port))); err == nil {
			return port, l, nil
		}
	}
	return 0, nil, errors.New("no port is free")
}

func loopback(port string) string { return net.JoinHostPort("127.0.0.1", port) }

// ports VARIABLE... finds free ports.
func ports(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: ports VARIABLE...")
	}
	for _, name := range args {
		port, listener, err := freePort()
		ts.Check(err)
		ts.Check(listener.Close())
		ts.Setenv(name, strconv.Itoa(port))
	}
}

// occupied VARIABLE finds a port and keeps it until the script ends.
func occupied(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: occupied VARIABLE")
	}
	port, listener, err := freePort()
	ts.Check(err)
	ts.Defer(func() { _ = listener.Close() })
	ts.Setenv(args[0], strconv.Itoa(port))
}

// browser reaches every host on this machine, and believes the certificate in
// SSL_CERT_FILE.
func browser(ts *testscript.TestScript) *http.Client {
	roots := x509.NewCertPool()
	if file := ts.Getenv("SSL_CERT_FILE"); file != "" && !roots.AppendCertsFromPEM([]byte(ts.ReadFile(file))) {
		ts.Fatalf("%s holds no certificate", file)
	}
	jar, err := cookiejar.New(nil)
	ts.Check(err)
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			_, port, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			var d net.Dialer
			return d.DialContext(ctx, network, loopback(port))
		},
	}
	ts.Defer(transport.CloseIdleConnections)
	return &http.Client{
		Transport: transport, Jar: jar, Timeout: patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// ask sends a GET, with the token in a file if there is one.
func ask(ts *testscript.TestScript, url string, tokenFile ...string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, http.NoBody)
	ts.Check(err)
	for _, file := range tokenFile {
		req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(ts.ReadFile(file)))
	}
	return browser(ts).Do(req)
}

// get URL [TOKENFILE] prints the answer to a GET: status, headers and body.
func get(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: get URL [TOKENFILE]")
	}
	resp, err := ask(ts, args[0], args[1:]...)
	ts.Check(err)
	defer resp.Body.Close()
	_, err = fmt.Fprintln(ts.Stdout(), resp.Status)
	ts.Check(err)
	ts.Check(resp.Header.Write(ts.Stdout()))
	_, err = io.Copy(ts.Stdout(), resp.Body)
	ts.Check(err)
}

// becomes STATUS URL [TOKENFILE] waits until a GET is answered with the status.
func becomes(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: becomes STATUS URL [TOKENFILE]")
	}
	eventually(ts, args[1]+" answers "+args[0], func() bool {
		resp, err := ask(ts, args[1], args[2:]...)
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return strconv.Itoa(resp.StatusCode) == args[0]
	})
}

// says PATTERN URL waits until the body of a GET's answer matches.
func says(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: says PATTERN URL")
	}
	pattern, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	eventually(ts, args[1]+" says "+args[0], func() bool {
		resp, err := ask(ts, args[1])
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		return err == nil && pattern.Match(body)
	})
}

// ready PORT waits until the management listener there says that all is well.
func ready(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: ready PORT")
	}
	eventually(ts, "ready at "+args[0], func() bool {
		resp, err := ask(ts, "http://"+loopback(args[0])+"/readyz")
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

// certificate HOSTS CERTFILE KEYFILE [TIME] makes a certificate that vouches
// for itself, for hosts that commas part, for an hour or that time.
func certificate(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 || len(args) > 4 {
		ts.Fatalf("usage: certificate HOSTS CERTFILE KEYFILE [TIME]")
	}
	until := time.Hour
	if len(args) == 4 {
		var err error
		until, err = time.ParseDuration(args[3])
		ts.Check(err)
	}
	cert, key, err := pair(strings.Split(args[0], ","), until)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), cert, 0o600))
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), key, 0o600))
}

// pair makes a certificate that vouches for itself, and its key, in PEM. It
// began two hours ago.
func pair(hosts []string, until time.Duration) (cert, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), DNSNames: hosts, NotBefore: now.Add(-2 * time.Hour), NotAfter: now.Add(until),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return nil, nil, err
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}), nil
}

// cookies PORTAL LOGIN PASSWORDFILE signs in as a browser does, and prints every
// cookie that the portal sets on the way.
func cookies(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: cookies PORTAL LOGIN PASSWORDFILE")
	}
	h := browser(ts)
	h.Transport = overhear{h.Transport, ts.Stdout()}
	password := secret.New(strings.TrimSuffix(ts.ReadFile(args[2]), "\n"))
	_, err := (&client.Client{Portal: args[0], HTTP: h}).LoginLocal(context.Background(), args[1], password, client.WantCookie)
	ts.Check(err)
}

// overhear writes down the cookies that answers set.
type overhear struct {
	http.RoundTripper
	to io.Writer
}

func (o overhear) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := o.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	for _, line := range resp.Header["Set-Cookie"] {
		_, err = fmt.Fprintln(o.to, line)
	}
	return resp, err
}
