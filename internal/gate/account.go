package gate

import (
	"maps"
	"slices"
	"strings"

	"avsproxy/internal/exchange"
	"avsproxy/internal/problem"
)

// Accounts are routes that stand for the accounts of another one: each has a credential of its own.
type Accounts struct {
	Header  string         // has the account of a request; empty = hosts alone tell it
	Routes  map[string]int // indexes by the account
	Default bool           // a request that names none is the route's own
	Own     bool           // the route stands for an account itself, and a request may name no other
}

// SetAccounts gives a route its accounts.
func (t *Table) SetAccounts(index int, accounts Accounts) {
	if t.accounts == nil {
		t.accounts = map[int]Accounts{}
	}
	t.accounts[index] = accounts
}

// Account returns the route of the account that a request names, or the problem that there is none.
// Routes without accounts are themselves.
func (t *Table) Account(index int, h *exchange.Head) (int, *problem.Problem) {
	accounts, has := t.accounts[index]
	if !has {
		return index, nil
	}
	var named []string
	if accounts.Header != "" {
		named = h.Fields.Values(accounts.Header)
	}
	if len(named) == 0 && accounts.Default {
		return index, nil
	}
	if len(named) == 1 {
		if chosen, known := accounts.Routes[named[0]]; known && (!accounts.Own || chosen == index) {
			return chosen, nil
		}
	}
	hint := "name the account by the host: see credential_from of the route"
	if accounts.Header != "" {
		hint = "send one of these in the field " + accounts.Header + ": " + strings.Join(shown(slices.Sorted(maps.Keys(accounts.Routes))), ", ")
	}
	return index, &problem.Problem{Code: problem.NotAllowed, Title: "the account is not known", Detail: "the request names no account that this route has", Hint: hint}
}

// shown leaves out most of a long list.
func shown(names []string) []string {
	const most = 5
	if len(names) <= most {
		return names
	}
	return append(names[:most:most], "...")
}
