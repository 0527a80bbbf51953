// Package agent is the part of k3s that every node runs: containerd, kubelet, flannel, kube-proxy and the tunnel.
package agent

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"meshwright.invalid/lab/k3s/internal/certs"
	"meshwright.invalid/lab/k3s/internal/clients"
	"meshwright.invalid/lab/k3s/internal/config"
	"meshwright.invalid/lab/k3s/internal/supervise"
)

// Agent is the state of one node's agent.
type Agent struct {
	Options  *config.Options
	Group    *supervise.Group
	Token    string
	NodeName string
	NodeIPs  []string
	// ServerURL is the supervisor; on a server its own, on an agent that of the balancer.
	ServerURL string
	// APIURL is where the node's parts find the API: port 6444 of the host itself on every node.
	APIURL string
	// OnServer: the API server is a part of the same k3s; APIReady is closed once it answers.
	OnServer bool
	APIReady <-chan struct{}
	// SelfPeers are the tunnels of an agent to all servers; the balancer learns from them who is alive.
	Balancer *Balancer

	cluster    *config.Cluster
	supervisor *clients.Supervisor
}

func (a *Agent) dir(parts ...string) string {
	return config.Dir(a.Options, append([]string{"agent"}, parts...)...)
}

// Run brings all parts up and returns when the node's kubelet answers.
func (a *Agent) Run(ctx context.Context) error {
	if err := a.fetch(ctx); err != nil {
		return err
	}
	if err := a.writeKubeconfigs(); err != nil {
		return err
	}
	if err := a.prepareNetwork(); err != nil {
		return err
	}
	if err := a.startContainerd(ctx); err != nil {
		return err
	}
	if a.OnServer {
		select {
		case <-a.APIReady:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err := a.startKubelet(); err != nil {
		return err
	}
	if a.usesFlannel() {
		go a.runFlannel(ctx)
	}
	go a.startKubeProxy(ctx)
	go a.watchImages(ctx)
	if err := a.startTunnels(ctx); err != nil {
		return err
	}
	go a.annotate(ctx)
	return waitHealthy(ctx, "http://127.0.0.1:10248/healthz")
}

// fetch gets the cluster's settings and this node's certificates; it tries until a server gives them.
func (a *Agent) fetch(ctx context.Context) error {
	for {
		err := a.fetchOnce()
		if err == nil {
			return nil
		}
		logrus.Infof("Waiting to retrieve agent configuration; server is not ready: %v", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(2 * time.Second):
		}
	}
}

func (a *Agent) fetchOnce() error {
	var err error
	if a.supervisor, err = clients.Connect(a.ServerURL, a.Token, "node"); err != nil {
		return err
	}
	content, err := a.supervisor.Get("/v1-k3s/config", nil)
	if err != nil {
		return fmt.Errorf("failed to retrieve configuration from server: %w", err)
	}
	if a.cluster, err = config.ParseCluster(content); err != nil {
		return err
	}
	password, err := nodePassword()
	if err != nil {
		return err
	}
	named := map[string]string{
		"k3s-Node-Name": a.NodeName, "k3s-Node-Password": password, "k3s-Node-IP": strings.Join(a.NodeIPs, ","),
	}
	for _, name := range []string{"client-ca", "server-ca"} {
		if err := a.fetchFile(name, nil); err != nil {
			return err
		}
	}
	for _, name := range []string{"serving-kubelet", "client-kubelet"} {
		if err := a.fetchFile(name, named); err != nil {
			return err
		}
	}
	for _, name := range []string{"client-kube-proxy", "client-k3s-controller"} {
		if err := a.fetchFile(name, nil); err != nil {
			return err
		}
	}
	return nil
}

const passwordFile = "/etc/rancher/node/password"

// fetchFile stores a certificate, and its key if the server sends one.
func (a *Agent) fetchFile(name string, headers map[string]string) error {
	content, err := a.supervisor.Get("/v1-k3s/"+name+".crt", headers)
	if status, ok := err.(*clients.StatusError); ok && status.Code == http.StatusForbidden && headers != nil {
		return fmt.Errorf("Node password rejected, duplicate hostname or contents of '%s' may not match server "+
			"node-passwd entry, try enabling a unique node name with the --with-node-id flag", passwordFile)
	}
	if err != nil {
		return err
	}
	cert, key := certs.Split(content)
	if err := os.MkdirAll(a.dir(), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(a.dir(name+".crt"), cert, 0o600); err != nil {
		return err
	}
	if len(key) == 0 {
		return nil
	}
	return os.WriteFile(a.dir(name+".key"), key, 0o600)
}

// nodePassword is made once for a host and proves to the servers that a node is who it was (k3s docs: architecture.md).
func nodePassword() (string, error) {
	if content, err := os.ReadFile(passwordFile); err == nil {
		return strings.TrimSpace(string(content)), nil
	}
	password, err := randomPassword()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(passwordFile), 0o755); err != nil {
		return "", err
	}
	return password, os.WriteFile(passwordFile, []byte(password+"\n"), 0o600)
}

func (a *Agent) writeKubeconfigs() error {
	for file, client := range map[string]string{
		"kubelet": "client-kubelet", "kubeproxy": "client-kube-proxy", "k3scontroller": "client-k3s-controller",
	} {
		path := a.dir(file + ".kubeconfig")
		err := certs.Kubeconfig(path, a.APIURL, a.dir("server-ca.crt"), a.dir(client+".crt"), a.dir(client+".key"), false, 0o600)
		if err != nil {
			return err
		}
	}
	return nil
}

func waitHealthy(ctx context.Context, url string) error {
	client := &http.Client{Timeout: 2 * time.Second}
	for {
		response, err := client.Get(url)
		if err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// NodeIPs are the configured addresses, or that of the interface with the default route.
func NodeIPs(o *config.Options) ([]string, error) {
	given := o.Split("node-ip")
	for _, address := range given {
		if net.ParseIP(address) == nil {
			return nil, fmt.Errorf("invalid node-ip %q", address)
		}
	}
	if len(given) > 0 {
		return given, nil
	}
	address, err := hostAddress()
	if err != nil {
		return nil, fmt.Errorf("no default route and no node-ip: %w", err)
	}
	return []string{address}, nil
}
