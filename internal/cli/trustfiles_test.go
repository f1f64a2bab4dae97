package cli

import (
	"crypto/x509"
	"os/exec"
	"strings"
	"testing"

	"avsproxy/internal/certs"
	"avsproxy/internal/testkit"
)

// Two authorities of one name are both there, in Go's eyes and in Java's.
func TestJavaStoreKeepsEveryRoot(t *testing.T) {
	var roots []*x509.Certificate
	for range 2 {
		authority := testkit.Must(certs.New("avsproxy local authority"))(t)
		roots = append(roots, authority.Root())
	}
	store := testkit.Must(javaStore(roots))(t)
	path := testkit.File(t, "roots.p12", store)
	testkit.Heavy(t)
	testkit.NeedTool(t, "keytool")
	out, err := exec.Command("keytool", "-list", "-storetype", "PKCS12", "-storepass", javaPassword, "-keystore", path).CombinedOutput()
	if err != nil || strings.Count(string(out), "trustedCertEntry") != 2 {
		t.Errorf("%v\n%s", err, out)
	}
}
