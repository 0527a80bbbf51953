package agent

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/sirupsen/logrus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"meshwright.invalid/lab/k3s/internal/clients"
	"meshwright.invalid/lab/k3s/internal/config"
	"meshwright.invalid/lab/k3s/internal/flannel"
)

// Where Debian and upstream put CNI plugins.
var hostPlugins = []string{"/usr/lib/cni", "/opt/cni/bin"}

// usesFlannel is what the server said that this node asked when it started.
func (a *Agent) usesFlannel() bool { return a.cluster.FlannelBackend != "none" }

func (a *Agent) pluginDir() string { return config.Dir(a.Options, "data", "cni") }

func (a *Agent) confDir() string { return a.dir("etc", "cni", "net.d") }

func (a *Agent) flannel() flannel.Settings {
	return flannel.Settings{
		Backend: a.cluster.FlannelBackend, ClusterCIDRs: a.cluster.ClusterIPRanges, IPv6Masq: a.cluster.FlannelIPv6Masq,
		Interface: a.Options.Str("flannel-iface"), NodeName: a.NodeName, Kubeconfig: a.dir("k3scontroller.kubeconfig"),
		ConfDir: a.confDir(), NetConf: a.dir("etc", "flannel", "net-conf.json"),
		GivenConf: a.Options.Str("flannel-conf"), GivenCNIConf: a.Options.Str("flannel-cni-conf"),
	}
}

// prepareNetwork writes what containerd and flannel are going to read. Without flannel nothing is written, and what
// flannel left behind stays.
func (a *Agent) prepareNetwork() error {
	if !a.usesFlannel() {
		return nil
	}
	if err := flannel.LinkPlugins(a.pluginDir(), hostPlugins); err != nil {
		return err
	}
	a.bridgeSysctls()
	return flannel.Prepare(a.flannel())
}

// bridgeSysctls lets the host forward, and lets iptables see what pods of one node say to each other: without that,
// an answer from a service's pod on the same bridge comes from the wrong address (k3s: pkg/agent/syssetup).
func (a *Agent) bridgeSysctls() {
	names := []string{"net/ipv4/conf/all/forwarding", "net/bridge/bridge-nf-call-iptables"}
	for _, cidr := range a.cluster.ClusterIPRanges {
		if config.IsIPv6(cidr) {
			names = append(names, "net/ipv6/conf/all/forwarding", "net/bridge/bridge-nf-call-ip6tables")
		}
	}
	for _, name := range names {
		if err := os.WriteFile(filepath.Join("/proc/sys", name), []byte("1"), 0o644); err != nil {
			logrus.Errorf("Failed to set sysctl: %v", err)
		}
	}
}

// runFlannel starts once the node has its part of the pods' network; k3s ends when flannel does.
func (a *Agent) runFlannel(ctx context.Context) {
	logrus.Infof("Starting flannel with backend %s", a.cluster.FlannelBackend)
	err := a.waitPodCIDR(ctx)
	if err == nil {
		err = flannel.Run(ctx, a.flannel())
	}
	if ctx.Err() == nil {
		a.Group.Fail(fmt.Errorf("flannel exited: %v", err))
	}
}

func (a *Agent) waitPodCIDR(ctx context.Context) error {
	_, client, err := clients.Kube(a.dir("k3scontroller.kubeconfig"))
	if err != nil {
		return err
	}
	for {
		node, err := client.CoreV1().Nodes().Get(ctx, a.NodeName, metav1.GetOptions{})
		if err == nil && node.Spec.PodCIDR != "" {
			logrus.Infof("Flannel found PodCIDR assigned for node %s", a.NodeName)
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}
