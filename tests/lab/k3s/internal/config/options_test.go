package config

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// files writes a configuration with drop-ins and makes it the one that is read.
func files(t *testing.T, contents map[string]string) {
	t.Helper()
	directory := t.TempDir()
	for name, content := range contents {
		path := filepath.Join(directory, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("K3S_CONFIG_FILE", filepath.Join(directory, "config.yaml"))
}

func parse(t *testing.T, command string, arguments ...string) *Options {
	t.Helper()
	options, err := Parse(command, arguments)
	if err != nil {
		t.Fatal(err)
	}
	return options
}

func TestDropInsAreReadInOrderAfterTheMainFile(t *testing.T) {
	files(t, map[string]string{
		"config.yaml":              "token: main\nnode-label: [a=1]\ncluster-domain: main.local\n",
		"config.yaml.d/10.yaml":    "token: ten\nnode-label+: [b=2]\n",
		"config.yaml.d/20.yml":     "node-label+: c=3\n",
		"config.yaml.d/30.txt":     "token: not-read\n",
		"config.yaml.d/05.yaml":    "token: five\nunknown-key: 1\n",
		"config.yaml.d/sub/x.yaml": "token: not-read\n",
	})
	options := parse(t, "server")
	if got := options.Str("token"); got != "ten" {
		t.Errorf("token: %s", got)
	}
	if got := options.Str("cluster-domain"); got != "main.local" {
		t.Errorf("cluster-domain: %s", got)
	}
	if got, want := options.List("node-label"), []string{"a=1", "b=2", "c=3"}; !reflect.DeepEqual(got, want) {
		t.Errorf("node-label: %v", got)
	}
}

func TestALaterFileWithoutPlusReplacesAList(t *testing.T) {
	files(t, map[string]string{
		"config.yaml": "node-label: [a=1, b=2]\n", "config.yaml.d/1.yaml": "node-label: [c=3]\n",
	})
	if got := parse(t, "agent").List("node-label"); !reflect.DeepEqual(got, []string{"c=3"}) {
		t.Errorf("%v", got)
	}
}

func TestTheCommandLineBeatsFilesAndFilesBeatTheEnvironment(t *testing.T) {
	files(t, map[string]string{"config.yaml": "token: file\nnode-label: [a=1]\nserver: https://file:6443\n"})
	t.Setenv("K3S_TOKEN", "environment")
	t.Setenv("K3S_NODE_NAME", "from-environment")
	options := parse(t, "server", "--node-label", "line=1", "--node-label=line=2", "-s", "https://line:6443")
	for name, want := range map[string]string{
		"token": "file", "node-name": "from-environment", "server": "https://line:6443", "flannel-backend": "vxlan",
	} {
		if got := options.Str(name); got != want {
			t.Errorf("%s: %s, wanted %s", name, got, want)
		}
	}
	if got := options.List("node-label"); !reflect.DeepEqual(got, []string{"line=1", "line=2"}) {
		t.Errorf("%v", got)
	}
}

func TestBooleans(t *testing.T) {
	files(t, map[string]string{"config.yaml": "cluster-init: true\ndisable-kube-proxy: \"false\"\n"})
	options := parse(t, "server", "--secrets-encryption")
	if !options.Bool("cluster-init") || options.Bool("disable-kube-proxy") || !options.Bool("secrets-encryption") {
		t.Error("wrong")
	}
	if _, err := Parse("server", []string{"--cluster-init=perhaps"}); err == nil {
		t.Error("no boolean, and accepted")
	}
}

func TestFlagsThatACommandDoesNotHaveAreRefused(t *testing.T) {
	files(t, map[string]string{"config.yaml": ""})
	if _, err := Parse("agent", []string{"--disable-kube-proxy"}); err == nil ||
		err.Error() != "flag provided but not defined: -disable-kube-proxy" {
		t.Errorf("%v", err)
	}
}

func TestNodeArgsMaskSecrets(t *testing.T) {
	files(t, map[string]string{"config.yaml": "token: hidden\nagent-token: hidden\ncluster-init: true\n"})
	got := parse(t, "server", "--node-label=a=1").NodeArgs()
	want := []string{"server", "--token", "********", "--agent-token", "********", "--cluster-init", "true", "--node-label", "a=1"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%v", got)
	}
}
