// Package commands are the words that may follow `k3s`.
package commands

import (
	"fmt"
	"os"
	"strings"
	"syscall"

	"k8s.io/component-base/cli"
	"k8s.io/kubectl/pkg/cmd"

	"meshwright.invalid/lab/k3s/internal/agent"
	"meshwright.invalid/lab/k3s/internal/token"
)

// Tools also go by their own names, through links to k3s.
var Tools = map[string]func([]string) error{"kubectl": kubectl, "crictl": crictl, "ctr": ctr}

// All the others.
var All = map[string]func([]string) error{
	"server": runServer, "agent": runAgent, "token": tokens, "etcd-snapshot": snapshots, "check-config": checkConfig,
	"certificate": certificate, "secrets-encrypt": secretsEncrypt,
}

const adminKubeconfig = "/etc/rancher/k3s/k3s.yaml"

func kubectl(arguments []string) error {
	if os.Getenv("KUBECONFIG") == "" {
		if _, err := os.Stat(adminKubeconfig); err == nil {
			if err := os.Setenv("KUBECONFIG", adminKubeconfig); err != nil {
				return err
			}
		}
	}
	os.Args = append([]string{"kubectl"}, arguments...)
	os.Exit(cli.Run(cmd.NewDefaultKubectlCommand()))
	return nil
}

func ctr(arguments []string) error {
	program, err := agent.HostProgram("ctr")
	if err != nil {
		return err
	}
	environment := os.Environ()
	if os.Getenv("CONTAINERD_ADDRESS") == "" {
		environment = append(environment, "CONTAINERD_ADDRESS="+agent.ContainerdSocket)
	}
	if os.Getenv("CONTAINERD_NAMESPACE") == "" {
		environment = append(environment, "CONTAINERD_NAMESPACE=k8s.io")
	}
	return syscall.Exec(program, append([]string{"ctr"}, arguments...), environment)
}

func tokens(arguments []string) error {
	if len(arguments) == 0 || arguments[0] != "generate" {
		return fmt.Errorf("token: only `generate` is part of this stand-in for k3s")
	}
	made, err := token.Generate()
	if err != nil {
		return err
	}
	fmt.Println(made)
	return nil
}

// checkConfig looks for what the parts need from the kernel.
func checkConfig([]string) error {
	failed := false
	for _, one := range []struct{ name, path string }{
		{"cgroups", "/sys/fs/cgroup"}, {"overlayfs", "/proc/filesystems:overlay"}, {"bridge", "/proc/sys/net/ipv4/ip_forward"},
		{"containerd", "/usr/bin/containerd"}, {"iptables", "/usr/sbin/iptables"},
	} {
		path, word, _ := strings.Cut(one.path, ":")
		content, err := os.ReadFile(path)
		if info, statErr := os.Stat(path); statErr == nil && (info.IsDir() || word == "") {
			err = nil
		}
		good := err == nil && (word == "" || strings.Contains(string(content), word))
		state := "pass"
		if !good {
			state, failed = "missing (fail)", true
		}
		fmt.Printf("- %s: %s\n", one.name, state)
	}
	if failed {
		return fmt.Errorf("STATUS: fail")
	}
	fmt.Println("\nSTATUS: pass")
	return nil
}
