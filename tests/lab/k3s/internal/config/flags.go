// Package config knows k3s's options and where their values come from.
package config

// Kind is how often a flag may be given, and whether it needs a value.
type Kind int

const (
	String Kind = iota
	Bool
	List
)

// Flag is one documented option.
type Flag struct {
	Name    string
	Kind    Kind
	Default string
	Env     string
	Alias   string
}

// DefaultDataDir is where k3s keeps everything that is not configuration.
const DefaultDataDir = "/var/lib/rancher/k3s"

// Flags that `k3s server` and `k3s agent` share (k3s docs: cli/agent.md).
var common = []Flag{
	{Name: "config", Default: "/etc/rancher/k3s/config.yaml", Env: "K3S_CONFIG_FILE", Alias: "c"},
	{Name: "debug", Kind: Bool, Env: "K3S_DEBUG"},
	{Name: "v", Default: "0"},
	{Name: "vmodule"},
	{Name: "log", Alias: "l"},
	{Name: "alsologtostderr", Kind: Bool},
	{Name: "token", Env: "K3S_TOKEN", Alias: "t"},
	{Name: "token-file", Env: "K3S_TOKEN_FILE"},
	{Name: "server", Env: "K3S_URL", Alias: "s"},
	{Name: "data-dir", Default: DefaultDataDir, Env: "K3S_DATA_DIR", Alias: "d"},
	{Name: "node-name", Env: "K3S_NODE_NAME"},
	{Name: "with-node-id", Kind: Bool},
	{Name: "node-label", Kind: List},
	{Name: "node-taint", Kind: List},
	{Name: "node-ip", Kind: List, Alias: "i"},
	{Name: "node-external-ip", Kind: List},
	{Name: "node-internal-dns", Kind: List},
	{Name: "node-external-dns", Kind: List},
	{Name: "resolv-conf", Env: "K3S_RESOLV_CONF"},
	{Name: "flannel-iface"},
	{Name: "flannel-conf"},
	{Name: "flannel-cni-conf"},
	{Name: "kubelet-arg", Kind: List},
	{Name: "kube-proxy-arg", Kind: List},
	{Name: "bind-address"},
	{Name: "lb-server-port", Default: "6444", Env: "K3S_LB_SERVER_PORT"},
	{Name: "image-credential-provider-bin-dir"},
	{Name: "image-credential-provider-config"},
	{Name: "private-registry", Default: "/etc/rancher/k3s/registries.yaml"},
	{Name: "system-default-registry", Env: "K3S_SYSTEM_DEFAULT_REGISTRY"},
	{Name: "airgap-extra-registry", Kind: List},
	{Name: "pause-image", Default: "rancher/mirrored-pause:3.6"},
	{Name: "snapshotter", Default: "overlayfs"},
	{Name: "docker", Kind: Bool},
	{Name: "container-runtime-endpoint"},
	{Name: "image-service-endpoint"},
	{Name: "default-runtime"},
	{Name: "disable-default-registry-endpoint", Kind: Bool},
	{Name: "nonroot-devices", Kind: Bool},
	{Name: "selinux", Kind: Bool, Env: "K3S_SELINUX"},
	{Name: "protect-kernel-defaults", Kind: Bool},
	{Name: "prefer-bundled-bin", Kind: Bool},
	{Name: "rootless", Kind: Bool},
	{Name: "enable-pprof", Kind: Bool},
	{Name: "vpn-auth", Env: "K3S_VPN_AUTH"},
	{Name: "vpn-auth-file", Env: "K3S_VPN_AUTH_FILE"},
	{Name: "disable-apiserver-lb", Kind: Bool},
}

// Flags of `k3s server` alone (k3s docs: cli/server.md).
var serverOnly = []Flag{
	{Name: "https-listen-port", Default: "6443"},
	{Name: "supervisor-port"},
	{Name: "apiserver-port"},
	{Name: "apiserver-bind-address"},
	{Name: "advertise-address"},
	{Name: "advertise-port"},
	{Name: "tls-san", Kind: List},
	{Name: "tls-san-security", Kind: Bool, Default: "true"},
	{Name: "cluster-cidr", Kind: List},
	{Name: "service-cidr", Kind: List},
	{Name: "service-node-port-range", Default: "30000-32767"},
	{Name: "cluster-dns", Kind: List},
	{Name: "cluster-domain", Default: "cluster.local"},
	{Name: "flannel-backend", Default: "vxlan"},
	{Name: "flannel-ipv6-masq", Kind: Bool},
	{Name: "flannel-external-ip", Kind: Bool},
	{Name: "egress-selector-mode", Default: "agent"},
	{Name: "servicelb-namespace", Default: "kube-system"},
	{Name: "write-kubeconfig", Env: "K3S_KUBECONFIG_OUTPUT", Alias: "o"},
	{Name: "write-kubeconfig-mode", Env: "K3S_KUBECONFIG_MODE"},
	{Name: "write-kubeconfig-group", Env: "K3S_KUBECONFIG_GROUP"},
	{Name: "helm-job-image"},
	{Name: "agent-token", Env: "K3S_AGENT_TOKEN"},
	{Name: "agent-token-file", Env: "K3S_AGENT_TOKEN_FILE"},
	{Name: "cluster-init", Kind: Bool, Env: "K3S_CLUSTER_INIT"},
	{Name: "cluster-reset", Kind: Bool, Env: "K3S_CLUSTER_RESET"},
	{Name: "cluster-reset-restore-path"},
	{Name: "kube-apiserver-arg", Kind: List},
	{Name: "etcd-arg", Kind: List},
	{Name: "kube-controller-manager-arg", Kind: List},
	{Name: "kube-scheduler-arg", Kind: List},
	{Name: "kube-cloud-controller-manager-arg", Kind: List},
	{Name: "datastore-endpoint", Env: "K3S_DATASTORE_ENDPOINT"},
	{Name: "datastore-cafile", Env: "K3S_DATASTORE_CAFILE"},
	{Name: "datastore-certfile", Env: "K3S_DATASTORE_CERTFILE"},
	{Name: "datastore-keyfile", Env: "K3S_DATASTORE_KEYFILE"},
	{Name: "kine-tls", Kind: Bool},
	{Name: "etcd-expose-metrics", Kind: Bool},
	{Name: "etcd-disable-snapshots", Kind: Bool},
	{Name: "etcd-snapshot-name", Default: "etcd-snapshot"},
	{Name: "etcd-snapshot-schedule-cron", Default: "0 */12 * * *"},
	{Name: "etcd-snapshot-reconcile-interval", Default: "10m"},
	{Name: "etcd-snapshot-retention", Default: "5"},
	{Name: "etcd-snapshot-dir"},
	{Name: "etcd-snapshot-compress", Kind: Bool},
	{Name: "etcd-s3", Kind: Bool},
	{Name: "etcd-s3-endpoint"},
	{Name: "etcd-s3-endpoint-ca"},
	{Name: "etcd-s3-skip-ssl-verify", Kind: Bool},
	{Name: "etcd-s3-access-key"},
	{Name: "etcd-s3-secret-key"},
	{Name: "etcd-s3-session-token"},
	{Name: "etcd-s3-bucket"},
	{Name: "etcd-s3-bucket-lookup-type"},
	{Name: "etcd-s3-region"},
	{Name: "etcd-s3-folder"},
	{Name: "etcd-s3-proxy"},
	{Name: "etcd-s3-config-secret"},
	{Name: "etcd-s3-insecure", Kind: Bool},
	{Name: "etcd-s3-timeout"},
	{Name: "etcd-s3-retention"},
	{Name: "default-local-storage-path"},
	{Name: "disable", Kind: List},
	{Name: "disable-scheduler", Kind: Bool},
	{Name: "disable-cloud-controller", Kind: Bool},
	{Name: "disable-kube-proxy", Kind: Bool},
	{Name: "disable-network-policy", Kind: Bool},
	{Name: "disable-helm-controller", Kind: Bool},
	{Name: "disable-apiserver", Kind: Bool},
	{Name: "disable-controller-manager", Kind: Bool},
	{Name: "disable-etcd", Kind: Bool},
	{Name: "disable-agent", Kind: Bool},
	{Name: "embedded-registry", Kind: Bool},
	{Name: "supervisor-metrics", Kind: Bool},
	{Name: "secrets-encryption", Kind: Bool},
	{Name: "secrets-encryption-provider", Default: "aescbc"},
}

// Flags of the commands that talk to a running server.
var clientOnly = []Flag{
	{Name: "etcd-server"}, {Name: "etcd-token"}, {Name: "etcd-snapshot-token"},
	{Name: "name"}, {Name: "snapshot-retention"}, {Name: "snapshot-compress", Kind: Bool}, {Name: "dir"},
	{Name: "output"}, {Name: "service", Kind: List}, {Name: "ttl"}, {Name: "description"},
}

// FlagsOf lists what a command understands.
func FlagsOf(command string) []Flag {
	switch command {
	case "server":
		return append(append([]Flag{}, common...), serverOnly...)
	case "agent":
		return common
	default:
		// These read the server's configuration file, so they must know its keys.
		return append(append(append([]Flag{}, clientOnly...), common...), serverOnly...)
	}
}
