package proxy

import (
	"net/http"
	"net/url"
	"strings"

	"avsproxy/internal/avs"
)

// pathAt is where one of AVS's paths is at a route's upstream.
func pathAt(origin *url.URL, path string) string { return strings.TrimSuffix(origin.Path, "/") + path }

// opened reports whether req has opened a downchannel; resp may be nil.
func opened(origin *url.URL, req *http.Request, resp *http.Response) bool {
	return resp != nil && resp.StatusCode == http.StatusOK &&
		req.Method == http.MethodGet && req.URL.Path == pathAt(origin, avs.PathDirectives)
}
