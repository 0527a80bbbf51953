package agent

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
)

func (a *Agent) startContainerd(ctx context.Context) error {
	if err := a.writeContainerdConfig(); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(ContainerdSocket), 0o711); err != nil {
		return err
	}
	program, err := exec.LookPath("containerd")
	if err != nil {
		return fmt.Errorf("this stand-in for k3s uses the host's containerd: %w", err)
	}
	logrus.Infof("Running containerd -c %s", a.dir("etc", "containerd", "config.toml"))
	cmd := exec.Command(program, "-c", a.dir("etc", "containerd", "config.toml"), "-l", "warn")
	cmd.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
	if _, err := a.Group.Start("containerd", cmd); err != nil {
		return err
	}
	if err := waitSocket(ctx, ContainerdSocket); err != nil {
		return err
	}
	logrus.Info("containerd is now running")
	return a.importImages(ctx)
}

func waitSocket(ctx context.Context, path string) error {
	for {
		connection, err := net.Dial("unix", path)
		if err == nil {
			return connection.Close()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

const containerdConfig = `# Made by k3s at each start.
version = 2
root = %q
state = "/run/k3s/containerd"

[grpc]
  address = %q

[plugins."io.containerd.internal.v1.opt"]
  path = %q

[plugins."io.containerd.grpc.v1.cri"]
  stream_server_address = "127.0.0.1"
  stream_server_port = "10010"
  enable_selinux = false
  enable_unprivileged_ports = true
  enable_unprivileged_icmp = true
  restrict_oom_score_adj = true
  sandbox_image = %q

[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = %q
  disable_snapshot_annotations = true
%s
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  SystemdCgroup = false

[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = %q
%s`

func (a *Agent) writeContainerdConfig() error {
	hosts := a.dir("etc", "containerd", "certs.d")
	auth, err := writeRegistries(a.Options.Str("private-registry"), hosts)
	if err != nil {
		return fmt.Errorf("%s: %w", a.Options.Str("private-registry"), err)
	}
	root := a.dir("containerd")
	content := fmt.Sprintf(containerdConfig, root, ContainerdSocket, root, a.Options.Str("pause-image"),
		a.Options.Str("snapshotter"), a.cniSection(), hosts, auth)
	path := a.dir("etc", "containerd", "config.toml")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(content), 0o600)
}

// cniSection is empty without flannel: then containerd's own directories hold (k3s issue 10868).
func (a *Agent) cniSection() string {
	if !a.usesFlannel() {
		return ""
	}
	return fmt.Sprintf(
		"\n[plugins.\"io.containerd.grpc.v1.cri\".cni]\n  bin_dir = %q\n  conf_dir = %q\n", a.pluginDir(), a.confDir(),
	)
}

// ctr runs the host's client against k3s's containerd.
func ctr(ctx context.Context, arguments ...string) (string, error) {
	return ctrWith(ctx, nil, arguments...)
}

func ctrWith(ctx context.Context, input io.Reader, arguments ...string) (string, error) {
	program, err := HostProgram("ctr")
	if err != nil {
		return "", err
	}
	arguments = append([]string{"--address", ContainerdSocket, "--namespace", "k8s.io"}, arguments...)
	cmd := exec.CommandContext(ctx, program, arguments...)
	cmd.Stdin = input
	var problems strings.Builder
	cmd.Stderr = &problems
	said, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("ctr %s: %w: %s", arguments[4], err, strings.TrimSpace(problems.String()))
	}
	return string(said), nil
}

// HostProgram finds a program of the host that is not a link to k3s.
func HostProgram(name string) (string, error) {
	for _, directory := range []string{"/usr/bin", "/usr/sbin", "/bin", "/sbin"} {
		path := filepath.Join(directory, name)
		target, err := filepath.EvalSymlinks(path)
		if err == nil && filepath.Base(target) != "k3s" {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s: no such program of the host", name)
}
