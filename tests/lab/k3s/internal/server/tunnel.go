package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/rancher/remotedialer"
)

// tunnel is the server's end of the connections that agents keep, and the door through which the API server uses them.
// k3s: pkg/daemons/control/tunnel.go; k3s docs: cli/server.md, egress-selector-mode.
type tunnel struct {
	remote *remotedialer.Server
	mu     sync.Mutex
	nodes  map[string]string // address → node
}

func newTunnel() *tunnel {
	t := &tunnel{nodes: map[string]string{}}
	t.remote = remotedialer.New(t.authorise, remotedialer.DefaultErrorWriter)
	return t
}

// authorise names the session after the node; the role was checked before.
func (t *tunnel) authorise(request *http.Request) (string, bool, error) {
	if request.TLS == nil || len(request.TLS.PeerCertificates) == 0 {
		return "", false, errors.New("a node's certificate is needed")
	}
	node, ok := strings.CutPrefix(request.TLS.PeerCertificates[0].Subject.CommonName, "system:node:")
	if !ok {
		return "", false, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, address := range strings.Split(request.Header.Get("K3s-Node-Ip"), ",") {
		t.nodes[address] = node
	}
	t.nodes[node] = node
	return node, true, nil
}

func (t *tunnel) dial(ctx context.Context, target string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(target)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	node := t.nodes[host]
	t.mu.Unlock()
	if node != "" && port == "10250" && t.remote.HasSession(node) {
		return t.remote.Dialer(node)(ctx, "tcp", target)
	}
	dialer := net.Dialer{Timeout: 10 * time.Second}
	return dialer.DialContext(ctx, "tcp", target)
}

const egress = `apiVersion: apiserver.k8s.io/v1beta1
kind: EgressSelectorConfiguration
egressSelections:
- name: cluster
  connection:
    proxyProtocol: HTTPConnect
    transport:
      uds:
        udsName: %s
`

// serve opens the door and returns the configuration that leads the API server to it.
func (t *tunnel) serve(ctx context.Context, directory string) (string, error) {
	socket := "/run/k3s/egress.sock"
	if err := os.MkdirAll(filepath.Dir(socket), 0o711); err != nil {
		return "", err
	}
	if err := os.RemoveAll(socket); err != nil {
		return "", err
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return "", err
	}
	if err := os.Chmod(socket, 0o600); err != nil {
		return "", err
	}
	server := &http.Server{Handler: http.HandlerFunc(t.connect), ReadHeaderTimeout: 30 * time.Second}
	context.AfterFunc(ctx, func() { server.Close() })
	go func() { _ = server.Serve(listener) }()
	path := filepath.Join(directory, "egress-selector-config.yaml")
	return path, writeFile(path, fmt.Sprintf(egress, socket), 0o600)
}

func (t *tunnel) connect(writer http.ResponseWriter, request *http.Request) {
	if request.Method != http.MethodConnect {
		http.Error(writer, "CONNECT only", http.StatusMethodNotAllowed)
		return
	}
	ctx, cancel := context.WithTimeout(request.Context(), 15*time.Second)
	defer cancel()
	backend, err := t.dial(ctx, request.Host)
	if err != nil {
		http.Error(writer, err.Error(), http.StatusBadGateway)
		return
	}
	defer backend.Close()
	hijacker, ok := writer.(http.Hijacker)
	if !ok {
		http.Error(writer, "no way to take the connection over", http.StatusInternalServerError)
		return
	}
	client, buffered, err := hijacker.Hijack()
	if err != nil {
		return
	}
	defer client.Close()
	if _, err := io.WriteString(client, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}
	done := make(chan struct{}, 2)
	go func() { _, _ = io.Copy(backend, buffered); done <- struct{}{} }()
	go func() { _, _ = io.Copy(client, backend); done <- struct{}{} }()
	<-done
}
