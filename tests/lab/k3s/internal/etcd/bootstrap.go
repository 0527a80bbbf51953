package etcd

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"meshwright.invalid/lab/k3s/internal/certs"
)

const (
	bootstrapPrefix = "/bootstrap/"
	iterations      = 4096
	saltLength      = 16
)

// File is one file of the bootstrap data.
type File struct {
	Content   []byte
	Timestamp time.Time
}

// Files are the bootstrap data: what all servers of a cluster share (k3s docs: cli/token.md).
type Files map[string]File

// ReadFiles collects them from disk.
func ReadFiles(serverDir string) (Files, error) {
	found := Files{}
	for name, file := range certs.Bootstrap {
		path := filepath.Join(serverDir, file)
		content, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		found[name] = File{Content: content, Timestamp: info.ModTime()}
	}
	return found, nil
}

// Write puts them on disk.
func (f Files) Write(serverDir string) error {
	for name, file := range f {
		target, known := certs.Bootstrap[name]
		if !known {
			continue
		}
		path := filepath.Join(serverDir, target)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(path, file.Content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func bootstrapKey(password string) string {
	digest := sha256.Sum256([]byte(password))
	return bootstrapPrefix + hex.EncodeToString(digest[:])[:12]
}

// ErrOtherToken is met by a server whose token is not the one that the datastore was made with.
var ErrOtherToken = errors.New("bootstrap data already found and encrypted with different token")

// LoadBootstrap reads the data from the datastore; nil if there are none yet.
func (n *Node) LoadBootstrap(ctx context.Context, password string) (Files, error) {
	all, err := n.client.Get(ctx, bootstrapPrefix, clientv3.WithPrefix())
	if err != nil {
		return nil, err
	}
	for _, pair := range all.Kvs {
		if string(pair.Key) != bootstrapKey(password) {
			continue
		}
		content, err := decrypt(password, pair.Value)
		if err != nil {
			return nil, fmt.Errorf("bootstrap data cannot be decrypted: %w", err)
		}
		var files Files
		return files, json.Unmarshal(content, &files)
	}
	if len(all.Kvs) > 0 {
		return nil, ErrOtherToken
	}
	return nil, nil
}

// SaveBootstrap writes the data to the datastore.
func (n *Node) SaveBootstrap(ctx context.Context, password string, files Files) error {
	content, err := json.Marshal(files)
	if err != nil {
		return err
	}
	sealed, err := encrypt(password, content)
	if err != nil {
		return err
	}
	_, err = n.client.Put(ctx, bootstrapKey(password), string(sealed))
	return err
}

func encrypt(password string, content []byte) ([]byte, error) {
	salt := make([]byte, saltLength)
	if _, err := rand.Read(salt); err != nil {
		return nil, err
	}
	sealer, err := sealerOf(password, salt)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, sealer.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return nil, err
	}
	return sealer.Seal(append(salt, nonce...), nonce, content, nil), nil
}

func decrypt(password string, sealed []byte) ([]byte, error) {
	if len(sealed) < saltLength {
		return nil, errors.New("too short")
	}
	sealer, err := sealerOf(password, sealed[:saltLength])
	if err != nil {
		return nil, err
	}
	rest := sealed[saltLength:]
	if len(rest) < sealer.NonceSize() {
		return nil, errors.New("too short")
	}
	return sealer.Open(nil, rest[:sealer.NonceSize()], rest[sealer.NonceSize():], nil)
}

func sealerOf(password string, salt []byte) (cipher.AEAD, error) {
	key, err := pbkdf2.Key(sha256.New, password, salt, iterations, 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
