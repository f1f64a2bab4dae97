package api

import "avsproxy/internal/capture"

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
