package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

func day(t time.Time) string { return t.Local().Format(time.DateTime) }

func age(t, now time.Time) string { return " (" + roughly(now.Sub(t)) + " ago)" }

func clock(t time.Time) string {
	left := time.Until(t)
	switch {
	case left < 0:
		return fmt.Sprintf("%s (%s ago)", day(t), roughly(-left))
	case left < 24*time.Hour:
		return fmt.Sprintf("%s (in %s)", t.Local().Format("15:04:05"), roughly(left))
	}
	return fmt.Sprintf("%s (in %s)", day(t), roughly(left))
}

// roughly names a length of time as people do.
func roughly(d time.Duration) string {
	switch days := int(d.Hours() / 24); {
	case days >= 2:
		return fmt.Sprintf("%d days", days)
	case d >= time.Minute:
		return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
	}
	return d.Round(time.Second).String()
}

func rounded(d time.Duration) time.Duration {
	switch {
	case d > time.Minute:
		return d.Round(time.Second)
	case d > time.Second:
		return d.Round(10 * time.Millisecond)
	}
	return d.Round(10 * time.Microsecond)
}

func ofBytes(n int64) string {
	switch {
	case n < 1000:
		return strconv.FormatInt(n, 10) + "B"
	case n < 1000_000:
		return fmt.Sprintf("%.1fkB", float64(n)/1e3)
	}
	return fmt.Sprintf("%.1fMB", float64(n)/1e6)
}
