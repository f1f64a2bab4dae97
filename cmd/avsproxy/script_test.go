package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"avsproxy/internal/app"
	"avsproxy/internal/sandbox"
	"avsproxy/internal/sandbox/faults"
	"avsproxy/internal/testkit"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts runs testdata/*.txt: scripts that drive the built program with
// real curl. Besides testscript's own commands they have:
//
//	serve [ARG...]    start "avsproxy serve", wait until it is ready, set $PROXY,
//	                  $PROXY_PORT, $CONSOLE and $CONSOLE_PORT
//	quit [-SIGNAL]    end it by a signal and expect the exit code 0; what it said
//	                  is then in stdout and stderr
//	background NAME PROGRAM [ARG...]   start a program; its output goes to NAME.out and NAME.err
//	await FILE REGEXP wait until the file has a line that matches
//	subst FILE...     put environment variables into files
//	upstream MODE     start a server with a fault (see upstream_test.go), set $UPSTREAM and $UPSTREAM_CA
//	hold              take a port as another program would, and set $HELD
//	free NAME         set a variable to a port that nobody has
//	amazon [FLAG...]  start a sandbox of its own, set $LWA, $AVS, $AMAZON_CA
//	internet          start a proxy behind which names of the internet answer (see internet_test.go)
//	corporate         start a proxy that is the only way to it (see corporate_test.go), set $CORPORATE
func TestScripts(t *testing.T) {
	testkit.NeedTool(t, "curl", "openssl", "sh")
	repo := testkit.Must(filepath.Abs("../.."))(t)
	noneStops(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", filepath.Dir(binary)+string(os.PathListSeparator)+env.Getenv("PATH"))
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("REPO", repo)
			env.Setenv("EXAMPLES", filepath.Join(repo, "examples"))
			env.Setenv("STATE", filepath.Join(env.WorkDir, ".local", "state", "avsproxy"))
			env.Setenv("NO_COLOR", "1")
			env.Setenv("UID", strconv.Itoa(os.Getuid()))
			env.Setenv("UNSHARE_FLAGS", unshareFlags())
			env.Values[programsKey{}] = &programs{}
			return nil
		},
		Condition: func(name string) (bool, error) {
			if name == "root" {
				return os.Getuid() == 0, nil
			}
			if name == "namespaces" {
				err := exec.Command("unshare", unshareFlags(), "ip", "link", "set", "lo", "up").Run()
				if err != nil && os.Getenv("CI") != "" {
					return false, err
				}
				return err == nil, nil
			}
			if tool, ok := strings.CutPrefix(name, "tool:"); ok {
				_, err := exec.LookPath(tool)
				if err != nil && os.Getenv("CI") != "" {
					return false, err
				}
				return err == nil, nil
			}
			return false, fmt.Errorf("unknown condition %q", name)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"serve": serveCmd, "quit": quitCmd, "background": backgroundCmd, "await": awaitCmd,
			"subst": substCmd, "upstream": upstreamCmd, "amazon": amazonCmd, "hold": holdCmd, "free": freeCmd, "corporate": corporateCmd, "internet": internetCmd,
		},
	})
}

// noneStops keeps out testscript's own "stop", which ends a script as passed,
// whatever stands behind it.
func noneStops(t *testing.T) {
	t.Helper()
	scripts := testkit.Must(filepath.Glob("testdata/*.txt"))(t)
	for _, script := range scripts {
		text := testkit.Must(os.ReadFile(script))(t)
		if regexp.MustCompile(`(?m)^stop\b`).Match(text) {
			t.Errorf("%s: write quit to end serve; stop ends the script", script)
		}
	}
}

// unshareFlags are for a command that gets a network and mounts of its own.
func unshareFlags() string {
	if os.Getuid() == 0 {
		return "-nm"
	}
	return "-rnm"
}

type programsKey struct{}

// programs are the processes of one script.
type programs struct {
	serve *process
}

type process struct {
	cmd            *exec.Cmd
	stdout, stderr *os.File
	ended          chan error
}

func start(ts *testscript.TestScript, name string, program string, args ...string) *process {
	p := &process{cmd: exec.Command(program, args...), ended: make(chan error, 1)}
	p.stdout = create(ts, name+".out")
	p.stderr = create(ts, name+".err")
	p.cmd.Stdout, p.cmd.Stderr = p.stdout, p.stderr
	p.cmd.Dir = ts.MkAbs(".")
	p.cmd.Env = scriptEnv(ts)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	ts.Check(p.cmd.Start())
	go func() { p.ended <- p.cmd.Wait() }()
	ts.Defer(func() {
		syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		p.stdout.Close()
		p.stderr.Close()
	})
	return p
}

func scriptEnv(ts *testscript.TestScript) []string {
	var env []string
	for _, name := range []string{"PATH", "HOME", "NO_COLOR", "TMPDIR", "STATE_DIRECTORY", "SECRET", "CLIENT_KEY", "HTTPS_PROXY", "SSL_CERT_FILE"} {
		if value := ts.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}

func create(ts *testscript.TestScript, name string) *os.File {
	file, err := os.Create(ts.MkAbs(name))
	ts.Check(err)
	return file
}

func serveCmd(ts *testscript.TestScript, neg bool, args []string) {
	p := start(ts, "serve", binary, append([]string{"serve", "--json"}, args...)...)
	ts.Value(programsKey{}).(*programs).serve = p
	line := await(ts, p, ts.MkAbs("serve.out"), regexp.MustCompile(`(?m)^\{.*\}$`))
	var ready servedAt
	ts.Check(json.Unmarshal([]byte(line), &ready))
	await(ts, p, ts.MkAbs("serve.err"), regexp.MustCompile(`(?m)^  curl `))
	ts.Setenv("PROXY", strings.Replace(ready.Proxy[0], "127.0.0.1", "localhost", 1))
	ts.Setenv("PROXY_PORT", app.PortOf(ready.Proxy[0]))
	ts.Setenv("CONSOLE", strings.Replace(ready.Console, "127.0.0.1", "localhost", 1))
	ts.Setenv("CONSOLE_PORT", app.PortOf(ready.Console))
	ts.Setenv("SERVE_PID", strconv.Itoa(p.cmd.Process.Pid))
}

func quitCmd(ts *testscript.TestScript, neg bool, args []string) {
	sig := syscall.SIGINT
	if len(args) == 1 && args[0] == "-TERM" {
		sig = syscall.SIGTERM
	}
	p := ts.Value(programsKey{}).(*programs).serve
	ts.Check(p.cmd.Process.Signal(sig))
	select {
	case err := <-p.ended:
		ts.Check(err)
	case <-time.After(30 * time.Second):
		ts.Fatalf("serve did not end")
	}
	show(ts, "serve")
}

// show lets the script's stdout and stderr commands see what a process said.
func show(ts *testscript.TestScript, name string) {
	fmt.Fprint(ts.Stdout(), ts.ReadFile(name+".out"))
	fmt.Fprint(ts.Stderr(), ts.ReadFile(name+".err"))
}

func backgroundCmd(ts *testscript.TestScript, neg bool, args []string) {
	program := args[1]
	if program == "avsproxy" {
		program = binary
	}
	start(ts, args[0], program, args[2:]...)
}

func awaitCmd(ts *testscript.TestScript, neg bool, args []string) {
	await(ts, nil, ts.MkAbs(args[0]), regexp.MustCompile("(?m)"+args[1]))
}

// await polls a file that another process writes; there is no event to wait for.
func await(ts *testscript.TestScript, p *process, path string, want *regexp.Regexp) string {
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		text, _ := os.ReadFile(path)
		if found := want.Find(text); found != nil {
			return string(found)
		}
		if p == nil {
			continue
		}
		select {
		case err := <-p.ended:
			ts.Fatalf("the program ended early: %v\n%s", err, ts.ReadFile("serve.err"))
		default:
		}
	}
	text, _ := os.ReadFile(path)
	ts.Fatalf("%s never had a line like %s; it has:\n%s", path, want, text)
	return ""
}

func substCmd(ts *testscript.TestScript, neg bool, args []string) {
	for _, name := range args {
		text := os.Expand(ts.ReadFile(name), ts.Getenv)
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o644))
	}
}

// amazonCmd starts a sandbox as the outside world of the program under test.
func amazonCmd(ts *testscript.TestScript, neg bool, args []string) {
	options := sandbox.Options{}
	for _, arg := range args {
		switch name, value, _ := strings.Cut(arg, "="); name {
		case "life":
			life, err := time.ParseDuration(value)
			ts.Check(err)
			options.TokenLife = life
		case "http1":
			options.HTTP1 = true
		case "ask": // instead of consenting by itself
			options.AskConsent = true
		case "scale":
			scale, err := strconv.ParseFloat(value, 64)
			ts.Check(err)
			options.TimeScale = scale
		case "faults":
			options.Faults = new(faults.Set)
			ts.Check(options.Faults.Replace(value))
		default:
			ts.Fatalf("amazon: unknown flag %s", arg)
		}
	}
	amazon, err := sandbox.Start(options)
	ts.Check(err)
	ts.Defer(func() { amazon.Close() })
	ts.Check(os.WriteFile(ts.MkAbs("amazon.pem"), amazon.RootPEM(), 0o644))
	ts.Setenv("LWA", amazon.LWA())
	ts.Setenv("AVS", amazon.AVS())
	ts.Setenv("AMAZON_CA", ts.MkAbs("amazon.pem"))
	ts.Setenv("CLIENT_ID", sandbox.ClientID)
	ts.Setenv("SECRET", sandbox.ClientSecret)
}

// holdCmd takes a TCP port, as another program would, and sets $HELD.
func holdCmd(ts *testscript.TestScript, neg bool, args []string) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { ln.Close() })
	ts.Setenv("HELD", app.PortOf(ln.Addr().String()))
}

func freeCmd(ts *testscript.TestScript, neg bool, args []string) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Setenv(args[0], app.PortOf(ln.Addr().String()))
	ts.Check(ln.Close())
}
