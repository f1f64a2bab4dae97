package filter

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"avsproxy/internal/capture"
	"avsproxy/internal/suggest"
	"avsproxy/internal/terminal"
)

// keys are what can stand before a colon.
var keys = map[string]func(value string) (term, *Error){
	"avs":      contains(func(s *capture.Summary) string { return s.AVS }),
	"body":     parseBody,
	"decision": contains(func(s *capture.Summary) string { return string(s.Decision) + " " + terminal.DecisionText(s.Decision) }),
	"ended":    contains(func(s *capture.Summary) string { return s.Ended }),
	"error":    contains(func(s *capture.Summary) string { return s.Error }),
	"header":   parseHeader,
	"host":     contains(func(s *capture.Summary) string { return s.Host }),
	"id":       compares(func(s *capture.Summary) float64 { return float64(s.ID) }, number),
	"is":       parseIs,
	"method":   oneOf(func(s *capture.Summary) string { return s.Method }),
	"path":     contains(func(s *capture.Summary) string { return s.Target }),
	"proto":    contains(func(s *capture.Summary) string { return s.Proto + " " + s.UpstreamProto }),
	"route":    oneOf(func(s *capture.Summary) string { return s.Route }),
	"sent":     compares(func(s *capture.Summary) float64 { return float64(s.RequestBytes) }, size),
	"size":     compares(func(s *capture.Summary) float64 { return float64(s.ResponseBytes) }, size),
	"status":   compares(func(s *capture.Summary) float64 { return float64(s.Status) }, number),
	"took":     compares(func(s *capture.Summary) float64 { return s.TookMS }, milliseconds),
	"type":     contains(func(s *capture.Summary) string { return s.ContentType }),
	"url":      contains(func(s *capture.Summary) string { return s.Scheme + "://" + s.Host + s.Target }),
}

func contains(of func(*capture.Summary) string) func(string) (term, *Error) {
	return func(value string) (term, *Error) { return onText(of, value), nil }
}

// oneOf is for names: POST,PUT is either.
func oneOf(of func(*capture.Summary) string) func(string) (term, *Error) {
	return func(value string) (term, *Error) {
		names := strings.Split(value, ",")
		return onSummary(func(s *capture.Summary) bool {
			return slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(name, of(s)) })
		}), nil
	}
}

// compares is for numbers: 404, 4xx, >=400, <400, 400-499, and several of them with commas between.
func compares(of func(*capture.Summary) float64, read func(string) (float64, bool)) func(string) (term, *Error) {
	return func(value string) (term, *Error) {
		var ranges [][2]float64 // from the first, up to and without the second
		for part := range strings.SplitSeq(value, ",") {
			from, to, ok := readRange(part, read)
			if !ok {
				return term{}, &Error{Text: fmt.Sprintf("%q is no value for it", part), Hint: "write a number (404, 1.5s, 10KiB), a class (4xx), a comparison (>=400) or a range (400-499)"}
			}
			ranges = append(ranges, [2]float64{from, to})
		}
		return onSummary(func(s *capture.Summary) bool {
			return slices.ContainsFunc(ranges, func(r [2]float64) bool { return of(s) >= r[0] && of(s) < r[1] })
		}), nil
	}
}

const (
	endless = 1e18
	// least is between two numbers that are told apart.
	least = 1e-6
)

func readRange(text string, read func(string) (float64, bool)) (from, to float64, ok bool) {
	if class, isClass := strings.CutSuffix(strings.ToLower(text), "xx"); isClass && len(class) == 1 && class[0] >= '1' && class[0] <= '5' {
		from = float64(class[0]-'0') * 100
		return from, from + 100, true
	}
	for sign, limits := range map[string]func(n float64) (float64, float64){
		">=": func(n float64) (float64, float64) { return n, endless },
		"<=": func(n float64) (float64, float64) { return -endless, n + least },
	} {
		if rest, found := strings.CutPrefix(text, sign); found {
			n, ok := read(rest)
			from, to = limits(n)
			return from, to, ok
		}
	}
	if rest, found := strings.CutPrefix(text, ">"); found {
		n, ok := read(rest)
		return n + least, endless, ok
	}
	if rest, found := strings.CutPrefix(text, "<"); found {
		n, ok := read(rest)
		return -endless, n, ok
	}
	if low, high, found := strings.Cut(text, "-"); found {
		n, ok1 := read(low)
		m, ok2 := read(high)
		return n, m + least, ok1 && ok2
	}
	n, ok := read(text)
	return n, n + least, ok
}

func number(text string) (float64, bool) {
	n, err := strconv.ParseUint(text, 10, 53)
	return float64(n), err == nil
}

// milliseconds reads a duration; a bare number is one of milliseconds.
func milliseconds(text string) (float64, bool) {
	if n, err := strconv.ParseFloat(text, 64); err == nil && n >= 0 {
		return n, true
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseFloat(days, 64)
		return n * float64(24*time.Hour/time.Millisecond), err == nil && n >= 0
	}
	d, err := time.ParseDuration(text)
	return float64(d) / float64(time.Millisecond), err == nil && d >= 0
}

// units are those of config.toml; letters have no case, and the B may be left out.
var units = []struct {
	name   string
	factor float64
}{{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30}, {"kb", 1e3}, {"mb", 1e6}, {"gb", 1e9}, {"k", 1 << 10}, {"m", 1 << 20}, {"b", 1}}

func size(text string) (float64, bool) {
	text, factor := strings.ToLower(text), 1.0
	for _, u := range units {
		if rest, ok := strings.CutSuffix(text, u.name); ok {
			text, factor = rest, u.factor
			break
		}
	}
	n, err := strconv.ParseFloat(text, 64)
	return n * factor, err == nil && n >= 0
}

// kinds are the values of is:.
var kinds = map[string]func(*capture.Summary) bool{
	"done":     func(s *capture.Summary) bool { return s.State == capture.StateDone },
	"error":    (*capture.Summary).Failed,
	"lasting":  func(s *capture.Summary) bool { return s.Lasts },
	"open":     func(s *capture.Summary) bool { return s.State == capture.StateActive },
	"own":      func(s *capture.Summary) bool { return s.Own != "" },
	"renewed":  func(s *capture.Summary) bool { return s.Replayed },
	"replay":   func(s *capture.Summary) bool { return s.ReplayOf != 0 },
	"answered": func(s *capture.Summary) bool { return s.Status != 0 },
}

// Kinds are the values of is:, in the order of the alphabet.
func Kinds() []string {
	var names []string
	for name := range kinds {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func parseIs(value string) (term, *Error) {
	if kind := kinds[strings.ToLower(value)]; kind != nil {
		t := onSummary(kind)
		t.own = strings.EqualFold(value, "own")
		return t, nil
	}
	hint := "write one of " + strings.Join(Kinds(), ", ")
	if near := suggest.Nearest(value, Kinds()); near != "" {
		hint = "did you mean is:" + near + "? Others are " + strings.Join(Kinds(), ", ")
	}
	return term{}, &Error{Text: fmt.Sprintf("is: knows no %q", value), Hint: hint}
}

// parseHeader takes a text that is looked for in "Name: value" of each field.
func parseHeader(value string) (term, *Error) {
	text := strings.ToLower(value)
	return onRecord(func(r *capture.Record) bool {
		for _, m := range []*capture.Message{&r.Request, &r.Response} {
			for _, f := range slices.Concat(m.Header, m.Trailer) {
				if strings.Contains(strings.ToLower(f.Name+": "+f.Value), text) {
					return true
				}
			}
		}
		return false
	}), nil
}

func parseBody(value string) (term, *Error) {
	text := bytes.ToLower([]byte(value))
	return onRecord(func(r *capture.Record) bool {
		for _, m := range []*capture.Message{&r.Request, &r.Response} {
			if plain, _ := m.Plain(); bytes.Contains(bytes.ToLower(plain), text) {
				return true
			}
		}
		return false
	}), nil
}

// Words are what a list shows of an exchange, where words and regular expressions are looked for.
func Words(s *capture.Summary) string {
	status := ""
	if s.Status != 0 {
		status = strconv.Itoa(s.Status)
	}
	return strings.Join([]string{
		"#" + strconv.FormatUint(s.ID, 10), s.Method, s.Scheme + "://" + s.Host + s.Target, s.Route, status, string(s.Decision),
		terminal.DecisionText(s.Decision), s.ContentType, s.AVS, s.Error, s.Ended, s.Own,
	}, "\n")
}
