package endpoint

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// WritePair is for the tests outside of this package.
var WritePair = writePair

// writePair makes a self-signed certificate and writes it to the files, with
// times that no two calls share.
func writePair(t *testing.T, files CertificateFiles, serial int64) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "sluice"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, files.Cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), serial)
	write(t, files.Key, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER}), serial)
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func write(t *testing.T, file string, content []byte, moment int64) {
	t.Helper()
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	at := time.Unix(1_800_000_000+moment, 0)
	if err := os.Chtimes(file, at, at); err != nil {
		t.Fatal(err)
	}
}

func TestCertificateFollowsItsFiles(t *testing.T) {
	dir := t.TempDir()
	files := CertificateFiles{Cert: filepath.Join(dir, "tls.crt"), Key: filepath.Join(dir, "tls.key")}
	writePair(t, files, 1)
	var logged bytes.Buffer
	clock := time.Unix(0, 0)
	c, err := loadCertificate(files, slog.New(slog.NewTextHandler(&logged, nil)), func() time.Time { return clock })
	if err != nil {
		t.Fatal(err)
	}
	serves := func(step string, serial int64) {
		t.Helper()
		pair, err := c.get(nil)
		if err != nil || pair.Leaf.SerialNumber.Int64() != serial {
			t.Errorf("%s: serves %v (%v), want %d", step, pair.Leaf.SerialNumber, err, serial)
		}
	}
	count := func(level string) int { return strings.Count(logged.String(), "level="+level) }
	tick := func() { clock = clock.Add(checkInterval) }

	serves("at first", 1)
	writePair(t, files, 2)
	serves("within a second", 1)
	tick()
	serves("after a second", 2)
	if count("INFO") != 1 {
		t.Errorf("the reload is not logged: %s", logged.String())
	}

	write(t, files.Cert, []byte("half a certif"), 3)
	for range 3 {
		tick()
		serves("broken", 2)
	}
	if count("ERROR") != 1 {
		t.Errorf("logged %d times: %s", count("ERROR"), logged.String())
	}

	writePair(t, CertificateFiles{Cert: files.Cert, Key: filepath.Join(dir, "other.key")}, 4)
	tick()
	serves("with the key of another", 2)

	writePair(t, files, 5)
	tick()
	serves("repaired", 5)

	if err := os.Remove(files.Key); err != nil {
		t.Fatal(err)
	}
	errorsBefore := count("ERROR")
	for range 3 {
		tick()
		serves("gone", 5)
	}
	if got := count("ERROR") - errorsBefore; got != 1 {
		t.Errorf("logged %d times: %s", got, logged.String())
	}
	writePair(t, files, 6)
	tick()
	serves("back again", 6)
	if strings.Contains(logged.String(), "PRIVATE") {
		t.Error("the log contains a key")
	}
}

func TestServerWithTLS(t *testing.T) {
	dir := t.TempDir()
	files := CertificateFiles{Cert: filepath.Join(dir, "tls.crt"), Key: filepath.Join(dir, "tls.key")}
	roots := x509.NewCertPool()
	roots.AddCert(writePair(t, files, 1))
	s, err := NewServer(ServerOptions{TLS: &files, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Proto", r.Proto)
	})})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.Start(l)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
	client := &http.Client{Transport: transport}
	res, err := client.Get("https://" + l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if got := res.Header.Get("Proto"); got != "HTTP/2.0" {
		t.Errorf("protocol %s", got)
	}
	old := &tls.Config{RootCAs: roots, MaxVersion: tls.VersionTLS11} // old on purpose: to see it refused
	if conn, err := tls.Dial("tcp", l.Addr().String(), old); err == nil {
		_ = conn.Close()
		t.Error("TLS 1.1 is accepted")
	}
	transport.CloseIdleConnections()
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}
