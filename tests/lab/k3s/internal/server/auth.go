package server

import (
	"crypto/subtle"
	"crypto/x509"
	"net/http"
	"strings"
)

type role int

const (
	nobody role = iota
	nodeRole
	serverRole
)

// roleOf says who asks: by token (users `server` and `node`), or by a certificate of the cluster's clients.
// k3s: pkg/server/handlers/router.go, pkg/daemons/control/deps/deps.go.
func (s *Server) roleOf(request *http.Request) role {
	if user, password, ok := request.BasicAuth(); ok {
		switch {
		case same(password, s.token) && user == "server":
			return serverRole
		case same(password, s.token) && (user == "node" || user == ""):
			return nodeRole
		case same(password, s.agentToken) && (user == "node" || user == ""):
			return nodeRole
		}
		return nobody
	}
	user, groups, ok := s.identity(request)
	switch {
	case !ok:
		return nobody
	case contains(groups, "system:masters"):
		return serverRole
	case strings.HasPrefix(user, "system:node:") && contains(groups, "system:nodes"):
		return nodeRole
	}
	return nobody
}

func same(one, other string) bool { return subtle.ConstantTimeCompare([]byte(one), []byte(other)) == 1 }

func contains(list []string, wanted string) bool {
	for _, text := range list {
		if text == wanted {
			return true
		}
	}
	return false
}

// identity reads the client certificate; it is checked here, as the listener takes any.
func (s *Server) identity(request *http.Request) (string, []string, bool) {
	if request.TLS == nil || len(request.TLS.PeerCertificates) == 0 {
		return "", nil, false
	}
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(s.certs.ClientCA.Cert)
	for _, cert := range request.TLS.PeerCertificates[1:] {
		between.AddCert(cert)
	}
	cert := request.TLS.PeerCertificates[0]
	_, err := cert.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return "", nil, false
	}
	return cert.Subject.CommonName, cert.Subject.Organization, true
}

// needs guards a handler: 401 for strangers, 403 for those with too little.
func (s *Server) needs(wanted role, handler http.HandlerFunc) http.HandlerFunc {
	return func(writer http.ResponseWriter, request *http.Request) {
		switch found := s.roleOf(request); {
		case found == nobody:
			http.Error(writer, "Unauthorized", http.StatusUnauthorized)
		case found < wanted:
			http.Error(writer, "Forbidden", http.StatusForbidden)
		default:
			handler(writer, request)
		}
	}
}
