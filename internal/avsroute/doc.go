// Package avsroute has AVS's rules for routes: a downchannel that is kept and shared,
// events one after another, SynchronizeState after each downchannel, gateways that AVS
// names, and a notice for second downchannels. All but the kept downchannel are stages
// that follow exchanges ([avsproxy/internal/exchange.Stage]).
package avsroute
