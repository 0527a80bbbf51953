package server

import (
	"context"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"meshwright.invalid/lab/k3s/internal/certs"
)

// arguments merges an option's key=value pairs over the defaults: `key=` replaces, `key+=` appends.
// k3s: pkg/daemons/config/types.go, GetArgs.
func arguments(defaults map[string]string, given []string) []string {
	values := map[string][]string{}
	for key, value := range defaults {
		values[key] = []string{value}
	}
	replaced := map[string]bool{}
	for _, pair := range given {
		key, value, found := strings.Cut(strings.TrimLeft(pair, "-"), "=")
		if !found {
			value = "true"
		}
		name := strings.TrimRight(key, "+-")
		switch {
		case strings.HasSuffix(key, "+"):
			values[name] = append(values[name], value)
		case strings.HasSuffix(key, "-"):
			values[name] = append([]string{value}, values[name]...)
		case replaced[name]:
			values[name] = append(values[name], value)
		default:
			values[name] = []string{value}
		}
		replaced[name] = true
	}
	var list []string
	for key, some := range values {
		for _, value := range some {
			list = append(list, "--"+key+"="+value)
		}
	}
	sort.SliceStable(list, func(i, j int) bool { return flagName(list[i]) < flagName(list[j]) })
	return list
}

func flagName(argument string) string {
	name, _, _ := strings.Cut(argument, "=")
	return name
}

func (s *Server) startAPIServer(ctx context.Context) error {
	tls := func(name string) string { return s.certs.File(name) }
	advertise := s.Options.Str("advertise-address")
	if advertise == "" {
		advertise = s.NodeIPs[0]
	}
	port := s.Options.Str("advertise-port")
	if port == "" {
		port = strconv.Itoa(s.cluster.HTTPSPort)
	}
	issuer := "https://kubernetes.default.svc." + s.cluster.ClusterDomain
	defaults := map[string]string{
		"advertise-address": advertise, "advertise-port": port, "bind-address": s.loopback(), "secure-port": strconv.Itoa(apiPort),
		"allow-privileged": "true", "anonymous-auth": "false", "api-audiences": issuer + ",k3s",
		"authorization-mode": "Node,RBAC", "client-ca-file": tls("client-ca.crt"),
		"enable-admission-plugins": "NodeRestriction", "enable-aggregator-routing": "true", "enable-bootstrap-token-auth": "true",
		"etcd-servers": s.etcd.LocalURL(), "etcd-cafile": tls("etcd/server-ca.crt"),
		"etcd-certfile": tls("etcd/client.crt"), "etcd-keyfile": tls("etcd/client.key"), "storage-backend": "etcd3",
		"kubelet-certificate-authority": tls("server-ca.crt"), "kubelet-client-certificate": tls("client-kube-apiserver.crt"),
		"kubelet-client-key": tls("client-kube-apiserver.key"), "kubelet-preferred-address-types": "InternalIP,ExternalIP,Hostname",
		"profiling": "false", "proxy-client-cert-file": tls("client-auth-proxy.crt"), "proxy-client-key-file": tls("client-auth-proxy.key"),
		"requestheader-allowed-names": "system:auth-proxy", "requestheader-client-ca-file": tls("request-header-ca.crt"),
		"requestheader-extra-headers-prefix": "X-Remote-Extra-", "requestheader-group-headers": "X-Remote-Group",
		"requestheader-username-headers": "X-Remote-User", "service-account-issuer": issuer,
		"service-account-key-file": tls("service.key"), "service-account-signing-key-file": tls("service.key"),
		"service-cluster-ip-range": strings.Join(s.cluster.ServiceIPRanges, ","),
		"service-node-port-range":  s.Options.Str("service-node-port-range"),
		"tls-cert-file":            tls("serving-kube-apiserver.crt"), "tls-private-key-file": tls("serving-kube-apiserver.key"),
	}
	if path := s.cred("encryption-config.json"); s.cluster.EncryptSecrets {
		defaults["encryption-provider-config"] = path
		defaults["encryption-provider-config-automatic-reload"] = "true"
	}
	if s.cluster.EgressSelectorMode != "disabled" {
		path, err := s.tunnel.serve(ctx, filepath.Join(s.Dir, "etc"))
		if err != nil {
			return err
		}
		defaults["egress-selector-config-file"] = path
	}
	_, err := s.Group.Component("kube-apiserver", arguments(defaults, s.Options.List("kube-apiserver-arg")))
	return err
}

func (s *Server) startControllers() error {
	tls := func(name string) string { return s.certs.File(name) }
	defaults := map[string]string{
		"allocate-node-cidrs": "true", "bind-address": s.loopback(), "secure-port": "10257",
		"authentication-kubeconfig": s.cred("controller.kubeconfig"), "authorization-kubeconfig": s.cred("controller.kubeconfig"),
		"kubeconfig": s.cred("controller.kubeconfig"), "cluster-cidr": strings.Join(s.cluster.ClusterIPRanges, ","),
		"configure-cloud-routes": "false", "controllers": "*,tokencleaner", "profiling": "false",
		"root-ca-file": tls("server-ca.crt"), "service-account-private-key-file": tls("service.key"),
		"service-cluster-ip-range":        strings.Join(s.cluster.ServiceIPRanges, ","),
		"use-service-account-credentials": "true",
	}
	for purpose, authority := range map[string]string{
		"kube-apiserver-client": "client-ca", "kubelet-client": "client-ca", "kubelet-serving": "server-ca", "legacy-unknown": "server-ca",
	} {
		defaults["cluster-signing-"+purpose+"-cert-file"] = tls(authority + ".crt")
		defaults["cluster-signing-"+purpose+"-key-file"] = tls(authority + ".key")
	}
	if !s.Options.Bool("disable-controller-manager") {
		if _, err := s.Group.Component("kube-controller-manager", arguments(defaults, s.Options.List("kube-controller-manager-arg"))); err != nil {
			return err
		}
	}
	if s.Options.Bool("disable-scheduler") {
		return nil
	}
	kubeconfig := s.cred("scheduler.kubeconfig")
	_, err := s.Group.Component("kube-scheduler", arguments(map[string]string{
		"kubeconfig": kubeconfig, "authentication-kubeconfig": kubeconfig, "authorization-kubeconfig": kubeconfig,
		"bind-address": s.loopback(), "secure-port": "10259", "profiling": "false",
	}, s.Options.List("kube-scheduler-arg")))
	return err
}

// writeKubeconfigs makes those of the parts, and the administrator's (k3s docs: cluster-access.md).
func (s *Server) writeKubeconfigs() error {
	ca := s.certs.File("server-ca.crt")
	for _, name := range []string{"admin", "supervisor", "controller", "scheduler"} {
		cert, key := s.certs.File("client-"+name+".crt"), s.certs.File("client-"+name+".key")
		if err := certs.Kubeconfig(s.cred(name+".kubeconfig"), s.APIURL(), ca, cert, key, false, 0o600); err != nil {
			return err
		}
	}
	path := s.Options.Str("write-kubeconfig")
	if path == "" {
		path = "/etc/rancher/k3s/k3s.yaml"
	}
	mode := os.FileMode(0o600)
	if text := s.Options.Str("write-kubeconfig-mode"); text != "" {
		number, err := strconv.ParseUint(text, 8, 32)
		if err != nil {
			return fmt.Errorf("invalid write-kubeconfig-mode %q: %w", text, err)
		}
		mode = os.FileMode(number)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	err := certs.Kubeconfig(path, s.URL(), ca, s.certs.File("client-admin.crt"), s.certs.File("client-admin.key"), true, mode)
	if err != nil {
		return err
	}
	return chgrp(path, s.Options.Str("write-kubeconfig-group"))
}

func chgrp(path, group string) error {
	if group == "" {
		return nil
	}
	id := group
	if found, err := user.LookupGroup(group); err == nil {
		id = found.Gid
	}
	number, err := strconv.Atoi(id)
	if err != nil {
		return fmt.Errorf("write-kubeconfig-group %q: no such group", group)
	}
	return os.Chown(path, -1, number)
}
