package app

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"diresco/internal/platform/config"
)

// clientAuthorities are those whose certificates prove who an application is; nil for none.
func clientAuthorities(c config.Config) (*x509.CertPool, error) {
	if c.MTLSCA == "" {
		return nil, nil //nolint:nilnil // there are none
	}
	content, err := os.ReadFile(c.MTLSCA)
	pool := x509.NewCertPool()
	if err == nil && !pool.AppendCertsFromPEM(content) {
		err = errors.New("the file has no certificate in PEM")
	}
	if err != nil {
		return nil, fmt.Errorf("authorities of applications: %w", err)
	}
	return pool, nil
}

// applications tries whom to trust for certificates of applications, and that of their listener.
func (k *checker) applications() {
	c := k.config
	if c.MTLSCA != "" {
		_, err := clientAuthorities(c)
		k.say("applications", err, "the authorities of their certificates are known")
	}
}
