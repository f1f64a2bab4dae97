package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A rig has the upstream, and the files that the proxies share.
type rig struct {
	folder   string
	root     string // of the repository
	ca, cert string // files; cert has the key behind it
	upstream string // its address, of HTTP/2
	old      string // of HTTP/1.1, for who speaks no other to upstreams
	programs []*exec.Cmd
}

// The proxy has a core of its own; load and upstream share the other.
const (
	proxyCore = "0"
	loadCore  = "1"
)

func newRig(folder, root string) (*rig, error) {
	most := syscall.Rlimit{Cur: 1 << 17, Max: 1 << 17} // for 10,000 connections; what may not be stays
	_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &most)
	r := &rig{folder: folder, root: root, ca: filepath.Join(folder, "ca.pem"), cert: filepath.Join(folder, "cert.pem")}
	if err := makeCertificate(r.ca, r.cert); err != nil {
		return nil, err
	}
	r.upstream, r.old = r.address(), r.address()
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	_, _, err = r.start(loadCore, self, "upstream", r.upstream, r.old, r.cert)
	if err != nil {
		return nil, err
	}
	return r, awaitPort(r.upstream)
}

// address is a free one.
func (r *rig) address() string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// start starts a program on one core.
func (r *rig) start(core, program string, args ...string) (cmd *exec.Cmd, began time.Time, err error) {
	cmd = exec.Command("taskset", append([]string{"-c", core, program}, args...)...)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1", "XDG_STATE_HOME="+r.folder, "HOME="+r.folder)
	out, err := os.Create(filepath.Join(r.folder, fmt.Sprintf("log-%d", len(r.programs))))
	if err != nil {
		return nil, began, err
	}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	began = time.Now()
	if err := cmd.Start(); err != nil {
		return nil, began, err
	}
	r.programs = append(r.programs, cmd)
	return cmd, began, nil
}

func (r *rig) stop() {
	for _, cmd := range r.programs {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // its workers, too
		_ = cmd.Wait()
	}
}

// file writes a file of a proxy's configuration.
func (r *rig) file(name, text string) (string, error) {
	path := filepath.Join(r.folder, name)
	return path, os.WriteFile(path, []byte(text), 0o600)
}

func awaitPort(address string) error {
	for range 400 {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			return conn.Close()
		}
		time.Sleep(5 * time.Millisecond)
	}
	return fmt.Errorf("nobody listens at %s", address)
}

func runUpstream(address, old, certFile string) error {
	pair, err := tls.LoadX509KeyPair(certFile, certFile)
	if err != nil {
		return err
	}
	go func() {
		log.Fatal(serveOld(old, &tls.Config{Certificates: []tls.Certificate{pair}}))
	}()
	return serveUpstream(address, &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2"}, DynamicRecordSizingDisabled: true})
}

// runBare is the least that a proxy in Go is: httputil.ReverseProxy that sets one header.
func runBare(listen, upstream, caFile string) error {
	roots := x509.NewCertPool()
	text, err := os.ReadFile(caFile)
	if err != nil {
		return err
	}
	roots.AppendCertsFromPEM(text)
	target := &url.URL{Scheme: "https", Host: upstream}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(pr *httputil.ProxyRequest) {
			pr.SetURL(target)
			pr.Out.Header.Set("Authorization", "Bearer "+token)
		},
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true, DisableCompression: true},
		FlushInterval: -1,
	}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	return (&http.Server{Addr: listen, Handler: proxy, Protocols: &protocols}).ListenAndServe()
}

// makeCertificate writes an authority, and a certificate for 127.0.0.1 with its key.
func makeCertificate(caFile, certFile string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(caFile, cert, 0o600); err != nil {
		return err
	}
	return os.WriteFile(certFile, append(cert, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})...), 0o600)
}

// family is a process with all that come from it.
func family(pid int) []int {
	all := []int{pid}
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	for _, child := range strings.Fields(string(text)) {
		if n, err := strconv.Atoi(child); err == nil {
			all = append(all, family(n)...)
		}
	}
	return all
}

// cpu is how long a process and its children have run so far.
func cpu(pid int) (sum time.Duration) {
	for _, one := range family(pid) {
		sum += cpuOf(one)
	}
	return sum
}

// rss is their memory in KiB.
func rss(pid int) (sum int64) {
	for _, one := range family(pid) {
		sum += rssOf(one)
	}
	return sum
}

func cpuOf(pid int) time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	var user, system int64
	fmt.Sscan(fields[11], &user)
	fmt.Sscan(fields[12], &system)
	return time.Duration(user+system) * (time.Second / 100) // the kernel's USER_HZ
}

func rssOf(pid int) (kib int64) {
	file, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if _, err := fmt.Sscanf(lines.Text(), "VmRSS: %d kB", &kib); err == nil {
			return kib
		}
	}
	return 0
}
