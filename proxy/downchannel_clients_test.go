package proxy

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"avsproxy/internal/avs"
	"avsproxy/internal/avsroute"
	"avsproxy/internal/exchange"
	"avsproxy/internal/problem"
	"avsproxy/internal/testkit"
)

func TestPromise7_SlowReadersAreCutOffWhileOthersGoOn(t *testing.T) {
	l, _, speak, _ := spoken(t, avsroute.DownchannelOptions{})
	over(t, func(t *testing.T, client *http.Client) {
		good := tune(t, h1Client(t), l.url)
		slow := testkit.Must(client.Do(request(t, "GET", l.url+avs.PathDirectives, nil)))(t)
		defer slow.Body.Close()
		before := l.count()
		part := "X: y\r\n\r\n" + strings.Repeat("x", 256<<10) + "\r\n--B\r\n"
		sent := 0
		for ; l.count() == before && sent < 200; sent++ {
			io.WriteString(speak, part)
			good.next(t)
		}
		if e := l.ended(t, before+1); e.Fault == nil || e.Fault.Error() != "the client read its downchannel too slowly" || e.Decision != exchange.Shared {
			t.Errorf("after %d parts: %v, %s", sent, e.Fault, e.Decision)
		}
		if _, err := io.Copy(io.Discard, slow.Body); err == nil {
			t.Error("the slow client's stream ended as if it were whole")
		}
		good.resp.Body.Close()
		l.ended(t, before+2)
	})
}

func TestClientsAreCutWhenTheProxyEnds(t *testing.T) {
	origin, _ := url.Parse("https://upstream.example")
	own := channel{make(chan *io.PipeWriter, 1)}
	d := avsroute.NewDownchannel(avsroute.DownchannelOptions{Origin: origin, Send: routeTo(fakeSender{origin, own.RoundTrip}, Credential{}).Send})
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { d.Run(ctx) })
	route := &Route{Policy: Policy{KeepsDownchannel: true}, Origin: origin, Downchannel: d}
	server := testkit.Server(t, new(line).handlerOf(t, route, Observer{}))
	client := tune(t, h1Client(t), server.URL)
	subscribed := d.Subscribe(t.Context())
	stop()
	client.cut(t)
	for range subscribed {
	}
	for range d.Subscribe(t.Context()) { // who comes late
	}
	problemOf(t, get(t, h1Client(t), server.URL+avs.PathDirectives), problem.UpstreamUnreachable)
	running.Wait()
}
