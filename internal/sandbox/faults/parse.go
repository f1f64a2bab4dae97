package faults

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// An Error says what is wrong with an item of a list, and what to write instead.
type Error struct {
	Item    string // as it was written
	Message string
	Hint    string
}

// Error returns item, message and hint in one line.
func (e *Error) Error() string {
	return fmt.Sprintf("fault %q: %s; %s", e.Item, e.Message, e.Hint)
}

// parse reads a list with a comma or a line end between the items. The error joins an
// [*Error] for each wrong item.
func parse(text string) (list []*activeFault, err error) {
	for item := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' || r == '\n' }) {
		item = strings.TrimSpace(item)
		if item == "" {
			continue
		}
		f, wrong := parseItem(item)
		if wrong != nil {
			wrong.Item = item
			err = errors.Join(err, wrong)
		}
		list = append(list, f)
	}
	return list, err
}

func parseItem(item string) (*activeFault, *Error) {
	name, rest := word(item)
	if name == "" {
		return nil, &Error{Message: "it has no name", Hint: "write NAME[=VALUE][@WHEN] [xCOUNT] [P%]"}
	}
	f := Fault{Name: name}
	for seen := ""; rest != ""; {
		sign, part, next := cutPart(rest)
		if strings.Contains(seen, sign) {
			return nil, &Error{Message: fmt.Sprintf("%q is there twice", sign), Hint: "keep one of them"}
		}
		seen += sign
		if message, hint := f.parsePart(sign, part, rest); message != "" {
			return nil, &Error{Message: message, Hint: hint}
		}
		rest = next
	}
	return activate(f)
}

// activate finds the kind of a fault, and changes name and value to their usual spelling.
func activate(f Fault) (*activeFault, *Error) {
	kind, wrong := kindOf(f)
	if wrong != nil {
		return nil, wrong
	}
	if kind.Name != statuses {
		f.Name = kind.Name
	}
	if f.Value, wrong = kind.checkValue(f.Value); wrong != nil {
		return nil, wrong
	}
	a := &activeFault{Fault: f, group: kind.group, events: []Event{kind.Event}, added: time.Now(), limit: f.Count}
	if f.After > 0 && kind.eventsAfter != nil {
		a.events = kind.eventsAfter
	}
	if kind.valueIsCount && f.Value != "" {
		if f.Count > 0 {
			return nil, &Error{Message: "it has two counts", Hint: "keep =N or xCOUNT"}
		}
		a.limit = f.Number()
	}
	if f.At > 0 || kind.once {
		a.limit = cmp.Or(a.limit, 1)
	}
	return a, nil
}

// cutPart cuts the next part off a text, without its sign: "=", "@", "x" or "%". A
// chance keeps its sign, which is at its end.
func cutPart(text string) (sign, part, rest string) {
	sign = strings.ToLower(text[:1])
	if sign < "0" || sign > "9" {
		part, rest = word(text[1:])
		return sign, part, rest
	}
	part, rest = word(text)
	if after, ok := strings.CutPrefix(rest, "%"); ok {
		part, rest = part+"%", strings.TrimSpace(after)
	}
	return "%", part, rest
}

// parsePart parses one part of an item into the fault. An empty message means that
// the part is right.
func (f *Fault) parsePart(sign, part, text string) (message, hint string) {
	ok := false
	switch sign {
	case "=":
		f.Value = part
		message, hint, ok = "nothing follows the =", "write a value, or leave the = out", part != ""
	case "@":
		ok = f.parseWhen(part)
		message, hint = "@"+part+" is neither a number nor a duration", "write @3 for the third event, or a duration such as @10s"
	case "x":
		f.Count, ok = number(part)
		ok = ok && f.Count > 0
		message, hint = "x"+part+" is not a count", "write x1, x2 and so on"
	case "%":
		ok = f.parsePercent(part)
		message, hint = fmt.Sprintf("invalid chance %q", part), "write a number of per cent, such as 25%; a count is written x25"
	default:
		message, hint = fmt.Sprintf("%q is not understood", text), "after the name come =VALUE, @WHEN, xCOUNT and P%"
	}
	if ok {
		return "", ""
	}
	return message, hint
}

func (f *Fault) parseWhen(part string) bool {
	if n, ok := number(part); ok && n > 0 {
		f.At = n
		return true
	}
	d, err := time.ParseDuration(strings.ToLower(part))
	f.After = d
	return err == nil && d > 0
}

// parsePercent keeps four digits after the point.
func (f *Fault) parsePercent(part string) bool {
	digits, ok := strings.CutSuffix(part, "%")
	percent, err := strconv.ParseFloat(digits, 64)
	f.Percent = math.Round(percent*1e4) / 1e4
	return ok && err == nil && strings.Trim(digits, "0123456789.") == "" && f.Percent > 0 && percent <= 100
}

// word cuts the next word and the spaces around it off a text.
func word(text string) (word, rest string) {
	text = strings.TrimSpace(text)
	end := strings.IndexAny(text, "=@% \t\r\v\f")
	if end < 0 {
		return text, ""
	}
	return text[:end], strings.TrimSpace(text[end:])
}
