// Package tokens keeps OAuth 2.0 grants alive: it obtains them by login, keeps
// them in a store, renews them before they expire and hands out access tokens.
//
// A [Source] answers from memory while its token is fresh, renews in the
// background when renewal is due, and lets all callers share one renewal once
// the token has expired. A renewal belongs to no caller: it has a deadline of
// its own, holds the store's cross-process lock, reads the store again before it
// posts (another process may have renewed meanwhile) and saves before it
// publishes. Only a parsed invalid_grant response (RFC 6749 section 5.2) ends in
// "login needed"; every other failure leaves the grant as it is.
//
// [Logins] runs the authorization code grant with state and PKCE S256 (RFC 6749
// section 4.1, RFC 7636, RFC 8252) and the device grant (RFC 8628), by a [Client]
// that spells out its provider's endpoints or discovers them (RFC 8414). A
// [Command] asks a program for tokens instead. The wire calls are
// golang.org/x/oauth2's; its token sources are not used, because they have no hook
// to save a rotated refresh token and hold a lock over the network.
package tokens
