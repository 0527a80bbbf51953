package etcd

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
	"github.com/sirupsen/logrus"
	"go.etcd.io/etcd/etcdutl/v3/snapshot"
	"go.uber.org/zap"
)

// SnapshotOptions are the etcd-snapshot-* options (k3s docs: cli/etcd-snapshot.md).
type SnapshotOptions struct {
	Dir       string
	Name      string
	Cron      string
	Retention int
	Disabled  bool
}

// Snapshot is one file.
type Snapshot struct {
	Name     string
	Location string
	Size     int64
	Created  time.Time
}

// SaveSnapshot writes <name>-<node>-<unix time> and returns its name.
func (n *Node) SaveSnapshot(ctx context.Context, name string) (string, error) {
	if err := os.MkdirAll(n.Snapshots.Dir, 0o700); err != nil {
		return "", err
	}
	if err := os.Chmod(n.Snapshots.Dir, 0o700); err != nil {
		return "", err
	}
	file := fmt.Sprintf("%s-%s-%d", name, n.NodeName, time.Now().Unix())
	path := filepath.Join(n.Snapshots.Dir, file)
	stream, err := n.client.Snapshot(ctx)
	if err != nil {
		return "", fmt.Errorf("failed to take etcd snapshot: %w", err)
	}
	defer stream.Close()
	part, err := os.OpenFile(path+".part", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	defer os.Remove(part.Name())
	if _, err := part.ReadFrom(stream); err != nil {
		return "", err
	}
	if err := part.Sync(); err != nil {
		return "", err
	}
	if err := part.Close(); err != nil {
		return "", err
	}
	logrus.Infof("Saving snapshot %s", path)
	return file, os.Rename(part.Name(), path)
}

// ListSnapshots are this server's files, oldest first.
func (n *Node) ListSnapshots() ([]Snapshot, error) {
	entries, err := os.ReadDir(n.Snapshots.Dir)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var found []Snapshot
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || entry.IsDir() || strings.HasSuffix(entry.Name(), ".part") {
			continue
		}
		found = append(found, Snapshot{
			Name: entry.Name(), Location: "file://" + filepath.Join(n.Snapshots.Dir, entry.Name()),
			Size: info.Size(), Created: info.ModTime(),
		})
	}
	sort.Slice(found, func(i, j int) bool { return found[i].Created.Before(found[j].Created) })
	return found, nil
}

// DeleteSnapshot removes one file by its name.
func (n *Node) DeleteSnapshot(name string) error {
	if name != filepath.Base(name) {
		return fmt.Errorf("invalid snapshot name %q", name)
	}
	if err := os.Remove(filepath.Join(n.Snapshots.Dir, name)); err != nil {
		return fmt.Errorf("failed to delete snapshot %s: %w", name, err)
	}
	return nil
}

// PruneSnapshots keeps the newest of those with a name's prefix.
func (n *Node) PruneSnapshots(name string, keep int) ([]string, error) {
	all, err := n.ListSnapshots()
	if err != nil {
		return nil, err
	}
	var mine []Snapshot
	for _, one := range all {
		if strings.HasPrefix(one.Name, name+"-"+n.NodeName+"-") {
			mine = append(mine, one)
		}
	}
	var removed []string
	for i := 0; i < len(mine)-keep; i++ {
		if err := n.DeleteSnapshot(mine[i].Name); err != nil {
			return removed, err
		}
		removed = append(removed, mine[i].Name)
	}
	return removed, nil
}

// Schedule takes snapshots as the cron expression says, until the context ends.
func (n *Node) Schedule(ctx context.Context) error {
	if n.Snapshots.Disabled {
		return nil
	}
	table := cron.New()
	_, err := table.AddFunc(n.Snapshots.Cron, func() {
		if _, err := n.SaveSnapshot(ctx, n.Snapshots.Name); err != nil {
			logrus.Errorf("Failed to save the scheduled snapshot: %v", err)
			return
		}
		if _, err := n.PruneSnapshots(n.Snapshots.Name, n.Snapshots.Retention); err != nil {
			logrus.Errorf("Failed to prune snapshots: %v", err)
		}
	})
	if err != nil {
		return fmt.Errorf("invalid etcd-snapshot-schedule-cron %q: %w", n.Snapshots.Cron, err)
	}
	table.Start()
	context.AfterFunc(ctx, func() { table.Stop() })
	return nil
}

// Restore replaces the datastore by a snapshot's content, as a cluster of this server alone.
func (n *Node) Restore(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("etcd: snapshot path does not exist: %s", path)
	}
	if info.IsDir() {
		return fmt.Errorf("etcd: snapshot path must be a file, not a directory: %s", path)
	}
	old := fmt.Sprintf("%s-old-%d", n.dbDir(), time.Now().Unix())
	if err := os.Rename(n.dbDir(), old); err != nil && !os.IsNotExist(err) {
		return err
	}
	logrus.Infof("Pre-restore etcd database moved to %s", old)
	if err := n.setName(true); err != nil {
		return err
	}
	name, err := os.ReadFile(n.nameFile())
	if err != nil {
		return err
	}
	// The restore wants a directory that is not there yet.
	if err := os.RemoveAll(n.dbDir()); err != nil {
		return err
	}
	err = snapshot.NewV3(zap.NewNop()).Restore(snapshot.RestoreConfig{
		SnapshotPath: path, Name: n.name, OutputDataDir: n.dbDir(), OutputWALDir: n.walDir(),
		PeerURLs: []string{n.PeerURL()}, InitialCluster: n.name + "=" + n.PeerURL(), SkipHashCheck: false,
	})
	if err != nil {
		return fmt.Errorf("failed to restore etcd snapshot: %w", err)
	}
	return os.WriteFile(n.nameFile(), name, 0o600)
}

// ForceName makes a new name for a member that begins its cluster anew.
func (n *Node) ForceName() error { return n.setName(true) }
