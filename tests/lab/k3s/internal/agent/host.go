package agent

import (
	"os"
	"path/filepath"
	"regexp"

	utilnet "k8s.io/apimachinery/pkg/util/net"

	"meshwright.invalid/lab/k3s/internal/config"
	"meshwright.invalid/lab/k3s/internal/token"

	"net"
)

func hostAddress() (string, error) {
	ip, err := utilnet.ChooseHostInterface()
	if err != nil {
		return "", err
	}
	return ip.String(), nil
}

func randomPassword() (string, error) { return token.Random() }

var nameserver = regexp.MustCompile(`(?m)^nameserver\s+(\S+)`)

// resolvConf is the configured file, or one whose servers pods can reach (k3s: pkg/agent/config/config.go).
func resolvConf(o *config.Options) (string, error) {
	if given := o.Str("resolv-conf"); given != "" {
		return given, nil
	}
	for _, path := range []string{"/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"} {
		if usable(path) {
			return path, nil
		}
	}
	path := config.Dir(o, "agent", "etc", "resolv.conf")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", err
	}
	return path, os.WriteFile(path, []byte("nameserver 8.8.8.8\n"), 0o644)
}

func usable(path string) bool {
	content, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	found := nameserver.FindAllSubmatch(content, -1)
	for _, match := range found {
		if ip := net.ParseIP(string(match[1])); ip == nil || !ip.IsGlobalUnicast() {
			return false
		}
	}
	return len(found) > 0
}
