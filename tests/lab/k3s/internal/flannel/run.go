package flannel

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"

	"github.com/flannel-io/flannel/pkg/backend"
	_ "github.com/flannel-io/flannel/pkg/backend/hostgw" // each backend makes itself known
	_ "github.com/flannel-io/flannel/pkg/backend/vxlan"
	"github.com/flannel-io/flannel/pkg/ip"
	"github.com/flannel-io/flannel/pkg/subnet"
	"github.com/flannel-io/flannel/pkg/subnet/kube"
	"github.com/flannel-io/flannel/pkg/trafficmngr/iptables"
	"github.com/sirupsen/logrus"
)

const (
	annotations = "flannel.alpha.coreos.com"
	// Seconds after which flannel looks whether its rules are still there.
	masqueradeResync, forwardResync = 60, 50
)

// Settings of one node.
type Settings struct {
	Backend      string
	ClusterCIDRs []string
	IPv6Masq     bool
	Interface    string // empty: that of the default route
	NodeName     string
	Kubeconfig   string // of somebody who may watch all nodes and write into this one's status

	ConfDir      string // of the CNI configuration
	NetConf      string // flannel's own configuration
	GivenConf    string // option flannel-conf
	GivenCNIConf string // option flannel-cni-conf
}

// Run is flannel; it returns when the context ends. The node has its podCIDR by now.
func Run(ctx context.Context, s Settings) error {
	// The subnet manager knows its node from nowhere else.
	if err := os.Setenv("NODE_NAME", s.NodeName); err != nil {
		return err
	}
	conf := s.NetConf
	if s.GivenConf != "" {
		conf = s.GivenConf
	}
	manager, err := kube.NewSubnetManager(ctx, "", s.Kubeconfig, annotations, conf, false)
	if err != nil {
		return fmt.Errorf("failed to create the subnet manager: %w", err)
	}
	config, err := manager.GetNetworkConfig(ctx)
	if err != nil {
		return err
	}
	outside, err := s.outside(config)
	if err != nil {
		return fmt.Errorf("failed to find the interface: %w", err)
	}
	kind, err := backend.NewManager(ctx, manager, outside).GetBackend(config.BackendType)
	if err != nil {
		return err
	}
	network, err := kind.RegisterNetwork(ctx, &sync.WaitGroup{}, config)
	if err != nil {
		return fmt.Errorf("failed to register the network: %w", err)
	}
	if err := s.rules(ctx, config, network); err != nil {
		return err
	}
	lease := network.Lease()
	err = subnet.WriteSubnetFile(SubnetFile, config, true, lease.Subnet, lease.IPv6Subnet, network.MTU())
	if err != nil {
		return err
	}
	logrus.Infof("Wrote flannel subnet file to %s", SubnetFile)
	logrus.Info("Running flannel backend.")
	network.Run(ctx)
	return nil
}

// outside is the interface by which the nodes reach each other, with its first address of each family.
func (s Settings) outside(config *subnet.Config) (*backend.ExternalInterface, error) {
	link, err := s.link(config)
	if err != nil {
		return nil, err
	}
	found := &backend.ExternalInterface{Iface: link}
	if config.EnableIPv4 {
		addresses, err := ip.GetInterfaceIP4Addrs(link)
		if err != nil {
			return nil, err
		}
		found.IfaceAddr, found.ExtAddr = addresses[0], addresses[0]
	}
	if config.EnableIPv6 {
		addresses, err := ip.GetInterfaceIP6Addrs(link)
		if err != nil {
			return nil, err
		}
		found.IfaceV6Addr, found.ExtV6Addr = addresses[0], addresses[0]
	}
	return found, nil
}

func (s Settings) link(config *subnet.Config) (*net.Interface, error) {
	switch {
	case s.Interface != "":
		return net.InterfaceByName(s.Interface)
	case config.EnableIPv4:
		return ip.GetDefaultGatewayInterface()
	default:
		return ip.GetDefaultV6GatewayInterface()
	}
}

// rules masquerades what leaves the cluster and lets pods' traffic be forwarded, and sees to it that this stays so.
func (s Settings) rules(ctx context.Context, config *subnet.Config, network backend.Network) error {
	var traffic iptables.IPTablesManager
	// This flannel would take its rules back when the context ends; in k3s's process there is no time left for that.
	if err := traffic.Init(context.Background(), &sync.WaitGroup{}); err != nil {
		return err
	}
	before := readSubnetFile(SubnetFile)
	masqueraded := config.IPv6Network
	if !s.IPv6Masq {
		masqueraded = ip.IP6Net{}
	}
	err := traffic.SetupAndEnsureMasqRules(
		ctx, config.Network, before.v4("FLANNEL_SUBNET"), before.v4("FLANNEL_NETWORK"),
		masqueraded, before.v6("FLANNEL_IPV6_SUBNET"), before.v6("FLANNEL_IPV6_NETWORK"), network.Lease(), masqueradeResync,
	)
	if err != nil {
		return fmt.Errorf("failed to setup masq rules: %w", err)
	}
	traffic.SetupAndEnsureForwardRules(ctx, config.Network, config.IPv6Network, forwardResync)
	return nil
}

// subnetFile is what an earlier run wrote.
type subnetFile map[string]string

func readSubnetFile(path string) subnetFile {
	found := subnetFile{}
	file, err := os.Open(path)
	if err != nil {
		return found
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if key, value, ok := strings.Cut(lines.Text(), "="); ok {
			found[key] = value
		}
	}
	return found
}

func (f subnetFile) v4(key string) ip.IP4Net {
	_, network, err := net.ParseCIDR(f[key])
	if err != nil {
		return ip.IP4Net{}
	}
	return ip.FromIPNet(network)
}

func (f subnetFile) v6(key string) ip.IP6Net {
	_, network, err := net.ParseCIDR(f[key])
	if err != nil {
		return ip.IP6Net{}
	}
	return ip.FromIP6Net(network)
}
