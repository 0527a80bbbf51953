package config

import (
	"encoding/json"
	"reflect"
	"testing"
)

func clusterOf(t *testing.T, content string) *Cluster {
	t.Helper()
	files(t, map[string]string{"config.yaml": content})
	cluster, err := ClusterOf(parse(t, "server"))
	if err != nil {
		t.Fatal(err)
	}
	return cluster
}

func TestDefaults(t *testing.T) {
	cluster := clusterOf(t, "cluster-init: true\n")
	if !reflect.DeepEqual(cluster.ClusterDNSs, []string{"10.43.0.10"}) || cluster.ClusterIPRanges[0] != "10.42.0.0/16" {
		t.Errorf("%+v", cluster)
	}
}

func TestDualStackAndIPv6Only(t *testing.T) {
	dual := clusterOf(t, "cluster-cidr: 10.42.0.0/16,fd00:42::/56\nservice-cidr: [10.43.0.0/16, 'fd00:43::/112']\n")
	if !reflect.DeepEqual(dual.ClusterDNSs, []string{"10.43.0.10", "fd00:43::a"}) || len(dual.ClusterIPRanges) != 2 {
		t.Errorf("%+v", dual)
	}
	only := clusterOf(t, "node-ip: fd00::1\n")
	if only.ServiceIPRanges[0] != "fd00:43::/112" || only.ClusterDNSs[0] != "fd00:43::a" {
		t.Errorf("%+v", only)
	}
}

func TestCriticalValues(t *testing.T) {
	mine := clusterOf(t, "flannel-backend: none\n")
	content, err := json.Marshal(mine)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := ParseCluster(content)
	if err != nil {
		t.Fatal(err)
	}
	if names := Mismatches(mine.Critical, theirs.Critical); len(names) != 0 {
		t.Errorf("the same, and yet %v", names)
	}
	other := clusterOf(t, "cluster-cidr: 10.99.0.0/16\ndisable: servicelb\ndisable-kube-proxy: true\n")
	want := []string{"cluster-cidr", "disable-service-lb", "flannel-backend"}
	if names := Mismatches(mine.Critical, other.Critical); !reflect.DeepEqual(names, want) {
		t.Errorf("%v", names)
	}
}

func TestBadValues(t *testing.T) {
	for _, content := range []string{
		"cluster-cidr: ten\n", "cluster-dns: x\n", "flannel-backend: ipsec\n", "egress-selector-mode: none\n",
		"secrets-encryption-provider: rot13\n", "https-listen-port: many\n",
	} {
		files(t, map[string]string{"config.yaml": content})
		if _, err := ClusterOf(parse(t, "server")); err == nil {
			t.Errorf("accepted: %s", content)
		}
	}
}
