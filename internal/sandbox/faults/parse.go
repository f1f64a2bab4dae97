package faults

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Parse reads a list: items between commas or line ends, as the package comment
// describes them. An empty text is an empty list. The error joins an [*Error] for
// each item that is wrong.
func Parse(text string) (List, error) {
	var list List
	var wrong []error
	for item := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' || r == '\n' }) {
		item = strings.TrimSpace(item)
		if item == "" {
			continue
		}
		f, err := parseItem(item)
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		list = append(list, f)
	}
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	return list, nil
}

func parseItem(item string) (Fault, error) {
	var f Fault
	name, rest := word(item)
	if name == "" {
		return f, &Error{item, "it has no name", "write NAME[=VALUE][@WHEN] [xCOUNT] [P%]"}
	}
	f.Name = name
	given := map[byte]bool{}
	for rest != "" {
		sign := lower(rest[0])
		if given[sign] {
			return f, &Error{item, fmt.Sprintf("it says %q twice", string(sign)), "keep one of them"}
		}
		given[sign] = true
		problem := &Error{Item: item}
		if rest = f.read(sign, rest, problem); problem.Problem != "" {
			return f, problem
		}
	}
	checked, _, err := f.check()
	var problem *Error
	if errors.As(err, &problem) {
		problem.Item = item // as it was written, not as it was understood
	}
	return checked, err
}

// lower folds the sign of a part: "=", "@", "x", or "%" for what begins with a
// digit.
func lower(first byte) byte {
	switch {
	case first == 'X':
		return 'x'
	case first >= '0' && first <= '9':
		return '%'
	}
	return first
}

// read reads the next part into the fault and returns what follows it.
func (f *Fault) read(sign byte, text string, problem *Error) (rest string) {
	if sign == '%' {
		return f.readChance(text, problem)
	}
	part, rest := word(text[1:])
	switch sign {
	case '=':
		f.Value = part
		if part == "" {
			problem.Problem, problem.Remedy = "nothing follows the =", "write a value, or leave the = out"
		}
	case '@':
		f.readWhen(part, problem)
	case 'x':
		n, ok := number(part)
		if f.Count = n; !ok || n == 0 {
			problem.Problem, problem.Remedy = "x"+part+" is not a count", "write x1, x2 and so on"
		}
	default:
		problem.Problem, problem.Remedy = fmt.Sprintf("%q is not understood", text), "after the name come =VALUE, @WHEN, xCOUNT and P%"
	}
	return rest
}

func (f *Fault) readWhen(part string, problem *Error) {
	if n, ok := number(part); ok && n > 0 {
		f.At = n
		return
	}
	d, err := time.ParseDuration(strings.ToLower(part))
	if f.After = d; err != nil || d <= 0 {
		problem.Problem, problem.Remedy = "@"+part+" is no time", "write @3 for the third event, or a duration such as @10s"
	}
}

// readChance takes per cent with up to four digits after the point: millionths,
// which survive being written and read again.
func (f *Fault) readChance(text string, problem *Error) (rest string) {
	part, rest := word(text)
	percent, err := strconv.ParseFloat(part, 64)
	rest, ok := strings.CutPrefix(rest, "%")
	f.Chance = math.Round(percent*(millionths/100)) / millionths
	if err != nil || !ok || strings.Trim(part, "0123456789.") != "" || !(f.Chance > 0 && percent <= 100) {
		problem.Problem, problem.Remedy = fmt.Sprintf("%q is no chance", text), "write a number of per cent, such as 25%; a count is written x25"
	}
	return strings.TrimSpace(rest)
}

// word cuts the next word off a text, and the spaces around it.
func word(text string) (word, rest string) {
	text = strings.TrimSpace(text)
	end := strings.IndexAny(text, "=@% \t\r\v\f")
	if end < 0 {
		return text, ""
	}
	return text[:end], strings.TrimSpace(text[end:])
}
