package server

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"meshwright.invalid/lab/k3s/internal/certs"
	"meshwright.invalid/lab/k3s/internal/etcd"
)

// listen opens the port that nodes and clients use: the supervisor's own paths, and the API behind it.
func (s *Server) listen(ctx context.Context) error {
	pair, err := tls.LoadX509KeyPair(s.certs.File("serving-supervisor.crt"), s.certs.File("serving-supervisor.key"))
	if err != nil {
		return err
	}
	proxy, err := s.newProxy()
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler: s.routes(proxy), ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: 30 * time.Second,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12},
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(s.Options.Str("bind-address"), strconv.Itoa(s.cluster.HTTPSPort)))
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { server.Close() })
	go func() {
		if err := server.ServeTLS(listener, "", ""); err != nil && ctx.Err() == nil {
			s.Group.Fail(fmt.Errorf("supervisor: %w", err))
		}
	}()
	return nil
}

func (s *Server) routes(proxy http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/ping", func(writer http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(writer, "pong") })
	mux.HandleFunc("/cacerts", func(writer http.ResponseWriter, _ *http.Request) { _, _ = writer.Write(s.certs.ServerCA.PEM) })
	mux.HandleFunc("/v1-k3s/config", s.needs(nodeRole, s.serveConfig))
	mux.HandleFunc("/v1-k3s/readyz", s.needs(nodeRole, s.serveReady))
	mux.HandleFunc("/v1-k3s/apiservers", s.needs(nodeRole, s.serveAPIServers))
	mux.HandleFunc("/v1-k3s/connect", s.needs(nodeRole, s.serveConnect))
	mux.HandleFunc("/v1-k3s/server-bootstrap", s.needs(serverRole, s.serveBootstrap))
	mux.HandleFunc("/v1-k3s/encrypt/status", s.needs(serverRole, s.serveEncryption))
	mux.HandleFunc("/db/info", s.needs(serverRole, s.serveMembers))
	mux.HandleFunc("/db/snapshot", s.needs(serverRole, s.serveSnapshot))
	for _, name := range []string{"client-ca", "server-ca", "client-kube-proxy", "client-k3s-controller"} {
		mux.HandleFunc("/v1-k3s/"+name+".crt", s.needs(nodeRole, s.serveFile(name)))
	}
	mux.HandleFunc("/v1-k3s/serving-kubelet.crt", s.needs(nodeRole, s.serveKubelet("serving-kubelet", s.servingLeaf)))
	mux.HandleFunc("/v1-k3s/client-kubelet.crt", s.needs(nodeRole, s.serveKubelet("client-kubelet", clientLeaf)))
	mux.Handle("/", proxy)
	return mux
}

func answer(writer http.ResponseWriter, value any) {
	content, err := json.Marshal(value)
	if err != nil {
		http.Error(writer, err.Error(), http.StatusInternalServerError)
		return
	}
	writer.Header().Set("Content-Type", "application/json")
	_, _ = writer.Write(content)
}

func (s *Server) serveConfig(writer http.ResponseWriter, _ *http.Request) { answer(writer, s.cluster) }

func (s *Server) serveReady(writer http.ResponseWriter, _ *http.Request) {
	if !s.ready.Load() {
		http.Error(writer, "not ready", http.StatusServiceUnavailable)
		return
	}
	_, _ = io.WriteString(writer, "ok")
}

func (s *Server) serveConnect(writer http.ResponseWriter, request *http.Request) {
	s.tunnel.remote.ServeHTTP(writer, request)
}

func (s *Server) serveBootstrap(writer http.ResponseWriter, _ *http.Request) {
	files, err := etcd.ReadFiles(s.Dir)
	if err != nil {
		http.Error(writer, err.Error(), http.StatusInternalServerError)
		return
	}
	answer(writer, files)
}

func (s *Server) serveMembers(writer http.ResponseWriter, _ *http.Request) {
	answer(writer, etcd.Info{Members: s.etcd.Members()})
}

func (s *Server) serveAPIServers(writer http.ResponseWriter, request *http.Request) {
	client := s.kube.Load()
	if client == nil {
		http.Error(writer, "apiserver not ready", http.StatusServiceUnavailable)
		return
	}
	endpoints, err := client.CoreV1().Endpoints("default").Get(request.Context(), "kubernetes", metav1.GetOptions{})
	if err != nil {
		http.Error(writer, err.Error(), http.StatusInternalServerError)
		return
	}
	addresses := []string{}
	for _, subset := range endpoints.Subsets {
		for _, address := range subset.Addresses {
			for _, port := range subset.Ports {
				addresses = append(addresses, net.JoinHostPort(address.IP, strconv.Itoa(int(port.Port))))
			}
		}
	}
	answer(writer, addresses)
}

// serveFile hands out a certificate, with its key if it is a client's.
func (s *Server) serveFile(name string) http.HandlerFunc {
	return func(writer http.ResponseWriter, _ *http.Request) {
		content, err := os.ReadFile(s.certs.File(name + ".crt"))
		if err == nil && strings.HasPrefix(name, "client-k") {
			var key []byte
			key, err = os.ReadFile(s.certs.File(name + ".key"))
			content = append(content, key...)
		}
		if err != nil {
			http.Error(writer, err.Error(), http.StatusInternalServerError)
			return
		}
		_, _ = writer.Write(content)
	}
}

// serveKubelet issues a node's certificate once its password is right.
func (s *Server) serveKubelet(name string, leafOf func(node string, ips []string) certs.Leaf) http.HandlerFunc {
	authority := map[string]*certs.Authority{"serving-kubelet": s.certs.ServerCA, "client-kubelet": s.certs.ClientCA}[name]
	return func(writer http.ResponseWriter, request *http.Request) {
		node, status, err := s.checkNode(request)
		if err != nil {
			logrus.Errorf("Sending HTTP %d response to %s: %v", status, request.RemoteAddr, err)
			http.Error(writer, err.Error(), status)
			return
		}
		key, err := certs.EnsureKey(s.certs.File(name + ".key"))
		if err != nil {
			http.Error(writer, err.Error(), http.StatusInternalServerError)
			return
		}
		content, err := authority.Issue(key.Public(), leafOf(node, strings.Split(request.Header.Get("k3s-Node-IP"), ",")))
		if err != nil {
			http.Error(writer, err.Error(), http.StatusInternalServerError)
			return
		}
		private, err := os.ReadFile(s.certs.File(name + ".key"))
		if err != nil {
			http.Error(writer, err.Error(), http.StatusInternalServerError)
			return
		}
		_, _ = writer.Write(append(content, private...))
	}
}

func (s *Server) servingLeaf(node string, ips []string) certs.Leaf {
	ips = append([]string{"127.0.0.1", "::1"}, ips...)
	return certs.Leaf{Name: node, DNS: []string{node, "localhost"}, IPs: ips, Server: true}
}

func clientLeaf(node string, _ []string) certs.Leaf {
	return certs.Leaf{Name: "system:node:" + node, Groups: []string{"system:nodes"}, Client: true}
}
