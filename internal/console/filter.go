package console

import (
	"net/url"

	"avsproxy/internal/capture"
)

// Filter returns what tells the exchanges that GET /api/exchanges shows with that
// query, for those who see them in another way. limit is of no account.
func Filter(query url.Values) (shows func(capture.Summary) bool, err error) {
	f, err := parseFilter(query)
	return f.shows, err
}
