// Package token reads and writes k3s's join tokens (k3s docs: cli/token.md).
package token

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"strings"
)

const prefix = "K10"

// Token is a join token: the secure form carries the hash of the cluster's authority.
type Token struct {
	CAHash   string
	User     string
	Password string
}

// Bootstrap is the form of a token that `k3s token generate` prints.
var Bootstrap = regexp.MustCompile(`^[a-z0-9]{6}\.[a-z0-9]{16}$`)

// Parse takes both forms: K10<hash>::<user>:<password>, and the bare password.
func Parse(text string) (Token, error) {
	if text == "" {
		return Token{}, errors.New("token must not be empty")
	}
	if !strings.HasPrefix(text, prefix) {
		return Token{Password: text}, nil
	}
	hash, credentials, found := strings.Cut(strings.TrimPrefix(text, prefix), "::")
	if !found {
		hash, credentials = "", strings.TrimPrefix(text, prefix)
	}
	if len(hash) != 0 && len(hash) != 2*sha256.Size {
		return Token{}, errors.New("invalid token CA hash length")
	}
	user, password, found := strings.Cut(credentials, ":")
	if !found || password == "" {
		return Token{}, errors.New("invalid token format")
	}
	return Token{CAHash: hash, User: user, Password: password}, nil
}

// Hash is the digest of the authority's certificate file.
func Hash(ca []byte) string {
	digest := sha256.Sum256(ca)
	return hex.EncodeToString(digest[:])
}

// Format makes the secure form.
func Format(ca []byte, user, password string) string {
	return prefix + Hash(ca) + "::" + user + ":" + password
}

// CheckCA compares the token's hash, if it has one, with the authority that a server showed.
func (t Token) CheckCA(ca []byte) error {
	if t.CAHash == "" || t.CAHash == Hash(ca) {
		return nil
	}
	return fmt.Errorf("token CA hash does not match the Cluster CA certificate hash: %s != %s", t.CAHash, Hash(ca))
}

// Random makes a password.
func Random() (string, error) {
	content := make([]byte, 16)
	_, err := rand.Read(content)
	return hex.EncodeToString(content), err
}

// Generate makes a bootstrap token.
func Generate() (string, error) {
	id, err := letters(6)
	if err != nil {
		return "", err
	}
	secret, err := letters(16)
	return id + "." + secret, err
}

func letters(count int) (string, error) {
	const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789"
	found := make([]byte, count)
	for i := range found {
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(alphabet))))
		if err != nil {
			return "", err
		}
		found[i] = alphabet[n.Int64()]
	}
	return string(found), nil
}
