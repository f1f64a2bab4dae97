// Package upstream keeps the connections to upstreams: one or as many as the requests
// need, made ahead, asked whether they live, replaced, and used again for requests that an
// upstream did not process.
package upstream
