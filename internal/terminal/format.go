package terminal

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

func Day(t time.Time) string { return t.Local().Format(time.DateTime) }

func Age(t, now time.Time) string { return " (" + Roughly(now.Sub(t)) + " ago)" }

func Clock(t time.Time) string {
	left := time.Until(t)
	switch {
	case left < 0:
		return fmt.Sprintf("%s (%s ago)", Day(t), Roughly(-left))
	case left < 24*time.Hour:
		return fmt.Sprintf("%s (in %s)", t.Local().Format("15:04:05"), Roughly(left))
	}
	return fmt.Sprintf("%s (in %s)", Day(t), Roughly(left))
}

// Roughly names a length of time as people do.
func Roughly(d time.Duration) string {
	switch days := int(d.Hours() / 24); {
	case days >= 2:
		return fmt.Sprintf("%d days", days)
	case d >= time.Minute:
		return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
	}
	return d.Round(time.Second).String()
}

func Rounded(d time.Duration) time.Duration {
	switch {
	case d > time.Minute:
		return d.Round(time.Second)
	case d > time.Second:
		return d.Round(10 * time.Millisecond)
	}
	return d.Round(10 * time.Microsecond)
}

func OfBytes(n int64) string {
	switch {
	case n < 1000:
		return strconv.FormatInt(n, 10) + "B"
	case n < 1000_000:
		return fmt.Sprintf("%.1fkB", float64(n)/1e3)
	}
	return fmt.Sprintf("%.1fMB", float64(n)/1e6)
}
