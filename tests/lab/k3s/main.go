// k3s is a stand-in for k3s in the project's lab: see README.md.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/sirupsen/logrus"

	"meshwright.invalid/lab/k3s/internal/cniplugin"
	"meshwright.invalid/lab/k3s/internal/commands"
	"meshwright.invalid/lab/k3s/internal/components"
	"meshwright.invalid/lab/k3s/internal/server"
)

// commit stands where a release has that of its source.
const commit = "00000000"

func main() {
	program := filepath.Base(os.Args[0])
	if program == cniplugin.Name {
		cniplugin.Main()
		return
	}
	if part, ok := components.Of(program); ok {
		components.Run(program, part)
	}
	arguments := os.Args[1:]
	if _, tool := commands.Tools[program]; tool {
		arguments = append([]string{program}, arguments...)
	}
	if err := run(arguments); err != nil {
		logrus.Fatal(err)
	}
}

func run(arguments []string) error {
	if len(arguments) == 0 {
		fmt.Println(usage)
		return nil
	}
	name, rest := arguments[0], arguments[1:]
	if name == "--version" || name == "-v" {
		fmt.Printf("k3s version %s (%s)\ngo version %s\n", server.Version, commit, runtime.Version())
		return nil
	}
	if name == "--help" || name == "-h" || name == "help" {
		fmt.Println(usage)
		return nil
	}
	if tool, ok := commands.Tools[name]; ok {
		return tool(rest)
	}
	if command, ok := commands.All[name]; ok {
		return command(rest)
	}
	return fmt.Errorf("No help topic for '%s'", name)
}

const usage = `NAME:
   k3s - a stand-in for k3s: Kubernetes, not so small and simple

USAGE:
   k3s [global options] command [command options] [arguments...]

COMMANDS:
   server           Run management server
   agent            Run node agent
   kubectl          Run kubectl
   crictl           Run crictl
   ctr              Run ctr
   check-config     Run config check
   token            Manage tokens
   etcd-snapshot    Manage etcd snapshots
   secrets-encrypt  Control secrets encryption and keys rotation
   certificate      Manage K3s certificates

GLOBAL OPTIONS:
   --help, -h       show help
   --version, -v    print the version`
