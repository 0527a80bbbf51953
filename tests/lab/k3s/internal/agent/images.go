package agent

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/sirupsen/logrus"
)

var archives = []string{".tar", ".tar.gz", ".tgz", ".tar.zst", ".tzst"}

// imported remembers a file of agent/images and what it brought, so that a restart does not read it again.
type imported struct {
	Size   int64     `json:"size"`
	Time   time.Time `json:"modTime"`
	Images []string  `json:"images"`
}

const cacheName = ".cache.json"

// importImages loads the archives and lists of agent/images (k3s docs: add-ons/import-images.md).
func (a *Agent) importImages(ctx context.Context) error {
	directory := a.dir("images")
	entries, err := os.ReadDir(directory)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	cache := map[string]imported{}
	if content, err := os.ReadFile(filepath.Join(directory, cacheName)); err == nil {
		_ = json.Unmarshal(content, &cache)
	}
	changed := false
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || entry.IsDir() || !isArchive(entry.Name()) {
			continue
		}
		known := cache[entry.Name()]
		if known.Size == info.Size() && known.Time.Equal(info.ModTime()) && len(missing(ctx, known.Images)) == 0 {
			continue
		}
		images, err := importArchive(ctx, filepath.Join(directory, entry.Name()))
		if err != nil {
			logrus.Errorf("Failed to import images from %s: %v", entry.Name(), err)
			continue
		}
		cache[entry.Name()] = imported{Size: info.Size(), Time: info.ModTime(), Images: images}
		changed = true
	}
	if !changed {
		return nil
	}
	content, err := json.Marshal(cache)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(directory, cacheName), content, 0o600)
}

func isArchive(name string) bool {
	for _, ending := range archives {
		if strings.HasSuffix(name, ending) {
			return true
		}
	}
	return false
}

func importArchive(ctx context.Context, path string) ([]string, error) {
	begin := time.Now()
	images, err := imagesOf(path)
	if err != nil {
		return nil, err
	}
	if len(images) > 0 && len(missing(ctx, images)) == 0 {
		return images, nil
	}
	if err := importStream(ctx, path); err != nil {
		return nil, err
	}
	logrus.Infof("Imported images from %s in %s", path, time.Since(begin).Round(time.Millisecond))
	return images, nil
}

// importStream decompresses by itself: ctr before containerd 2 takes plain archives only.
func importStream(ctx context.Context, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	stream, err := decompressed(path, file)
	if err != nil {
		return err
	}
	_, err = ctrWith(ctx, stream, "images", "import", "-")
	return err
}

func missing(ctx context.Context, wanted []string) []string {
	if len(wanted) == 0 {
		return nil
	}
	listed, err := ctr(ctx, "images", "list", "-q")
	if err != nil {
		return wanted
	}
	have := map[string]bool{}
	for _, name := range strings.Fields(listed) {
		have[name] = true
	}
	var found []string
	for _, name := range wanted {
		if !have[name] {
			found = append(found, name)
		}
	}
	return found
}

// imagesOf reads the names out of an archive without unpacking it: of docker's form, or OCI's with names on its index.
func imagesOf(path string) ([]string, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	stream, err := decompressed(path, file)
	if err != nil {
		return nil, err
	}
	reader := tar.NewReader(stream)
	for {
		header, err := reader.Next()
		if err == io.EOF {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		switch filepath.Clean(header.Name) {
		case "index.json":
			if names := indexNames(reader); len(names) > 0 {
				return names, nil
			}
		case "manifest.json":
			var manifests []struct{ RepoTags []string }
			if err := json.NewDecoder(reader).Decode(&manifests); err != nil {
				return nil, fmt.Errorf("manifest.json: %w", err)
			}
			var names []string
			for _, manifest := range manifests {
				names = append(names, manifest.RepoTags...)
			}
			return qualified(names), nil
		}
	}
}

func decompressed(path string, file io.Reader) (io.Reader, error) {
	switch {
	case strings.HasSuffix(path, ".zst") || strings.HasSuffix(path, ".tzst"):
		return zstd.NewReader(file)
	case strings.HasSuffix(path, ".gz") || strings.HasSuffix(path, ".tgz"):
		return gzip.NewReader(file)
	default:
		return file, nil
	}
}

func indexNames(reader io.Reader) []string {
	var index struct {
		Manifests []struct{ Annotations map[string]string }
	}
	if json.NewDecoder(reader).Decode(&index) != nil {
		return nil
	}
	var names []string
	for _, manifest := range index.Manifests {
		if name := manifest.Annotations["io.containerd.image.name"]; name != "" {
			names = append(names, name)
		}
	}
	return names
}

// qualified spells names out as containerd stores them.
func qualified(names []string) []string {
	var found []string
	for _, name := range names {
		first, rest, slashed := strings.Cut(name, "/")
		switch {
		case !slashed:
			name = "docker.io/library/" + name
		case !strings.ContainsAny(first, ".:") && first != "localhost":
			name = "docker.io/" + first + "/" + rest
		}
		found = append(found, name)
	}
	return found
}

// watchImages imports what is put into the directory while k3s runs (k3s docs: since v1.32).
func (a *Agent) watchImages(ctx context.Context) {
	last := listing(a.dir("images"))
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(5 * time.Second):
		}
		now := listing(a.dir("images"))
		if now == last {
			continue
		}
		last = now
		if err := a.importImages(ctx); err != nil {
			logrus.Errorf("Failed to import images: %v", err)
		}
	}
}

func listing(directory string) string {
	entries, _ := os.ReadDir(directory)
	text := ""
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil && isArchive(entry.Name()) {
			text += fmt.Sprintln(entry.Name(), info.Size(), info.ModTime().UnixNano())
		}
	}
	return text
}
