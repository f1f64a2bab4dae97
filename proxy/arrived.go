package proxy

import (
	"context"
	"net/http"
	"time"
)

type arrivedKey struct{}

// Arrived notes when a request came, before anything that it may have to wait for.
func Arrived(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// In place: a copy of r would miss trailers that nobody announced.
		*r = *r.WithContext(context.WithValue(r.Context(), arrivedKey{}, time.Now()))
		next.ServeHTTP(w, r)
	})
}
