// Package cniplugin is the CNI plugin "flannel": it makes a configuration for the plugin bridge out of what flannel
// wrote down. Its own module cannot be had here, so this one does what its README says (flannel-io/cni-plugin).
package cniplugin

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/containernetworking/cni/pkg/invoke"
	"github.com/containernetworking/cni/pkg/skel"
	"github.com/containernetworking/cni/pkg/types"
	"github.com/containernetworking/cni/pkg/version"
)

// Name is what containerd calls it by.
const Name = "flannel"

const (
	defaultSubnetFile = "/run/flannel/subnet.env"
	// What a pod's plugins were called with, until the pod ends.
	defaultDataDir = "/var/lib/cni/flannel"
)

type object = map[string]any

// input is the plugin's part of the configuration list.
type input struct {
	types.PluginConf
	SubnetFile    string          `json:"subnetFile"`
	DataDir       string          `json:"dataDir"`
	Delegate      object          `json:"delegate"`
	IPAM          object          `json:"ipam"`
	RuntimeConfig json.RawMessage `json:"runtimeConfig,omitempty"`
}

// Main serves one call and does not return on failure.
func Main() {
	funcs := skel.CNIFuncs{Add: add, Del: del, Check: check}
	skel.PluginMainFuncs(funcs, version.PluginSupports("0.3.1", "0.4.0", "1.0.0"), "flannel, of a stand-in for k3s")
}

func parse(stdin []byte) (*input, error) {
	found := &input{SubnetFile: defaultSubnetFile, DataDir: defaultDataDir}
	if err := json.Unmarshal(stdin, found); err != nil {
		return nil, fmt.Errorf("failed to load netconf: %w", err)
	}
	return found, nil
}

func add(call *skel.CmdArgs) error {
	conf, err := parse(call.StdinData)
	if err != nil {
		return err
	}
	subnets, err := readSubnets(conf.SubnetFile)
	if err != nil {
		return fmt.Errorf("loadFlannelSubnetEnv failed: %w", err)
	}
	delegate, err := conf.delegate(subnets)
	if err != nil {
		return err
	}
	content, err := json.Marshal(delegate)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(conf.DataDir, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(conf.DataDir, call.ContainerID), content, 0o600); err != nil {
		return err
	}
	result, err := invoke.DelegateAdd(context.Background(), delegate["type"].(string), content, nil)
	if err != nil {
		return fmt.Errorf("failed to delegate add: %w", err)
	}
	return result.Print()
}

// del may be called again, and for a pod that never came to be.
func del(call *skel.CmdArgs) error {
	conf, err := parse(call.StdinData)
	if err != nil {
		return err
	}
	path := filepath.Join(conf.DataDir, call.ContainerID)
	content, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var delegate struct{ Type string }
	if err := json.Unmarshal(content, &delegate); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := invoke.DelegateDel(context.Background(), delegate.Type, content, nil); err != nil {
		return fmt.Errorf("failed to delegate del: %w", err)
	}
	return os.Remove(path)
}

func check(*skel.CmdArgs) error { return nil }

// delegate is the configuration of the plugin that does the work: what was given, filled up with flannel's words.
func (conf *input) delegate(subnets *subnets) (object, error) {
	found := maps.Clone(conf.Delegate)
	if found == nil {
		found = object{}
	}
	for _, key := range []string{"name", "ipam"} {
		if _, given := found[key]; given {
			return nil, fmt.Errorf("'delegate' dictionary must not have '%s' field, it'll be set by flannel", key)
		}
	}
	defaults := object{"type": "bridge", "ipMasq": !subnets.masquerade, "mtu": subnets.mtu}
	if kind, given := found["type"]; !given || kind == "bridge" {
		defaults["isGateway"] = true
	}
	for key, value := range defaults {
		if _, given := found[key]; !given {
			found[key] = value
		}
	}
	found["name"], found["cniVersion"], found["ipam"] = conf.Name, conf.CNIVersion, conf.ipam(subnets)
	if len(conf.RuntimeConfig) > 0 {
		found["runtimeConfig"] = conf.RuntimeConfig
	}
	return found, nil
}

// ipam gives each family's subnet to host-local, with a route to the whole network.
func (conf *input) ipam(subnets *subnets) object {
	found := maps.Clone(conf.IPAM)
	if found == nil {
		found = object{}
	}
	if _, given := found["type"]; !given {
		found["type"] = "host-local"
	}
	routes, _ := found["routes"].([]any)
	var ranges [][]object
	for i, subnet := range subnets.subnets {
		ranges = append(ranges, []object{{"subnet": subnet}})
		routes = append(routes, object{"dst": subnets.networks[i]})
	}
	found["ranges"], found["routes"] = ranges, routes
	return found
}

// subnets is flannel's file; both families where there are both.
type subnets struct {
	networks, subnets []string
	mtu               int
	masquerade        bool
}

func readSubnets(path string) (*subnets, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	values := map[string]string{}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if key, value, ok := strings.Cut(strings.TrimSpace(lines.Text()), "="); ok {
			values[strings.TrimPrefix(key, "FLANNEL_")] = value
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	found := &subnets{masquerade: values["IPMASQ"] == "true"}
	if found.mtu, err = strconv.Atoi(values["MTU"]); err != nil {
		return nil, fmt.Errorf("%s is missing FLANNEL_MTU, or it is no number", path)
	}
	for _, family := range []string{"", "IPV6_"} {
		if err := found.family(values[family+"NETWORK"], values[family+"SUBNET"]); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	if len(found.subnets) == 0 {
		return nil, fmt.Errorf("%s is missing FLANNEL_NETWORK and FLANNEL_SUBNET", path)
	}
	return found, nil
}

func (s *subnets) family(network, subnet string) error {
	if network == "" || subnet == "" {
		return nil
	}
	// The file has the gateway's address with the subnet's length; host-local wants the subnet.
	_, own, err := net.ParseCIDR(subnet)
	if err != nil {
		return err
	}
	s.networks, s.subnets = append(s.networks, network), append(s.subnets, own.String())
	return nil
}
