package server

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"

	"github.com/sirupsen/logrus"
	"golang.org/x/crypto/scrypt"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

const hostPassword = "/etc/rancher/node/password"

var errPassword = errors.New("hash does not match")

// checkNode proves that a node is who it was when it first came (k3s: pkg/nodepassword/validate.go).
func (s *Server) checkNode(request *http.Request) (string, int, error) {
	node, password := strings.ToLower(request.Header.Get("k3s-Node-Name")), request.Header.Get("k3s-Node-Password")
	if node == "" || password == "" {
		return "", http.StatusBadRequest, errors.New("node name or node password not set")
	}
	client := s.kube.Load()
	if client == nil {
		if node != s.NodeName {
			return "", http.StatusServiceUnavailable, errors.New("runtime core not ready")
		}
		return node, http.StatusForbidden, s.localNode.check(password)
	}
	switch err := ensurePassword(request.Context(), client, node, password); {
	case errors.Is(err, errPassword):
		return "", http.StatusForbidden, fmt.Errorf("unable to verify password for node %s: %w", node, err)
	case err != nil:
		return "", http.StatusInternalServerError, err
	}
	return node, http.StatusOK, nil
}

// localPassword is the server's own node, which has to come up before there is an API to ask.
type localPassword struct {
	server *Server
	mu     sync.Mutex
	given  string
}

func (l *localPassword) check(password string) error {
	content, err := os.ReadFile(hostPassword)
	if err != nil {
		return err
	}
	if !same(strings.TrimSpace(string(content)), password) {
		return errPassword
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.given = password
	logrus.Infof("Password verified locally for node %s", l.server.NodeName)
	return nil
}

// settle makes up for it once the API is there; as in k3s, the node has joined by then and is only told of a mismatch.
func (l *localPassword) settle(ctx context.Context) {
	l.mu.Lock()
	password := l.given
	l.mu.Unlock()
	if password == "" {
		return
	}
	if err := ensurePassword(ctx, l.server.kube.Load(), l.server.NodeName, password); err != nil {
		logrus.Warnf("Deferred node password secret validation failed for node %s: %v", l.server.NodeName, err)
	}
}

func secretName(node string) string { return node + ".node-password.k3s" }

// ensurePassword compares with the node's secret, or makes it.
func ensurePassword(ctx context.Context, client kubernetes.Interface, node, password string) error {
	secrets := client.CoreV1().Secrets("kube-system")
	for range 2 {
		secret, err := secrets.Get(ctx, secretName(node), metav1.GetOptions{})
		if err == nil {
			return verify(string(secret.Data["hash"]), password)
		}
		if !apierrors.IsNotFound(err) {
			return err
		}
		hash, err := hashOf(password)
		if err != nil {
			return err
		}
		immutable := true
		_, err = secrets.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: secretName(node), Namespace: "kube-system"},
			Immutable:  &immutable, Data: map[string][]byte{"hash": []byte(hash)},
		}, metav1.CreateOptions{})
		if !apierrors.IsAlreadyExists(err) {
			return err
		}
	}
	return errPassword
}

const scryptN, scryptR, scryptP = 1 << 14, 8, 1

func hashOf(password string) (string, error) {
	salt := make([]byte, 8)
	if _, err := rand.Read(salt); err != nil {
		return "", err
	}
	return hashWith(salt, password)
}

func hashWith(salt []byte, password string) (string, error) {
	digest, err := scrypt.Key([]byte(password), salt, scryptN, scryptR, scryptP, 64)
	return "$1:" + hex.EncodeToString(salt) + ":" + base64.RawStdEncoding.EncodeToString(digest), err
}

func verify(hash, password string) error {
	parts := strings.Split(hash, ":")
	if len(parts) != 3 {
		return errPassword
	}
	salt, err := hex.DecodeString(parts[1])
	if err != nil {
		return errPassword
	}
	wanted, err := hashWith(salt, password)
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare([]byte(wanted), []byte(hash)) != 1 {
		return errPassword
	}
	return nil
}
