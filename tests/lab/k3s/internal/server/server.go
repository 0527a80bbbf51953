// Package server is the control plane of one host: supervisor, etcd, API server, controllers.
package server

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"meshwright.invalid/lab/k3s/internal/certs"
	"meshwright.invalid/lab/k3s/internal/clients"
	"meshwright.invalid/lab/k3s/internal/config"
	"meshwright.invalid/lab/k3s/internal/etcd"
	"meshwright.invalid/lab/k3s/internal/manifests"
	"meshwright.invalid/lab/k3s/internal/supervise"
)

// Server is the state of one host's control plane.
type Server struct {
	Options  *config.Options
	Group    *supervise.Group
	NodeName string
	NodeIPs  []string

	Dir        string
	cluster    *config.Cluster
	certs      *certs.Server
	etcd       *etcd.Node
	token      string // the password alone
	agentToken string
	tunnel     *tunnel
	apiReady   chan struct{}
	ready      atomic.Bool
	rest       *rest.Config
	kube       atomic.Pointer[kubernetes.Clientset]
	localNode  *localPassword
	nodeHosts  string
}

// New reads the options; nothing is written yet.
func New(options *config.Options, group *supervise.Group, nodeName string, nodeIPs []string) (*Server, error) {
	cluster, err := config.ClusterOf(options)
	if err != nil {
		return nil, err
	}
	cluster.Version = Version
	s := &Server{
		Options: options, Group: group, NodeName: nodeName, NodeIPs: nodeIPs, cluster: cluster,
		Dir: config.Dir(options, "server"), apiReady: make(chan struct{}),
	}
	s.localNode = &localPassword{server: s}
	return s, nil
}

// Version of Kubernetes and of k3s that this stands for.
const Version = "v1.34.4+k3s1"

// APIReady is closed once the API server answers.
func (s *Server) APIReady() <-chan struct{} { return s.apiReady }

// Token for the server's own agent.
func (s *Server) Token() string { return certsToken(s) }

// URL of the supervisor as the host itself reaches it.
func (s *Server) URL() string {
	return fmt.Sprintf("https://%s:%d", s.loopbackHost(), s.cluster.HTTPSPort)
}

// APIURL is the local API server.
func (s *Server) APIURL() string { return fmt.Sprintf("https://%s:%d", s.loopbackHost(), apiPort) }

const apiPort = 6444

func (s *Server) loopback() string {
	if config.IsIPv6(s.cluster.ServiceIPRanges[0]) {
		return "::1"
	}
	return "127.0.0.1"
}

func (s *Server) loopbackHost() string {
	if s.loopback() == "::1" {
		return "[::1]"
	}
	return s.loopback()
}

// supervisorHost is the bind-address if there is one: then nothing listens on loopback.
func (s *Server) supervisorHost() string {
	address := net.ParseIP(s.Options.Str("bind-address"))
	switch {
	case address == nil || address.IsUnspecified():
		return s.loopbackHost()
	case address.To4() == nil:
		return "[" + address.String() + "]"
	}
	return address.String()
}

// Prepare gets authorities and keys, by making them or by asking the server to join, and starts the datastore.
func (s *Server) Prepare(ctx context.Context) error {
	if err := s.findTokens(); err != nil {
		return err
	}
	join, err := s.bootstrap()
	if err != nil {
		return err
	}
	if s.certs, err = ensureCerts(s); err != nil {
		return err
	}
	s.etcd = s.etcdNode()
	s.tunnel = newTunnel()
	if err := s.listen(ctx); err != nil {
		return err
	}
	if err := s.startEtcd(ctx, join); err != nil {
		return err
	}
	if err := s.etcd.WaitVoter(ctx); err != nil {
		return err
	}
	logrus.Info("ETCD server is now running")
	if err := s.settleBootstrap(ctx); err != nil {
		return err
	}
	return s.writeTokens()
}

func (s *Server) etcdNode() *etcd.Node {
	o := s.Options
	retention, _ := o.Int("etcd-snapshot-retention")
	directory := o.Str("etcd-snapshot-dir")
	if directory == "" {
		directory = filepath.Join(s.Dir, "db", "snapshots")
	}
	return &etcd.Node{
		ServerDir: s.Dir, NodeName: s.NodeName, Address: s.NodeIPs[0], Args: o.List("etcd-arg"),
		ExposeMetrics: o.Bool("etcd-expose-metrics"), Certs: s.certs,
		Snapshots: etcd.SnapshotOptions{
			Dir: directory, Name: o.Str("etcd-snapshot-name"), Cron: o.Str("etcd-snapshot-schedule-cron"),
			Retention: retention, Disabled: o.Bool("etcd-disable-snapshots"),
		},
	}
}

func ensureCerts(s *Server) (*certs.Server, error) {
	found, err := certs.EnsureAuthorities(s.Dir)
	if err != nil {
		return nil, err
	}
	names, err := s.certNames()
	if err != nil {
		return nil, err
	}
	return found, found.EnsureLeaves(names)
}

func (s *Server) certNames() (certs.Names, error) {
	names := certs.Names{Node: s.NodeName, NodeIPs: s.NodeIPs, SANs: s.Options.Split("tls-san"), Domain: s.cluster.ClusterDomain}
	if address := s.Options.Str("advertise-address"); address != "" {
		names.SANs = append(names.SANs, address)
	}
	if address := net.ParseIP(s.Options.Str("bind-address")); address != nil && !address.IsUnspecified() {
		names.SANs = append(names.SANs, address.String())
	}
	names.SANs = append(names.SANs, s.Options.Split("node-external-ip")...)
	for _, prefix := range s.cluster.ServiceIPRanges {
		address, err := config.Nth(prefix, 1)
		if err != nil {
			return names, err
		}
		names.API = append(names.API, address)
	}
	return names, nil
}

// Run starts the control plane; it returns once the API answers and what k3s itself puts into it is there.
func (s *Server) Run(ctx context.Context) error {
	go s.etcd.Watch(s.Group.Fail)
	if err := s.etcd.Schedule(ctx); err != nil {
		return err
	}
	if err := s.writeKubeconfigs(); err != nil {
		return err
	}
	if err := s.startAPIServer(ctx); err != nil {
		return err
	}
	config, client, err := clients.Kube(s.cred("supervisor.kubeconfig"))
	if err != nil {
		return err
	}
	s.rest = config
	if err := waitReady(ctx, client); err != nil {
		return err
	}
	logrus.Info("Kube API server is now running")
	s.kube.Store(client.(*kubernetes.Clientset))
	close(s.apiReady)
	if err := s.startControllers(); err != nil {
		return err
	}
	deployer, err := manifests.New(config, filepath.Join(s.Dir, "manifests"), s.packaged())
	if err != nil {
		return err
	}
	if err := deployer.First(ctx); err != nil {
		return err
	}
	s.localNode.settle(ctx)
	nodes := newNodeController(s, client)
	if err := nodes.start(ctx); err != nil {
		return err
	}
	go deployer.Watch(ctx)
	s.clearResetFlag()
	s.ready.Store(true)
	return nil
}

func waitReady(ctx context.Context, client kubernetes.Interface) error {
	for {
		attempt, cancel := context.WithTimeout(ctx, 5*time.Second)
		content, err := client.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(attempt)
		cancel()
		if err == nil && string(content) == "ok" {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(150 * time.Millisecond):
		}
	}
}

// Stop ends the control plane in order: the API server takes back its endpoint while etcd still answers. What watches
// it holds would keep it for a minute: it does not get that long.
func (s *Server) Stop() {
	s.Group.Stop(1500*time.Millisecond, "kube-apiserver", "kube-controller-manager", "kube-scheduler")
	if s.etcd != nil {
		s.etcd.Stop()
	}
}

func (s *Server) cred(name string) string { return filepath.Join(s.Dir, "cred", name) }

func writeFile(path, content string, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		return err
	}
	return os.Chmod(path, mode)
}
