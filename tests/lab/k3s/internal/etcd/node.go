// Package etcd runs the embedded datastore and its membership as k3s does (k3s: pkg/etcd, pkg/daemons/executor).
package etcd

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/sirupsen/logrus"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
	"sigs.k8s.io/yaml"

	"meshwright.invalid/lab/k3s/internal/certs"
)

// Node is this server's member.
type Node struct {
	ServerDir     string
	NodeName      string
	Address       string
	Args          []string
	ExposeMetrics bool
	Certs         *certs.Server
	Snapshots     SnapshotOptions

	name   string
	server *embed.Etcd
	client *clientv3.Client
	done   chan struct{}
	level  zap.AtomicLevel
}

func (n *Node) dbDir() string    { return filepath.Join(n.ServerDir, "db", "etcd") }
func (n *Node) walDir() string   { return filepath.Join(n.dbDir(), "member", "wal") }
func (n *Node) nameFile() string { return filepath.Join(n.dbDir(), "name") }

// PeerURL is where other members reach this one.
func (n *Node) PeerURL() string { return "https://" + net.JoinHostPort(n.Address, "2380") }

func (n *Node) clientURL() string { return "https://" + net.JoinHostPort(n.Address, "2379") }

// LocalURL is where the server's own parts reach the member.
func (n *Node) LocalURL() string { return "https://" + net.JoinHostPort(n.loopback(), "2379") }

func (n *Node) loopback() string {
	if strings.Contains(n.Address, ":") {
		return "::1"
	}
	return "127.0.0.1"
}

// Name is <node>-<8 random digits>, made once and kept (k3s: pkg/etcd/etcd.go, setName).
func (n *Node) Name() string { return n.name }

// Client talks to the local member.
func (n *Node) Client() *clientv3.Client { return n.client }

// Initialised says whether etcd has run here before: then server: and cluster-init mean nothing.
func Initialised(serverDir string) bool {
	info, err := os.Stat(filepath.Join(serverDir, "db", "etcd", "member", "wal"))
	return err == nil && info.IsDir()
}

func (n *Node) setName(renew bool) error {
	content, err := os.ReadFile(n.nameFile())
	if err == nil && !renew && len(content) > 0 {
		n.name = strings.TrimSpace(string(content))
		return nil
	}
	n.name = n.NodeName + "-" + uuid.New().String()[:8]
	if err := os.MkdirAll(n.dbDir(), 0o700); err != nil {
		return err
	}
	return os.WriteFile(n.nameFile(), []byte(n.name), 0o600)
}

// Cluster says how a member that has no data yet begins.
type Cluster struct {
	Members string // name=url,…
	Existing,
	ForceNew bool
}

// Run starts the member; it does not wait for a leader.
func (n *Node) Run(cluster Cluster) error {
	if n.name == "" {
		if err := n.setName(false); err != nil {
			return err
		}
	}
	if err := os.Chmod(n.dbDir(), 0o700); err != nil {
		return err
	}
	config, err := n.embedConfig(cluster)
	if err != nil {
		return err
	}
	if n.server, err = embed.StartEtcd(config); err != nil {
		return fmt.Errorf("failed to start etcd: %w", err)
	}
	n.done = make(chan struct{})
	n.client, err = n.connect([]string{n.LocalURL()})
	return err
}

func (n *Node) embedConfig(cluster Cluster) (*embed.Config, error) {
	loop := n.loopback()
	local := func(scheme, port string) string { return scheme + "://" + net.JoinHostPort(loop, port) }
	metrics := local("http", "2381")
	if n.ExposeMetrics {
		metrics += ",http://" + net.JoinHostPort(n.Address, "2381")
	}
	tlsDir := filepath.Join(n.ServerDir, "tls", "etcd")
	security := func(name, ca string) map[string]any {
		return map[string]any{
			"cert-file": filepath.Join(tlsDir, name+".crt"), "key-file": filepath.Join(tlsDir, name+".key"),
			"client-cert-auth": true, "trusted-ca-file": filepath.Join(tlsDir, ca+".crt"),
		}
	}
	values := map[string]any{
		"name": n.name, "data-dir": n.dbDir(),
		"listen-client-urls": local("https", "2379") + "," + n.clientURL(), "advertise-client-urls": n.clientURL(),
		"listen-client-http-urls": local("https", "2382"), "listen-metrics-urls": metrics,
		"listen-peer-urls": local("https", "2380") + "," + n.PeerURL(), "initial-advertise-peer-urls": n.PeerURL(),
		"initial-cluster":           n.name + "=" + n.PeerURL(),
		"client-transport-security": security("server-client", "server-ca"),
		"peer-transport-security":   security("peer-server-client", "peer-ca"),
		"heartbeat-interval":        300, "election-timeout": 3000, "snapshot-count": 10000,
		"warning-unary-request-duration": 300 * time.Millisecond,
	}
	if cluster.Members != "" {
		values["initial-cluster"] = cluster.Members
	}
	if cluster.Existing {
		values["initial-cluster-state"] = "existing"
	}
	if cluster.ForceNew {
		values["force-new-cluster"] = true
	}
	for _, argument := range n.Args {
		key, value, _ := strings.Cut(strings.TrimLeft(argument, "-"), "=")
		var typed any
		if err := yaml.Unmarshal([]byte(value), &typed); err != nil {
			return nil, fmt.Errorf("etcd-arg %s: %w", argument, err)
		}
		values[key] = typed
	}
	content, err := yaml.Marshal(values)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(n.dbDir(), "config")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		return nil, err
	}
	config, err := embed.ConfigFromFile(path)
	if err != nil {
		return nil, fmt.Errorf("etcd configuration: %w", err)
	}
	config.EnableGRPCGateway = true
	n.level = zap.NewAtomicLevelAt(zap.WarnLevel)
	logging := zap.NewProductionConfig()
	logging.Level, logging.DisableStacktrace, logging.Sampling = n.level, true, nil
	logger, err := logging.Build()
	if err != nil {
		return nil, err
	}
	config.ZapLoggerBuilder = embed.NewZapLoggerBuilder(logger)
	return config, nil
}

// Watch calls fail if the member ends by itself: it was removed from the cluster, or cannot go on.
func (n *Node) Watch(fail func(error)) {
	select {
	case <-n.done:
	case <-n.server.Server.StopNotify():
		select {
		case <-n.done:
		default:
			fail(fmt.Errorf("etcd stopped - if this node was removed from the cluster, you must backup and delete %s before rejoining", n.dbDir()))
		}
	case err := <-n.server.Err():
		fail(fmt.Errorf("etcd exited: %w", err))
	}
}

// stopSeconds bounds how long a member may take to end: without a quorum etcd would wait for one.
const stopSeconds = 4 * time.Second

// Stop ends the member in order: a leader hands over first.
func (n *Node) Stop() {
	if n.server == nil || n.done == nil {
		return
	}
	n.level.SetLevel(zap.DPanicLevel) // each of its listeners calls being closed an error
	close(n.done)
	closed := make(chan struct{})
	go func() {
		_ = n.client.Close()
		n.server.Close()
		close(closed)
	}()
	select {
	case <-closed:
	case <-time.After(stopSeconds):
		logrus.Warn("etcd did not end in time")
	}
}

func (n *Node) connect(endpoints []string) (*clientv3.Client, error) {
	tlsDir := filepath.Join(n.ServerDir, "tls", "etcd")
	pair, err := tls.LoadX509KeyPair(filepath.Join(tlsDir, "client.crt"), filepath.Join(tlsDir, "client.key"))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AddCert(n.Certs.EtcdCA.Cert)
	return clientv3.New(clientv3.Config{
		Endpoints: endpoints, DialTimeout: 5 * time.Second, DialKeepAliveTime: 30 * time.Second,
		DialKeepAliveTimeout: 10 * time.Second, Logger: zap.NewNop(),
		TLS: &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: pool, MinVersion: tls.VersionTLS12},
	})
}

// WaitVoter returns once the local member has a vote and a leader.
func (n *Node) WaitVoter(ctx context.Context) error {
	told := time.Now()
	for {
		err := n.testVoter(ctx)
		if err == nil {
			return nil
		}
		if time.Since(told) > 10*time.Second {
			told = time.Now()
			logrus.Infof("Failed to test etcd connection: %v", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func (n *Node) testVoter(ctx context.Context) error {
	if n.server.Server.IsLearner() {
		return errors.New("this server has not yet been promoted from learner to voting member")
	}
	if n.server.Server.Leader() == 0 {
		return errors.New("etcd has no leader")
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	_, err := n.client.Get(ctx, "health")
	return err
}

// Leads says whether the local member is the leader, whose server does what only one server may do.
func (n *Node) Leads() bool {
	return n.server != nil && n.server.Server.Leader() == n.server.Server.MemberID()
}

// Members are those of the cluster as the local member knows them.
func (n *Node) Members() []*etcdserverpb.Member {
	if n.server == nil {
		return nil
	}
	var found []*etcdserverpb.Member
	for _, member := range n.server.Server.Cluster().Members() {
		found = append(found, &etcdserverpb.Member{
			ID: uint64(member.ID), Name: member.Name, PeerURLs: member.PeerURLs, ClientURLs: member.ClientURLs,
			IsLearner: member.IsLearner,
		})
	}
	return found
}
