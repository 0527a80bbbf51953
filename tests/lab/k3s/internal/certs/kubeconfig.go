package certs

import (
	"encoding/base64"
	"fmt"
	"os"
)

// Kubeconfig writes a client's file. With embed the certificates are in it, otherwise their paths.
func Kubeconfig(path, url, caFile, certFile, keyFile string, embed bool, mode os.FileMode) error {
	fields := []struct{ name, file string }{
		{"certificate-authority", caFile}, {"client-certificate", certFile}, {"client-key", keyFile},
	}
	var lines [3]string
	for i, field := range fields {
		lines[i] = field.name + ": " + field.file
		if embed {
			content, err := os.ReadFile(field.file)
			if err != nil {
				return err
			}
			lines[i] = field.name + "-data: " + base64.StdEncoding.EncodeToString(content)
		}
	}
	content := fmt.Sprintf(`apiVersion: v1
clusters:
- cluster:
    %s
    server: %s
  name: default
contexts:
- context:
    cluster: default
    user: default
  name: default
current-context: default
kind: Config
preferences: {}
users:
- name: default
  user:
    %s
    %s
`, lines[0], url, lines[1], lines[2])
	if err := write(path, []byte(content), mode); err != nil {
		return err
	}
	return os.Chmod(path, mode)
}
