// Package proxy sends each request to its configured upstream with its
// credential. The client chooses nothing but a route's name: where a request
// goes and what it carries come from the configuration.
//
// The parts are joined where the program is built:
//
//	guard(route(observe(tokenEndpoint(allow(downchannel(forward(inject(upstream))))))))
//
// [Table] chooses the route, [Observe] notes what became of the exchange,
// [TokenEndpoint] answers token requests, [Allow] keeps to a list, [Downchannel] holds
// AVS's stream of directives, [Forward] relays bytes both ways at once, [Injector]
// adds the credential as the last step before the wire, and [upstream.Upstream] keeps the
// connections.
package proxy
