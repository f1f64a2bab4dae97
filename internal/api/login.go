package api

import (
	"time"

	"avsproxy/internal/capture"
)

// LoginBegun is the answer to POST /api/logins, by which a command hands a login
// over to the running console.
type LoginBegun struct {
	ID           string      `json:"id"`
	Credential   string      `json:"credential"`
	ClientID     string      `json:"client_id"`
	AuthorizeURL string      `json:"authorize_url,omitempty"`
	RedirectURL  string      `json:"redirect_url,omitempty"`
	Fingerprint  string      `json:"fingerprint,omitempty"`
	Device       *DeviceCode `json:"device,omitempty"` // instead of the three above
}

// A DeviceCode is what to type in on another device (RFC 8628 section 3.2).
type DeviceCode struct {
	UserCode        string    `json:"user_code"`
	VerificationURL string    `json:"verification_url"`
	CompleteURL     string    `json:"complete_url,omitempty"` // with the code in it
	ExpiresAt       time.Time `json:"expires_at"`
}

// LoginEnded is the answer to GET /api/logins/ID.
type LoginEnded struct {
	Over    bool   `json:"over"`
	Lasting bool   `json:"lasting"`
	Problem *Error `json:"problem,omitempty"`
}

// LogoutDone is the answer to DELETE /api/login.
type LogoutDone struct {
	WasLoggedIn bool `json:"was_logged_in"`
}

// PastedHeader brings the redirect URI that a person has pasted into a command. No
// provider can make a browser send it.
const PastedHeader = "Avsproxy-Pasted"

// Exchanges is the answer to GET /api/exchanges.
type Exchanges struct {
	Exchanges []capture.Summary `json:"exchanges"` // the newest last
	Paused    bool              `json:"paused"`
	Dropped   uint64            `json:"dropped"` // so many made room for others
}

// ReplayBegun is the answer to it.
type ReplayBegun struct {
	ID uint64 `json:"id"` // of the new exchange
}

// TicketMade is the answer to POST /api/tickets: where one browser may open the
// inspector.
type TicketMade struct {
	Address string `json:"address"`
}

// KeyHeader is the header in which commands present the console's key.
const KeyHeader = "Avsproxy-Console-Key"
