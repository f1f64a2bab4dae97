package main

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A load is what h2load does to each proxy.
type load struct {
	name    string
	path    string
	clients int
	streams int
	body    int // bytes that are sent
	http1   bool
}

// All are in the clear.
var loads = []load{
	{"small GET, 8 connections x 10 streams", "/small", 8, 10, 0, false},
	{"small GET, 100 x 10", "/small", 100, 10, 0, false},
	{"small GET, 1 x 1", "/small", 1, 1, 0, false},
	{"64 KiB up and 32 KiB down, 8 x 4", "/body", 8, 4, 64 << 10, false},
	{"small GET over HTTP/1.1, 32 connections", "/small", 32, 1, 0, true},
	{"small GET over HTTP/1.1, one connection", "/small", 1, 1, 0, true},
	{"64 KiB up and 32 KiB down over HTTP/1.1, 16 connections", "/body", 16, 1, 64 << 10, true},
}

// A figure is what one load or probe gave, pass by pass.
type figure struct {
	rate    []float64 // per second
	cpu     []float64 // microseconds for each request
	p50     []float64 // microseconds
	p99     []float64
	seconds []float64 // of a probe
	kib     []float64
	bad     int // answers that were none, or not 2xx
}

// results are by row and by proxy.
type results map[string]map[string]*figure

func (r results) at(row, name string) *figure {
	if r[row] == nil {
		r[row] = map[string]*figure{}
	}
	if r[row][name] == nil {
		r[row][name] = &figure{}
	}
	return r[row][name]
}

// measure lets the proxies take turns, so that what disturbs the machine disturbs all.
func measure(r *rig, proxies []*proxy, o options) (results, error) {
	all := results{}
	for _, p := range proxies {
		if o.load == "" {
			probeMemory(p, o, all)
		}
		all.at(rowReady, p.name).seconds = []float64{p.ready.Seconds()}
	}
	body, err := r.file("body", strings.Repeat("x", 64<<10))
	if err != nil {
		return nil, err
	}
	for pass := range o.passes {
		for _, l := range loads {
			if !strings.Contains(l.name, o.load) {
				continue
			}
			for i := range proxies {
				p := proxies[(i+pass)%len(proxies)]
				if err := runLoad(p, l, body, o.time, all.at(l.name, p.name)); err != nil {
					return nil, fmt.Errorf("%s, %s: %w", p.name, l.name, err)
				}
			}
			log.Printf("pass %d: %s", pass+1, l.name)
		}
		for i := range proxies {
			if o.load == "" {
				probe(proxies[i], o, all)
			}
		}
	}
	for _, p := range proxies {
		all.at(rowAfter, p.name).kib = []float64{float64(rss(p.pid()))}
	}
	return all, nil
}

var (
	finished = regexp.MustCompile(`finished in .*?, ([\d.]+) req/s`)
	statuses = regexp.MustCompile(`status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx`)
	done     = regexp.MustCompile(`requests: \d+ total, \d+ started, \d+ done, (\d+) succeeded, (\d+) failed`)
)

// runLoad runs h2load once, which a bound ends if nothing else does.
func runLoad(p *proxy, l load, body string, length time.Duration, to *figure) error {
	ctx, cancel := context.WithTimeout(context.Background(), length+30*time.Second)
	defer cancel()
	logFile := filepath.Join(os.TempDir(), fmt.Sprintf("avsproxy-bench-%d.log", os.Getpid()))
	defer os.Remove(logFile)
	args := []string{"-c", loadCore, "h2load", "-c", strconv.Itoa(l.clients), "-m", strconv.Itoa(l.streams)}
	args = append(args, "-D", strconv.Itoa(int(length.Seconds())), "--warm-up-time", "1")
	if l.body > 0 {
		args = append(args, "-d", body)
	}
	if l.clients == 1 {
		args = append(args, "--log-file", logFile)
	}
	url := p.url(l.path)
	if l.http1 {
		args, url = append(args, "--h1"), p.url1(l.path)
	}
	began := cpu(p.pid())
	at := time.Now()
	out, err := exec.CommandContext(ctx, "taskset", append(args, url)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("h2load: %w: %s", err, out)
	}
	used, took := cpu(p.pid())-began, time.Since(at)
	rate, good, bad := counts(out)
	if good == 0 {
		to.bad += bad
		return nil
	}
	to.bad += bad
	to.rate = append(to.rate, rate)
	// The warm-up costs as much for each request as the rest.
	to.cpu = append(to.cpu, used.Seconds()*1e6/(rate*min(took.Seconds(), length.Seconds()+1)))
	if l.clients == 1 {
		times := latencies(logFile)
		to.p50, to.p99 = append(to.p50, quantile(times, .5)), append(to.p99, quantile(times, .99))
	}
	return nil
}

func counts(out []byte) (rate float64, good, bad int) {
	if m := finished.FindSubmatch(out); m != nil {
		rate, _ = strconv.ParseFloat(string(m[1]), 64)
	}
	number := func(text []byte) int { n, _ := strconv.Atoi(string(text)); return n }
	if m := statuses.FindSubmatch(out); m != nil {
		good, bad = number(m[1]), number(m[2])+number(m[3])+number(m[4])
	}
	if m := done.FindSubmatch(out); m != nil {
		bad += number(m[2])
	}
	return rate, good, bad
}

// latencies reads h2load's log: start, status, and the time in microseconds.
func latencies(file string) (all []float64) {
	text, _ := os.ReadFile(file)
	for line := range bytes.Lines(text) {
		fields := strings.Fields(string(line))
		if len(fields) >= 3 {
			if n, err := strconv.ParseFloat(fields[2], 64); err == nil {
				all = append(all, n)
			}
		}
	}
	return all
}

func quantile(all []float64, q float64) float64 {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[int(q*float64(len(all)-1))]
}
