package endpoint

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// CertificateFiles names the PEM files of a certificate and its key.
type CertificateFiles struct {
	Cert string
	Key  string
}

// certificate is a certificate that follows its files: renewals need no restart.
type certificate struct {
	files CertificateFiles
	log   *slog.Logger
	now   func() time.Time

	mu      sync.Mutex // guards the fields below
	current *tls.Certificate
	seen    [2]os.FileInfo // of the files when they were last read
	checked time.Time
}

// checkInterval is how often handshakes look at the files at most.
const checkInterval = time.Second

func loadCertificate(files CertificateFiles, log *slog.Logger, now func() time.Time) (*certificate, error) {
	c := &certificate{files: files, log: log, now: now}
	seen, err := c.stat()
	if err != nil {
		return nil, err
	}
	pair, err := tls.LoadX509KeyPair(files.Cert, files.Key)
	if err != nil {
		return nil, fmt.Errorf("tls: %s and %s: %w", files.Cert, files.Key, err)
	}
	c.current, c.seen, c.checked = &pair, seen, now()
	return c, nil
}

// get is for tls.Config.GetCertificate. While new files are broken or half
// written it stays with the old certificate.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.now(); now.Sub(c.checked) >= checkInterval {
		c.checked = now
		c.reload()
	}
	return c.current, nil
}

// reload reads the files if they changed. A failure is logged once per change.
func (c *certificate) reload() {
	seen, err := c.stat()
	if err != nil {
		// Logged when they were there before; a nil entry remembers that.
		if c.seen[0] != nil {
			c.seen = [2]os.FileInfo{}
			c.log.Error("the certificate cannot be read again, the old one stays in use", "err", err.Error())
		}
		return
	}
	if same(seen[0], c.seen[0]) && same(seen[1], c.seen[1]) {
		return
	}
	c.seen = seen
	pair, err := tls.LoadX509KeyPair(c.files.Cert, c.files.Key)
	if err != nil {
		c.log.Error("the new certificate cannot be used, the old one stays in use",
			"cert", c.files.Cert, "key", c.files.Key, "err", err.Error())
		return
	}
	c.current = &pair
	c.log.Info("certificate reloaded", "cert", c.files.Cert, "not_after", pair.Leaf.NotAfter)
}

func (c *certificate) stat() (seen [2]os.FileInfo, err error) {
	for i, name := range []string{c.files.Cert, c.files.Key} {
		if seen[i], err = os.Stat(name); err != nil {
			return seen, fmt.Errorf("tls: %w", err)
		}
	}
	return seen, nil
}

func same(a, b os.FileInfo) bool {
	return a != nil && b != nil && os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}
