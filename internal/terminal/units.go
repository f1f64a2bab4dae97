package terminal

import (
	"fmt"
	"strconv"
	"time"
)

// The units are those of the inspector's pages.

// Wait is how long something took, which is short as a rule: "<0.1 ms", "2.9 ms", "159 ms", and from a second on
// as [Roughly].
func Wait(d time.Duration) string {
	ms := float64(d) / float64(time.Millisecond)
	switch {
	case d <= 0:
		return "0 ms"
	case ms < 0.05:
		return "<0.1 ms"
	case ms < 9.95:
		return strconv.FormatFloat(ms, 'f', 1, 64) + " ms"
	case ms < 999.5:
		return strconv.FormatFloat(ms, 'f', 0, 64) + " ms"
	}
	return Roughly(d)
}

// Roughly names a length of time as people do: "2.99 s", "35 s", "2 min 5 s", "1 h 30 min", "14 days".
func Roughly(d time.Duration) string {
	s := d.Seconds()
	switch {
	case d == d.Truncate(time.Second) && s < 90, s >= 9.995 && s < 89.5:
		return strconv.FormatFloat(s, 'f', 0, 64) + " s"
	case s < 9.995:
		return strconv.FormatFloat(s, 'f', 2, 64) + " s"
	case s < 3599.5:
		return two(int(s+0.5), 60, "min", "s")
	case d < 2*24*time.Hour:
		return two(int(s/60+0.5), 60, "h", "min")
	}
	return fmt.Sprintf("%d days", int(s/86400+0.5))
}

func two(n, per int, large, small string) string {
	text := strconv.Itoa(n/per) + " " + large
	if rest := n % per; rest > 0 {
		text += " " + strconv.Itoa(rest) + " " + small
	}
	return text
}

// Size is a number of bytes: "207 B", "1.2 KiB", "12 MiB".
func Size(n int64) string {
	if n < 1<<10 {
		return strconv.FormatInt(n, 10) + " B"
	}
	unit, amount := "KiB", float64(n)/(1<<10)
	if n >= 1<<20 {
		unit, amount = "MiB", amount/(1<<10)
	}
	digits := 0
	if amount < 9.95 {
		digits = 1
	}
	return strconv.FormatFloat(amount, 'f', digits, 64) + " " + unit
}
