package certs

import (
	"fmt"
	"path/filepath"
)

// Server are the files below server/tls (k3s: pkg/daemons/control/deps/deps.go for their names).
type Server struct {
	Dir       string
	ServerCA  *Authority
	ClientCA  *Authority
	RequestCA *Authority
	EtcdCA    *Authority
	PeerCA    *Authority
}

// Bootstrap are the files that all servers of a cluster share, by the name under which they travel.
var Bootstrap = map[string]string{
	"ServerCA": "tls/server-ca.crt", "ServerCAKey": "tls/server-ca.key",
	"ClientCA": "tls/client-ca.crt", "ClientCAKey": "tls/client-ca.key",
	"RequestHeaderCA": "tls/request-header-ca.crt", "RequestHeaderCAKey": "tls/request-header-ca.key",
	"ETCDServerCA": "tls/etcd/server-ca.crt", "ETCDServerCAKey": "tls/etcd/server-ca.key",
	"ETCDPeerCA": "tls/etcd/peer-ca.crt", "ETCDPeerCAKey": "tls/etcd/peer-ca.key",
	"ServiceKey": "tls/service.key", "PasswdFile": "cred/passwd", "IPSECKey": "cred/ipsec.psk",
	"EncryptionConfig": "cred/encryption-config.json",
}

// File is the path of a certificate or key.
func (s *Server) File(name string) string { return filepath.Join(s.Dir, name) }

// EnsureAuthorities loads or makes the five authorities and the key of service accounts.
func EnsureAuthorities(serverDir string) (*Server, error) {
	s := &Server{Dir: filepath.Join(serverDir, "tls")}
	for _, one := range []struct {
		target     **Authority
		file, name string
	}{
		{&s.ServerCA, "server-ca", "k3s-server-ca"},
		{&s.ClientCA, "client-ca", "k3s-client-ca"},
		{&s.RequestCA, "request-header-ca", "k3s-request-header-ca"},
		{&s.EtcdCA, "etcd/server-ca", "etcd-server-ca"},
		{&s.PeerCA, "etcd/peer-ca", "etcd-peer-ca"},
	} {
		authority, err := EnsureAuthority(s.File(one.file+".crt"), s.File(one.file+".key"), one.name)
		if err != nil {
			return nil, fmt.Errorf("authority %s: %w", one.name, err)
		}
		*one.target = authority
	}
	_, err := EnsureKey(s.File("service.key"))
	return s, err
}

// Names are what the certificates of a server have to be valid for.
type Names struct {
	Node    string
	NodeIPs []string
	SANs    []string
	Domain  string
	API     []string // addresses of the kubernetes Service
}

func (n Names) api() Leaf {
	dns := []string{
		"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc." + n.Domain, "localhost", n.Node,
	}
	ips := append([]string{"127.0.0.1", "::1"}, n.NodeIPs...)
	ips = append(ips, n.API...)
	for _, san := range n.SANs {
		if len(addresses([]string{san})) > 0 {
			ips = append(ips, san)
		} else {
			dns = append(dns, san)
		}
	}
	return Leaf{Name: "kube-apiserver", DNS: unique(dns), IPs: unique(ips), Server: true}
}

func unique(list []string) []string {
	seen := map[string]bool{}
	var found []string
	for _, text := range list {
		if !seen[text] {
			seen[text] = true
			found = append(found, text)
		}
	}
	return found
}

// EnsureLeaves makes the certificates that the server's own parts use.
func (s *Server) EnsureLeaves(names Names) error {
	client := func(name string, groups ...string) Leaf { return Leaf{Name: name, Groups: groups, Client: true} }
	etcd := func(name string) Leaf {
		ips := append([]string{"127.0.0.1", "::1"}, names.NodeIPs...)
		return Leaf{Name: name, DNS: []string{"localhost", names.Node}, IPs: unique(ips), Server: true, Client: true}
	}
	supervisor := names.api()
	supervisor.Name = "k3s"
	for _, one := range []struct {
		authority *Authority
		file      string
		leaf      Leaf
	}{
		{s.ClientCA, "client-admin", client("system:admin", "system:masters")},
		{s.ClientCA, "client-supervisor", client("system:k3s-supervisor", "system:masters")},
		{s.ClientCA, "client-controller", client("system:kube-controller-manager")},
		{s.ClientCA, "client-scheduler", client("system:kube-scheduler")},
		{s.ClientCA, "client-kube-apiserver", client("system:apiserver", "system:masters")},
		{s.ClientCA, "client-kube-proxy", client("system:kube-proxy")},
		{s.ClientCA, "client-k3s-controller", client("system:k3s-controller")},
		{s.RequestCA, "client-auth-proxy", client("system:auth-proxy")},
		{s.ServerCA, "serving-kube-apiserver", names.api()},
		{s.ServerCA, "serving-supervisor", supervisor},
		{s.EtcdCA, "etcd/client", client("etcd-client")},
		{s.EtcdCA, "etcd/server-client", etcd("etcd-server")},
		{s.PeerCA, "etcd/peer-server-client", etcd("etcd-peer")},
	} {
		if err := EnsureLeaf(one.authority, s.File(one.file+".crt"), s.File(one.file+".key"), one.leaf); err != nil {
			return fmt.Errorf("certificate %s: %w", one.file, err)
		}
	}
	for _, name := range []string{"client-kubelet.key", "serving-kubelet.key"} {
		if _, err := EnsureKey(s.File(name)); err != nil {
			return err
		}
	}
	return nil
}
