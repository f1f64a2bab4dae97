// Command bench measures avsproxy beside other proxies, in one run, and writes a page about
// it. It needs Linux, h2load, and whichever of haproxy, nghttpx and nginx is to be compared.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// options are the command line's.
type options struct {
	passes int
	time   time.Duration
	out    string // the page; the chart is beside it
	only   string // names of proxies, with commas between; empty = all
	load   string // part of the names of loads; empty = all, and the probes
	big    int64  // bytes of the large bodies
	idle   int    // open downchannels
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("bench: ")
	if len(os.Args) > 1 && os.Args[1] == "upstream" { // the program calls itself so
		log.Fatal(runUpstream(os.Args[2], os.Args[3], os.Args[4]))
	}
	if len(os.Args) > 1 && os.Args[1] == "bare" {
		log.Fatal(runBare(os.Args[2], os.Args[3], os.Args[4]))
	}
	var o options
	flag.IntVar(&o.passes, "passes", 3, "how often each load runs against each proxy")
	flag.DurationVar(&o.time, "time", 4*time.Second, "how long each load runs")
	flag.StringVar(&o.out, "out", "docs/performance.md", "the page to write, from the root of the repository")
	flag.StringVar(&o.only, "only", "", "proxies to measure, with commas between; empty = all that are installed")
	flag.StringVar(&o.load, "load", "", "run only loads whose name has this in it; empty = all, and what needs a closer look")
	flag.Int64Var(&o.big, "big", 1<<30, "bytes of the large bodies")
	flag.IntVar(&o.idle, "idle", 1000, "how many downchannels are left open")
	flag.Parse()
	if err := run(o); err != nil {
		log.Fatal(err)
	}
}

func run(o options) error {
	folder, err := os.MkdirTemp("", "avsproxy-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	root, err := filepath.Abs("..")
	if err != nil {
		return err
	}
	rig, err := newRig(folder, root)
	if err != nil {
		return err
	}
	defer rig.stop()
	names := strings.Split(o.only, ",")
	proxies, missing := rig.proxies(func(name string) bool {
		return o.only == "" || strings.Contains(","+o.only+",", ","+name+",")
	})
	if len(proxies) == 0 {
		return fmt.Errorf("none of %v is installed", names)
	}
	log.Printf("%d proxies, %d cores", len(proxies), runtime.NumCPU())
	results, err := measure(rig, proxies, o)
	if err != nil {
		return err
	}
	if !filepath.IsAbs(o.out) {
		o.out = filepath.Join(root, o.out)
	}
	return writePage(o.out, report{options: o, proxies: proxies, missing: missing, results: results})
}

// String is the command line, as far as it matters to who reads the page.
func (o options) String() string {
	text := fmt.Sprintf("-passes %d -time %v", o.passes, o.time)
	if o.load != "" {
		text += fmt.Sprintf(" -load %s", o.load)
	}
	return text
}
