package tokens

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"avsproxy/internal/testkit"
)

func TestSecretsCannotBePrinted(t *testing.T) {
	secret := Secret(canary)
	token := Token{Access: secret}
	grant := Grant{Access: secret, Refresh: secret}
	p := newProvider()
	store := holding(t, grant)
	source := open(t, p, store)
	testkit.NoError(t, source.SetGrant(t.Context(), grant))
	var logins Logins
	login := begin(t, &logins, source, p.client())
	login.state, login.verifier, login.grant, login.URL = canary, canary, grant, ""
	type nested struct {
		Secret  Secret
		Pointer *Secret
		Grant   *Grant
		List    []Token
		Map     map[string]Secret
		Any     any
	}
	values := map[string]any{
		"secret": secret, "pointer": &secret, "token": token, "grant": grant, "grant pointer": &grant,
		"nested": nested{secret, &secret, &grant, []Token{token}, map[string]Secret{"a": secret}, secret},
		"list":   []any{secret, &grant}, "map key": map[Secret]int{secret: 1},
		"source": source, "store": store, "login": login, "logins": &logins, "client": p.client(),
		"device": DeviceCode{secret: canary}, "device pointer": &DeviceCode{secret: canary},
		"error": fmt.Errorf("with %v: %w", secret, &Error{Message: "x", Err: errors.New(secret.String())}),
	}
	for name, value := range values {
		for what, text := range printed(value) {
			testkit.NoCanary(t, name+" by "+what, text)
		}
	}
}

// printed returns a value in every form that something might print it in.
func printed(value any) map[string]string {
	forms := map[string]string{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%10.3v", "%t", "% x"} {
		forms[verb] = fmt.Sprintf(verb, value)
	}
	text, err := json.Marshal(value)
	forms["json"] = fmt.Sprint(string(text), err)
	text, err = xml.Marshal(value)
	forms["xml"] = fmt.Sprint(string(text), err)
	if strings.Contains(fmt.Sprintf("%T", value), "map[tokens.Secret]") {
		delete(forms, "json") // encoding/json writes keys of string types as they are
	}
	var out bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(handler).With("with", noKeys(value)).Info("x", "value", noKeys(value), slog.Group("group", "value", noKeys(value)))
	}
	forms["slog"] = out.String()
	return forms
}

func noKeys(value any) any {
	if _, ok := value.(map[Secret]int); ok {
		return nil
	}
	return value
}

func TestSecretIsThereForWhoAsks(t *testing.T) {
	if Secret("x").Reveal() != "x" || !Secret("").IsZero() || Secret("x").IsZero() {
		t.Error("Reveal or IsZero")
	}
	if got := fmt.Sprintf("%v|%v|%s", Secret("x"), Secret(""), Token{Access: "x", Expiry: time.Time{}}.Access); got != "***||***" {
		t.Error(got)
	}
}

func TestFingerprintNamesWithoutTelling(t *testing.T) {
	if got := Fingerprint("abc"); got != "ba7816bf8f01cfea" { // FIPS 180-2, appendix B.1
		t.Error(got)
	}
}

func TestSameSecret(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{{"", "", true}, {"a", "a", true}, {"a", "b", false}, {"a", "ab", false}, {"", "a", false}} {
		if Secret(c.a).Equal(Secret(c.b)) != c.same {
			t.Errorf("%q, %q", c.a, c.b)
		}
	}
}
