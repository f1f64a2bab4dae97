package console

import (
	"cmp"
	"net/http"
	"strings"
)

// explain says what would become of a request, without making it.
func (c *Console) explain(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	target := query.Get("url")
	switch {
	case c.Explain == nil:
		refuse(w, http.StatusNotFound, "no_explain", "this console cannot explain requests", "ask the console of 'avsproxy serve'")
		return
	case target == "":
		refuse(w, http.StatusBadRequest, "bad_request", "url is missing", "ask for /api/explain?method=GET&url=URL")
		return
	}
	answer, err := c.Explain(cmp.Or(strings.ToUpper(query.Get("method")), http.MethodGet), target)
	if err != nil {
		refuse(w, http.StatusBadRequest, "bad_request", err.Error(), "name a method, and a whole URL or the path of one")
		return
	}
	writeJSON(w, http.StatusOK, answer)
}
