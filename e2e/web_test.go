package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"
)

// web is how the hosts of a site are reached.
type web struct {
	name, scheme string
	hosts        *strings.Replacer // what they are called there
}

// The two webs: plain HTTP under localhost, and TLS under domains that have
// nothing in common, where cookies are __Host- ones.
var (
	plain  = web{"plain", "http", strings.NewReplacer()}
	secure = web{"TLS", "https", strings.NewReplacer(
		"auth.localhost", "auth.corp.test", "one.localhost", "one.apps.test", "two.other.localhost", "two.other-apps.test",
		"whoami.localhost", "whoami.apps.test", "wiki.test.localhost", "wiki.other-apps.test")}
)

// onEachWeb runs a story on both.
func onEachWeb(t *testing.T, story func(t *testing.T, w web)) {
	t.Helper()
	for _, w := range []web{plain, secure} {
		t.Run(w.name, func(t *testing.T) { story(t, w) })
	}
}

// vouched is a certificate that vouches for itself and for every host of the
// secure web. Chromium is told its key.
type vouched struct {
	cert, key string // PEM
	roots     *x509.CertPool
	pin       string // as Chromium takes it: SHA-256 of the public key
}

var vouch = sync.OnceValues(func() (vouched, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return vouched{}, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"auth.corp.test", "*.apps.test", "*.other-apps.test"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return vouched{}, err
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return vouched{}, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return vouched{}, err
	}
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	v := vouched{
		cert: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		key:  string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})),
		pin:  base64.StdEncoding.EncodeToString(sum[:]), roots: x509.NewCertPool(),
	}
	v.roots.AddCert(cert)
	return v, nil
})

func vouches(t testing.TB) vouched {
	t.Helper()
	v, err := vouch()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// believing is TLS that takes the certificate of the secure web, and no other.
func believing(t testing.TB) *tls.Config {
	return &tls.Config{RootCAs: vouches(t).roots, MinVersion: tls.VersionTLS12}
}
