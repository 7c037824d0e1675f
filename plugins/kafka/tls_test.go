package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/kafka/kafkatest"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  string
}

// pair is a certificate with its key, in PEM.
type pair struct{ cert, key string }

func (p pair) certificate(t *testing.T) tls.Certificate {
	t.Helper()
	c, err := tls.X509KeyPair([]byte(p.cert), []byte(p.key))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newAuthority(t *testing.T, name string) authority {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	own := pairOf(t, template, nil)
	c := own.certificate(t)
	return authority{c.Leaf, c.PrivateKey.(*ecdsa.PrivateKey), own.cert}
}

// issue makes a certificate for servers on loopback, or for clients.
func (a authority) issue(t *testing.T, use x509.ExtKeyUsage) pair {
	t.Helper()
	return pairOf(t, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "of " + a.cert.Subject.CommonName}, NotBefore: a.cert.NotBefore, NotAfter: a.cert.NotAfter,
		ExtKeyUsage: []x509.ExtKeyUsage{use}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}, &a)
}

// pairOf signs the template with a new key's own, or by the authority.
func pairOf(t *testing.T, template *x509.Certificate, by *authority) pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	parent, signer := template, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pair{
		string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})),
	}
}

// Brokers behind a private authority, without and with client certificates: who
// has the settings right delivers, who has not is told which of them is wrong.
func TestTLS(t *testing.T) {
	ours, others := newAuthority(t, "ours"), newAuthority(t, "others")
	server := ours.issue(t, x509.ExtKeyUsageServerAuth).certificate(t)
	client, foreign := ours.issue(t, x509.ExtKeyUsageClientAuth), others.issue(t, x509.ExtKeyUsageClientAuth)
	pool := x509.NewCertPool()
	pool.AddCert(ours.cert)
	one := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{server}}
	mutual := one.Clone()
	mutual.ClientAuth, mutual.ClientCAs = tls.RequireAndVerifyClientCert, pool
	old := mutual.Clone()
	old.MaxVersion = tls.VersionTLS12

	for name, tc := range map[string]struct {
		brokers  *tls.Config
		settings map[string]any
		code     string // of what the check says; "": it passes
		says     string
	}{
		"private authority":          {one, map[string]any{"tls_ca": ours.pem}, "", ""},
		"client certificate":         {mutual, map[string]any{"tls_ca": ours.pem, "tls_cert": client.cert, "tls_key": client.key}, "", ""},
		"client certificate, 1.2":    {old, map[string]any{"tls_ca": ours.pem, "tls_cert": client.cert, "tls_key": client.key}, "", ""},
		"another authority":          {one, map[string]any{"tls_ca": others.pem}, "TLS", "unknown authority (check tls_ca"},
		"the system's authorities":   {one, map[string]any{"tls": true}, "TLS", "unknown authority (check tls_ca"},
		"no client certificate":      {mutual, map[string]any{"tls_ca": ours.pem}, "TLS", "certificate required (check tls_cert"},
		"no client certificate, 1.2": {old, map[string]any{"tls_ca": ours.pem}, "TLS", "(check tls_cert"},
		"foreign client certificate": {mutual, map[string]any{"tls_ca": ours.pem, "tls_cert": foreign.cert, "tls_key": foreign.key}, "TLS", "(check tls_cert"},
		"no TLS in the settings":     {one, nil, "NETWORK", "is TLS missing?"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t, kfake.TLS(tc.brokers))
			d := open(t, c, tc.settings)
			err := d.Check(t.Context())
			if tc.code != "" {
				if f, ok := errors.AsType[*destination.Failure](err); !ok || f.Code != tc.code || !strings.Contains(f.Error(), tc.says) {
					t.Errorf("%v, want %s with %q", err, tc.code, tc.says)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			deliver(t, d, upsert("a", 1, `{"memo":"m"}`))
			got, err := kafkatest.Consume(t.Context(), "invoices", kgo.SeedBrokers(c.ListenAddrs()...),
				kgo.DialTLSConfig(&tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool, Certificates: []tls.Certificate{client.certificate(t)}}))
			if err != nil || len(got) != 1 {
				t.Errorf("%d messages, %v", len(got), err)
			}
		})
	}
}
