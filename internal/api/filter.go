package api

import (
	"cmp"
	"fmt"
	"iter"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"avsproxy/internal/capture"
	"avsproxy/internal/filter"
)

// A Filter says which exchanges to show. The zero value shows all that clients asked for.
type Filter struct {
	route, method, text string
	status              string // "404", or "4xx"
	errors              bool
	own                 bool // what the proxy did by itself, too
	after               uint64
	limit               int // the newest so many; 0 = all
	terms               filter.Filter
}

// ParseFilter reads the query of GET /api/exchanges.
func ParseFilter(query url.Values) (Filter, error) {
	f := Filter{
		route: query.Get("route"), method: strings.ToUpper(query.Get("method")),
		text: strings.ToLower(query.Get("text")), status: strings.ToLower(query.Get("status")),
	}
	errors, own, after, limit := query.Get("errors"), query.Get("own"), query.Get("after"), query.Get("limit")
	var notBool, notOwn, notID, notNumber, notFilter error
	f.errors, notBool = strconv.ParseBool(cmp.Or(errors, "0"))
	f.own, notOwn = strconv.ParseBool(cmp.Or(own, "0"))
	f.after, notID = strconv.ParseUint(cmp.Or(after, "0"), 10, 64)
	f.limit, notNumber = strconv.Atoi(cmp.Or(limit, "0"))
	f.terms, notFilter = filter.Parse(query.Get("filter"))
	switch {
	case f.status != "" && !isStatus(f.status):
		return f, fmt.Errorf("status=%q is no status", f.status)
	case notBool != nil:
		return f, fmt.Errorf("errors=%q is neither 1 nor 0", errors)
	case notOwn != nil:
		return f, fmt.Errorf("own=%q is neither 1 nor 0", own)
	case notID != nil:
		return f, fmt.Errorf("after=%q is no ID", after)
	case notNumber != nil, limit != "" && f.limit < 1:
		return f, fmt.Errorf("limit=%q is no number of exchanges", limit)
	}
	f.own = f.own || f.terms.NamesOwn()
	return f, notFilter
}

func isStatus(text string) bool {
	return len(text) == 3 && strings.Contains("12345", text[:1]) && (text[1:] == "xx" || strings.Trim(text, "0123456789") == "")
}

// A Lookup finds what is known of an exchange, for filters that look into heads and bodies.
type Lookup func(id uint64) (capture.Record, bool)

// Of picks what the filter shows, the newest last.
func (f Filter) Of(newest iter.Seq[capture.Summary], find Lookup) []capture.Summary {
	shown := []capture.Summary{} // null is no list
	for s := range newest {
		if s.ID <= f.after || f.limit > 0 && len(shown) == f.limit {
			break
		}
		if f.Shows(s, find) {
			shown = append(shown, s)
		}
	}
	slices.Reverse(shown)
	return shown
}

// Shows reports whether the filter shows an exchange. It ignores the filter's limit.
func (f Filter) Shows(s capture.Summary, find Lookup) bool {
	status := strconv.Itoa(s.Status)
	return s.ID > f.after &&
		(f.own || s.Own == "") &&
		(f.route == "" || s.Route == f.route) &&
		(f.method == "" || s.Method == f.method) &&
		(f.status == "" || status == f.status || strings.TrimSuffix(f.status, "xx") == status[:1]) &&
		(!f.errors || s.Failed()) &&
		(f.text == "" || strings.Contains(strings.ToLower(filter.Words(&s)), f.text)) &&
		f.terms.Shows(&s, func() *capture.Record {
			record, ok := find(s.ID)
			if !ok {
				return nil
			}
			return &record
		})
}
