package faults

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"avsproxy/internal/suggest"
)

const (
	maxNumber  = 999_999_999
	millionths = 1e6
)

// examples are added to an error about a value of this form.
var examples = map[string]string{
	"DURATION": ", with a duration such as 2s, 500ms or 1m30s",
	"SECONDS":  ", with whole seconds such as 120",
	"BYTES":    ", with a size such as 1000, 64KiB or 1MiB",
	"N":        ", with a number from 1",
}

func (k Kind) checkValue(value, item string) (string, error) {
	usage := "write " + k.Usage() + examples[k.Value]
	switch {
	case value == "" && (k.Optional || k.Value == ""):
		return "", nil
	case value == "":
		return "", &Error{item, "it needs a value", usage}
	case k.Value == "":
		return "", &Error{item, "it takes no value", usage}
	}
	forms := strings.Split(k.Value, "|")
	for _, form := range forms {
		if spelled, fits := spell(form, value); fits {
			return spelled, nil
		}
	}
	if near := suggest.Nearest(value, forms); near != "" {
		usage = "did you mean " + near + "?"
	}
	return "", &Error{item, fmt.Sprintf("%q does not fit", value), usage}
}

// spell returns the usual spelling of a value that has this form. A form in capital
// letters such as SECONDS stands for many values, any other for itself.
func spell(form, value string) (spelled string, fits bool) {
	switch form {
	case "DURATION":
		d, err := time.ParseDuration(strings.ToLower(value))
		return shortDuration(d), err == nil && d > 0
	case "SECONDS":
		n, ok := number(value)
		return strconv.Itoa(n), ok
	case "N":
		n, ok := number(value)
		return strconv.Itoa(n), ok && n > 0
	case "BYTES":
		n, ok := size(value)
		return strconv.Itoa(n), ok && n > 0
	}
	return form, strings.EqualFold(form, value)
}

// shortDuration omits units that are 0: "1m", not "1m0s".
func shortDuration(d time.Duration) string {
	return strings.NewReplacer("h0m0s", "h", "m0s", "m").Replace(d.String())
}

func number(text string) (int, bool) {
	n, err := strconv.ParseUint(text, 10, 32)
	return int(n), err == nil && n <= maxNumber
}

// size parses bytes: a number, perhaps with KiB or MiB.
func size(text string) (int, bool) {
	unit := 1
	digits := strings.ToLower(text)
	if rest, ok := strings.CutSuffix(digits, "kib"); ok {
		digits, unit = rest, 1<<10
	} else if rest, ok := strings.CutSuffix(digits, "mib"); ok {
		digits, unit = rest, 1<<20
	}
	n, ok := number(digits)
	if !ok || n > maxNumber/unit {
		return 0, false
	}
	return n * unit, true
}
