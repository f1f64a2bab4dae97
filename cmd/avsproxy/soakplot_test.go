package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"avsproxy/internal/testkit"
)

// writeSoak draws the samples into an SVG and lists them in a CSV beside it.
func writeSoak(t *testing.T, path string, samples []soakSample) {
	t.Helper()
	var csv strings.Builder
	csv.WriteString("seconds,resident_bytes,goroutines,downchannels\n")
	for _, x := range samples {
		fmt.Fprintf(&csv, "%.1f,%d,%d,%d\n", x.at.Seconds(), x.memory, x.goroutines, x.open)
	}
	for name, text := range map[string]string{
		path: soakDrawing(samples), strings.TrimSuffix(path, filepath.Ext(path)) + ".csv": csv.String(),
	} {
		testkit.NoError(t, os.WriteFile(name, []byte(text), 0o644))
	}
}

// The drawing, in pixels.
const plotWidth, plotHeight, plotMargin, plotGap = 800, 160, 60, 50

func soakDrawing(samples []soakSample) string {
	var svg strings.Builder
	height := 3*plotHeight + 4*plotGap
	fmt.Fprintf(&svg, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", plotWidth+2*plotMargin, height)
	fmt.Fprintf(&svg, `<rect width="100%%" height="100%%" fill="white"/>`+"\n")
	for i, curve := range []struct {
		title string
		of    func(soakSample) float64
	}{
		{"resident memory, MiB", func(x soakSample) float64 { return float64(x.memory) / (1 << 20) }},
		{"goroutines", func(x soakSample) float64 { return float64(x.goroutines) }},
		{"open downchannels", func(x soakSample) float64 { return float64(x.open) }},
	} {
		drawCurve(&svg, plotGap+i*(plotHeight+plotGap), curve.title, samples, curve.of)
	}
	svg.WriteString("</svg>\n")
	return svg.String()
}

// drawCurve draws one panel below top, from 0 to a little more than the most.
func drawCurve(svg *strings.Builder, top int, title string, samples []soakSample, of func(soakSample) float64) {
	most, long := 1.0, samples[len(samples)-1].at
	for _, x := range samples {
		most = max(most, of(x)*1.1)
	}
	bottom := top + plotHeight
	fmt.Fprintf(svg, `<text x="%d" y="%d">%s</text>`+"\n", plotMargin, top-8, title)
	fmt.Fprintf(svg, `<path d="M%d %dV%dH%d" fill="none" stroke="black"/>`+"\n", plotMargin, top, bottom, plotMargin+plotWidth)
	for step := range 5 {
		value := most * float64(step) / 4
		fmt.Fprintf(svg, `<text x="%d" y="%d" text-anchor="end">%.0f</text>`+"\n", plotMargin-6, bottom-step*plotHeight/4+4, value)
		at := time.Duration(float64(long) * float64(step) / 4).Round(time.Second)
		fmt.Fprintf(svg, `<text x="%d" y="%d" text-anchor="middle">%v</text>`+"\n", plotMargin+step*plotWidth/4, bottom+16, at)
	}
	var points strings.Builder
	for _, x := range samples {
		fmt.Fprintf(&points, "%.1f,%.1f ", plotMargin+plotWidth*float64(x.at)/float64(long), float64(bottom)-plotHeight*of(x)/most)
	}
	fmt.Fprintf(svg, `<polyline points="%s" fill="none" stroke="steelblue" stroke-width="1.5"/>`+"\n", strings.TrimSpace(points.String()))
}
