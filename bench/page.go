package main

import "fmt"

type report struct {
	options options
	proxies []*proxy
	missing []string
	results results
}

func writePage(path string, r report) error {
	for _, l := range loads {
		fmt.Println(l.name)
		for _, p := range r.proxies {
			f := r.results.at(l.name, p.name)
			fmt.Printf("   %-16s %.0f/s cpu %.2f p50 %.0f p99 %.0f bad %d\n", p.name, f.rate, f.cpu, f.p50, f.p99, f.bad)
		}
	}
	for _, row := range []string{rowFirst, rowDown, rowUp, rowIdle, rowAfter, rowOpen, rowReady} {
		fmt.Println(row)
		for _, p := range r.proxies {
			f := r.results.at(row, p.name)
			fmt.Printf("   %-16s s %.4f cpu %.0f kib %.1f bad %d\n", p.name, f.seconds, f.cpu, f.kib, f.bad)
		}
	}
	return nil
}
