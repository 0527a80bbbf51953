package agent

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"os"
	"time"

	"github.com/sirupsen/logrus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"meshwright.invalid/lab/k3s/internal/clients"
	"meshwright.invalid/lab/k3s/internal/config"
)

// annotate says on the Node what k3s was started with (k3s: pkg/nodeconfig, pkg/agent/run.go).
func (a *Agent) annotate(ctx context.Context) {
	_, client, err := clients.Kube(a.dir("k3scontroller.kubeconfig"))
	if err != nil {
		logrus.Errorf("Failed to annotate the node: %v", err)
		return
	}
	patch, err := a.annotations()
	if err != nil {
		logrus.Errorf("Failed to annotate the node: %v", err)
		return
	}
	for {
		_, err := client.CoreV1().Nodes().Patch(ctx, a.NodeName, types.StrategicMergePatchType, patch, metav1.PatchOptions{})
		if err == nil {
			logrus.Infof("Annotations and labels have been set successfully on node: %s", a.NodeName)
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second):
		}
	}
}

func (a *Agent) annotations() ([]byte, error) {
	arguments, err := json.Marshal(a.Options.NodeArgs())
	if err != nil {
		return nil, err
	}
	environment, err := json.Marshal(config.NodeEnv(os.Environ()))
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256(append(append([]byte{}, arguments...), environment...))
	annotations := map[string]string{
		"k3s.io/node-args": string(arguments), "k3s.io/node-env": string(environment),
		"k3s.io/node-config-hash": base32.StdEncoding.EncodeToString(digest[:]),
		"k3s.io/hostname":         a.NodeName, "k3s.io/internal-ip": a.NodeIPs[0],
	}
	metadata := map[string]any{"annotations": annotations}
	return json.Marshal(map[string]any{"metadata": metadata})
}
