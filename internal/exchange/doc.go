// Package exchange is the vocabulary for one request and its answer, without
// net/http: the connection, the head, its fields, and the names in them. All
// engines, the gate and explain use it.
package exchange
