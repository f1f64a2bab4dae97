package main

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// A report is what the page is made of.
type report struct {
	options options
	proxies []*proxy
	missing []string
	results results
}

// A row is one kind of figure.
type row struct {
	title string
	unit  string
	value func(*figure) []float64
	more  bool // more is better
	of    string
}

func (r report) rows() (all []row) {
	for _, l := range loads {
		if l.clients > 1 {
			all = append(all, row{l.name, "requests/s", func(f *figure) []float64 { return f.rate }, true, l.name},
				row{"", "µs of CPU a request", func(f *figure) []float64 { return f.cpu }, false, l.name})
			continue
		}
		all = append(all, row{l.name, "p50, µs", func(f *figure) []float64 { return f.p50 }, false, l.name},
			row{"", "p99, µs", func(f *figure) []float64 { return f.p99 }, false, l.name})
	}
	milliseconds := func(f *figure) []float64 { return scaled(f.seconds, 1000) }
	kib := func(f *figure) []float64 { return f.kib }
	cpu := func(f *figure) []float64 { return scaled(f.cpu, 1e-3) }
	return append(all,
		row{rowFirst, "ms", milliseconds, false, rowFirst},
		row{rowDown, "ms", milliseconds, false, rowDown}, row{"", "ms of CPU", cpu, false, rowDown},
		row{rowUp, "ms", milliseconds, false, rowUp}, row{"", "ms of CPU", cpu, false, rowUp},
		row{rowOpen, "KiB", kib, false, rowOpen}, row{rowConn, "KiB", kib, false, rowConn}, row{rowKept, "KiB", kib, false, rowKept}, row{rowIdle, "KiB", kib, false, rowIdle},
		row{rowAfter, "KiB", kib, false, rowAfter}, row{rowReady, "ms", milliseconds, false, rowReady})
}

func scaled(all []float64, by float64) []float64 {
	out := slices.Clone(all)
	for i := range out {
		out[i] *= by
	}
	return out
}

// mean is that of the passes; NaN = there is none.
func mean(all []float64) float64 {
	if len(all) == 0 {
		return math.NaN()
	}
	sum := 0.0
	for _, one := range all {
		sum += one
	}
	return sum / float64(len(all))
}

// spread is by how much of the mean the passes differ.
func spread(all []float64) float64 {
	if len(all) < 2 || mean(all) == 0 {
		return 0
	}
	return (slices.Max(all) - slices.Min(all)) / mean(all)
}

// writePage writes the page, and a chart beside it.
func writePage(path string, r report) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# Performance\n\nMeasured on %s by `go -C bench run . %s`, which writes this page.\n\n", time.Now().UTC().Format("2006-01-02"), r.options)
	b.WriteString("Each proxy has one core and one thread, adds one header with a token of 1,000 bytes, and speaks HTTP/2 or HTTP/1.1 in the clear to h2load and\n" +
		"HTTP/2 over TLS to one upstream (nginx: HTTP/1.1, for it has no HTTP/2 to upstreams). Load and upstream share the other core. The proxies\n" +
		"take turns within one run. avsproxy checks who asks, records heads and bodies, writes a log and counts; the others do none of that.\n\n")
	if r.options.load == "" {
		fmt.Fprintf(&b, "![Small GET, 8 connections x 10 streams](%s)\n\n", strings.TrimSuffix(filepath.Base(path), ".md")+".svg")
	}
	b.WriteString("## avsproxy, as a multiple of the others\n\nAbove 1 avsproxy is better.\n\n")
	r.table(&b, slices.DeleteFunc(slices.Clone(r.proxies), func(p *proxy) bool { return p.name == "avsproxy" }), r.ratio)
	b.WriteString("\n## Figures\n\nMeans of the passes.\n\n")
	r.table(&b, r.proxies, r.absolute)
	b.WriteString("\n## Versions and noise\n\n")
	for _, p := range r.proxies {
		fmt.Fprintf(&b, "- %s: %s\n", p.name, strings.TrimSpace(p.version))
	}
	for _, name := range r.missing {
		fmt.Fprintf(&b, "- %s is not installed\n", name)
	}
	fmt.Fprintf(&b, "- h2load: %s\n- %s, %s, %d cores\n", firstLine("h2load", "--version"), runtime.Version(), kernel(), runtime.NumCPU())
	r.noise(&b)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		return err
	}
	if r.options.load != "" {
		return nil
	}
	return os.WriteFile(strings.TrimSuffix(path, ".md")+".svg", []byte(r.chart()), 0o644)
}

func kernel() string {
	out, _ := exec.Command("uname", "-sr").Output()
	return strings.TrimSpace(string(out))
}

func (r report) table(b *strings.Builder, proxies []*proxy, cell func(row, *proxy) string) {
	b.WriteString("| | |")
	for _, p := range proxies {
		b.WriteString(" " + p.name + " |")
	}
	b.WriteString("\n|---|---|" + strings.Repeat("---:|", len(proxies)) + "\n")
	for _, one := range r.rows() {
		if r.results[one.of] == nil { // it was not run
			continue
		}
		fmt.Fprintf(b, "| %s | %s |", one.title, one.unit)
		for _, p := range proxies {
			b.WriteString(" " + cell(one, p) + " |")
		}
		b.WriteString("\n")
	}
}

// ratio is by how much avsproxy is better.
func (r report) ratio(one row, p *proxy) string {
	ours, theirs := mean(one.value(r.results.at(one.of, "avsproxy"))), mean(one.value(r.results.at(one.of, p.name)))
	if !(ours > 0) || !(theirs > 0) {
		return ""
	}
	if !one.more {
		ours, theirs = theirs, ours
	}
	return fmt.Sprintf("%.2f", ours/theirs)
}

func (r report) absolute(one row, p *proxy) string {
	f := r.results.at(one.of, p.name)
	switch m := mean(one.value(f)); {
	case f.bad > 0:
		return fmt.Sprintf("%d failed", f.bad)
	case math.IsNaN(m):
		return ""
	case math.Abs(m) < 100:
		return fmt.Sprintf("%.2f", m)
	default:
		return fmt.Sprintf("%.0f", m)
	}
}

// noise names the rows whose passes differ by more than a tenth.
func (r report) noise(b *strings.Builder) {
	for _, one := range r.rows() {
		for _, p := range r.proxies {
			if s := spread(one.value(r.results.at(one.of, p.name))); s > .1 {
				fmt.Fprintf(b, "- the passes of %s differ by %.0f %% (%s, %s)\n", p.name, 100*s, one.of, one.unit)
			}
		}
	}
}

// chart draws the rates of the first load.
func (r report) chart() string {
	const width, line = 640, 28
	most := 1.0
	rate := func(p *proxy) float64 { return max(0, mean(r.results.at(loads[0].name, p.name).rate)) }
	for _, p := range r.proxies {
		most = max(most, rate(p))
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="13" fill="#777">`+"\n", width, line*len(r.proxies)+8)
	for i, p := range r.proxies {
		y, color := i*line+6, "#9ab"
		if strings.HasPrefix(p.name, "avsproxy") {
			color = "#36c"
		}
		fmt.Fprintf(&b, `<text x="0" y="%d">%s</text><rect x="150" y="%d" width="%.0f" height="18" fill="%s"/><text x="%.0f" y="%d">%.0f/s</text>`+"\n",
			y+14, p.name, y, 380*rate(p)/most, color, 156+380*rate(p)/most, y+14, rate(p))
	}
	b.WriteString("</svg>\n")
	return b.String()
}
