package server

import (
	"context"
	"encoding/json"
	"sort"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	listers "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"

	"meshwright.invalid/lab/k3s/internal/manifests"
)

const (
	memberName      = "etcd.k3s.cattle.io/node-name"
	memberAddress   = "etcd.k3s.cattle.io/node-address"
	etcdRole        = "node-role.kubernetes.io/etcd"
	controlRole     = "node-role.kubernetes.io/control-plane"
	nodeFinalizer   = "wrangler.cattle.io/node"
	memberFinalizer = "wrangler.cattle.io/managed-etcd-controller"
	voterCondition  = corev1.NodeConditionType("EtcdIsVoter")
)

// nodeController keeps Nodes and etcd members together. Each server labels its own Node; the rest is done by the
// server whose member leads. k3s: pkg/etcd/{metadata,member}_controller.go, pkg/node/controller.go.
type nodeController struct {
	server *Server
	client kubernetes.Interface
	nodes  listers.NodeLister
	wake   chan struct{}
}

func newNodeController(s *Server, client kubernetes.Interface) *nodeController {
	return &nodeController{server: s, client: client, wake: make(chan struct{}, 1)}
}

func (s *Server) packaged() manifests.Packaged {
	return manifests.Packaged{
		Files: map[string]string{
			"rolebindings": manifests.RoleBindings,
			"coredns":      manifests.CoreDNS(s.cluster.ClusterDNSs, s.cluster.ClusterDomain),
		},
		Disabled: disabledOf(s),
	}
}

func (c *nodeController) start(ctx context.Context) error {
	factory := informers.NewSharedInformerFactory(c.client, 0)
	informer := factory.Core().V1().Nodes()
	wake := func() {
		select {
		case c.wake <- struct{}{}:
		default:
		}
	}
	_, err := informer.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { wake() }, DeleteFunc: func(any) { wake() },
		UpdateFunc: func(before, after any) {
			one, other := before.(*corev1.Node), after.(*corev1.Node)
			if one.Generation != other.Generation || !other.DeletionTimestamp.IsZero() ||
				len(one.Labels) != len(other.Labels) || len(one.Annotations) != len(other.Annotations) ||
				len(one.Finalizers) != len(other.Finalizers) {
				wake()
			}
		},
	})
	if err != nil {
		return err
	}
	c.nodes = informer.Lister()
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	go c.loop(ctx)
	return nil
}

func (c *nodeController) loop(ctx context.Context) {
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	for {
		c.labelOwn(ctx)
		if c.server.etcd.Leads() {
			c.server.etcd.PromoteLearners(ctx)
			c.lead(ctx)
		}
		select {
		case <-ctx.Done():
			return
		case <-c.wake:
		case <-tick.C:
		}
	}
}

// labelOwn gives this server's Node its roles and the name of its member.
func (c *nodeController) labelOwn(ctx context.Context) {
	node, err := c.nodes.Get(c.server.NodeName)
	if err != nil || !node.DeletionTimestamp.IsZero() {
		return
	}
	wantedLabels := map[string]string{controlRole: "true", etcdRole: "true"}
	wantedAnnotations := map[string]string{memberName: c.server.etcd.Name(), memberAddress: c.server.NodeIPs[0]}
	if within(wantedLabels, node.Labels) && within(wantedAnnotations, node.Annotations) {
		return
	}
	metadata := map[string]any{"labels": wantedLabels, "annotations": wantedAnnotations}
	c.patch(ctx, node.Name, types.StrategicMergePatchType, map[string]any{"metadata": metadata})
}

func within(wanted, have map[string]string) bool {
	for key, value := range wanted {
		if have[key] != value {
			return false
		}
	}
	return true
}

func (c *nodeController) patch(ctx context.Context, node string, kind types.PatchType, patch any, subresources ...string) {
	content, err := json.Marshal(patch)
	if err == nil {
		_, err = c.client.CoreV1().Nodes().Patch(ctx, node, kind, content, metav1.PatchOptions{}, subresources...)
	}
	if err != nil && !apierrors.IsNotFound(err) && ctx.Err() == nil {
		logrus.Warnf("Failed to update node %s: %v", node, err)
	}
}

func (c *nodeController) lead(ctx context.Context) {
	nodes, err := c.nodes.List(labels.Everything())
	if err != nil {
		return
	}
	for _, node := range nodes {
		if !node.DeletionTimestamp.IsZero() {
			c.remove(ctx, node)
			continue
		}
		c.ensureFinalizers(ctx, node)
		c.ensureCondition(ctx, node)
	}
	c.ensureNodeHosts(ctx, nodes)
}

func (c *nodeController) ensureFinalizers(ctx context.Context, node *corev1.Node) {
	wanted := []string{nodeFinalizer}
	if _, ok := node.Labels[etcdRole]; ok {
		wanted = append(wanted, memberFinalizer)
	}
	for _, name := range wanted {
		if !contains(node.Finalizers, name) {
			c.patch(ctx, node.Name, types.StrategicMergePatchType, map[string]any{"metadata": map[string]any{"finalizers": wanted}})
			return
		}
	}
}

// remove takes the member and the password of a Node that is being deleted (k3s docs: architecture.md).
func (c *nodeController) remove(ctx context.Context, node *corev1.Node) {
	var kept []string
	for _, name := range node.Finalizers {
		if name != nodeFinalizer && name != memberFinalizer {
			kept = append(kept, name)
		}
	}
	if len(kept) == len(node.Finalizers) {
		return
	}
	err := c.client.CoreV1().Secrets("kube-system").Delete(ctx, secretName(node.Name), metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		logrus.Warnf("Unable to remove node password: %v", err)
		return
	}
	if name := node.Annotations[memberName]; name != "" {
		logrus.Infof("Removing etcd member %s from cluster", node.Name)
		if err := c.server.etcd.Remove(ctx, name, node.Annotations[memberAddress]); err != nil {
			logrus.Warnf("Failed to remove etcd member %s: %v", name, err)
			return
		}
	}
	if kept == nil {
		kept = []string{}
	}
	c.patch(ctx, node.Name, types.MergePatchType, map[string]any{
		"metadata": map[string]any{"finalizers": kept, "resourceVersion": node.ResourceVersion},
	})
}

// ensureCondition says on a server's Node whether its member votes.
func (c *nodeController) ensureCondition(ctx context.Context, node *corev1.Node) {
	if _, ok := node.Labels[etcdRole]; !ok {
		return
	}
	wanted := corev1.NodeCondition{
		Type: voterCondition, Status: corev1.ConditionFalse, Reason: "NotAMember", Message: "Node is not a member of the etcd cluster",
	}
	for _, member := range c.server.etcd.Members() {
		if member.Name == "" || member.Name != node.Annotations[memberName] {
			continue
		}
		wanted.Reason, wanted.Message = "MemberIsLearner", "Node has not been promoted to voting member of the etcd cluster"
		if !member.IsLearner {
			wanted.Status = corev1.ConditionTrue
			wanted.Reason, wanted.Message = "MemberNotLearner", "Node is a voting member of the etcd cluster"
		}
	}
	now := metav1.Now()
	wanted.LastHeartbeatTime, wanted.LastTransitionTime = now, now
	for _, have := range node.Status.Conditions {
		if have.Type != voterCondition {
			continue
		}
		if have.Status == wanted.Status && have.Reason == wanted.Reason && now.Sub(have.LastHeartbeatTime.Time) < 5*time.Minute {
			return
		}
		if have.Status == wanted.Status {
			wanted.LastTransitionTime = have.LastTransitionTime
		}
	}
	status := map[string]any{"conditions": []corev1.NodeCondition{wanted}}
	c.patch(ctx, node.Name, types.StrategicMergePatchType, map[string]any{"status": status}, "status")
}

// ensureNodeHosts writes the nodes' names where CoreDNS reads them.
func (c *nodeController) ensureNodeHosts(ctx context.Context, nodes []*corev1.Node) {
	if c.server.Options == nil || disabledOf(c.server)["coredns"] {
		return
	}
	var lines []string
	for _, node := range nodes {
		for _, address := range node.Status.Addresses {
			if address.Type == corev1.NodeInternalIP {
				lines = append(lines, address.Address+" "+node.Name)
			}
		}
	}
	sort.Strings(lines)
	wanted := strings.Join(lines, "\n") + "\n"
	if c.server.nodeHosts == wanted {
		return
	}
	patch, err := json.Marshal(map[string]any{"data": map[string]string{"NodeHosts": wanted}})
	if err != nil {
		return
	}
	maps := c.client.CoreV1().ConfigMaps("kube-system")
	if _, err := maps.Patch(ctx, "coredns", types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		return
	}
	c.server.nodeHosts = wanted
	logrus.Infof("Updated coredns node hosts entries for %d addresses", len(lines))
}
