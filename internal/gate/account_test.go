package gate_test

import (
	"net/http"
	"testing"

	"avsproxy/internal/exchange"
	"avsproxy/internal/gate"
	"avsproxy/internal/httpexchange"
)

func TestAccounts(t *testing.T) {
	table := &gate.Table{}
	of := map[string]int{"kitchen": 1, "bedroom": 2}
	table.SetAccounts(0, gate.Accounts{Header: "X-Account", Routes: of})
	table.SetAccounts(1, gate.Accounts{Header: "X-Account", Routes: of, Default: true, Own: true})
	table.SetAccounts(4, gate.Accounts{Routes: of}) // hosts tell
	for _, c := range []struct {
		index int
		named []string
		want  int // negative = refused
	}{
		{0, []string{"kitchen"}, 1}, {0, []string{"bedroom"}, 2}, {0, nil, -1}, {0, []string{""}, -1}, {0, []string{"cellar"}, -1}, {0, []string{"kitchen", "kitchen"}, -1},
		{1, nil, 1}, {1, []string{"kitchen"}, 1}, {1, []string{"bedroom"}, -1}, {1, []string{"cellar"}, -1},
		{3, []string{"kitchen"}, 3}, {4, nil, -1},
	} {
		head := &exchange.Head{Fields: httpexchange.Fields(http.Header{"X-Account": c.named})}
		if got, p := table.Account(c.index, head); (p != nil) != (c.want < 0) || p == nil && got != c.want {
			t.Errorf("route %d, account %q: %d, %v", c.index, c.named, got, p)
		}
	}
}
