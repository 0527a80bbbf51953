package etcd

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
)

func TestBootstrapDataNeedTheirToken(t *testing.T) {
	sealed, err := encrypt("right", []byte("content"))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, []byte("content")) {
		t.Error("not encrypted")
	}
	opened, err := decrypt("right", sealed)
	if err != nil || string(opened) != "content" {
		t.Errorf("%s %v", opened, err)
	}
	if _, err := decrypt("wrong", sealed); err == nil {
		t.Error("opened with another token")
	}
}

func TestAJoiningServerAndTheMembersThatThereAre(t *testing.T) {
	member := func(name, address string) *etcdserverpb.Member {
		return &etcdserverpb.Member{Name: name, PeerURLs: []string{"https://" + address + ":2380"}}
	}
	for _, one := range []struct {
		name      string
		member    *etcdserverpb.Member
		known     bool
		duplicate bool
	}{
		{"another server", member("two-22222222", "10.0.0.2"), false, false},
		{"this server, added but not started", member("", "10.0.0.1"), true, false},
		{"this server", member("one-11111111", "10.0.0.1"), true, false},
		{"this server before its database was wiped", member("one-00000000", "10.0.0.1"), false, true},
	} {
		directory := t.TempDir()
		node := &Node{ServerDir: directory, NodeName: "one", Address: "10.0.0.1", name: "one-11111111"}
		if err := os.MkdirAll(filepath.Join(directory, "db", "etcd"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(node.nameFile(), []byte(node.name), 0o600); err != nil {
			t.Fatal(err)
		}
		_, known, err := node.cluster([]*etcdserverpb.Member{one.member})
		if known != one.known || errors.Is(err, ErrDuplicate) != one.duplicate {
			t.Errorf("%s: %v %v", one.name, known, err)
		}
	}
}
