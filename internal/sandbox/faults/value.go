package faults

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

const (
	maxNumber  = 999_999_999
	millionths = 1e6
)

// An Error says what is wrong with an item of a list, and what would do.
type Error struct {
	Item    string // as it was given
	Problem string
	Remedy  string
}

// Error returns all of it in one line.
func (e *Error) Error() string {
	return fmt.Sprintf("fault %q: %s; %s", e.Item, e.Problem, e.Remedy)
}

// kindOf finds a fault's row. Of two rows with its name, the one that takes a
// value is meant if there is one.
func kindOf(f Fault, item string) (Kind, error) {
	var found []Kind
	for _, k := range Kinds() {
		if k.named(f.Name) {
			found = append(found, k)
		}
	}
	if len(found) == 0 {
		return Kind{}, unknown(f.Name, item)
	}
	for _, k := range found {
		if (k.Value != "") == (f.Value != "") {
			return k, nil
		}
	}
	return found[0], nil
}

func unknown(name, item string) error {
	if isNumber(name) {
		return &Error{item, name + " is not a status that stands for a failure", "use a number from 400 to 599"}
	}
	problem := fmt.Sprintf("there is no fault %q", name)
	var known []string
	for _, k := range Kinds() {
		known = append(known, k.Name)
	}
	if near := nearest(name, known); near != "" {
		return &Error{item, problem, "did you mean " + near + "?"}
	}
	return &Error{item, problem, "there are " + strings.Join(known, ", ")}
}

// canonical checks a value and returns its usual spelling.
func (k Kind) canonical(value, item string) (string, error) {
	switch {
	case value == "" && (k.Optional || k.Value == ""):
		return "", nil
	case value == "":
		return "", &Error{item, "it needs a value", "write " + k.Usage() + k.example()}
	case k.Value == "":
		return "", &Error{item, "it takes no value", "write " + k.Name}
	}
	forms := strings.Split(k.Value, "|")
	for _, form := range forms {
		if spelled, fits := fit(form, value); fits {
			return spelled, nil
		}
	}
	if near := nearest(value, forms); near != "" {
		return "", &Error{item, fmt.Sprintf("%q does not fit", value), "did you mean " + near + "?"}
	}
	return "", &Error{item, fmt.Sprintf("%q does not fit", value), "write " + k.Usage() + k.example()}
}

func (k Kind) example() string {
	switch k.Value {
	case "DURATION":
		return ", with a duration such as 2s, 500ms or 1m30s"
	case "SECONDS":
		return ", with whole seconds such as 120"
	case "BYTES":
		return ", with a size such as 1000, 64KiB or 1MiB"
	case "N":
		return ", with a number from 1"
	}
	return ""
}

// fit compares a value to one form of those that a kind takes. Forms in capital
// letters stand for many values, all others for themselves.
func fit(form, value string) (spelled string, fits bool) {
	switch form {
	case "DURATION":
		d, err := time.ParseDuration(strings.ToLower(value))
		return brief(d), err == nil && d > 0
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

func number(text string) (int, bool) {
	n, err := strconv.Atoi(text)
	return n, err == nil && isNumber(text) && n <= maxNumber
}

// size reads bytes: a number, perhaps with KiB or MiB.
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

func isNumber(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}

// nearest returns the word that a typing mistake may have been meant for, or "".
func nearest(typed string, words []string) string {
	best, limit := "", max(1, len(typed)/3)
	for _, word := range words {
		if len(word) < 3 {
			continue // any slip leads to those
		}
		if d := distance(strings.ToLower(typed), strings.ToLower(word), limit); d <= limit {
			best, limit = word, d-1
		}
	}
	return best
}

// distance counts the letters to add, drop or change between two words
// (Levenshtein). Words that differ more in length than limit are just too far.
func distance(a, b string, limit int) int {
	if len(a)-len(b) > limit || len(b)-len(a) > limit {
		return limit + 1
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
