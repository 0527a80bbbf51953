package flannel

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flannel-io/flannel/pkg/subnet"
)

func TestFlannelReadsOurConfiguration(t *testing.T) {
	for name, one := range map[string]struct {
		cidrs    []string
		v4, v6   bool
		network  string
		network6 string
	}{
		"one family":    {[]string{"10.42.0.0/16"}, true, false, "10.42.0.0/16", "::/0"},
		"both":          {[]string{"10.42.0.0/16", "fd00:42::/56"}, true, true, "10.42.0.0/16", "fd00:42::/56"},
		"the other one": {[]string{"fd00:42::/56"}, false, true, "0.0.0.0/0", "fd00:42::/56"},
	} {
		content, err := networkConfig("host-gw", one.cidrs)
		if err != nil {
			t.Fatal(err)
		}
		config, err := subnet.ParseConfig(string(content))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if config.EnableIPv4 != one.v4 || config.EnableIPv6 != one.v6 || config.BackendType != "host-gw" {
			t.Errorf("%s: %+v", name, config)
		}
		if config.Network.String() != one.network || config.IPv6Network.String() != one.network6 {
			t.Errorf("%s: %s and %s", name, config.Network, config.IPv6Network)
		}
	}
	if _, err := networkConfig("vxlan", []string{"ten"}); err == nil {
		t.Error("accepted")
	}
}

func settings(t *testing.T) Settings {
	directory := t.TempDir()
	return Settings{
		Backend: "vxlan", ClusterCIDRs: []string{"10.42.0.0/16"}, ConfDir: filepath.Join(directory, "net.d"),
		NetConf: filepath.Join(directory, "flannel", "net-conf.json"),
	}
}

func TestPrepareWritesBothFiles(t *testing.T) {
	s := settings(t)
	if err := Prepare(s); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(s.ConfDir, "10-flannel.conflist"))
	if err != nil {
		t.Fatal(err)
	}
	var list struct {
		Name    string
		Plugins []struct{ Type string }
	}
	if err := json.Unmarshal(content, &list); err != nil {
		t.Fatal(err)
	}
	if list.Name != "cbr0" || len(list.Plugins) != 3 || list.Plugins[0].Type != "flannel" {
		t.Errorf("%s", content)
	}
	if _, err := os.Stat(s.NetConf); err != nil {
		t.Error(err)
	}
}

func TestGivenFilesTakeTheirPlaces(t *testing.T) {
	s := settings(t)
	s.GivenConf, s.GivenCNIConf = "/given.json", filepath.Join(t.TempDir(), "mine.conflist")
	if err := os.WriteFile(s.GivenCNIConf, []byte(`{"name":"mine"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Prepare(s); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(s.ConfDir, ConfName))
	if err != nil || !strings.Contains(string(content), "mine") {
		t.Errorf("%s %v", content, err)
	}
	if _, err := os.Stat(s.NetConf); !os.IsNotExist(err) {
		t.Errorf("written beside the given one: %v", err)
	}
}

func TestOtherBackendsAreRefused(t *testing.T) {
	s := settings(t)
	s.Backend = "wireguard-native"
	if err := Prepare(s); err == nil || !strings.Contains(err.Error(), "vxlan, host-gw or none") {
		t.Error(err)
	}
}

func TestPluginsAreLinks(t *testing.T) {
	host, own := t.TempDir(), filepath.Join(t.TempDir(), "cni")
	if err := LinkPlugins(own, []string{host}); err == nil {
		t.Error("nothing is missed")
	}
	for _, name := range []string{"bandwidth", "bridge", "firewall", "host-local", "loopback", "portmap"} {
		if err := os.WriteFile(filepath.Join(host, name), nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := LinkPlugins(own, []string{"/nowhere", host}); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(own)
	if err != nil || len(entries) != 7 {
		t.Errorf("%v %v", entries, err)
	}
	if target, err := os.Readlink(filepath.Join(own, "bridge")); target != filepath.Join(host, "bridge") {
		t.Errorf("%s %v", target, err)
	}
}

func TestWhatAnEarlierRunWrote(t *testing.T) {
	path := filepath.Join(t.TempDir(), "subnet.env")
	if found := readSubnetFile(path).v4("FLANNEL_SUBNET"); !found.Empty() {
		t.Error(found)
	}
	text := "FLANNEL_NETWORK=10.42.0.0/16\nFLANNEL_SUBNET=10.42.3.1/24\nFLANNEL_IPV6_SUBNET=fd00:42:0:3::1/64\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	found := readSubnetFile(path)
	if found.v4("FLANNEL_SUBNET").String() != "10.42.3.0/24" || found.v6("FLANNEL_IPV6_SUBNET").String() != "fd00:42:0:3::/64" {
		t.Error(found)
	}
}
