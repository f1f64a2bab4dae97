package console

import (
	"cmp"
	"net/http"
	"strings"
)

// explain says what would become of a request, without making it.
func (c *Console) explain(r *http.Request) (any, error) {
	query := r.URL.Query()
	target := query.Get("url")
	switch {
	case c.Explain == nil:
		return nil, refuse(http.StatusNotFound, "no_explain", "this console cannot explain requests", "ask the console of 'avsproxy serve'")
	case target == "":
		return nil, refuse(http.StatusBadRequest, "bad_request", "url is missing", "ask for /api/explain?method=GET&url=URL")
	}
	answer, err := c.Explain(cmp.Or(strings.ToUpper(query.Get("method")), http.MethodGet), target)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "bad_request", err.Error(), "name a method, and a whole URL or the path of one")
	}
	return answer, nil
}
