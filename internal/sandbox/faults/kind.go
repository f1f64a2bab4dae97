package faults

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"avsproxy/internal/suggest"
)

// An Event is what a fault waits for; @N counts events.
type Event string

// The events. One happening can be several events at once.
const (
	Consent    Event = "consent"     // the user decides about a request, or the sandbox decides for the user
	PairCall   Event = "pair call"   // a call of the code pair endpoint
	TokenCall  Event = "token call"  // a call of the token endpoint, successful or not
	Poll       Event = "poll"        // a token call with the grant type device_code
	Renewal    Event = "renewal"     // a call with a refresh token that the sandbox has issued
	TokenIssue Event = "token issue" // an access token is issued
	TokenCheck Event = "token check" // an access token is shown to AVS or to a page of LWA
	Request    Event = "request"     // a request to AVS
	Connection Event = "connection"  // a connection to AVS begins
	Handshake  Event = "handshake"   // a TLS handshake begins
)

// A Kind is one row of the language's table.
type Kind struct {
	Name     string // as written in a list; "400...599" stands for any of these numbers
	Value    string // the forms of its value, with bars between; empty if it takes none
	Optional bool   // the value may be left out
	Does     string // what the fault does, without a full stop
	Event    Event

	group        string // kinds of one group take turns
	once         bool   // it strikes once if neither a count nor @N is given
	valueIsCount bool
	eventsAfter  []Event // those of a fault with a duration; nil means Event
}

// Usage returns how to write a fault of this kind, without @WHEN, xCOUNT and P%.
func (k Kind) Usage() string {
	switch {
	case k.Value == "":
		return k.Name
	case k.Optional:
		return k.Name + "[=" + k.Value + "]"
	}
	return k.Name + "=" + k.Value
}

func (k Kind) hasName(name string) bool {
	if k.Name == statuses {
		n, ok := number(name)
		return ok && len(name) == 3 && n >= 400 && n <= 599
	}
	return strings.EqualFold(k.Name, name)
}

// kindOf returns the kind of a fault. If two kinds have its name, it prefers the one
// that takes a value if the fault has one.
func kindOf(f Fault) (found Kind, wrong *Error) {
	var names []string
	for _, k := range Kinds() {
		names = append(names, k.Name)
		if !k.hasName(f.Name) {
			continue
		}
		if (k.Value != "") == (f.Value != "") {
			return k, nil
		}
		found = k
	}
	if found.Name == "" {
		return Kind{}, unknownName(f.Name, names)
	}
	return found, nil
}

func unknownName(name string, names []string) *Error {
	if _, isNumber := number(name); isNumber {
		return &Error{Message: name + " is not the status of an error", Hint: "use a number from 400 to 599"}
	}
	hint := orNearest(name, names, "there are "+strings.Join(names, ", "))
	return &Error{Message: fmt.Sprintf("there is no fault %q", name), Hint: hint}
}

// orNearest returns a hint about a misspelled word, or the other hint.
func orNearest(word string, known []string, hint string) string {
	if near := suggest.Nearest(word, known); near != "" {
		return "did you mean " + near + "?"
	}
	return hint
}

const maxNumber = 999_999_999

// examples are added to an error about a value of this form.
var examples = map[string]string{
	"DURATION": ", with a duration such as 2s, 500ms or 1m30s",
	"SECONDS":  ", with whole seconds such as 120",
	"BYTES":    ", with a size such as 1000, 64KiB or 1MiB",
	"N":        ", with a number from 1",
}

// checkValue returns the usual spelling of a value.
func (k Kind) checkValue(value string) (string, *Error) {
	usage := "write " + k.Usage() + examples[k.Value]
	switch {
	case value == "" && (k.Optional || k.Value == ""):
		return "", nil
	case value == "":
		return "", &Error{Message: "it needs a value", Hint: usage}
	case k.Value == "":
		return "", &Error{Message: "it takes no value", Hint: usage}
	}
	forms := strings.Split(k.Value, "|")
	for _, form := range forms {
		if spelled, fits := spell(form, value); fits {
			return spelled, nil
		}
	}
	return "", &Error{Message: fmt.Sprintf("%q does not fit", value), Hint: orNearest(value, forms, usage)}
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
