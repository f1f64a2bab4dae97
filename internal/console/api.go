package console

import "avsproxy/internal/api"

// What the console answers with.
type (
	// Status is the answer of /api/status.
	Status = api.Status
	// CredentialStatus is how one credential stands.
	CredentialStatus = api.CredentialStatus
	// RouteProblem is what is wrong with the connection to a route's upstream.
	RouteProblem = api.RouteProblem
	// Trouble is what is wrong and what to do about it.
	Trouble = api.Error
	// LoginBegun is the answer to POST /api/logins.
	LoginBegun = api.LoginBegun
	// LoginEnded is the answer to GET /api/logins/ID.
	LoginEnded = api.LoginEnded
	// LogoutDone is the answer to DELETE /api/login.
	LogoutDone = api.LogoutDone
	// Exchanges is the answer to GET /api/exchanges.
	Exchanges = api.Exchanges
)
