// Package certs makes the authorities and certificates of a cluster, in files named as k3s names them.
package certs

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

const (
	caLife   = 3650 * 24 * time.Hour
	leafLife = 365 * 24 * time.Hour
	// RenewBefore is how long before its end a certificate is replaced at a start (k3s docs: cli/certificate.md).
	RenewBefore = 120 * 24 * time.Hour
	backdate    = time.Hour
)

// Authority signs certificates.
type Authority struct {
	Cert *x509.Certificate
	Key  crypto.Signer
	PEM  []byte
}

// EnsureAuthority loads an authority, or makes it if its files are not there.
func EnsureAuthority(certFile, keyFile, name string) (*Authority, error) {
	if _, err := os.Stat(certFile); err == nil {
		return LoadAuthority(certFile, keyFile)
	}
	key, err := EnsureKey(keyFile)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: fmt.Sprintf("%s@%d", name, now.Unix())},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(caLife),
		KeyUsage:              x509.KeyUsageKeyEncipherment | x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	content, err := sign(template, nil, key.Public(), key)
	if err != nil {
		return nil, err
	}
	if err := write(certFile, content, 0o644); err != nil {
		return nil, err
	}
	return LoadAuthority(certFile, keyFile)
}

// LoadAuthority reads an authority from its files.
func LoadAuthority(certFile, keyFile string) (*Authority, error) {
	content, err := os.ReadFile(certFile)
	if err != nil {
		return nil, err
	}
	cert, err := First(content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", certFile, err)
	}
	key, err := EnsureKey(keyFile)
	return &Authority{Cert: cert, Key: key, PEM: content}, err
}

// First is the first certificate of a PEM file.
func First(content []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(content)
	if block == nil {
		return nil, errors.New("no certificate found")
	}
	return x509.ParseCertificate(block.Bytes)
}

// EnsureKey loads a private key, or makes it.
func EnsureKey(path string) (crypto.Signer, error) {
	content, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		der, err := x509.MarshalECPrivateKey(key)
		if err != nil {
			return nil, err
		}
		return key, write(path, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), 0o600)
	}
	if err != nil {
		return nil, err
	}
	return parseKey(path, content)
}

func parseKey(path string, content []byte) (crypto.Signer, error) {
	block, _ := pem.Decode(content)
	if block == nil {
		return nil, fmt.Errorf("%s: no key found", path)
	}
	if key, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%s: a key that cannot sign", path)
	}
	return signer, nil
}

func sign(template, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 63))
	if err != nil {
		return nil, err
	}
	template.SerialNumber = serial
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}

func write(path string, content []byte, mode os.FileMode) error {
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, content) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, content, mode)
}

// Split parts a PEM text into certificates and keys.
func Split(content []byte) (cert, key []byte) {
	for {
		block, rest := pem.Decode(content)
		if block == nil {
			return cert, key
		}
		content = rest
		if block.Type == "CERTIFICATE" {
			cert = append(cert, pem.EncodeToMemory(block)...)
		} else {
			key = append(key, pem.EncodeToMemory(block)...)
		}
	}
}
