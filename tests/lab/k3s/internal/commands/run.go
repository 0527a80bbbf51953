package commands

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/sirupsen/logrus"

	"meshwright.invalid/lab/k3s/internal/agent"
	"meshwright.invalid/lab/k3s/internal/config"
	"meshwright.invalid/lab/k3s/internal/server"
	"meshwright.invalid/lab/k3s/internal/supervise"
)

// start is what `k3s server` and `k3s agent` have in common.
func start(command string, arguments []string) (*config.Options, *agent.Agent, error) {
	options, err := config.Parse(command, arguments)
	if err != nil {
		return nil, nil, err
	}
	if os.Geteuid() != 0 {
		return nil, nil, fmt.Errorf("must run as root")
	}
	if options.Bool("debug") {
		logrus.SetLevel(logrus.DebugLevel)
	}
	if path := options.Str("log"); path != "" {
		if err := logTo(path); err != nil {
			return nil, nil, err
		}
	}
	supervise.TakeNotifySocket()
	_ = os.WriteFile("/proc/self/comm", []byte("k3s-"+command), 0)
	name, err := config.NodeName(options)
	if err != nil {
		return nil, nil, err
	}
	ips, err := agent.NodeIPs(options)
	if err != nil {
		return nil, nil, err
	}
	if err := os.MkdirAll(options.Str("data-dir"), 0o755); err != nil {
		return nil, nil, err
	}
	return options, &agent.Agent{Options: options, Group: supervise.NewGroup(), NodeName: name, NodeIPs: ips}, nil
}

// logTo sends what this process says to a file; its parts go on to write to standard error.
func logTo(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err == nil {
		logrus.SetOutput(file)
	}
	return err
}

// serve runs until a signal or until a part fails; stop is called in either case.
func serve(group *supervise.Group, stop func(), run func(context.Context) error) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		if err := run(ctx); err != nil && ctx.Err() == nil {
			group.Fail(err)
		}
	}()
	var failure error
	select {
	case got := <-signals:
		logrus.Infof("Shutdown request received: %v", got)
	case failure = <-group.Failed():
		logrus.StandardLogger().Log(logrus.FatalLevel, failure) // said before the parts say goodbye
	}
	stop()
	group.Stop(time.Second, "kubelet", "kube-proxy", "containerd") // pods and their shims stay
	cancel()
	if failure != nil {
		os.Exit(1)
	}
	return nil
}

func runServer(arguments []string) error {
	options, node, err := start("server", arguments)
	if err != nil {
		return err
	}
	if len(options.Rest) > 0 {
		return fmt.Errorf("unexpected arguments: %s", strings.Join(options.Rest, " "))
	}
	control, err := server.New(options, node.Group, node.NodeName, node.NodeIPs)
	if err != nil {
		return fmt.Errorf("starting kubernetes: preparing server: %w", err)
	}
	if options.Bool("cluster-reset") {
		return control.Reset(context.Background())
	}
	if options.Str("cluster-reset-restore-path") != "" {
		return errors.New("invalid flag use; --cluster-reset required with --cluster-reset-restore-path")
	}
	logrus.Infof("Starting k3s %s", server.Version)
	return serve(node.Group, control.Stop, func(ctx context.Context) error { return bringUp(ctx, control, node) })
}

// bringUp starts the control plane and the host's own agent beside it.
func bringUp(ctx context.Context, control *server.Server, node *agent.Agent) error {
	begin := time.Now()
	if err := control.Prepare(ctx); err != nil {
		return fmt.Errorf("starting kubernetes: preparing server: %w", err)
	}
	node.OnServer, node.APIReady = true, control.APIReady()
	node.ServerURL, node.APIURL, node.Token = control.URL(), control.APIURL(), control.Token()
	if !node.Options.Bool("disable-agent") {
		go func() {
			if err := node.Run(ctx); err != nil && ctx.Err() == nil {
				node.Group.Fail(fmt.Errorf("starting agent: %w", err))
			}
		}()
	}
	if err := control.Run(ctx); err != nil {
		return fmt.Errorf("starting kubernetes: %w", err)
	}
	logrus.Infof("k3s is up and running, after %s", time.Since(begin).Round(time.Millisecond))
	supervise.Ready()
	return nil
}

func runAgent(arguments []string) error {
	options, node, err := start("agent", arguments)
	if err != nil {
		return err
	}
	given, err := options.Secret("token")
	if err != nil {
		return err
	}
	if given == "" {
		return errors.New("--token is required")
	}
	if options.Str("server") == "" {
		return errors.New("--server is required")
	}
	logrus.Infof("Starting k3s agent %s", server.Version)
	node.Token = given
	return serve(node.Group, func() {}, func(ctx context.Context) error { return bringUpAgent(ctx, node) })
}

func bringUpAgent(ctx context.Context, node *agent.Agent) error {
	port, err := strconv.Atoi(node.Options.Str("lb-server-port"))
	if err != nil {
		return fmt.Errorf("invalid lb-server-port: %w", err)
	}
	address, err := agent.HostPort(node.Options.Str("server"))
	if err != nil {
		return err
	}
	loop := "127.0.0.1"
	if config.IsIPv6(node.NodeIPs[0]) {
		loop = "[::1]"
	}
	node.Balancer = agent.NewBalancer(config.Dir(node.Options, "agent", "etc", "k3s-agent-load-balancer.json"), address)
	if err := node.Balancer.Serve(ctx, fmt.Sprintf("%s:%d", loop, port)); err != nil {
		return err
	}
	node.ServerURL = fmt.Sprintf("https://%s:%d", loop, port)
	node.APIURL = node.ServerURL
	if err := node.Run(ctx); err != nil {
		return err
	}
	logrus.Info("k3s agent is up and running")
	supervise.Ready()
	return nil
}
