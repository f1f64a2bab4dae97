package api

import (
	"fmt"
	"iter"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"avsproxy/internal/capture"
)

// A Filter says which exchanges to show. The zero value shows all.
type Filter struct {
	route, method, text string
	status              string // "404", or "4xx"
	errors              bool
	after               uint64
	limit               int // the newest so many; 0 = all
}

// ParseFilter reads the query of GET /api/exchanges.
func ParseFilter(query url.Values) (Filter, error) {
	f := Filter{
		route: query.Get("route"), method: strings.ToUpper(query.Get("method")),
		text: strings.ToLower(query.Get("text")), status: strings.ToLower(query.Get("status")),
	}
	var err error
	if f.status != "" && !isStatus(f.status) {
		return f, fmt.Errorf("status=%q is no status", f.status)
	}
	if text := query.Get("errors"); text != "" {
		if f.errors, err = strconv.ParseBool(text); err != nil {
			return f, fmt.Errorf("errors=%q is neither 1 nor 0", text)
		}
	}
	if text := query.Get("after"); text != "" {
		if f.after, err = strconv.ParseUint(text, 10, 64); err != nil {
			return f, fmt.Errorf("after=%q is no ID", text)
		}
	}
	if text := query.Get("limit"); text != "" {
		if f.limit, err = strconv.Atoi(text); err != nil || f.limit < 1 {
			return f, fmt.Errorf("limit=%q is no number of exchanges", text)
		}
	}
	return f, nil
}

func isStatus(text string) bool {
	return len(text) == 3 && strings.Contains("12345", text[:1]) && (text[1:] == "xx" || strings.Trim(text, "0123456789") == "")
}

// Of picks what the filter shows, the newest last.
func (f Filter) Of(newest iter.Seq[capture.Summary]) []capture.Summary {
	shown := []capture.Summary{} // null is no list
	for s := range newest {
		if s.ID <= f.after || f.limit > 0 && len(shown) == f.limit {
			break
		}
		if f.Shows(s) {
			shown = append(shown, s)
		}
	}
	slices.Reverse(shown)
	return shown
}

// Shows reports whether the filter shows an exchange. It ignores the filter's limit.
func (f Filter) Shows(s capture.Summary) bool {
	status := strconv.Itoa(s.Status)
	return s.ID > f.after &&
		(f.route == "" || s.Route == f.route) &&
		(f.method == "" || s.Method == f.method) &&
		(f.status == "" || status == f.status || strings.TrimSuffix(f.status, "xx") == status[:1]) &&
		(!f.errors || s.Status >= 400 || s.Error != "" || s.Ended != "") &&
		(f.text == "" || strings.Contains(strings.ToLower(wordsOf(s)), f.text))
}

// wordsOf is where a text is looked for: what the list shows of an exchange.
func wordsOf(s capture.Summary) string {
	return strings.Join([]string{s.Method, s.Scheme + "://" + s.Host + s.Target, s.ContentType, s.AVS, string(s.Decision), s.Error, s.Ended}, "\n")
}
