// Package manifests applies what lies in server/manifests (k3s docs: installation/packaged-components.md).
package manifests

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
)

const (
	period  = 3 * time.Second
	manager = "deploy@k3s"
)

// Packaged are the files that k3s writes itself, and the names of those that are not wanted.
type Packaged struct {
	Files    map[string]string
	Disabled map[string]bool
}

// Deployer applies a directory.
type Deployer struct {
	directory string
	packaged  Packaged
	client    dynamic.Interface
	mapper    *restmapper.DeferredDiscoveryRESTMapper
	applied   map[string]string // path → checksum
}

// New makes one for a cluster.
func New(config *rest.Config, directory string, packaged Packaged) (*Deployer, error) {
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	found, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, err
	}
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(found))
	return &Deployer{directory: directory, packaged: packaged, client: client, mapper: mapper, applied: map[string]string{}}, nil
}

// First writes the packaged files, removes what is disabled and applies everything once.
func (d *Deployer) First(ctx context.Context) error {
	if err := os.MkdirAll(d.directory, 0o700); err != nil {
		return err
	}
	if err := d.apply(ctx, []byte(addOnDefinition)); err != nil {
		return fmt.Errorf("definition of AddOns: %w", err)
	}
	for name, content := range d.packaged.Files {
		path := filepath.Join(d.directory, name+".yaml")
		if d.packaged.Disabled[name] {
			if err := d.disable(ctx, path, name); err != nil {
				logrus.Warnf("Failed to remove the disabled component %s: %v", name, err)
			}
			continue
		}
		if skipped(path) {
			continue
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			return err
		}
	}
	d.scan(ctx)
	return nil
}

// Watch applies what is new or changed.
func (d *Deployer) Watch(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(period):
			d.scan(ctx)
		}
	}
}

func skipped(path string) bool {
	_, err := os.Stat(path + ".skip")
	return err == nil
}

func (d *Deployer) scan(ctx context.Context) {
	var paths []string
	_ = filepath.WalkDir(d.directory, func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && isManifest(path) {
			paths = append(paths, path)
		}
		return nil
	})
	sort.Strings(paths)
	for _, path := range paths {
		if skipped(path) || d.unwanted(path) {
			continue
		}
		if err := d.deploy(ctx, path); err != nil {
			logrus.Errorf("Failed to process config: failed to process %s: %v", path, err)
		}
	}
}

func (d *Deployer) unwanted(path string) bool { return d.packaged.Disabled[nameOf(path)] }

func isManifest(path string) bool {
	switch filepath.Ext(path) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return false
}

func nameOf(path string) string {
	name := filepath.Base(path)
	return strings.ToLower(strings.TrimSuffix(name, filepath.Ext(name)))
}

// deploy applies a file unless the cluster says that just this content was applied before.
func (d *Deployer) deploy(ctx context.Context, path string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	digest := sha256.Sum256(content)
	checksum := hex.EncodeToString(digest[:])
	if d.applied[path] == checksum {
		return nil
	}
	addOn, err := d.addOn(ctx, nameOf(path))
	if err != nil {
		return err
	}
	if found, _, _ := unstructured.NestedString(addOn.Object, "spec", "checksum"); found != checksum {
		if err := d.apply(ctx, content); err != nil {
			return err
		}
		if err := d.saveAddOn(ctx, nameOf(path), path, checksum); err != nil {
			return err
		}
		logrus.Infof("Applied manifest at %q", path)
	}
	d.applied[path] = checksum
	return nil
}

func (d *Deployer) apply(ctx context.Context, content []byte) error {
	objects, err := decode(content)
	if err != nil {
		return err
	}
	var problems []error
	for _, object := range objects {
		if err := d.applyOne(ctx, object); err != nil {
			problems = append(problems, fmt.Errorf("%s %s: %w", object.GetKind(), object.GetName(), err))
		}
	}
	return errors.Join(problems...)
}

func decode(content []byte) ([]*unstructured.Unstructured, error) {
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(content), 4096)
	var found []*unstructured.Unstructured
	for {
		var object unstructured.Unstructured
		err := decoder.Decode(&object.Object)
		if err == io.EOF {
			return found, nil
		}
		if err != nil {
			return nil, err
		}
		if len(object.Object) == 0 {
			continue
		}
		if !object.IsList() {
			found = append(found, &object)
			continue
		}
		list, err := object.ToList()
		if err != nil {
			return nil, err
		}
		for i := range list.Items {
			found = append(found, &list.Items[i])
		}
	}
}

func (d *Deployer) resource(object *unstructured.Unstructured) (dynamic.ResourceInterface, error) {
	kind := object.GroupVersionKind()
	mapping, err := d.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if meta.IsNoMatchError(err) {
		d.mapper.Reset()
		mapping, err = d.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	}
	if err != nil {
		return nil, err
	}
	if mapping.Scope.Name() != meta.RESTScopeNameNamespace {
		return d.client.Resource(mapping.Resource), nil
	}
	namespace := object.GetNamespace()
	if namespace == "" {
		namespace = "default"
		object.SetNamespace(namespace)
	}
	return d.client.Resource(mapping.Resource).Namespace(namespace), nil
}

func (d *Deployer) applyOne(ctx context.Context, object *unstructured.Unstructured) error {
	resource, err := d.resource(object)
	if err != nil {
		return err
	}
	_, err = resource.Apply(ctx, object.GetName(), object, metav1.ApplyOptions{FieldManager: manager, Force: true})
	return err
}

// disable removes a packaged component: its file and what the file had made.
func (d *Deployer) disable(ctx context.Context, path, name string) error {
	content, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	objects, err := decode(content)
	if err != nil {
		return err
	}
	for _, object := range objects {
		resource, err := d.resource(object)
		if err != nil {
			return err
		}
		if err := resource.Delete(ctx, object.GetName(), metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	if err := d.addOns().Delete(ctx, name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	return os.Remove(path)
}

var addOnResource = schema.GroupVersionResource{Group: "k3s.cattle.io", Version: "v1", Resource: "addons"}

func (d *Deployer) addOns() dynamic.ResourceInterface {
	return d.client.Resource(addOnResource).Namespace("kube-system")
}

// addOn waits a little for the resource: its definition may have been made just now.
func (d *Deployer) addOn(ctx context.Context, name string) (*unstructured.Unstructured, error) {
	var err error
	for range 50 {
		var found *unstructured.Unstructured
		if found, err = d.addOns().Get(ctx, name, metav1.GetOptions{}); err == nil {
			return found, nil
		}
		var status apierrors.APIStatus
		if errors.As(err, &status) && apierrors.IsNotFound(err) && status.Status().Details != nil && status.Status().Details.Name == name {
			return &unstructured.Unstructured{Object: map[string]any{}}, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	return nil, err
}

func (d *Deployer) saveAddOn(ctx context.Context, name, path, checksum string) error {
	object := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "k3s.cattle.io/v1", "kind": "Addon",
		"metadata": map[string]any{"name": name, "namespace": "kube-system"},
		"spec":     map[string]any{"source": path, "checksum": checksum},
	}}
	_, err := d.addOns().Apply(ctx, name, object, metav1.ApplyOptions{FieldManager: manager, Force: true})
	return err
}

const addOnDefinition = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: addons.k3s.cattle.io
spec:
  group: k3s.cattle.io
  names: {kind: Addon, plural: addons, singular: addon}
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties:
              source: {type: string, nullable: true}
              checksum: {type: string, nullable: true}
    additionalPrinterColumns:
    - {name: Source, type: string, jsonPath: .spec.source}
    - {name: Checksum, type: string, jsonPath: .spec.checksum}
`
