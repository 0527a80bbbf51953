package server

import (
	"net/http/httptest"
	"reflect"
	"testing"
)

func TestArgumentsOfParts(t *testing.T) {
	defaults := map[string]string{"one": "1", "two": "2"}
	got := arguments(defaults, []string{"two=22", "--three=3", "one+=11", "flag"})
	want := []string{"--flag=true", "--one=1", "--one=11", "--three=3", "--two=22"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%v", got)
	}
}

func TestNodePasswordHashes(t *testing.T) {
	hash, err := hashOf("secret")
	if err != nil {
		t.Fatal(err)
	}
	if verify(hash, "secret") != nil || verify(hash, "other") == nil || verify("", "secret") == nil {
		t.Error("wrong")
	}
}

func TestRolesOfTokens(t *testing.T) {
	s := &Server{token: "server-token", agentToken: "agent-token"}
	for _, one := range []struct {
		user, password string
		want           role
	}{
		{"server", "server-token", serverRole}, {"node", "server-token", nodeRole}, {"node", "agent-token", nodeRole},
		{"", "agent-token", nodeRole}, {"server", "agent-token", nobody}, {"server", "wrong", nobody}, {"node", "", nobody},
	} {
		request := httptest.NewRequest("GET", "/", nil)
		request.SetBasicAuth(one.user, one.password)
		if got := s.roleOf(request); got != one.want {
			t.Errorf("%s:%s is %d, wanted %d", one.user, one.password, got, one.want)
		}
	}
	if s.roleOf(httptest.NewRequest("GET", "/", nil)) != nobody {
		t.Error("a stranger has a role")
	}
}
