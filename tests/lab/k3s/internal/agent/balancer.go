package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
)

// Balancer is an agent's 127.0.0.1:6444: it hands each connection to a server that answers (k3s issue 710).
type Balancer struct {
	file     string
	first    string // what the agent was told: the last resort if no other answers
	listener net.Listener

	mu      sync.Mutex
	servers []string
	down    map[string]bool
	open    map[net.Conn]string
}

// NewBalancer knows the server that the agent was told to join, and those that it had learned of before.
func NewBalancer(file, first string) *Balancer {
	b := &Balancer{file: file, first: first, servers: []string{first}, down: map[string]bool{}, open: map[net.Conn]string{}}
	var saved struct{ ServerAddresses []string }
	if content, err := os.ReadFile(file); err == nil && json.Unmarshal(content, &saved) == nil {
		for _, address := range saved.ServerAddresses {
			if address != first {
				b.servers = append(b.servers, address)
			}
		}
	}
	return b
}

// Serve accepts until the context ends.
func (b *Balancer) Serve(ctx context.Context, address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	b.listener = listener
	context.AfterFunc(ctx, func() { listener.Close() })
	logrus.Infof("Running load balancer k3s-agent-load-balancer %s -> %v", address, b.servers)
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go b.handle(client)
		}
	}()
	return nil
}

func (b *Balancer) handle(client net.Conn) {
	defer client.Close()
	server, address, err := b.dial()
	if err != nil {
		logrus.Warnf("Load balancer: %v", err)
		return
	}
	defer server.Close()
	b.mu.Lock()
	b.open[server] = address
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		delete(b.open, server)
		b.mu.Unlock()
	}()
	done := make(chan struct{}, 2)
	pump := func(to, from net.Conn) {
		_, _ = io.Copy(to, from)
		done <- struct{}{}
	}
	go pump(server, client)
	go pump(client, server)
	<-done
}

func (b *Balancer) dial() (net.Conn, string, error) {
	var last error
	for _, address := range b.order() {
		connection, err := net.DialTimeout("tcp", address, 2*time.Second)
		if err == nil {
			return connection, address, nil
		}
		last = err
		b.MoveBack(address)
	}
	return nil, "", fmt.Errorf("no server answers: %w", last)
}

// order has those first whose tunnel stands.
func (b *Balancer) order() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var up, down []string
	for _, address := range b.servers {
		if b.down[address] {
			down = append(down, address)
		} else {
			up = append(up, address)
		}
	}
	all := append(up, down...)
	for _, address := range all {
		if address == b.first {
			return all
		}
	}
	return append(all, b.first)
}

// MoveBack makes another server the first choice.
func (b *Balancer) MoveBack(address string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, one := range b.servers {
		if one == address && len(b.servers) > 1 {
			b.servers = append(append(append([]string{}, b.servers[:i]...), b.servers[i+1:]...), one)
			return
		}
	}
}

// SetUp records whether a server's tunnel stands; connections through one that does not are closed.
func (b *Balancer) SetUp(address string, up bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.down[address] = !up
	if !up {
		b.closeTo(address)
	}
}

func (b *Balancer) closeTo(address string) {
	for connection, to := range b.open {
		if to == address {
			connection.Close()
		}
	}
}

// Update takes the servers that the cluster names and remembers them for the next start.
func (b *Balancer) Update(addresses []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	wanted := map[string]bool{}
	for _, address := range addresses {
		wanted[address] = true
	}
	var kept []string
	for _, address := range b.servers {
		if wanted[address] {
			kept = append(kept, address)
			delete(wanted, address)
		} else {
			b.closeTo(address)
		}
	}
	for _, address := range addresses {
		if wanted[address] {
			kept = append(kept, address)
			delete(wanted, address)
		}
	}
	if len(kept) == 0 {
		return
	}
	logrus.Infof("Updated load balancer k3s-agent-load-balancer server addresses -> %v", kept)
	b.servers = kept
	b.save()
}

func (b *Balancer) save() {
	content, err := json.Marshal(map[string]any{"ServerAddresses": b.servers})
	if err != nil {
		return
	}
	if err := os.MkdirAll(filepath.Dir(b.file), 0o755); err == nil {
		err = os.WriteFile(b.file, content, 0o600)
	}
	if err != nil {
		logrus.Warnf("Failed to save the list of servers: %v", err)
	}
}

// HostPort is where a server's URL leads.
func HostPort(server string) (string, error) {
	target, err := url.Parse(server)
	if err != nil || target.Scheme != "https" || target.Host == "" {
		return "", fmt.Errorf("only https:// URLs are supported, invalid server URL: %s", server)
	}
	if target.Port() == "" {
		return net.JoinHostPort(target.Hostname(), "443"), nil
	}
	return target.Host, nil
}
