package testkit

import (
	"encoding/base64"
	"fmt"
	"testing"
)

func TestCanaryIsFoundInEachForm(t *testing.T) {
	for _, secret := range []string{Canary, "a" + Canary, "ab" + Canary, "abc" + Canary + "-Az09._~+/token==", "user:" + Canary} {
		for _, text := range []string{
			secret, fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret), fmt.Sprintf("% x", secret), fmt.Sprint([]byte(secret)), fmt.Sprintf("%q", secret),
			base64.StdEncoding.EncodeToString([]byte(secret)), base64.RawURLEncoding.EncodeToString([]byte(secret)), "Basic " + base64.StdEncoding.EncodeToString([]byte("me:"+secret)),
		} {
			if !HasCanary(text) {
				t.Errorf("%q is not found in %q", secret, text)
			}
		}
	}
	for _, text := range []string{"", "c4n", "4n4ry", "canary", "***", "YzRu"} {
		if HasCanary(text) {
			t.Errorf("found in %q", text)
		}
	}
}
