package cniplugin

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func subnetEnv(t *testing.T, text string) string {
	path := filepath.Join(t.TempDir(), "subnet.env")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func delegated(t *testing.T, conf, env string) (object, error) {
	t.Helper()
	parsed, err := parse([]byte(conf))
	if err != nil {
		t.Fatal(err)
	}
	subnets, err := readSubnets(subnetEnv(t, env))
	if err != nil {
		return nil, err
	}
	made, err := parsed.delegate(subnets)
	if err != nil {
		return nil, err
	}
	content, err := json.Marshal(made)
	if err != nil {
		t.Fatal(err)
	}
	var found object
	return found, json.Unmarshal(content, &found)
}

const (
	env  = "FLANNEL_NETWORK=10.42.0.0/16\nFLANNEL_SUBNET=10.42.3.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n"
	env6 = "FLANNEL_IPV6_NETWORK=fd00:42::/56\nFLANNEL_IPV6_SUBNET=fd00:42:0:3::1/64\n"
	k3s  = `{"name":"cbr0","cniVersion":"1.0.0","type":"flannel","delegate":{"hairpinMode":true,"isDefaultGateway":true}}`
)

func TestBridgeWithTheSubnet(t *testing.T) {
	found, err := delegated(t, k3s, env)
	if err != nil {
		t.Fatal(err)
	}
	want := object{
		"name": "cbr0", "cniVersion": "1.0.0", "type": "bridge", "mtu": 1450.0, "ipMasq": false, "isGateway": true,
		"hairpinMode": true, "isDefaultGateway": true,
		"ipam": object{
			"type": "host-local", "ranges": []any{[]any{object{"subnet": "10.42.3.0/24"}}},
			"routes": []any{object{"dst": "10.42.0.0/16"}},
		},
	}
	if !reflect.DeepEqual(found, want) {
		t.Errorf("%v", found)
	}
}

func TestBothFamilies(t *testing.T) {
	found, err := delegated(t, k3s, env+env6)
	if err != nil {
		t.Fatal(err)
	}
	ipam := found["ipam"].(object)
	if len(ipam["ranges"].([]any)) != 2 || len(ipam["routes"].([]any)) != 2 {
		t.Errorf("%v", ipam)
	}
}

func TestWhatIsGivenStays(t *testing.T) {
	conf := `{"name":"n","cniVersion":"0.4.0","type":"flannel","runtimeConfig":{"x":1},
		"ipam":{"type":"other","routes":[{"dst":"192.0.2.0/24"}]},"delegate":{"type":"ipvlan","mtu":1400,"ipMasq":true}}`
	found, err := delegated(t, conf, env)
	if err != nil {
		t.Fatal(err)
	}
	ipam := found["ipam"].(object)
	if found["mtu"] != 1400.0 || found["ipMasq"] != true || found["isGateway"] != nil || ipam["type"] != "other" {
		t.Errorf("%v", found)
	}
	if len(ipam["routes"].([]any)) != 2 || found["runtimeConfig"] == nil {
		t.Errorf("%v", found)
	}
}

func TestRefused(t *testing.T) {
	named := `{"name":"n","type":"flannel","delegate":{"name":"mine"}}`
	for _, one := range [][2]string{{named, env}, {k3s, "FLANNEL_MTU=x\n"}, {k3s, "FLANNEL_MTU=1450\n"}, {k3s, strings.Replace(env, "/24", "", 1)}} {
		if found, err := delegated(t, one[0], one[1]); err == nil {
			t.Errorf("accepted: %v", found)
		}
	}
}
