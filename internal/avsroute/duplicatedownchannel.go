package avsroute

import (
	"context"
	"sync/atomic"

	"avsproxy/internal/exchange"
)

const secondDownchannel = `another downchannel of this device is open; AVS speaks on one of them only; set downchannel = "keep" to share one`

// A DuplicateDownchannel warns clients that open a second downchannel of a device, since AVS
// uses one: their answer has a [exchange.NoticeHeader]. The bytes of both are left as they are.
type DuplicateDownchannel struct {
	Second func() // is called for each second one, and must not wait
	open   atomic.Int64
}

// Concerns implements [exchange.Stage].
func (d *DuplicateDownchannel) Concerns(x *exchange.Exchange) bool { return asksDownchannel(x) }

// Follow implements [exchange.Stage].
func (d *DuplicateDownchannel) Follow(_ context.Context, x *exchange.Exchange) (exchange.Follower, error) {
	if !asksDownchannel(x) {
		return nil, nil
	}
	return &countedDownchannel{all: d}, nil
}

// An countedDownchannel is one that is counted while it is open.
type countedDownchannel struct {
	all     *DuplicateDownchannel
	counted bool
}

func (o *countedDownchannel) Head(status int, fields exchange.Fields) {
	if status != 200 {
		return
	}
	o.counted = true
	if o.all.open.Add(1) > 1 {
		exchange.Set(fields, exchange.NoticeHeader, secondDownchannel)
		o.all.Second()
	}
}

func (o *countedDownchannel) Data([]byte) {}

func (o *countedDownchannel) End(error) {
	if o.counted {
		o.all.open.Add(-1)
	}
}
