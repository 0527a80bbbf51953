package certs

import (
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"net"
	"os"
	"reflect"
	"sort"
	"time"
)

// Leaf says what a certificate is for.
type Leaf struct {
	Name   string
	Groups []string
	DNS    []string
	IPs    []string
	Server bool
	Client bool
}

// EnsureLeaf makes a certificate if it is missing, about to end, of another authority or for other names.
func EnsureLeaf(authority *Authority, certFile, keyFile string, leaf Leaf) error {
	key, err := EnsureKey(keyFile)
	if err != nil {
		return err
	}
	if content, err := os.ReadFile(certFile); err == nil && stillGood(content, authority, key, leaf) {
		return nil
	}
	content, err := authority.Issue(key.Public(), leaf)
	if err != nil {
		return err
	}
	return write(certFile, content, 0o644)
}

// Issue signs a certificate and appends the authority's own.
func (a *Authority) Issue(public crypto.PublicKey, leaf Leaf) ([]byte, error) {
	now := time.Now()
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: leaf.Name, Organization: leaf.Groups},
		NotBefore:   now.Add(-backdate),
		NotAfter:    now.Add(leafLife),
		KeyUsage:    x509.KeyUsageKeyEncipherment | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: usages(leaf),
		DNSNames:    leaf.DNS,
		IPAddresses: addresses(leaf.IPs),
	}
	content, err := sign(template, a.Cert, public, a.Key)
	return append(content, a.PEM...), err
}

func usages(leaf Leaf) []x509.ExtKeyUsage {
	var found []x509.ExtKeyUsage
	if leaf.Server {
		found = append(found, x509.ExtKeyUsageServerAuth)
	}
	if leaf.Client {
		found = append(found, x509.ExtKeyUsageClientAuth)
	}
	return found
}

func addresses(texts []string) []net.IP {
	var found []net.IP
	for _, text := range texts {
		if ip := net.ParseIP(text); ip != nil {
			found = append(found, ip)
		}
	}
	return found
}

func stillGood(content []byte, authority *Authority, key crypto.Signer, leaf Leaf) bool {
	cert, err := First(content)
	if err != nil || time.Until(cert.NotAfter) < RenewBefore || cert.CheckSignatureFrom(authority.Cert) != nil {
		return false
	}
	public, ok := cert.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(key.Public()) {
		return false
	}
	var ips []string
	for _, ip := range cert.IPAddresses {
		ips = append(ips, ip.String())
	}
	var wanted []string
	for _, ip := range addresses(leaf.IPs) {
		wanted = append(wanted, ip.String())
	}
	return cert.Subject.CommonName == leaf.Name && sameSet(cert.DNSNames, leaf.DNS) && sameSet(ips, wanted) &&
		sameSet(cert.Subject.Organization, leaf.Groups)
}

func sameSet(one, other []string) bool {
	a, b := append([]string{}, one...), append([]string{}, other...)
	sort.Strings(a)
	sort.Strings(b)
	return reflect.DeepEqual(a, b)
}
