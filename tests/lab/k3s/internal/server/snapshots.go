package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/sirupsen/logrus"

	"meshwright.invalid/lab/k3s/internal/config"
	"meshwright.invalid/lab/k3s/internal/etcd"
)

func disabledOf(s *Server) map[string]bool { return config.Disables(s.Options) }

// SnapshotRequest is what the etcd-snapshot command asks of the running server.
type SnapshotRequest struct {
	Operation string
	Name      []string
	Retention int
}

// SnapshotAnswer is what it gets.
type SnapshotAnswer struct {
	Created []string
	Deleted []string
	Files   []etcd.Snapshot
}

func (s *Server) serveSnapshot(writer http.ResponseWriter, request *http.Request) {
	asked := SnapshotRequest{Operation: "list"}
	if request.Method == http.MethodPost {
		if err := json.NewDecoder(request.Body).Decode(&asked); err != nil {
			http.Error(writer, err.Error(), http.StatusBadRequest)
			return
		}
	}
	found, err := s.snapshot(request.Context(), asked)
	if err != nil {
		http.Error(writer, err.Error(), http.StatusInternalServerError)
		return
	}
	answer(writer, found)
}

func (s *Server) snapshot(ctx context.Context, asked SnapshotRequest) (found SnapshotAnswer, err error) {
	switch asked.Operation {
	case "save":
		name, err := s.etcd.SaveSnapshot(ctx, asked.Name[0])
		found.Created = []string{name}
		return found, err
	case "delete":
		for _, name := range asked.Name {
			if err := s.etcd.DeleteSnapshot(name); err != nil {
				return found, err
			}
			found.Deleted = append(found.Deleted, name)
		}
		return found, nil
	case "prune":
		found.Deleted, err = s.etcd.PruneSnapshots(asked.Name[0], asked.Retention)
		return found, err
	default:
		found.Files, err = s.etcd.ListSnapshots()
		return found, err
	}
}

func (s *Server) resetFlag() string { return filepath.Join(s.Dir, "db", "reset-flag") }

// Reset makes a cluster of this server alone, from its own data or from a snapshot; the caller ends k3s afterwards.
// k3s docs: cli/etcd-snapshot.md; k3s: pkg/etcd/etcd.go, Reset.
func (s *Server) Reset(ctx context.Context) error {
	if s.Options.Str("server") != "" {
		return errors.New("cannot perform cluster-reset while server URL is set - remove server from configuration before resetting")
	}
	if _, err := os.Stat(s.resetFlag()); err == nil {
		return fmt.Errorf("Managed etcd cluster membership was previously reset, please remove the cluster-reset flag and start "+
			"k3s normally. If you need to perform another cluster reset, you must first manually delete the file at %s", s.resetFlag())
	}
	if err := s.findTokens(); err != nil {
		return err
	}
	if err := s.prepareReset(); err != nil {
		return err
	}
	cluster := etcd.Cluster{ForceNew: true}
	if path := s.Options.Str("cluster-reset-restore-path"); path != "" {
		if err := s.etcd.Restore(path); err != nil {
			return err
		}
	} else if !etcd.Initialised(s.Dir) {
		return errors.New("there is no etcd datastore to reset")
	}
	if err := s.etcd.Run(cluster); err != nil {
		return err
	}
	defer s.etcd.Stop()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := s.etcd.WaitVoter(ctx); err != nil {
		return err
	}
	if err := s.settleBootstrap(ctx); err != nil {
		return err
	}
	if err := writeFile(s.resetFlag(), "", 0o600); err != nil {
		return err
	}
	logrus.Info("Managed etcd cluster membership has been reset, restart without --cluster-reset flag now. " +
		"Backup and delete ${datadir}/server/db on each peer etcd server and rejoin the nodes")
	return nil
}

func (s *Server) prepareReset() error {
	var err error
	if s.certs, err = ensureCerts(s); err != nil {
		return err
	}
	s.etcd = s.etcdNode()
	return nil
}

// clearResetFlag lets a later reset happen: a normal start is the sign that the last one is over.
func (s *Server) clearResetFlag() {
	if err := os.Remove(s.resetFlag()); err != nil && !os.IsNotExist(err) {
		logrus.Warnf("Failed to remove %s: %v", s.resetFlag(), err)
	}
}

// EncryptionStatus answers `k3s secrets-encrypt status`.
type EncryptionStatus struct {
	Enabled    bool
	Configured bool
	Provider   string
}

func (s *Server) serveEncryption(writer http.ResponseWriter, _ *http.Request) {
	_, err := os.Stat(s.cred("encryption-config.json"))
	answer(writer, EncryptionStatus{Enabled: s.cluster.EncryptSecrets, Configured: err == nil, Provider: s.cluster.EncryptProvider})
}
