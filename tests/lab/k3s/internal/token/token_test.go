package token

import (
	"strings"
	"testing"
)

func TestBothForms(t *testing.T) {
	ca := []byte("authority")
	for text, want := range map[string]Token{
		"secret":                        {Password: "secret"},
		Format(ca, "server", "se:cret"): {CAHash: Hash(ca), User: "server", Password: "se:cret"},
		"K10::node:secret":              {User: "node", Password: "secret"},
	} {
		if got, err := Parse(text); err != nil || got != want {
			t.Errorf("%s: %+v %v", text, got, err)
		}
	}
}

func TestMalformed(t *testing.T) {
	for _, text := range []string{"", "K10abc::server:x", "K10" + strings.Repeat("0", 64) + "::server"} {
		if _, err := Parse(text); err == nil {
			t.Errorf("accepted: %q", text)
		}
	}
}

func TestAuthorityIsCompared(t *testing.T) {
	parsed, err := Parse(Format([]byte("one"), "server", "secret"))
	if err != nil {
		t.Fatal(err)
	}
	if parsed.CheckCA([]byte("one")) != nil || parsed.CheckCA([]byte("other")) == nil {
		t.Error("wrong")
	}
	if (Token{Password: "short"}).CheckCA([]byte("any")) != nil {
		t.Error("a short token has nothing to compare")
	}
}

func TestGenerate(t *testing.T) {
	made, err := Generate()
	if err != nil || !Bootstrap.MatchString(made) {
		t.Errorf("%s %v", made, err)
	}
}
