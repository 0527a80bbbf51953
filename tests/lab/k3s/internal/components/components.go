// Package components is what the binary becomes when k3s runs it again as one of its parts.
package components

import (
	"os"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"

	"context"
)

var parts = map[string]func() *cobra.Command{
	"kube-apiserver":          newAPIServer,
	"kube-controller-manager": controllermanager.NewControllerManagerCommand,
	"kube-scheduler":          func() *cobra.Command { return scheduler.NewSchedulerCommand() },
	"kube-proxy":              proxy.NewProxyCommand,
	"kubelet":                 func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) },
}

// Of is the part that a program name stands for.
func Of(program string) (func() *cobra.Command, bool) {
	name, ok := strings.CutPrefix(program, "k3s-")
	if !ok {
		return nil, false
	}
	part, ok := parts[name]
	return part, ok
}

// Run becomes the part and never returns.
func Run(program string, part func() *cobra.Command) {
	// A name for ps: that of /proc/self/exe would be "exe".
	_ = os.WriteFile("/proc/self/comm", []byte(program), 0)
	command := part()
	command.SetArgs(os.Args[1:])
	os.Exit(cli.Run(command))
}
