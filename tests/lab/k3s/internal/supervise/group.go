// Package supervise runs the parts of k3s as children that die with it.
package supervise

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/sirupsen/logrus"
)

// Group starts children. One that ends unasked ends k3s, as a part of k3s's own process would.
type Group struct {
	requests chan func()
	failed   chan error
	mu       sync.Mutex
	procs    map[string]*Proc
	stopping bool
}

// Proc is one child.
type Proc struct {
	Name string
	Done chan struct{}
	cmd  *exec.Cmd
}

// NewGroup keeps one thread for all starts: the kernel ties the parent-death signal to the thread, not the process.
func NewGroup() *Group {
	g := &Group{requests: make(chan func()), failed: make(chan error, 16), procs: map[string]*Proc{}}
	go func() {
		runtime.LockOSThread()
		for request := range g.requests {
			request()
		}
	}()
	return g
}

// Failed reports why k3s has to end.
func (g *Group) Failed() <-chan error { return g.failed }

// Fail ends k3s from within.
func (g *Group) Fail(err error) {
	select {
	case g.failed <- err:
	default:
	}
}

// Component runs a part that is built into this binary.
func (g *Group) Component(name string, arguments []string) (*Proc, error) {
	cmd := exec.Command("/proc/self/exe", arguments...)
	cmd.Args[0] = "k3s-" + name
	logrus.Infof("Running %s %s", name, strings.Join(arguments, " "))
	return g.Start(name, cmd)
}

// Start runs a child in the group.
func (g *Group) Start(name string, cmd *exec.Cmd) (*Proc, error) {
	g.mu.Lock()
	stopping := g.stopping
	g.mu.Unlock()
	if stopping {
		return nil, fmt.Errorf("failed to start %s: k3s is ending", name)
	}
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	// A group of its own, so that a signal typed at a terminal reaches k3s alone, which ends its parts in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	started := make(chan error)
	g.requests <- func() { started <- cmd.Start() }
	if err := <-started; err != nil {
		return nil, fmt.Errorf("failed to start %s: %w", name, err)
	}
	proc := &Proc{Name: name, Done: make(chan struct{}), cmd: cmd}
	g.mu.Lock()
	g.procs[name] = proc
	g.mu.Unlock()
	go g.watch(proc)
	return proc, nil
}

func (g *Group) watch(proc *Proc) {
	err := proc.cmd.Wait()
	g.mu.Lock()
	stopping := g.stopping
	g.mu.Unlock()
	close(proc.Done)
	if !stopping {
		g.Fail(fmt.Errorf("%s exited: %v", proc.Name, describe(err)))
	}
}

func describe(err error) string {
	if err == nil {
		return "exit status 0"
	}
	return err.Error()
}

// Stop asks the named children to end and makes those end that do not in time.
func (g *Group) Stop(timeout time.Duration, names ...string) {
	g.mu.Lock()
	g.stopping = true
	var procs []*Proc
	for _, name := range names {
		if proc := g.procs[name]; proc != nil {
			procs = append(procs, proc)
		}
	}
	g.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	for _, proc := range procs {
		_ = proc.cmd.Process.Signal(syscall.SIGTERM)
	}
	for _, proc := range procs {
		select {
		case <-proc.Done:
		case <-ctx.Done():
			_ = proc.cmd.Process.Kill()
			<-proc.Done
		}
	}
}
