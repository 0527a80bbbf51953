package agent

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	"sigs.k8s.io/yaml"

	"meshwright.invalid/lab/k3s/internal/config"
)

// ContainerdSocket is where k3s's containerd listens.
const ContainerdSocket = "/run/k3s/containerd/containerd.sock"

func (a *Agent) startKubelet() error {
	path, err := a.writeKubeletConfig()
	if err != nil {
		return err
	}
	arguments := []string{
		"--config=" + path,
		"--kubeconfig=" + a.dir("kubelet.kubeconfig"),
		"--hostname-override=" + a.NodeName,
		"--node-ip=" + strings.Join(a.NodeIPs, ","),
		"--root-dir=/var/lib/kubelet",
		"--cert-dir=" + a.dir("pki"),
		"--node-labels=" + strings.Join(a.labels(), ","),
	}
	if err := os.MkdirAll(a.dir("pod-manifests"), 0o755); err != nil {
		return err
	}
	_, err = a.Group.Component("kubelet", append(arguments, flags(a.Options.List("kubelet-arg"))...))
	return err
}

func (a *Agent) labels() []string {
	labels := []string{"node.kubernetes.io/instance-type=k3s", "beta.kubernetes.io/instance-type=k3s"}
	return append(labels, a.Options.Split("node-label")...)
}

// flags makes command line options of key=value pairs.
func flags(pairs []string) []string {
	var found []string
	for _, pair := range pairs {
		found = append(found, "--"+strings.TrimLeft(pair, "-"))
	}
	return found
}

func (a *Agent) writeKubeletConfig() (string, error) {
	resolv, err := resolvConf(a.Options)
	if err != nil {
		return "", err
	}
	taints, err := taintsOf(a.Options.Split("node-taint"))
	if err != nil {
		return "", err
	}
	values := map[string]any{
		"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
		"address": "0.0.0.0", "healthzBindAddress": "127.0.0.1",
		"authentication": map[string]any{
			"anonymous": map[string]any{"enabled": false}, "webhook": map[string]any{"enabled": true, "cacheTTL": "2m0s"},
			"x509": map[string]any{"clientCAFile": a.dir("client-ca.crt")},
		},
		"authorization": map[string]any{"mode": "Webhook"},
		"cgroupDriver":  "cgroupfs", "failSwapOn": false,
		"containerRuntimeEndpoint": "unix://" + ContainerdSocket,
		"imageServiceEndpoint":     "unix://" + ContainerdSocket,
		"clusterDNS":               a.cluster.ClusterDNSs, "clusterDomain": a.cluster.ClusterDomain,
		"providerID": "k3s://" + a.NodeName,
		"resolvConf": resolv, "serializeImagePulls": false,
		"staticPodPath": a.dir("pod-manifests"),
		"tlsCertFile":   a.dir("serving-kubelet.crt"), "tlsPrivateKeyFile": a.dir("serving-kubelet.key"),
		"evictionHard":                  map[string]string{"imagefs.available": "5%", "nodefs.available": "5%"},
		"evictionMinimumReclaim":        map[string]string{"imagefs.available": "10%", "nodefs.available": "10%"},
		"registerWithTaints":            taints,
		"protectKernelDefaults":         a.Options.Bool("protect-kernel-defaults"),
		"volumeStatsAggPeriod":          "2m0s",
		"localStorageCapacityIsolation": true,
	}
	if config.IsIPv6(a.NodeIPs[0]) {
		values["address"] = "::"
	}
	content, err := yaml.Marshal(values)
	if err != nil {
		return "", err
	}
	path := a.dir("etc", "kubelet.conf.d", "00-k3s-defaults.conf")
	if err := os.MkdirAll(a.dir("etc", "kubelet.conf.d"), 0o700); err != nil {
		return "", err
	}
	return path, os.WriteFile(path, content, 0o600)
}

// taintsOf reads key=value:effect and key:effect.
func taintsOf(texts []string) ([]map[string]string, error) {
	var found []map[string]string
	for _, text := range texts {
		left, effect, ok := strings.Cut(text, ":")
		if !ok {
			return nil, fmt.Errorf("invalid node-taint %q: key=value:effect is wanted", text)
		}
		key, value, _ := strings.Cut(left, "=")
		found = append(found, map[string]string{"key": key, "value": value, "effect": effect})
	}
	return found, nil
}

// startKubeProxy asks the server whether one is wanted, once the server is ready (k3s: pkg/agent/config/config.go).
// An agent asks whichever server it reaches; a server's own agent asks its own.
func (a *Agent) startKubeProxy(ctx context.Context) {
	for {
		disabled, err := a.kubeProxyDisabled()
		if err == nil && disabled {
			return
		}
		if err == nil {
			if err := a.runKubeProxy(); err != nil {
				a.Group.Fail(err)
			}
			return
		}
		logrus.Infof("Waiting to retrieve kube-proxy configuration; server is not ready: %v", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(2 * time.Second):
		}
	}
}

func (a *Agent) kubeProxyDisabled() (bool, error) {
	if _, err := a.supervisor.Get("/v1-k3s/readyz", nil); err != nil {
		return false, err
	}
	content, err := a.supervisor.Get("/v1-k3s/config", nil)
	if err != nil {
		return false, err
	}
	cluster, err := config.ParseCluster(content)
	if err != nil {
		return false, err
	}
	return cluster.DisableKubeProxy, nil
}

func (a *Agent) runKubeProxy() error {
	loop := "127.0.0.1"
	if config.IsIPv6(a.NodeIPs[0]) {
		loop = "[::1]"
	}
	arguments := []string{
		"--kubeconfig=" + a.dir("kubeproxy.kubeconfig"),
		"--proxy-mode=iptables",
		"--hostname-override=" + a.NodeName,
		"--cluster-cidr=" + strings.Join(a.cluster.ClusterIPRanges, ","),
		"--healthz-bind-address=" + loop + ":10256",
		"--metrics-bind-address=" + loop + ":10249",
		"--conntrack-max-per-core=0",
		"--conntrack-tcp-timeout-established=0s",
		"--conntrack-tcp-timeout-close-wait=0s",
	}
	_, err := a.Group.Component("kube-proxy", append(arguments, flags(a.Options.List("kube-proxy-arg"))...))
	return err
}
