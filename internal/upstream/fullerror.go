package upstream

import (
	"context"
	"fmt"
	"time"
)

// slowAfter is how long a request waits for a stream before that is told.
const slowAfter = time.Second

// tellFullEach is the least time between two such messages.
const tellFullEach = 10 * time.Second

// A fullError says that no stream of the single connection became free in time.
type fullError struct {
	most int // streams that the upstream allows; negative = it did not say
	open int // streams of the connection
}

// Error names what is full.
func (e *fullError) Error() string {
	switch {
	case e.most == 0:
		return "the upstream allows 0 streams on its connection"
	case e.most > 0:
		return fmt.Sprintf("the upstream allows %d streams on its connection and all are in use", e.most)
	}
	return fmt.Sprintf("%d streams are open on the upstream's connection, as many as there can be", e.open)
}

// Unwrap makes it a timeout.
func (e *fullError) Unwrap() error { return context.DeadlineExceeded }
