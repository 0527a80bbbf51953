package config

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Options are the effective values of one command.
type Options struct {
	Command string
	Rest    []string
	given   *values
	flags   map[string]Flag
}

// Parse merges files, environment and command line: the command line beats files, which beat the environment.
func Parse(command string, arguments []string) (*Options, error) {
	known := index(FlagsOf(command))
	line, rest, err := parseLine(arguments, known)
	if err != nil {
		return nil, err
	}
	file, required := known["config"].Default, false
	if named := os.Getenv("K3S_CONFIG_FILE"); named != "" {
		file, required = named, true
	}
	if named := line.byKey["config"]; len(named) > 0 {
		file, required = named[len(named)-1], true
	}
	given, err := readFiles(file, required, known)
	if err != nil {
		return nil, fmt.Errorf("failed to read the configuration: %w", err)
	}
	for _, key := range line.order {
		given.clear(key) // a list on the command line replaces that of the files
		for _, value := range line.byKey[key] {
			given.add(key, value)
		}
	}
	options := &Options{Command: command, Rest: rest, given: given, flags: known}
	return options, options.check()
}

func index(flags []Flag) map[string]Flag {
	byName := map[string]Flag{}
	for _, flag := range flags {
		byName[flag.Name] = flag
		if flag.Alias != "" {
			byName[flag.Alias] = flag
		}
	}
	return byName
}

func parseLine(arguments []string, known map[string]Flag) (*values, []string, error) {
	line := newValues()
	var rest []string
	for i := 0; i < len(arguments); i++ {
		argument := arguments[i]
		if !strings.HasPrefix(argument, "-") || argument == "-" {
			rest = append(rest, argument)
			continue
		}
		name, value, hasValue := strings.Cut(strings.TrimLeft(argument, "-"), "=")
		flag, ok := known[name]
		switch {
		case !ok:
			return nil, nil, fmt.Errorf("flag provided but not defined: -%s", name)
		case flag.Kind == Bool && !hasValue:
			value = "true"
		case !hasValue:
			if i++; i >= len(arguments) {
				return nil, nil, fmt.Errorf("flag needs an argument: -%s", name)
			}
			value = arguments[i]
		}
		line.add(flag.Name, value)
	}
	return line, rest, nil
}

func (o *Options) check() error {
	for key, list := range o.given.byKey {
		if o.flags[key].Kind != Bool {
			continue
		}
		for _, value := range list {
			if _, err := parseBool(value); err != nil {
				return fmt.Errorf("invalid boolean value %q for -%s: %w", value, key, err)
			}
		}
	}
	return nil
}

func parseBool(value string) (bool, error) {
	if value == "" {
		return true, nil
	}
	return strconv.ParseBool(value)
}

// Str is the last value given, or the environment's, or the default.
func (o *Options) Str(name string) string {
	flag, ok := o.flags[name]
	if !ok {
		return ""
	}
	if list := o.given.byKey[name]; len(list) > 0 {
		return list[len(list)-1]
	}
	if flag.Env != "" {
		if value := os.Getenv(flag.Env); value != "" {
			return value
		}
	}
	return flag.Default
}

// Given says whether the option was set in a file, on the command line or by the environment.
func (o *Options) Given(name string) bool {
	flag := o.flags[name]
	return len(o.given.byKey[name]) > 0 || (flag.Env != "" && os.Getenv(flag.Env) != "")
}

func (o *Options) Bool(name string) bool {
	value := o.Str(name)
	if value == "" && !o.Given(name) {
		return false
	}
	set, _ := parseBool(value)
	return set
}

func (o *Options) Int(name string) (int, error) {
	value := o.Str(name)
	if value == "" {
		return 0, nil
	}
	number, err := strconv.Atoi(value)
	if err != nil {
		return 0, fmt.Errorf("invalid value %q for -%s: a number is wanted", value, name)
	}
	return number, nil
}

// List is all values of an option, none split.
func (o *Options) List(name string) []string {
	list := o.given.byKey[name]
	if flag := o.flags[name]; len(list) == 0 && flag.Env != "" && os.Getenv(flag.Env) != "" {
		list = []string{os.Getenv(flag.Env)}
	}
	var found []string
	for _, value := range list {
		if value != "" {
			found = append(found, value)
		}
	}
	return found
}

// Split is all values of an option that may carry several, separated by commas.
func (o *Options) Split(name string) []string {
	var found []string
	for _, value := range o.List(name) {
		for _, part := range strings.Split(value, ",") {
			if part = strings.TrimSpace(part); part != "" {
				found = append(found, part)
			}
		}
	}
	return found
}

// Secret is the value of an option or the content of the file that its -file sibling names.
func (o *Options) Secret(name string) (string, error) {
	if value := o.Str(name); value != "" {
		return value, nil
	}
	path := o.Str(name + "-file")
	if path == "" {
		return "", nil
	}
	content, err := os.ReadFile(path)
	return strings.TrimSpace(string(content)), err
}

var secretFlags = []string{
	"token", "agent-token", "datastore-endpoint", "etcd-s3-access-key", "etcd-s3-secret-key",
	"etcd-s3-session-token", "vpn-auth", "etcd-token",
}

const masked = "********"

// NodeArgs is the command with all its options as the node's annotation shows them (k3s: pkg/nodeconfig).
func (o *Options) NodeArgs() []string {
	arguments := []string{o.Command}
	for _, key := range o.given.order {
		for _, value := range o.given.byKey[key] {
			if isSecret(key) {
				value = masked
			}
			arguments = append(arguments, "--"+key, value)
		}
	}
	return arguments
}

func isSecret(key string) bool {
	for _, name := range secretFlags {
		if name == key {
			return true
		}
	}
	return false
}

// NodeEnv is k3s's own environment, secrets masked.
func NodeEnv(environment []string) map[string]string {
	found := map[string]string{}
	for _, pair := range environment {
		key, value, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(key, "K3S_") {
			continue
		}
		for _, word := range []string{"TOKEN", "KEY", "SECRET", "PASSWORD", "ENDPOINT", "AUTH"} {
			if strings.Contains(key, word) && !strings.HasSuffix(key, "_FILE") {
				value = masked
			}
		}
		found[key] = value
	}
	return found
}
