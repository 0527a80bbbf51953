package server

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"
)

// apiProxy hands everything that is not the supervisor's to the local API server. Who came with a certificate is named
// in the headers of a front proxy; tokens pass through.
type apiProxy struct {
	server          *Server
	named, unnamed  *httputil.ReverseProxy
	upgradesNamed   *httputil.ReverseProxy
	upgradesUnnamed *httputil.ReverseProxy
}

func (s *Server) newProxy() (*apiProxy, error) {
	pair, err := tls.LoadX509KeyPair(s.certs.File("client-auth-proxy.crt"), s.certs.File("client-auth-proxy.key"))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AddCert(s.certs.ServerCA.Cert)
	target, err := url.Parse(s.APIURL())
	if err != nil {
		return nil, err
	}
	make := func(certificates []tls.Certificate, http2 bool) *httputil.ReverseProxy {
		transport := &http.Transport{
			TLSClientConfig:   &tls.Config{RootCAs: pool, Certificates: certificates, MinVersion: tls.VersionTLS12},
			ForceAttemptHTTP2: http2, MaxIdleConnsPerHost: 25, IdleConnTimeout: 90 * time.Second,
		}
		return &httputil.ReverseProxy{
			Transport: transport, FlushInterval: -1, ErrorLog: log.New(io.Discard, "", 0),
			Rewrite: func(request *httputil.ProxyRequest) {
				request.SetURL(target)
				request.Out.Host = request.In.Host
				request.SetXForwarded()
			},
			ErrorHandler: unavailable,
		}
	}
	proof := []tls.Certificate{pair}
	return &apiProxy{
		server: s, named: make(proof, true), unnamed: make(nil, true),
		upgradesNamed: make(proof, false), upgradesUnnamed: make(nil, false),
	}, nil
}

func unavailable(writer http.ResponseWriter, _ *http.Request, _ error) {
	const body = `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure",` +
		`"message":"apiserver not ready","reason":"ServiceUnavailable","code":503}`
	writer.Header().Set("Content-Type", "application/json")
	writer.WriteHeader(http.StatusServiceUnavailable)
	_, _ = io.WriteString(writer, body+"\n")
}

func (p *apiProxy) ServeHTTP(writer http.ResponseWriter, request *http.Request) {
	for key := range request.Header {
		if strings.HasPrefix(key, "X-Remote-") {
			request.Header.Del(key)
		}
	}
	upgrade := request.Header.Get("Upgrade") != ""
	user, groups, named := p.server.identity(request)
	// A token beats a certificate, as in the API server itself a certificate would beat a token that is not there.
	if named && request.Header.Get("Authorization") == "" {
		request.Header.Set("X-Remote-User", user)
		request.Header["X-Remote-Group"] = groups
		pick(upgrade, p.upgradesNamed, p.named).ServeHTTP(writer, request)
		return
	}
	pick(upgrade, p.upgradesUnnamed, p.unnamed).ServeHTTP(writer, request)
}

func pick(first bool, one, other *httputil.ReverseProxy) *httputil.ReverseProxy {
	if first {
		return one
	}
	return other
}
