// Package proxy sends each request to its configured upstream with its
// credential. The client chooses nothing but a route's name: where a request
// goes and what it carries come from the configuration.
//
// A [Handler] takes each exchange through the same steps: admit and choose (package
// gate), permit ([Policy.Judge]), record ([Observer]), authorize ([Credential]) and send
// ([Route.Send]). The credential is added as the last step before the wire. Answers that
// are relayed pass httputil.ReverseProxy, which moves the bytes both ways at once.
package proxy
