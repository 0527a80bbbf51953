package server

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/sirupsen/logrus"

	"meshwright.invalid/lab/k3s/internal/clients"
	"meshwright.invalid/lab/k3s/internal/config"
	"meshwright.invalid/lab/k3s/internal/etcd"
	"meshwright.invalid/lab/k3s/internal/token"
)

func certsToken(s *Server) string { return token.Format(s.certs.ServerCA.PEM, "server", s.token) }

func (s *Server) findTokens() error {
	given, err := s.Options.Secret("token")
	if err != nil {
		return err
	}
	if given == "" {
		if s.Options.Str("server") != "" && !etcd.Initialised(s.Dir) {
			return errors.New("K3S_TOKEN is required to join a cluster: --token is required if --server is set")
		}
		content, err := os.ReadFile(filepath.Join(s.Dir, "token"))
		if err != nil && !os.IsNotExist(err) {
			return err
		}
		given = strings.TrimSpace(string(content))
	}
	if given == "" {
		if given, err = token.Random(); err != nil {
			return err
		}
	}
	parsed, err := token.Parse(given)
	if err != nil {
		return fmt.Errorf("invalid token: %w", err)
	}
	s.token, s.agentToken = parsed.Password, parsed.Password
	agent, err := s.Options.Secret("agent-token")
	if err != nil || agent == "" {
		return err
	}
	if parsed, err = token.Parse(agent); err != nil {
		return fmt.Errorf("invalid agent-token: %w", err)
	}
	s.agentToken = parsed.Password
	return nil
}

// bootstrap decides what this start is: of a datastore that is there, of a new cluster, or a joining one's.
// k3s: pkg/cluster/bootstrap.go. The information for joining is nil unless the server joins.
func (s *Server) bootstrap() (*etcd.Info, error) {
	o := s.Options
	if o.Str("datastore-endpoint") != "" {
		return nil, errors.New("datastore-endpoint: this stand-in for k3s has the embedded etcd only")
	}
	if etcd.Initialised(s.Dir) {
		logrus.Info("Managed etcd cluster bootstrap already complete and initialized")
		return nil, nil
	}
	if o.Bool("cluster-reset") {
		return nil, nil
	}
	if o.Str("server") == "" {
		if !o.Bool("cluster-init") {
			return nil, errors.New("neither cluster-init nor server is set: k3s would use SQLite, which this stand-in does not have")
		}
		logrus.Info("Managed etcd cluster initializing")
		return nil, s.ensureEncryption()
	}
	logrus.Info("Managed etcd cluster not yet initialized")
	return s.askToJoin()
}

func (s *Server) askToJoin() (*etcd.Info, error) {
	given, err := s.Options.Secret("token")
	if err != nil {
		return nil, err
	}
	peer, err := clients.Connect(s.Options.Str("server"), given, "server")
	if err != nil {
		return nil, fmt.Errorf("failed to validate token: %w", err)
	}
	content, err := peer.Get("/v1-k3s/server-bootstrap", nil)
	if err != nil {
		return nil, fmt.Errorf("failed to get bootstrap data, is the server token right and not the agent token: %w", err)
	}
	if err := s.compareCritical(peer); err != nil {
		return nil, err
	}
	var files etcd.Files
	if err := json.Unmarshal(content, &files); err != nil {
		return nil, err
	}
	if err := files.Write(s.Dir); err != nil {
		return nil, err
	}
	content, err = peer.Get("/db/info", nil)
	if err != nil {
		return nil, fmt.Errorf("failed to get the members of the etcd cluster: %w", err)
	}
	var info etcd.Info
	return &info, json.Unmarshal(content, &info)
}

func (s *Server) compareCritical(peer *clients.Supervisor) error {
	content, err := peer.Get("/v1-k3s/config", nil)
	if err != nil {
		return fmt.Errorf("failed to get the configuration of the server to join: %w", err)
	}
	theirs, err := config.ParseCluster(content)
	if err != nil {
		return err
	}
	if names := config.Mismatches(s.cluster.Critical, theirs.Critical); len(names) > 0 {
		return fmt.Errorf("failed to validate server configuration: critical configuration value mismatch between servers: %s",
			strings.Join(names, ", "))
	}
	return nil
}

func (s *Server) startEtcd(ctx context.Context, join *etcd.Info) error {
	if join == nil {
		return s.etcd.Run(etcd.Cluster{})
	}
	if err := s.etcd.Join(ctx, *join); err != nil {
		return fmt.Errorf("ETCD join failed: %w", err)
	}
	return nil
}

// settleBootstrap makes disk and datastore agree on what all servers share; the token has to fit.
func (s *Server) settleBootstrap(ctx context.Context) error {
	stored, err := s.etcd.LoadBootstrap(ctx, s.token)
	if err != nil {
		return err
	}
	if stored == nil {
		if err := s.ensureEncryption(); err != nil {
			return err
		}
		files, err := etcd.ReadFiles(s.Dir)
		if err != nil {
			return err
		}
		return s.etcd.SaveBootstrap(ctx, s.token, files)
	}
	local, err := etcd.ReadFiles(s.Dir)
	if err != nil {
		return err
	}
	for name, file := range stored {
		if !bytes.Equal(local[name].Content, file.Content) {
			logrus.Warnf("Bootstrap file %s is out of sync with datastore", name)
			return stored.Write(s.Dir)
		}
	}
	return nil
}

// writeTokens leaves the tokens where k3s docs (cli/token.md) say, readable for root alone.
func (s *Server) writeTokens() error {
	ca := s.certs.ServerCA.PEM
	main := filepath.Join(s.Dir, "token")
	if err := writeFile(main, token.Format(ca, "server", s.token)+"\n", 0o600); err != nil {
		return err
	}
	if err := linkTo(main, filepath.Join(s.Dir, "node-token")); err != nil {
		return err
	}
	agent := filepath.Join(s.Dir, "agent-token")
	if s.agentToken == s.token {
		return linkTo(main, agent)
	}
	if err := os.RemoveAll(agent); err != nil {
		return err
	}
	return writeFile(agent, token.Format(ca, "node", s.agentToken)+"\n", 0o600)
}

func linkTo(target, link string) error {
	if found, err := os.Readlink(link); err == nil && found == target {
		return nil
	}
	if err := os.RemoveAll(link); err != nil {
		return err
	}
	return os.Symlink(target, link)
}

// ensureEncryption makes the key for secrets once; it is part of the bootstrap data (k3s docs: cli/secrets-encrypt.md).
func (s *Server) ensureEncryption() error {
	path := s.cred("encryption-config.json")
	if _, err := os.Stat(path); err == nil || !s.cluster.EncryptSecrets {
		return nil
	}
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return err
	}
	provider := s.cluster.EncryptProvider
	keys := []map[string]string{{"name": provider + "key", "secret": base64.StdEncoding.EncodeToString(key)}}
	content, err := json.Marshal(map[string]any{
		"kind": "EncryptionConfiguration", "apiVersion": "apiserver.config.k8s.io/v1",
		"resources": []any{map[string]any{
			"resources": []string{"secrets"},
			"providers": []any{map[string]any{provider: map[string]any{"keys": keys}}, map[string]any{"identity": map[string]any{}}},
		}},
	})
	if err != nil {
		return err
	}
	return writeFile(path, string(content), 0o600)
}
