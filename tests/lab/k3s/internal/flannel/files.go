// Package flannel is the pod network that k3s brings: flannel's own packages inside k3s's process (k3s: pkg/agent/flannel).
package flannel

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
)

const (
	// SubnetFile is what flannel tells the CNI plugin of the same name.
	SubnetFile = "/run/flannel/subnet.env"
	// ConfName of the CNI configuration, in k3s's own directory.
	ConfName = "10-flannel.conflist"
)

// Backends that this stand-in has, by the names of k3s's option flannel-backend.
var Backends = map[string]bool{"vxlan": true, "host-gw": true}

// object is a part of a JSON document.
type object = map[string]any

// networkConfig is what flannel reads as net-conf.json (k3s: pkg/agent/flannel/setup.go).
func networkConfig(backend string, clusterCIDRs []string) ([]byte, error) {
	// What flannel takes for "none of this family".
	found := object{"EnableIPv4": false, "EnableIPv6": false, "Network": "0.0.0.0/0", "IPv6Network": "::/0"}
	for _, text := range clusterCIDRs {
		cidr, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("cluster-cidr %q: %w", text, err)
		}
		if cidr.Addr().Is4() {
			found["EnableIPv4"], found["Network"] = true, cidr.String()
		} else {
			found["EnableIPv6"], found["IPv6Network"] = true, cidr.String()
		}
	}
	found["Backend"] = object{"Type": backend}
	return json.MarshalIndent(found, "", "\t")
}

// cniConfig is the list of plugins for each pod: flannel, host ports, traffic shaping (k3s: pkg/agent/flannel/setup_linux.go).
func cniConfig() ([]byte, error) {
	plugins := []object{
		{"type": "flannel", "delegate": object{"hairpinMode": true, "forceAddress": true, "isDefaultGateway": true}},
		{"type": "portmap", "capabilities": object{"portMappings": true}},
		{"type": "bandwidth", "capabilities": object{"bandwidth": true}},
	}
	return json.MarshalIndent(object{"name": "cbr0", "cniVersion": "1.0.0", "plugins": plugins}, "", "  ")
}

// Prepare writes both files before containerd starts; given ones take their places.
func Prepare(s Settings) error {
	if !Backends[s.Backend] {
		return fmt.Errorf("flannel-backend %s is not part of this stand-in for k3s: vxlan, host-gw or none is wanted", s.Backend)
	}
	conf, err := cniConfig()
	if s.GivenCNIConf != "" {
		conf, err = os.ReadFile(s.GivenCNIConf)
	}
	if err != nil {
		return err
	}
	if err := write(filepath.Join(s.ConfDir, ConfName), conf); err != nil {
		return err
	}
	if s.GivenConf != "" {
		return nil
	}
	network, err := networkConfig(s.Backend, s.ClusterCIDRs)
	if err != nil {
		return err
	}
	return write(s.NetConf, network)
}

func write(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, append(content, '\n'), 0o600)
}

// LinkPlugins fills k3s's directory of CNI plugins: flannel is k3s itself under that name, the others are the host's.
func LinkPlugins(directory string, hosts []string) error {
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return err
	}
	own, err := os.Executable()
	if err != nil {
		return err
	}
	if err := link(own, filepath.Join(directory, "flannel")); err != nil {
		return err
	}
	for _, name := range []string{"bandwidth", "bridge", "firewall", "host-local", "loopback", "portmap"} {
		target, err := find(name, hosts)
		if err != nil {
			return err
		}
		if err := link(target, filepath.Join(directory, name)); err != nil {
			return err
		}
	}
	return nil
}

func find(name string, directories []string) (string, error) {
	for _, directory := range directories {
		path := filepath.Join(directory, name)
		if found, err := os.Stat(path); err == nil && found.Mode().IsRegular() {
			return path, nil
		}
	}
	return "", fmt.Errorf("this stand-in for k3s uses the host's CNI plugins: no %s in %s", name, strings.Join(directories, ", "))
}

func link(target, path string) error {
	if found, err := os.Readlink(path); err == nil && found == target {
		return nil
	}
	if err := os.RemoveAll(path); err != nil {
		return err
	}
	return os.Symlink(target, path)
}
