package config

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/sirupsen/logrus"
	"go.yaml.in/yaml/v3"
)

// readFiles merges the main file and its drop-ins; the last value of a key wins, and `key+` appends.
// k3s docs: installation/configuration.md; k3s: pkg/configfilearg/parser.go.
func readFiles(main string, required bool, known map[string]Flag) (*values, error) {
	merged := newValues()
	paths, err := filePaths(main, required)
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		if err := mergeFile(merged, path, known); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return merged, nil
}

func filePaths(main string, required bool) ([]string, error) {
	var paths []string
	if _, err := os.Stat(main); err == nil {
		paths = append(paths, main)
	} else if required || !os.IsNotExist(err) {
		return nil, err
	}
	entries, err := os.ReadDir(main + ".d")
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	var dropIns []string
	for _, entry := range entries {
		if extension := filepath.Ext(entry.Name()); !entry.IsDir() && (extension == ".yaml" || extension == ".yml") {
			dropIns = append(dropIns, filepath.Join(main+".d", entry.Name()))
		}
	}
	sort.Strings(dropIns)
	return append(paths, dropIns...), nil
}

func mergeFile(merged *values, path string, known map[string]Flag) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var document yaml.Node
	if err := yaml.Unmarshal(content, &document); err != nil {
		return err
	}
	if len(document.Content) == 0 {
		return nil
	}
	root := document.Content[0]
	if root.Kind != yaml.MappingNode {
		return fmt.Errorf("not a mapping of options to values")
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, appends := strings.CutSuffix(root.Content[i].Value, "+")
		flag, ok := known[strings.TrimLeft(key, "-")]
		if !ok {
			logrus.Warnf("Unknown flag --%s found in %s, skipping", key, filepath.Base(path))
			continue
		}
		if !appends {
			merged.clear(flag.Name)
		}
		for _, value := range scalars(root.Content[i+1]) {
			merged.add(flag.Name, value)
		}
	}
	return nil
}

func scalars(node *yaml.Node) []string {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	switch {
	case node.Kind == yaml.SequenceNode:
		var found []string
		for _, child := range node.Content {
			found = append(found, scalars(child)...)
		}
		return found
	case node.Tag == "!!null":
		return []string{""}
	default:
		return []string{node.Value}
	}
}

// values keeps the order in which options were first seen, as node-args shows them in it.
type values struct {
	order []string
	byKey map[string][]string
}

func newValues() *values { return &values{byKey: map[string][]string{}} }

func (v *values) clear(key string) { delete(v.byKey, key) }

func (v *values) add(key, value string) {
	seen := false
	for _, name := range v.order {
		seen = seen || name == key
	}
	if !seen {
		v.order = append(v.order, key)
	}
	v.byKey[key] = append(v.byKey[key], value)
}
