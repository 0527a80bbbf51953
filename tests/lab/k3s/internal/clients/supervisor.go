// Package clients are the ways to reach a server: its supervisor by token, its API by certificate.
package clients

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"meshwright.invalid/lab/k3s/internal/token"
)

// Supervisor is a server's port as a joining node sees it.
type Supervisor struct {
	URL      string
	CA       []byte
	User     string
	Password string
	client   *http.Client
}

// StatusError is an answer other than 200.
type StatusError struct {
	URL  string
	Code int
	Body string
}

func (e *StatusError) Error() string {
	text := fmt.Sprintf("%s: %d %s", e.URL, e.Code, http.StatusText(e.Code))
	if e.Body != "" {
		text += ": " + e.Body
	}
	return text
}

// Connect fetches the authority of a server and compares it with the token's hash before any credentials are sent.
// k3s docs: cli/token.md, TLS bootstrapping.
func Connect(address, text, user string) (*Supervisor, error) {
	parsed, err := token.Parse(text)
	if err != nil {
		return nil, err
	}
	target, err := url.Parse(address)
	if err != nil || target.Scheme != "https" || target.Host == "" {
		return nil, fmt.Errorf("only https:// URLs are supported, invalid server URL: %s", address)
	}
	base := "https://" + target.Host
	blind := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12},
	}}
	ca, err := do(blind, base+"/cacerts", nil)
	if err != nil {
		return nil, fmt.Errorf("failed to get CA certs: %w", err)
	}
	if err := parsed.CheckCA(ca); err != nil {
		return nil, err
	}
	if parsed.CAHash == "" {
		logrus.Warn("Cluster CA certificate is not trusted by the host CA bundle, but the token does not include a CA hash. " +
			"Use the full token from the server's node-token file to enable Cluster CA validation.")
	}
	if parsed.User != "" {
		user = parsed.User
	}
	return New(base, ca, user, parsed.Password), nil
}

// New is for a server whose authority is known.
func New(base string, ca []byte, user, password string) *Supervisor {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
	}}
	return &Supervisor{URL: base, CA: ca, User: user, Password: password, client: client}
}

// Get asks for a path below the server's URL.
func (s *Supervisor) Get(path string, headers map[string]string) ([]byte, error) {
	return do(s.client, s.URL+path, s.request(http.MethodGet, headers, ""))
}

// Post sends a body.
func (s *Supervisor) Post(path, body string) ([]byte, error) {
	return do(s.client, s.URL+path, s.request(http.MethodPost, nil, body))
}

func (s *Supervisor) request(method string, headers map[string]string, body string) func(*http.Request) {
	return func(request *http.Request) {
		request.Method = method
		request.SetBasicAuth(s.User, s.Password)
		for key, value := range headers {
			request.Header.Set(key, value)
		}
		if body != "" {
			request.Body = io.NopCloser(strings.NewReader(body))
			request.ContentLength = int64(len(body))
		}
	}
}

func do(client *http.Client, address string, change func(*http.Request)) ([]byte, error) {
	request, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	if change != nil {
		change(request)
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, &StatusError{URL: address, Code: response.StatusCode, Body: strings.TrimSpace(string(content))}
	}
	return content, nil
}
