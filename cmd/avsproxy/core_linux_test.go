package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"avsproxy/internal/testkit"
)

// crash starts "serve" with cores of any size allowed, has it abort, and returns what
// the kernel said of its core limit before, and whether it left a core.
func crash(t *testing.T, env ...string) (soft string, dumped bool) {
	t.Helper()
	dir, _ := inSandbox(t)
	cmd := exec.Command("sh", "-c", "ulimit -c unlimited; exec "+binary+" serve --json")
	cmd.Dir, cmd.Env = dir, append(env, "HOME="+dir, "GOTRACEBACK=crash", "PATH="+os.Getenv("PATH"))
	ready := testkit.NewBuffer()
	cmd.Stdout = ready
	testkit.NoError(t, cmd.Start())
	<-ready.Written
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", cmd.Process.Pid))
	if err != nil {
		t.Error(err)
	}
	cmd.Process.Signal(syscall.SIGABRT)
	cmd.Wait()
	found := regexp.MustCompile(`Max core file size +(\S+)`).FindSubmatch(limits)
	if found == nil {
		t.Fatalf("no limit in:\n%s", limits)
	}
	return string(found[1]), cmd.ProcessState.Sys().(syscall.WaitStatus).CoreDump()
}

func TestTokensAreInNoCoreDump(t *testing.T) {
	if out, err := exec.Command("sh", "-c", "ulimit -c unlimited").CombinedOutput(); err != nil {
		t.Skipf("cores are forbidden here: %s", out)
	}
	if soft, dumped := crash(t); soft != "0" || dumped {
		t.Errorf("the limit is %s, a core was left: %t", soft, dumped)
	}
	// Whoever wants one gets it, and so it is not the machine that makes none.
	if soft, dumped := crash(t, "AVSPROXY_CORE_DUMPS=1"); soft != "unlimited" || !dumped && makesFiles(t) {
		t.Errorf("as asked: the limit is %s, a core was left: %t", soft, dumped)
	}
}

// makesFiles reports whether the kernel writes cores by itself: a program that it
// hands them to may decline.
func makesFiles(t *testing.T) bool {
	t.Helper()
	pattern := testkit.Must(os.ReadFile("/proc/sys/kernel/core_pattern"))(t)
	return !bytes.HasPrefix(pattern, []byte("|")) && !bytes.HasPrefix(pattern, []byte("/"))
}

// The command of "run" is somebody else's program: it may leave cores as before.
func TestRunLeavesTheCommandItsLimits(t *testing.T) {
	config := "[console]\nlisten = \"localhost:0\"\n[[route]]\nname = \"a\"\nupstream = \"https://a.example\"\n"
	dir := newHome(t, config)
	for _, limit := range []string{"0", "1"} { // in blocks; everybody may lower it
		cmd := exec.Command("sh", "-c", "ulimit -S -c "+limit+"; exec "+binary+` run -- sh -c 'ulimit -S -c'`)
		cmd.Dir, cmd.Env = dir, []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH")}
		out, err := cmd.Output()
		if err != nil || !strings.HasPrefix(string(out), limit+"\n") {
			t.Errorf("the command's limit is %s, want %s: %v", out, limit, err)
		}
	}
}
