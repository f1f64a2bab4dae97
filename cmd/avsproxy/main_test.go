package main

import (
	"avsproxy/internal/testkit"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
)

// binary is the program as users have it, built once for all tests here.
var binary string

// scriptsAtOnce is for machines with fewer processors: scripts wait more than they work.
const scriptsAtOnce = 4

func TestMain(m *testing.M) {
	flag.Parse()
	parallel := flag.Lookup("test.parallel")
	if !raceEnabled && runtime.GOMAXPROCS(0) < scriptsAtOnce && parallel.Value.String() == parallel.DefValue {
		parallel.Value.Set(strconv.Itoa(scriptsAtOnce))
	}
	dir, err := os.MkdirTemp("", "avsproxy-test")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binary = filepath.Join(dir, "avsproxy")
	args := []string{"build", "-tags", "redis,postgres", "-o", binary} // as releases are
	if raceEnabled {
		args = append(args, "-race")
	}
	if out, err := exec.Command("go", append(args, ".")...).CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the program: %v\n%s", err, out)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(dir)
	testkit.Exit(code)
}
