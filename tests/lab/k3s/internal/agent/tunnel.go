package agent

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"os"
	"reflect"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/rancher/remotedialer"
	"github.com/sirupsen/logrus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"

	"meshwright.invalid/lab/k3s/internal/clients"
)

const kubeletPort = "10250"

// tunnels keeps one connection to each server, through which its API server reaches the kubelet.
// k3s: pkg/agent/tunnel/tunnel.go; k3s docs: architecture.md.
type tunnels struct {
	agent  *Agent
	dialer *websocket.Dialer
	mu     sync.Mutex
	stops  map[string]context.CancelFunc
	last   []string
}

func (a *Agent) startTunnels(ctx context.Context) error {
	pair, err := tls.LoadX509KeyPair(a.dir("client-kubelet.crt"), a.dir("client-kubelet.key"))
	if err != nil {
		return err
	}
	ca, err := os.ReadFile(a.dir("server-ca.crt"))
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	t := &tunnels{agent: a, stops: map[string]context.CancelFunc{}, dialer: &websocket.Dialer{
		HandshakeTimeout: 10 * time.Second,
		TLSClientConfig:  &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12},
	}}
	if a.OnServer {
		t.connect(ctx, strings.TrimPrefix(a.ServerURL, "https://"))
	}
	return t.follow(ctx)
}

// follow keeps up with the endpoints of the kubernetes Service: one for each API server that lives.
func (t *tunnels) follow(ctx context.Context) error {
	_, client, err := clients.Kube(t.agent.dir("k3scontroller.kubeconfig"))
	if err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithNamespace("default"),
		informers.WithTweakListOptions(func(options *metav1.ListOptions) {
			options.FieldSelector = fields.OneTermEqualSelector("metadata.name", "kubernetes").String()
		}))
	informer := factory.Core().V1().Endpoints().Informer()
	update := func(object any) {
		if endpoints, ok := object.(*corev1.Endpoints); ok {
			t.update(ctx, addressesOf(endpoints))
		}
	}
	_, err = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: update, UpdateFunc: func(_, object any) { update(object) },
	})
	if err != nil {
		return err
	}
	factory.Start(ctx.Done())
	return nil
}

func addressesOf(endpoints *corev1.Endpoints) []string {
	var found []string
	for _, subset := range endpoints.Subsets {
		for _, address := range subset.Addresses {
			for _, port := range subset.Ports {
				found = append(found, net.JoinHostPort(address.IP, strconv.Itoa(int(port.Port))))
			}
		}
	}
	sort.Strings(found)
	return found
}

func (t *tunnels) update(ctx context.Context, addresses []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(addresses) == 0 || reflect.DeepEqual(addresses, t.last) {
		return
	}
	t.last = addresses
	if t.agent.Balancer != nil {
		t.agent.Balancer.Update(addresses)
	}
	wanted := map[string]bool{}
	for _, address := range addresses {
		host, _, _ := net.SplitHostPort(address)
		if t.agent.OnServer && t.isMine(host) {
			continue // has one over loopback, from before there were endpoints
		}
		wanted[address] = true
		if t.stops[address] == nil {
			t.connectLocked(ctx, address)
		}
	}
	for address, stop := range t.stops {
		if !wanted[address] && !(t.agent.OnServer && "https://"+address == t.agent.ServerURL) {
			stop()
			delete(t.stops, address)
		}
	}
}

func (t *tunnels) isMine(host string) bool {
	for _, address := range t.agent.NodeIPs {
		if address == host {
			return true
		}
	}
	return false
}

func (t *tunnels) connect(ctx context.Context, address string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.connectLocked(ctx, address)
}

func (t *tunnels) connectLocked(ctx context.Context, address string) {
	ctx, stop := context.WithCancel(ctx)
	t.stops[address] = stop
	go t.keep(ctx, address)
}

// keep connects again and again until it is told that the server is gone for good.
func (t *tunnels) keep(ctx context.Context, address string) {
	headers := http.Header{"K3s-Node-Ip": {strings.Join(t.agent.NodeIPs, ",")}}
	allowed := func(proto, target string) bool {
		_, port, err := net.SplitHostPort(target)
		return err == nil && proto == "tcp" && port == kubeletPort
	}
	toKubelet := func(ctx context.Context, network, target string) (net.Conn, error) {
		var dialer net.Dialer
		return dialer.DialContext(ctx, network, target)
	}
	for ctx.Err() == nil {
		up := func(context.Context, *remotedialer.Session) error {
			t.setUp(address, true)
			return nil
		}
		err := remotedialer.ConnectToProxyWithDialer(ctx, "wss://"+address+"/v1-k3s/connect", headers, allowed, t.dialer, toKubelet,
			func(ctx context.Context, session *remotedialer.Session) error {
				_ = up(ctx, session)
				<-ctx.Done()
				return nil
			})
		if ctx.Err() != nil {
			return
		}
		t.setUp(address, false)
		logrus.Infof("Tunnel to %s ended, connecting again: %v", address, err)
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

func (t *tunnels) setUp(address string, up bool) {
	if t.agent.Balancer != nil {
		t.agent.Balancer.SetUp(address, up)
	}
}
