package console

import (
	"net/http"
	"slices"
	"strings"

	"avsproxy/internal/api"
)

// compose sends a request that a page wrote, through its route like a client's.
func (c *Console) compose(r *http.Request) (any, error) {
	if c.Replay == nil {
		return nil, refuse(http.StatusNotFound, "no_replay", "this console cannot send requests", "ask the console of 'avsproxy serve'")
	}
	asked, err := readEdit(r)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "bad_request", err.Error(), `send an object with method, target, headers ([["Name","value"]]) and body_base64`)
	}
	name := r.URL.Query().Get("route")
	if name == "" {
		name = c.Routes[0].Name
	}
	if !slices.ContainsFunc(c.Routes, func(route Route) bool { return route.Name == name }) {
		return nil, refuse(http.StatusNotFound, "unknown_route", "there is no route "+name, "see 'avsproxy status'")
	}
	again := ReplayRequest{
		Route: name, Scheme: "http", Host: name + ".localhost", Method: strings.ToUpper(orKept(asked.Method, http.MethodGet)),
		Target: orKept(asked.Target, "/"), Header: endToEnd(asked.Headers), Body: orKept(asked.Body, nil),
	}
	if err := again.check(); err != nil {
		return nil, refuse(http.StatusBadRequest, "bad_request", err.Error(), "correct the request")
	}
	id, err := c.Replay(r.Context(), again)
	if err != nil {
		return nil, refuse(http.StatusBadGateway, "replay_failed", err.Error(), "see 'avsproxy status'")
	}
	return api.ReplayBegun{ID: id}, nil
}
