package main

import (
	"cmp"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// token is what all proxies add: the size of one of Login with Amazon.
var token = "Atza|" + strings.Repeat("bench-token-", 83)

// A proxy is one that is measured.
type proxy struct {
	name    string
	version string
	address string
	http1   string // the address for HTTP/1.1, where it is another; empty = the same
	program *exec.Cmd
	began   time.Time
	ready   time.Duration // until it listens
}

func (p *proxy) url(path string) string { return "http://" + p.address + path }

func (p *proxy) url1(path string) string { return "http://" + cmp.Or(p.http1, p.address) + path }

func (p *proxy) pid() int { return p.program.Process.Pid }

// proxies starts all that are wanted and installed.
func (r *rig) proxies(wanted func(name string) bool) (all []*proxy, missing []string) {
	for _, kind := range []struct {
		name  string
		start func(*proxy) error
	}{
		{"avsproxy", func(p *proxy) error { return r.startOurs(p, true) }},
		{"avsproxy, no capture", func(p *proxy) error { return r.startOurs(p, false) }},
		{"haproxy", r.startHAProxy},
		{"nghttpx", r.startNghttpx},
		{"nginx", r.startNginx},
		{"caddy", r.startCaddy},
		{"bare", r.startBare},
	} {
		if !wanted(kind.name) {
			continue
		}
		p := &proxy{name: kind.name, address: r.address()}
		err := kind.start(p)
		if err == nil {
			err = awaitPort(p.address)
		}
		if p.ready = time.Since(p.began); err != nil {
			log.Printf("%s: %v", kind.name, err)
			missing = append(missing, kind.name)
			continue
		}
		all = append(all, p)
	}
	return all, missing
}

// startOurs starts avsproxy, with capture or without.
func (r *rig) startOurs(p *proxy, capture bool) error {
	program := filepath.Join(r.folder, "avsproxy")
	build := exec.Command("go", "build", "-o", program, "./cmd/avsproxy")
	build.Dir = r.root
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	console := r.address()
	conf, err := r.file(p.name+".toml", fmt.Sprintf(`
sandbox = false
[proxy]
listen = %q
[console]
listen = %q
[store]
path = %q
[capture]
enabled = %v
[[route]]
name = "bench"
upstream = "https://%s"
credential = "bench"
ca_file = %q
[credential.bench]
provider = "oauth2"
grant = "static"
token = %q
`, p.address, console, filepath.Join(r.folder, "state-"+p.name), capture, r.upstream, r.ca, token))
	if err != nil {
		return err
	}
	p.version = strings.TrimPrefix(firstLine(program, "version"), "avsproxy ")
	p.program, p.began, err = r.start(proxyCore, program, "serve", "--config", conf)
	return err
}

func (r *rig) startBare(p *proxy) (err error) {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	p.version = "net/http/httputil"
	p.program, p.began, err = r.start(proxyCore, self, "bare", p.address, r.upstream, r.ca)
	return err
}

func (r *rig) startHAProxy(p *proxy) error {
	conf, err := r.file("haproxy.cfg", fmt.Sprintf(`
global
  nbthread 1
  maxconn 9800
  tune.maxrewrite 4096
  tune.h2.initial-window-size 262144
defaults
  mode http
  timeout connect 10s
  timeout client 60s
  timeout server 60s
frontend front
  bind %s
  default_backend back
  http-reuse always
backend back
  http-request set-header authorization "Bearer %s"
  http-response set-status 200 reason OK if { status 200 }
  server up %s ssl ca-file %s alpn h2 verify required
`, p.address, token, r.upstream, r.ca))
	if err != nil {
		return err
	}
	p.version = firstLine("haproxy", "-v")
	p.program, p.began, err = r.start(proxyCore, "haproxy", "-db", "-f", conf)
	return err
}

func (r *rig) startNghttpx(p *proxy) (err error) {
	host, port, _ := strings.Cut(p.address, ":")
	backend := strings.Replace(r.upstream, ":", ",", 1)
	p.version = firstLine("nghttpx", "--version")
	p.program, p.began, err = r.start(proxyCore, "nghttpx", "-n1", "--conf=/dev/null", "--accesslog-file=/dev/null", "--errorlog-file=/dev/null",
		"-f"+host+","+port+";no-tls", "-b"+backend+";;proto=h2;tls;sni=localhost", "--cacert="+r.ca,
		"--add-request-header=authorization: Bearer "+token, "--no-via", "--no-add-x-forwarded-proto")
	return err
}

func (r *rig) startNginx(p *proxy) error {
	p.http1 = r.address()
	conf, err := r.file("nginx.conf", fmt.Sprintf(`
worker_processes 1;
daemon off;
worker_rlimit_nofile 65536;
pid %[1]s/nginx.pid;
error_log %[1]s/nginx.error;
events { worker_connections 30000; }
http {
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path %[1]s/nginx-body;
  proxy_temp_path %[1]s/nginx-proxy;
  fastcgi_temp_path %[1]s/nginx-fastcgi;
  uwsgi_temp_path %[1]s/nginx-uwsgi;
  scgi_temp_path %[1]s/nginx-scgi;
  client_max_body_size 0;
  upstream up { server %[2]s; keepalive 64; keepalive_requests 1000000000; }
  server {
    listen %[3]s http2;
    listen %[6]s;
    location / {
      proxy_pass https://up;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Authorization "Bearer %[4]s";
      proxy_ssl_trusted_certificate %[5]s;
      proxy_ssl_verify on;
      proxy_ssl_name localhost;
      proxy_buffering off;
      proxy_request_buffering off;
    }
  }
}
`, r.folder, r.old, p.address, token, r.ca, p.http1))
	if err != nil {
		return err
	}
	p.version = firstLine("nginx", "-v")
	p.program, p.began, err = r.start(proxyCore, "nginx", "-c", conf)
	return err
}

func (r *rig) startCaddy(p *proxy) error {
	conf, err := r.file("Caddyfile", fmt.Sprintf(`
{
  admin off
  servers {
    protocols h1 h2c
  }
}
http://%[1]s {
  reverse_proxy https://%[2]s {
    header_up Authorization "Bearer %[3]s"
    flush_interval -1
    transport http {
      tls_trusted_ca_certs %[4]s
      compression off
    }
  }
}
`, p.address, r.upstream, token, r.ca))
	if err != nil {
		return err
	}
	p.version = firstLine("caddy", "version")
	p.program, p.began, err = r.start(proxyCore, "caddy", "run", "--adapter", "caddyfile", "--config", conf)
	return err
}

// firstLine is what a program says of its version.
func firstLine(program string, args ...string) string {
	out, _ := exec.Command(program, args...).CombinedOutput()
	line, _, _ := strings.Cut(string(out), "\n")
	return line
}
