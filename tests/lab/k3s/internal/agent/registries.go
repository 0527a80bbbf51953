package agent

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/sirupsen/logrus"
	"sigs.k8s.io/yaml"
)

// Registries is /etc/rancher/k3s/registries.yaml (k3s docs: installation/private-registry.md).
type Registries struct {
	Mirrors map[string]Mirror         `json:"mirrors"`
	Configs map[string]RegistryConfig `json:"configs"`
}

// Mirror says where the images of a registry are to be had.
type Mirror struct {
	Endpoints []string          `json:"endpoint"`
	Rewrites  map[string]string `json:"rewrite"`
}

// RegistryConfig is how to talk to a registry.
type RegistryConfig struct {
	Auth *struct {
		Username      string `json:"username"`
		Password      string `json:"password"`
		Auth          string `json:"auth"`
		IdentityToken string `json:"identity_token"`
	} `json:"auth"`
	TLS *struct {
		CAFile   string `json:"ca_file"`
		CertFile string `json:"cert_file"`
		KeyFile  string `json:"key_file"`
		Insecure bool   `json:"insecure_skip_verify"`
	} `json:"tls"`
}

// writeRegistries makes certs.d anew and returns what belongs into config.toml: the credentials.
func writeRegistries(path, directory string) (string, error) {
	if err := os.RemoveAll(directory); err != nil {
		return "", err
	}
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return "", err
	}
	content, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	var registries Registries
	if err := yaml.UnmarshalStrict(content, &registries); err != nil {
		return "", err
	}
	for _, host := range registries.hosts() {
		text, err := registries.hostsFile(host)
		if err != nil {
			return "", err
		}
		target := filepath.Join(directory, strings.ReplaceAll(host, "*", "_default"), "hosts.toml")
		if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
			return "", err
		}
		if err := os.WriteFile(target, []byte(text), 0o600); err != nil {
			return "", err
		}
	}
	return registries.auth(), nil
}

func (r Registries) hosts() []string {
	seen := map[string]bool{}
	for host := range r.Mirrors {
		seen[host] = true
	}
	for host := range r.Configs {
		seen[host] = true
	}
	return sorted(seen)
}

func sorted(set map[string]bool) []string {
	var found []string
	for name := range set {
		found = append(found, name)
	}
	sort.Strings(found)
	return found
}

func (r Registries) hostsFile(host string) (string, error) {
	text := ""
	if host != "*" && host != "docker.io" { // for that one containerd knows the server, which has another name
		text = fmt.Sprintf("server = %q\n", "https://"+host+"/v2")
		text += r.tls(host, "")
	}
	if len(r.Mirrors[host].Rewrites) > 0 {
		logrus.Warnf("registries.yaml: rewrites of %s need k3s's own containerd and are left out", host)
	}
	for _, endpoint := range r.Mirrors[host].Endpoints {
		if !strings.Contains(endpoint, "://") {
			endpoint = "https://" + endpoint
		}
		target, err := url.Parse(endpoint)
		if err != nil {
			return "", err
		}
		if strings.Trim(target.Path, "/") == "" {
			target.Path = "/v2"
		}
		text += fmt.Sprintf("\n[host.%q]\n  capabilities = [\"pull\", \"resolve\"]\n", target.String())
		if target.Path != "/v2" {
			text += "  override_path = true\n"
		}
		text += r.tls(target.Host, "  ")
	}
	return text, nil
}

func (r Registries) tls(host, indent string) string {
	found := r.Configs[host].TLS
	if found == nil {
		return ""
	}
	text := ""
	if found.CAFile != "" {
		text += fmt.Sprintf("%sca = [%q]\n", indent, found.CAFile)
	}
	if found.CertFile != "" && found.KeyFile != "" {
		text += fmt.Sprintf("%sclient = [[%q, %q]]\n", indent, found.CertFile, found.KeyFile)
	}
	if found.Insecure {
		text += indent + "skip_verify = true\n"
	}
	return text
}

func (r Registries) auth() string {
	text := ""
	seen := map[string]bool{}
	for host := range r.Configs {
		seen[host] = true
	}
	for _, host := range sorted(seen) {
		auth := r.Configs[host].Auth
		if auth == nil {
			continue
		}
		text += fmt.Sprintf("\n[plugins.\"io.containerd.grpc.v1.cri\".registry.configs.%q.auth]\n", host)
		text += fmt.Sprintf("  username = %q\n  password = %q\n  auth = %q\n  identitytoken = %q\n",
			auth.Username, auth.Password, auth.Auth, auth.IdentityToken)
	}
	return text
}
