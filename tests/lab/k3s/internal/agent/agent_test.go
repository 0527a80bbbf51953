package agent

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

const registries = `
mirrors:
  docker.io:
    endpoint: ["https://mirror.test:5000", "http://plain.test/some/path"]
  "*":
    endpoint: ["https://all.test"]
configs:
  "mirror.test:5000":
    auth: {username: user, password: secret}
    tls: {ca_file: /ca.crt, insecure_skip_verify: true}
`

func TestRegistries(t *testing.T) {
	directory := t.TempDir()
	path := filepath.Join(directory, "registries.yaml")
	if err := os.WriteFile(path, []byte(registries), 0o600); err != nil {
		t.Fatal(err)
	}
	auth, err := writeRegistries(path, filepath.Join(directory, "certs.d"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(auth, `registry.configs."mirror.test:5000".auth]`) || !strings.Contains(auth, `password = "secret"`) {
		t.Error(auth)
	}
	content, err := os.ReadFile(filepath.Join(directory, "certs.d", "docker.io", "hosts.toml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`[host."https://mirror.test:5000/v2"]`, `ca = ["/ca.crt"]`,
		`skip_verify = true`, `[host."http://plain.test/some/path"]`, `override_path = true`,
	} {
		if !strings.Contains(string(content), want) {
			t.Errorf("%s is not in\n%s", want, content)
		}
	}
	if _, err := os.Stat(filepath.Join(directory, "certs.d", "_default", "hosts.toml")); err != nil {
		t.Error(err)
	}
}

func TestTaints(t *testing.T) {
	got, err := taintsOf([]string{"a=1:NoSchedule", "b:NoExecute"})
	want := []map[string]string{
		{"key": "a", "value": "1", "effect": "NoSchedule"}, {"key": "b", "value": "", "effect": "NoExecute"},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v %v", got, err)
	}
	if _, err := taintsOf([]string{"a=1"}); err == nil {
		t.Error("a taint without an effect, and accepted")
	}
}

func TestImageNames(t *testing.T) {
	got := qualified([]string{"busybox:1", "rancher/pause:3", "quay.io/a/b:1", "localhost/x:1"})
	want := []string{"docker.io/library/busybox:1", "docker.io/rancher/pause:3", "quay.io/a/b:1", "localhost/x:1"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%v", got)
	}
}

func TestBalancerRemembersAndPrefersThoseThatLive(t *testing.T) {
	file := filepath.Join(t.TempDir(), "etc", "balancer.json")
	b := NewBalancer(file, "a:6443")
	b.Update([]string{"a:6443", "b:6443", "c:6443"})
	b.SetUp("a:6443", false)
	if got, want := b.order(), []string{"b:6443", "c:6443", "a:6443"}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v", got)
	}
	again := NewBalancer(file, "c:6443")
	if got, want := again.order(), []string{"c:6443", "a:6443", "b:6443"}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v", got)
	}
}
