package avsroute

import (
	"context"
	"testing"
)

func TestQueuesAreBounded(t *testing.T) {
	for _, c := range []struct{ size, most int }{{1, queueMost}, {queueBytes / 4, 4}, {2 * queueBytes, 1}} {
		var s broadcaster
		s.init()
		ctx, client := s.join(t.Context())
		sent := 0
		for ; ctx.Err() == nil; sent++ {
			s.publish(&channelPart{frame: make([]byte, c.size)})
		}
		if sent-1 != c.most || context.Cause(ctx) != errSlowReader || len(s.open) != 0 {
			t.Errorf("%d parts of %d bytes were taken", sent-1, c.size)
		}
		s.leave(client)
	}
}
