package proxy

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"avsproxy/internal/sandbox"
	"avsproxy/internal/upstream"
)

const (
	daysLong     = 72 * time.Hour
	daysPatience = 45 * time.Second // after a suspend; a dead upstream is noticed within that
	daysClock    = "Mon 15:04:05"
	daysDeaf     = 15 * time.Minute // no downchannel may be silent for longer, while one directive is sent with each request
)

// Three days of a device: hourly closes, hourly renewals, and a machine that is
// closed and opened again, on a cable that forgets.
func TestPromise5_ThreeDaysWithoutAFailedRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDays(t)
		d.hold()
		for i, end := 1, time.Now().Add(daysLong); time.Now().Before(end); i++ {
			time.Sleep(d.between(time.Minute, 7*time.Minute))
			most := time.Second
			if time.Now().After(d.nextSuspend) {
				d.suspend()
				most = daysPatience
			}
			d.ask(i, most)
			d.sandbox.Direct("Days", "Tick", i)
		}
		d.check()
	})
}

type days struct {
	t       *testing.T
	random  *rand.Rand
	near    *cable // between the clients and the proxy
	far     *cable // between the proxy and Amazon
	line    *line
	sandbox *sandbox.Sandbox
	clients [2]*http.Client

	nextSuspend time.Time
	suspends    int
	asleep      time.Duration // in all suspends
	posts       int

	mu    sync.Mutex
	awake chan struct{} // closed while the machine is awake
	heard time.Time     // when the downchannel last had something to say
	opens int           // of the downchannel
}

func newDays(t *testing.T) *days {
	d := &days{t: t, random: rand.New(rand.NewPCG(1, 2)), near: newCable(), far: newCable(), heard: time.Now(), awake: make(chan struct{})}
	close(d.awake)
	d.nextSuspend = time.Now().Add(d.between(4*time.Hour, 8*time.Hour))
	d.sandbox = start(t, sandbox.Options{LWA: []net.Listener{d.far.listen()}, AVS: []net.Listener{d.far.listen()}, OneConnection: true})
	client := clientOf(t, d.sandbox)
	transportOf(client.HTTP).DialContext = d.far.dial
	d.line = build(t, d.sandbox.AVS(), d.sandbox.Pool(), plan{
		source:     loginBy(t, client),
		front:      d.near.listen(),
		options:    upstream.Options{SingleConnection: true, PingInterval: 4 * time.Minute, Dial: d.far.dial},
		credential: Credential{HealOn: []int{401, 403}},
	})
	d.clients = [2]*http.Client{h1Client(t), h2cClient(t)}
	for _, client := range d.clients {
		transportOf(client).DialContext = d.near.dial
	}
	return d
}

func (d *days) between(least, most time.Duration) time.Duration {
	return least + time.Duration(d.random.Int64N(int64(most-least)))
}

// suspend closes the machine's lid and opens it again. Meanwhile the network forgets
// the connections or does not; or nothing is noticed before the next request, since
// the timers of a machine that sleeps stand still.
func (d *days) suspend() {
	d.suspends++
	d.nextSuspend = time.Now().Add(d.between(4*time.Hour, 8*time.Hour))
	if d.suspends%3 == 0 {
		d.far.lose()
		return
	}
	long := d.between(10*time.Minute, 3*time.Hour)
	d.sleeping(true)
	d.far.freeze()
	time.Sleep(long)
	if d.suspends%3 == 1 {
		d.far.lose()
	}
	d.far.thaw()
	time.Sleep(d.between(time.Second, time.Minute))
	d.sleeping(false)
	d.asleep += long
}

// sleeping keeps the downchannel's client from opening it anew.
func (d *days) sleeping(yes bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if yes {
		d.awake = make(chan struct{})
		return
	}
	d.heard = time.Now()
	close(d.awake)
}

// ask sends the nth request and wants its answer within most.
func (d *days) ask(n int, most time.Duration) {
	began := time.Now()
	var err error
	switch d.random.IntN(3) {
	case 0:
		err = d.send(n, "GET", "/ping", "", http.StatusNoContent)
	case 1:
		d.posts++
		err = d.send(n, "POST", "/v20160207/events", eventBody("System", "SynchronizeState", ""), http.StatusNoContent)
	case 2:
		d.posts++
		err = d.send(n, "POST", "/v20160207/events", eventBody("SpeechRecognizer", "Recognize", strings.Repeat("sound ", 1000)), http.StatusOK)
	}
	if took := time.Since(began); err != nil || took > most {
		d.t.Errorf("request %d, %v after %d suspends: %v, in %v", n, began.Format(daysClock), d.suspends, err, took)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if silent := time.Since(d.heard); silent > daysDeaf {
		d.t.Errorf("request %d: the downchannel has been silent for %v", n, silent)
		d.heard = time.Now() // said once
	}
}

func (d *days) send(n int, method, path, body string, want int) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, d.line.url+path, io.MultiReader(strings.NewReader(body))) // of a length that is not known before
	if err != nil {
		return err
	}
	if body == "" {
		r.Body = http.NoBody
	}
	r.Header.Set("Content-Type", "multipart/form-data; boundary=b")
	resp, err := d.clients[n%2].Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != want {
		err = fmt.Errorf("%s, %.200q", resp.Status, answer)
	}
	return err
}

// eventBody is an event as clients of AVS send it; empty sound = no second part.
func eventBody(namespace, name, sound string) string {
	text := "--b\r\nContent-Disposition: form-data; name=\"metadata\"\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n" +
		`{"context":[],"event":{"header":{"namespace":"` + namespace + `","name":"` + name + `","messageId":"m","dialogRequestId":"d"},"payload":{}}}` + "\r\n"
	if sound != "" {
		text += "--b\r\nContent-Disposition: form-data; name=\"audio\"\r\nContent-Type: application/octet-stream\r\n\r\n" + sound + "\r\n"
	}
	return text + "--b--\r\n"
}

// hold keeps a downchannel open, as a client does: a new one when the last ended.
func (d *days) hold() {
	ctx, cancel := context.WithCancel(context.Background())
	var holding sync.WaitGroup
	holding.Go(func() {
		for ctx.Err() == nil {
			d.mu.Lock()
			awake := d.awake
			d.mu.Unlock()
			select {
			case <-awake:
				d.listen(ctx)
			case <-ctx.Done():
			}
		}
	})
	d.t.Cleanup(func() {
		cancel()
		holding.Wait()
	})
}

// listen is one downchannel, until it ends.
func (d *days) listen(ctx context.Context) {
	began := time.Now()
	r, _ := http.NewRequestWithContext(ctx, "GET", d.line.url+"/v20160207/directives", nil)
	resp, err := d.clients[began.Second()%2].Do(r)
	if ctx.Err() != nil {
		return
	}
	if took := time.Since(began); err != nil || resp.StatusCode != http.StatusOK || took > daysPatience {
		d.t.Errorf("the downchannel of %v: %v, %v, in %v", began.Format(daysClock), resp, err, took)
		time.Sleep(time.Minute)
	}
	if err != nil {
		return
	}
	defer resp.Body.Close()
	d.hear(1)
	chunk := make([]byte, 4096)
	for err == nil {
		_, err = resp.Body.Read(chunk)
		d.hear(0)
	}
}

func (d *days) hear(opened int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.heard, d.opens = time.Now(), d.opens+opened
}

// check looks at the three days from Amazon's side.
func (d *days) check() {
	posts := 0
	for _, arrival := range d.sandbox.Ledger() {
		if arrival.Method == "POST" {
			posts++
		}
	}
	_, connections := d.sandbox.Connections()
	d.mu.Lock()
	defer d.mu.Unlock()
	calls, hours := len(d.sandbox.TokenCalls()), int((daysLong-d.asleep)/time.Hour)
	d.t.Logf("%d requests, %d downchannels, %d suspends of %v in all: %d connections, %d token calls", len(d.sandbox.Ledger())-d.opens, d.opens, d.suspends, d.asleep, connections, calls)
	if posts != d.posts {
		d.t.Errorf("%d POST were sent, %d arrived", d.posts, posts)
	}
	if most := hours + d.suspends + 2; connections > most {
		d.t.Errorf("%d connections, at most %d are explained", connections, most)
	}
	if calls < hours || calls > 80 {
		d.t.Errorf("%d token calls in %d hours", calls, hours)
	}
}
