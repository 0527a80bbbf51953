package etcd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// Info is the body of /db/info: what a joining server has to know of the cluster.
type Info struct {
	Members []*etcdserverpb.Member `json:"members"`
}

// InfoJSON is this cluster's.
func (n *Node) InfoJSON() ([]byte, error) { return json.Marshal(Info{Members: n.Members()}) }

// ErrDuplicate is what a server meets whose name is that of a member of the cluster (k3s: pkg/etcd/etcd.go, join).
var ErrDuplicate = errors.New("duplicate node name found, please use a unique name for this node")

// Join adds this server as a learner to the cluster that info describes, and starts its member.
func (n *Node) Join(ctx context.Context, info Info) error {
	if err := n.setName(false); err != nil {
		return err
	}
	client, err := n.connect(clientURLs(info.Members))
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	listed, err := client.MemberList(ctx)
	if err != nil {
		return fmt.Errorf("failed to list the members of the etcd cluster: %w", err)
	}
	cluster, known, err := n.cluster(listed.Members)
	if err != nil {
		return err
	}
	if !known {
		logrus.Infof("Adding member %s=%s to etcd cluster %v", n.name, n.PeerURL(), cluster)
		if err := addLearner(ctx, client, n.PeerURL()); err != nil {
			return err
		}
		cluster = append(cluster, n.name+"="+n.PeerURL())
	}
	logrus.Infof("Starting etcd for cluster %v", cluster)
	return n.Run(Cluster{Members: strings.Join(cluster, ","), Existing: true})
}

func clientURLs(members []*etcdserverpb.Member) []string {
	var found []string
	for _, member := range members {
		found = append(found, member.ClientURLs...)
	}
	return found
}

// cluster is the member list as etcd wants it, and whether this server is in it already.
func (n *Node) cluster(members []*etcdserverpb.Member) ([]string, bool, error) {
	var cluster []string
	known := false
	for _, member := range members {
		if len(member.PeerURLs) == 0 {
			continue
		}
		mine := isAt(member, n.Address)
		if member.Name == "" && mine {
			member.Name = n.name // added by an earlier try that went no further
		}
		if member.Name != n.name && nodeOf(member.Name) == n.NodeName {
			if err := os.Remove(n.nameFile()); err != nil {
				logrus.Errorf("Failed to remove etcd name file %s: %v", n.nameFile(), err)
			}
			return nil, false, ErrDuplicate
		}
		known = known || (member.Name == n.name && mine)
		cluster = append(cluster, member.Name+"="+member.PeerURLs[0])
	}
	return cluster, known, nil
}

func isAt(member *etcdserverpb.Member, address string) bool {
	for _, peer := range member.PeerURLs {
		if parsed, err := url.Parse(peer); err == nil && parsed.Hostname() == address {
			return true
		}
	}
	return false
}

func nodeOf(member string) string {
	if at := strings.LastIndex(member, "-"); at > 0 {
		return member[:at]
	}
	return member
}

// addLearner waits for its turn: etcd takes one learner at a time, and none while it is not healthy.
func addLearner(ctx context.Context, client *clientv3.Client, peerURL string) error {
	for {
		_, err := client.MemberAddAsLearner(ctx, []string{peerURL})
		if !errors.Is(err, rpctypes.ErrTooManyLearners) && !errors.Is(err, rpctypes.ErrUnhealthy) {
			return err
		}
		logrus.Infof("Waiting to be added to the etcd cluster: %v", err)
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Second):
		}
	}
}

// PromoteLearners gives those a vote that have caught up. For the leader.
func (n *Node) PromoteLearners(ctx context.Context) {
	for _, member := range n.Members() {
		if !member.IsLearner || member.Name == "" {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		_, err := n.client.MemberPromote(ctx, member.ID)
		cancel()
		switch {
		case err == nil:
			logrus.Infof("Promoted learner %s to a voting member of the etcd cluster", member.Name)
		case !errors.Is(err, rpctypes.ErrMemberLearnerNotReady):
			logrus.Warnf("Failed to promote learner %s: %v", member.Name, err)
		}
	}
}

// Remove takes a member out of the cluster; it is no error if there is none of that name and address.
func (n *Node) Remove(ctx context.Context, name, address string) error {
	for _, member := range n.Members() {
		if member.Name != name || !isAt(member, address) {
			continue
		}
		logrus.Infof("Removing name=%s id=%d address=%s from etcd", member.Name, member.ID, address)
		ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
		defer cancel()
		_, err := n.client.MemberRemove(ctx, member.ID)
		if errors.Is(err, rpctypes.ErrMemberNotFound) {
			return nil
		}
		return err
	}
	return nil
}
