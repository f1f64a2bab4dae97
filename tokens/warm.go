package tokens

import (
	"context"
	"time"
)

// warmCheck is how often Warm looks. It goes by the wall clock at each look, so a
// suspended machine catches up within this time.
const warmCheck = 30 * time.Second

// Warm keeps the token live until ctx ends, whether anybody asks for it or not:
// some providers forget a login that is not used for long. It returns at once
// where [Source.KeepWarm] is not set.
func (s *Source) Warm(ctx context.Context) {
	for s.KeepWarm && ctx.Err() == nil {
		_, _ = s.Token(ctx) // [Source.Outcome] tells how it ended
		select {
		case <-time.After(warmCheck):
		case <-ctx.Done():
		}
	}
}
