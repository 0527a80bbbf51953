package commands

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/sirupsen/logrus"

	"meshwright.invalid/lab/k3s/internal/certs"
	"meshwright.invalid/lab/k3s/internal/clients"
	"meshwright.invalid/lab/k3s/internal/config"
	"meshwright.invalid/lab/k3s/internal/server"
)

// local is the server that runs on this host, asked with its own token.
func local(options *config.Options) (*clients.Supervisor, error) {
	content, err := os.ReadFile(config.Dir(options, "server", "token"))
	if err != nil {
		return nil, fmt.Errorf("no server has run here: %w", err)
	}
	host := "127.0.0.1"
	if ips := options.Split("node-ip"); len(ips) == 1 && config.IsIPv6(ips[0]) {
		host = "[::1]"
	}
	url := options.Str("etcd-server")
	if url == "" {
		url = "https://" + host + ":" + options.Str("https-listen-port")
	}
	return clients.Connect(url, strings.TrimSpace(string(content)), "server")
}

// snapshots is `k3s etcd-snapshot save|list|ls|delete|prune` (k3s docs: cli/etcd-snapshot.md).
func snapshots(arguments []string) error {
	verb := "save"
	if len(arguments) > 0 && !strings.HasPrefix(arguments[0], "-") {
		verb, arguments = arguments[0], arguments[1:]
	}
	options, err := config.Parse("etcd-snapshot", arguments)
	if err != nil {
		return err
	}
	asked, err := snapshotRequest(verb, options)
	if err != nil {
		return err
	}
	peer, err := local(options)
	if err != nil {
		return err
	}
	body, err := json.Marshal(asked)
	if err != nil {
		return err
	}
	content, err := peer.Post("/db/snapshot", string(body))
	if err != nil {
		return err
	}
	var found server.SnapshotAnswer
	if err := json.Unmarshal(content, &found); err != nil {
		return err
	}
	for _, name := range found.Created {
		logrus.Infof("Snapshot %s saved.", name)
	}
	for _, name := range found.Deleted {
		logrus.Infof("Snapshot %s deleted.", name)
	}
	if verb == "list" || verb == "ls" {
		return list(found, options.Str("output"))
	}
	return nil
}

func snapshotRequest(verb string, options *config.Options) (server.SnapshotRequest, error) {
	name := options.Str("name")
	switch verb {
	case "save":
		if name == "" {
			name = "on-demand"
		}
		return server.SnapshotRequest{Operation: "save", Name: []string{name}}, nil
	case "list", "ls", "l":
		return server.SnapshotRequest{Operation: "list"}, nil
	case "delete":
		if len(options.Rest) == 0 {
			return server.SnapshotRequest{}, errors.New("no snapshots given for removal")
		}
		return server.SnapshotRequest{Operation: "delete", Name: options.Rest}, nil
	case "prune":
		if name == "" {
			name = options.Str("etcd-snapshot-name")
		}
		keep := options.Str("snapshot-retention")
		if keep == "" {
			keep = options.Str("etcd-snapshot-retention")
		}
		number, err := strconv.Atoi(keep)
		return server.SnapshotRequest{Operation: "prune", Name: []string{name}, Retention: number}, err
	}
	return server.SnapshotRequest{}, fmt.Errorf("No help topic for '%s'", verb)
}

func list(found server.SnapshotAnswer, format string) error {
	if format == "json" {
		return json.NewEncoder(os.Stdout).Encode(found.Files)
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 1, ' ', 0)
	fmt.Fprint(table, "Name\tLocation\tSize\tCreated\n")
	for _, one := range found.Files {
		fmt.Fprintf(table, "%s\t%s\t%d\t%s\n", one.Name, one.Location, one.Size, one.Created.UTC().Format(time.RFC3339))
	}
	return table.Flush()
}

// secretsEncrypt is `k3s secrets-encrypt status` (k3s docs: cli/secrets-encrypt.md).
func secretsEncrypt(arguments []string) error {
	if len(arguments) == 0 || arguments[0] != "status" {
		return errors.New("secrets-encrypt: only `status` is part of this stand-in for k3s")
	}
	options, err := config.Parse("secrets-encrypt", arguments[1:])
	if err != nil {
		return err
	}
	peer, err := local(options)
	if err != nil {
		return err
	}
	content, err := peer.Get("/v1-k3s/encrypt/status", nil)
	if err != nil {
		return err
	}
	var status server.EncryptionStatus
	if err := json.Unmarshal(content, &status); err != nil {
		return err
	}
	if !status.Enabled {
		fmt.Println("Encryption Status: Disabled, no configuration file found")
		return nil
	}
	kind := map[string]string{"aescbc": "AES-CBC", "secretbox": "XSalsa20-POLY1305"}[status.Provider]
	fmt.Printf("Encryption Status: Enabled\nCurrent Rotation Stage: start\nServer Encryption Hashes: All hashes match\n\n")
	fmt.Printf("Active  Key Type  Name\n------  --------  ----\n *      %-8s  %skey\n", kind, status.Provider)
	return nil
}

// certificate is `k3s certificate check|rotate` (k3s docs: cli/certificate.md).
func certificate(arguments []string) error {
	if len(arguments) == 0 || (arguments[0] != "check" && arguments[0] != "rotate") {
		return errors.New("certificate: only `check` and `rotate` are part of this stand-in for k3s")
	}
	options, err := config.Parse("certificate", arguments[1:])
	if err != nil {
		return err
	}
	files, err := filepath.Glob(config.Dir(options, "server", "tls", "*.crt"))
	if err != nil {
		return err
	}
	more, err := filepath.Glob(config.Dir(options, "server", "tls", "etcd", "*.crt"))
	if err != nil {
		return err
	}
	agents, err := filepath.Glob(config.Dir(options, "agent", "*.crt"))
	if err != nil {
		return err
	}
	for _, path := range append(append(files, more...), agents...) {
		if err := certificateFile(arguments[0], path); err != nil {
			return err
		}
	}
	return nil
}

// certificateFile tells when one ends, or removes it, so that the next start makes it anew; authorities stay.
func certificateFile(verb, path string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	cert, err := certs.First(content)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if verb == "check" {
		logrus.Infof("%s: certificate CN=%s is ok, expires at %s", path, cert.Subject.CommonName, cert.NotAfter.UTC().Format(time.RFC3339))
		return nil
	}
	if cert.IsCA {
		return nil
	}
	return os.Remove(path)
}
