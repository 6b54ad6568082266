package storage

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificateEvery is how often it is looked whether a certificate's files have changed.
const certificateEvery = time.Second

// Certificate is a certificate and its key, in files (PEM) that may change: whoever renews them
// needs to restart nothing.
type Certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mu      sync.Mutex
	loaded  *tls.Certificate
	version [2]fileVersion
	looked  time.Time
}

type fileVersion struct {
	changed time.Time
	size    int64
}

// LoadCertificate reads a certificate and its key.
func LoadCertificate(certFile, keyFile string, log *slog.Logger) (*Certificate, error) {
	c := &Certificate{certFile: certFile, keyFile: keyFile, log: log}
	if err := c.look(); err != nil {
		return nil, err
	}
	return c, nil
}

// look reads the files again if they have changed.
func (c *Certificate) look() error {
	var version [2]fileVersion
	for i, file := range []string{c.certFile, c.keyFile} {
		info, err := os.Stat(file)
		if err != nil {
			return err
		}
		version[i] = fileVersion{info.ModTime(), info.Size()}
	}
	if version == c.version {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("%s, %s: %w", c.certFile, c.keyFile, err)
	}
	c.loaded, c.version = &pair, version
	return nil
}

// get returns the certificate as it is now: the one before, where the files are wrong, or one of
// them has been changed and the other one not yet.
func (c *Certificate) get() *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.looked) > certificateEvery {
		c.looked = time.Now()
		before := c.loaded
		if err := c.look(); err != nil {
			c.log.Warn("a certificate can't be read again; the one before stays", "error", err)
		} else if c.loaded != before {
			c.log.Info("a certificate was read again", "file", c.certFile)
		}
	}
	return c.loaded
}

// Server is the configuration of a listener that shows the certificate. HTTP/1.1 alone: a poll has
// its connection for itself.
func (c *Certificate) Server() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.get(), nil },
	}
}

// TLS says how a Redis proves who it is, and how the service does.
type TLS struct {
	RootsFile string       // certificates of the authorities that are trusted; "": the system's
	Client    *Certificate // nil: Redis asks for none
}

// apply adds what is said to the configuration that a rediss:// URL brings.
func (t TLS) apply(to *tls.Config) error {
	if t.RootsFile == "" && t.Client == nil {
		return nil
	}
	if to == nil {
		return errors.New("certificates are of no use without rediss://")
	}
	if t.RootsFile != "" {
		text, err := os.ReadFile(t.RootsFile)
		if err != nil {
			return err
		}
		to.RootCAs = x509.NewCertPool()
		if !to.RootCAs.AppendCertsFromPEM(text) {
			return fmt.Errorf("%s: no certificate in it (PEM)", t.RootsFile)
		}
	}
	if t.Client != nil {
		to.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return t.Client.get(), nil }
	}
	return nil
}
