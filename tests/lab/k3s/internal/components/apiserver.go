package components

import (
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/client-go/rest"
	"k8s.io/component-base/logs"
	logsapi "k8s.io/component-base/logs/api/v1"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	"k8s.io/kubernetes/cmd/kube-apiserver/app/options"
)

const advertisePort = "--advertise-port="

// newAPIServer is upstream's command with k3s's --advertise-port: the port that the kubernetes Service's endpoints
// carry is that of the supervisor, behind which the API server listens on loopback alone.
func newAPIServer() *cobra.Command {
	port := 0
	for i, argument := range os.Args {
		if text, ok := strings.CutPrefix(argument, advertisePort); ok {
			port, _ = strconv.Atoi(text)
			os.Args = append(os.Args[:i:i], os.Args[i+1:]...)
			break
		}
	}
	command := apiserver.NewAPIServerCommand()
	if port == 0 {
		return command
	}
	opts := options.NewServerRunOptions()
	command.ResetFlags()
	for _, set := range opts.Flags().FlagSets {
		command.Flags().AddFlagSet(set)
	}
	logs.AddFlags(command.Flags(), logs.SkipLoggingConfigurationFlags())
	command.PersistentPreRunE = func(*cobra.Command, []string) error {
		rest.SetDefaultWarningHandler(rest.NoWarnings{})
		return opts.GenericServerRunOptions.ComponentGlobalsRegistry.Set()
	}
	command.RunE = func(command *cobra.Command, _ []string) error {
		return runAPIServer(command, opts, port)
	}
	return command
}

func runAPIServer(command *cobra.Command, opts *options.ServerRunOptions, port int) error {
	ctx := command.Context()
	if err := logsapi.ValidateAndApply(opts.Logs, nil); err != nil {
		return err
	}
	completed, err := opts.Complete(ctx)
	if err != nil {
		return err
	}
	if problems := completed.Validate(); len(problems) != 0 {
		return utilerrors.NewAggregate(problems)
	}
	config, err := apiserver.NewConfig(completed)
	if err != nil {
		return err
	}
	// The client of the API server to itself has been made by now, with the port that it really listens on.
	for _, generic := range []*genericapiserver.SecureServingInfo{
		config.KubeAPIs.ControlPlane.Generic.SecureServing, config.Aggregator.GenericConfig.SecureServing,
		config.ApiExtensions.GenericConfig.SecureServing,
	} {
		if _, done := generic.Listener.(advertised); !done {
			generic.Listener = advertised{generic.Listener, port}
		}
	}
	ready, err := config.Complete()
	if err != nil {
		return err
	}
	server, err := apiserver.CreateServerChain(ready)
	if err != nil {
		return err
	}
	prepared, err := server.PrepareRun()
	if err != nil {
		return err
	}
	return prepared.Run(ctx)
}

// advertised is a listener that gives another port as its own.
type advertised struct {
	net.Listener
	port int
}

func (a advertised) Addr() net.Addr {
	if address, ok := a.Listener.Addr().(*net.TCPAddr); ok {
		return &net.TCPAddr{IP: address.IP, Port: a.port, Zone: address.Zone}
	}
	return a.Listener.Addr()
}
