package config

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"sort"
	"strings"
)

// Critical are the values that all servers of a cluster must share. The tag is the option's name.
// k3s docs: cli/server.md, critical configuration values; k3s: pkg/daemons/config/types.go.
type Critical struct {
	ClusterDNSs           []string `cli:"cluster-dns"`
	ClusterDomain         string   `cli:"cluster-domain"`
	ClusterIPRanges       []string `cli:"cluster-cidr"`
	ServiceIPRanges       []string `cli:"service-cidr"`
	DisableCCM            bool     `cli:"disable-cloud-controller"`
	DisableHelmController bool     `cli:"disable-helm-controller"`
	DisableNPC            bool     `cli:"disable-network-policy"`
	DisableServiceLB      bool     `cli:"disable-service-lb"`
	EncryptSecrets        bool     `cli:"secrets-encryption"`
	EncryptProvider       string   `cli:"secrets-encryption-provider"`
	EmbeddedRegistry      bool     `cli:"embedded-registry"`
	FlannelBackend        string   `cli:"flannel-backend"`
	FlannelIPv6Masq       bool     `cli:"flannel-ipv6-masq"`
	FlannelExternalIP     bool     `cli:"flannel-external-ip"`
	EgressSelectorMode    string   `cli:"egress-selector-mode"`
	SupervisorMetrics     bool     `cli:"supervisor-metrics"`
}

// Cluster is what a server tells agents and joining servers at /v1-k3s/config.
type Cluster struct {
	Critical
	HTTPSPort        int
	SupervisorPort   int
	DisableKubeProxy bool
	ClusterReset     bool
	Version          string
}

// ClusterOf reads the server's options, defaults filled in.
func ClusterOf(o *Options) (*Cluster, error) {
	cidrs, services := o.Split("cluster-cidr"), o.Split("service-cidr")
	ipv6Only := len(o.Split("node-ip")) > 0 && IsIPv6(o.Split("node-ip")[0]) && len(o.Split("node-ip")) == 1
	if len(cidrs) == 0 {
		cidrs = []string{pick(ipv6Only, "fd00:42::/56", "10.42.0.0/16")}
	}
	if len(services) == 0 {
		services = []string{pick(ipv6Only, "fd00:43::/112", "10.43.0.0/16")}
	}
	dns, err := dnsOf(o.Split("cluster-dns"), services)
	if err != nil {
		return nil, err
	}
	if err := checkPrefixes(cidrs, services); err != nil {
		return nil, err
	}
	port, err := o.Int("https-listen-port")
	if err != nil {
		return nil, err
	}
	critical := Critical{
		ClusterDNSs: dns, ClusterDomain: o.Str("cluster-domain"), ClusterIPRanges: cidrs, ServiceIPRanges: services,
		DisableCCM: o.Bool("disable-cloud-controller"), DisableHelmController: o.Bool("disable-helm-controller"),
		DisableNPC: o.Bool("disable-network-policy"), DisableServiceLB: Disables(o)["servicelb"],
		EncryptSecrets: o.Bool("secrets-encryption"), EncryptProvider: o.Str("secrets-encryption-provider"),
		EmbeddedRegistry: o.Bool("embedded-registry"), FlannelBackend: o.Str("flannel-backend"),
		FlannelIPv6Masq: o.Bool("flannel-ipv6-masq"), FlannelExternalIP: o.Bool("flannel-external-ip"),
		EgressSelectorMode: o.Str("egress-selector-mode"), SupervisorMetrics: o.Bool("supervisor-metrics"),
	}
	cluster := &Cluster{
		Critical: critical, HTTPSPort: port, SupervisorPort: port, DisableKubeProxy: o.Bool("disable-kube-proxy"),
	}
	return cluster, cluster.check()
}

func (c *Cluster) check() error {
	switch c.EgressSelectorMode {
	case "agent", "cluster", "pod", "disabled":
	default:
		return fmt.Errorf("invalid egress-selector-mode %q: agent, cluster, pod or disabled is wanted", c.EgressSelectorMode)
	}
	switch c.FlannelBackend {
	case "none", "vxlan", "host-gw", "wireguard-native", "tailscale":
	default:
		return fmt.Errorf("unsupported flannel backend '%s'", c.FlannelBackend)
	}
	switch c.EncryptProvider {
	case "aescbc", "secretbox":
	default:
		return fmt.Errorf("invalid secrets-encryption-provider %q: aescbc or secretbox is wanted", c.EncryptProvider)
	}
	return nil
}

// Disables is the set of packaged components that are not wanted.
func Disables(o *Options) map[string]bool {
	found := map[string]bool{}
	for _, name := range o.Split("disable") {
		found[name] = true
	}
	return found
}

func dnsOf(given, services []string) ([]string, error) {
	if len(given) > 0 {
		for _, address := range given {
			if _, err := netip.ParseAddr(address); err != nil {
				return nil, fmt.Errorf("invalid cluster-dns %q: %w", address, err)
			}
		}
		return given, nil
	}
	var found []string
	for _, service := range services {
		address, err := Nth(service, 10)
		if err != nil {
			return nil, fmt.Errorf("invalid service-cidr %q: %w", service, err)
		}
		found = append(found, address)
	}
	return found, nil
}

func checkPrefixes(lists ...[]string) error {
	for _, list := range lists {
		for _, text := range list {
			if _, err := netip.ParsePrefix(text); err != nil {
				return fmt.Errorf("invalid CIDR %q: %w", text, err)
			}
		}
	}
	return nil
}

// Nth is an address of a network, counted from its first.
func Nth(prefix string, n int) (string, error) {
	network, err := netip.ParsePrefix(prefix)
	if err != nil {
		return "", err
	}
	address := network.Masked().Addr()
	for ; n > 0; n-- {
		address = address.Next()
	}
	return address.String(), nil
}

// IsIPv6 says whether an address or network is of that family.
func IsIPv6(text string) bool { return strings.Contains(text, ":") }

func pick(first bool, one, other string) string {
	if first {
		return one
	}
	return other
}

// Mismatches names the options in which two servers differ that they must share.
func Mismatches(mine, theirs Critical) []string {
	found := map[string]bool{}
	kind := reflect.TypeOf(mine)
	a, b := reflect.ValueOf(mine), reflect.ValueOf(theirs)
	for i := 0; i < kind.NumField(); i++ {
		if !reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface()) {
			found[kind.Field(i).Tag.Get("cli")] = true
		}
	}
	names := make([]string, 0, len(found))
	for name := range found {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// ParseCluster reads what a server answered.
func ParseCluster(content []byte) (*Cluster, error) {
	var cluster Cluster
	return &cluster, json.Unmarshal(content, &cluster)
}

const nodeIDFile = "/etc/rancher/node/id"

// NodeName is the configured name, or the host's; with-node-id appends digits that are made once.
func NodeName(o *Options) (string, error) {
	name := o.Str("node-name")
	if name == "" {
		host, err := os.Hostname()
		if err != nil {
			return "", err
		}
		name = strings.TrimSpace(host)
	}
	name = strings.ToLower(name)
	if !o.Bool("with-node-id") {
		return name, nil
	}
	content, err := os.ReadFile(nodeIDFile)
	if os.IsNotExist(err) {
		digits := make([]byte, 4)
		if _, err := rand.Read(digits); err != nil {
			return "", err
		}
		if err := os.MkdirAll(filepath.Dir(nodeIDFile), 0o755); err != nil {
			return "", err
		}
		content = []byte(hex.EncodeToString(digits) + "\n")
		err = os.WriteFile(nodeIDFile, content, 0o644)
	}
	return name + "-" + strings.TrimSpace(string(content)), err
}

// Dir joins below the data directory.
func Dir(o *Options, parts ...string) string {
	return filepath.Join(append([]string{o.Str("data-dir")}, parts...)...)
}
