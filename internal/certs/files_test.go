package certs

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"avsproxy/internal/testkit"
)

func open(t *testing.T, dir string, hosts ...string) *Authority {
	t.Helper()
	return testkit.Must(Open(dir, hosts...))(t)
}

// content is every file of the folder but the lock.
func content(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	entries := testkit.Must(os.ReadDir(dir))(t)
	for _, entry := range entries {
		if entry.Name() != "ca.lock" {
			text, _ := os.ReadFile(filepath.Join(dir, entry.Name())) // unreadable ones are among the tests
			files[entry.Name()] = string(text)
		}
	}
	return files
}

func TestOpenMakesAnAuthorityOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "state")
	first := open(t, dir)
	before := content(t, dir)
	second := open(t, dir)
	if !first.root.Equal(second.root) || !first.key.Equal(second.key) {
		t.Error("the second Open returned another authority")
	}
	if after := content(t, dir); len(after) != 2 || after[RootFile] != before[RootFile] || after[rootKeyFile] != before[rootKeyFile] {
		t.Error("the files changed")
	}
	if before[RootFile] != string(first.RootPEM()) {
		t.Error("the root's file is not the root")
	}
	if !strings.Contains(first.root.Subject.CommonName, "avsproxy") {
		t.Errorf("the root is called %q", first.root.Subject.CommonName)
	}
}

func TestKeysAreReadableByTheirOwnerAlone(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no such modes")
	}
	dir := filepath.Join(t.TempDir(), "state")
	testkit.Must(open(t, dir).Callback(dir))(t)
	want := map[string]fs.FileMode{".": 0o700, rootKeyFile: 0o600, callbackFile: 0o600, "ca.lock": 0o600, RootFile: 0o644}
	for name, mode := range want {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v %v, want %v", name, info.Mode().Perm(), err, mode)
		}
	}
	if bytes.Contains([]byte(content(t, dir)[RootFile]), []byte("PRIVATE")) {
		t.Error("the root's file holds a key")
	}
}

func TestUnusableFilesAreRefusedAndKept(t *testing.T) {
	other := t.TempDir()
	open(t, other)
	otherRoot := content(t, other)[RootFile]
	leaf := testkit.Must(open(t, other).Callback(other))(t)
	leafText := testkit.Must(keyText(leaf.PrivateKey, leaf.Certificate...))(t)
	cases := []struct {
		name, file string
		change     func(path string) error
	}{
		{"key gone", rootKeyFile, os.Remove},
		{"key empty", rootKeyFile, overwrite("", 0o600)},
		{"key damaged", rootKeyFile, overwrite("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", 0o600)},
		{"key of a leaf", rootKeyFile, overwrite(string(leafText), 0o600)},
		{"key of RSA", rootKeyFile, overwrite(rsaKey(t), 0o600)},
		{"root empty", RootFile, overwrite("", 0o644)},
		{"root damaged", RootFile, overwrite(otherRoot[:len(otherRoot)/2], 0o644)},
		{"root of another", RootFile, overwrite(otherRoot, 0o644)},
		{"root is a folder", RootFile, func(path string) error {
			os.Remove(path)
			return os.Mkdir(path, 0o700)
		}},
	}
	if runtime.GOOS != "windows" {
		cases = append(cases, struct {
			name, file string
			change     func(path string) error
		}{"key readable by others", rootKeyFile, func(path string) error { return os.Chmod(path, 0o640) }})
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			open(t, dir)
			testkit.NoError(t, c.change(filepath.Join(dir, c.file)))
			before := content(t, dir)
			authority, err := Open(dir)
			if err == nil || authority != nil {
				t.Fatalf("Open returned %v, %v", authority, err)
			}
			if !strings.Contains(err.Error(), c.file) || strings.Contains(err.Error(), "\n") {
				t.Errorf("the error does not say in one line which file: %v", err)
			}
			after := content(t, dir)
			if len(after) != len(before) || after[RootFile] != before[RootFile] || after[rootKeyFile] != before[rootKeyFile] {
				t.Error("the files were touched")
			}
			t.Log(err)
		})
	}
}

func overwrite(text string, mode fs.FileMode) func(path string) error {
	return func(path string) error { return os.WriteFile(path, []byte(text), mode) }
}

func rsaKey(t *testing.T) string {
	t.Helper()
	key := testkit.Must(rsa.GenerateKey(rand.Reader, 2048))(t)
	text := testkit.Must(keyText(key))(t)
	return string(text)
}

// A kill between the two writes must not leave something that a person has to mend.
func TestARootThatWasNotWrittenIsWrittenLater(t *testing.T) {
	dir := t.TempDir()
	first := open(t, dir)
	testkit.NoError(t, os.Remove(filepath.Join(dir, RootFile)))
	second := open(t, dir)
	if !first.root.Equal(second.root) || content(t, dir)[RootFile] != string(first.RootPEM()) {
		t.Error("the root did not come back")
	}
}

func TestAFolderThatCannotBeMadeIsAnError(t *testing.T) {
	file := testkit.File(t, "file", "")
	if _, err := Open(filepath.Join(file, "state")); err == nil {
		t.Error("no error")
	}
}

func callback(t *testing.T, dir string, now time.Time) string {
	t.Helper()
	leaf := testkit.Must(open(t, dir).callback(dir, now))(t)
	return Fingerprint(leaf.Leaf)
}

func TestCallbackIsKeptUntilNearItsEnd(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	first := callback(t, dir, now)
	for _, at := range []time.Time{
		now.Add(time.Minute),
		now.Add(CallbackLife - renewBefore - time.Hour),
		time.Unix(0, 0), // a machine whose clock has not been set yet
	} {
		if callback(t, dir, at) != first {
			t.Errorf("it was replaced at %v", at)
		}
	}
	second := callback(t, dir, now.Add(CallbackLife-renewBefore+time.Hour))
	if second == first {
		t.Error("it was not replaced near its end")
	}
	if callback(t, dir, now.Add(CallbackLife)) != second {
		t.Error("its successor was not kept")
	}
}

func TestCallbackIsForAllLoopbackNames(t *testing.T) {
	dir := t.TempDir()
	authority := open(t, dir)
	leaf := testkit.Must(authority.Callback(dir))(t)
	for _, name := range []string{"localhost", "127.0.0.1", "::1"} {
		if _, err := leaf.Leaf.Verify(x509.VerifyOptions{Roots: authority.Pool(), DNSName: name}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestACallbackThatDoesNotFitIsReplaced(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	first := callback(t, dir, time.Now())
	callback(t, other, time.Now())
	for name, text := range map[string]string{
		"empty": "", "damaged": "-----BEGIN CERTIFICATE-----\n", "of another authority": content(t, other)[callbackFile],
	} {
		testkit.NoError(t, os.WriteFile(filepath.Join(dir, callbackFile), []byte(text), 0o600))
		second := callback(t, dir, time.Now())
		if second == first || callback(t, dir, time.Now()) != second {
			t.Errorf("%s: it was not replaced for good", name)
		}
	}
}

// TestTwoProcessesGetOneAuthority runs this test binary several times at once.
func TestTwoProcessesGetOneAuthority(t *testing.T) {
	if dir := os.Getenv("CERTS_TEST_DIR"); dir != "" {
		authority := open(t, dir)
		leaf := testkit.Must(authority.Callback(dir))(t)
		os.Stdout.WriteString("root " + Fingerprint(authority.root) + " callback " + Fingerprint(leaf.Leaf) + "\n")
		return
	}
	dir := filepath.Join(t.TempDir(), "state")
	var processes []*exec.Cmd
	var outputs []*bytes.Buffer
	for range 6 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestTwoProcessesGetOneAuthority$")
		cmd.Env = append(os.Environ(), "CERTS_TEST_DIR="+dir)
		out := &bytes.Buffer{}
		cmd.Stdout, cmd.Stderr = out, out
		testkit.NoError(t, cmd.Start())
		processes, outputs = append(processes, cmd), append(outputs, out)
	}
	said := map[string]bool{}
	for i, cmd := range processes {
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v\n%s", err, outputs[i])
		}
		line, _, _ := strings.Cut(outputs[i].String(), "\n")
		said[line] = true
	}
	if len(said) != 1 {
		t.Errorf("the processes disagree: %v", said)
	}
}
