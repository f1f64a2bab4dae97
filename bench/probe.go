package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Rows that h2load does not make.
const (
	rowFirst = "first byte of a slow multipart answer"
	rowDown  = "large body down"
	rowUp    = "large body up"
	rowIdle  = "memory, idle"
	rowAfter = "memory, after all loads"
	rowOpen  = "memory for each idle downchannel, 100 on a connection"
	rowConn  = "memory for each idle connection"
	rowKept  = "memory for each idle keep-alive connection of HTTP/1.1"
	rowReady = "from start to listening"
)

// probe measures what needs a client that looks closer.
func probe(p *proxy, o options, all results) {
	client, end := newClient()
	defer end()
	if first, err := firstByte(client, p.url("/slow")); err != nil {
		all.at(rowFirst, p.name).fail(err)
	} else {
		all.at(rowFirst, p.name).add(first)
	}
	for row, send := range map[string]func() error{
		rowDown: func() error { return download(client, p.url(fmt.Sprintf("/bytes/%d", o.big)), o.big) },
		rowUp:   func() error { return upload(client, p.url("/body"), o.big) },
	} {
		f := all.at(row, p.name)
		began, used := time.Now(), cpu(p.pid())
		if err := send(); err != nil {
			f.fail(err)
			continue
		}
		f.add(time.Since(began))
		f.cpu = append(f.cpu, float64((cpu(p.pid()) - used).Microseconds()))
	}
}

// probeMemory measures what is left open, before anything else has made the process larger.
func probeMemory(p *proxy, o options, all results) {
	all.at(rowIdle, p.name).kib = []float64{float64(rss(p.pid()))}
	client, end := newClient()
	defer end()
	for range 2000 { // what is needed once is there then
		if err := download(client, p.url("/small"), 13); err != nil {
			all.at(rowOpen, p.name).fail(err)
			return
		}
	}
	idleStreams(p, o.idle, all.at(rowOpen, p.name))
	idleConnections(p, o.idle, all.at(rowConn, p.name))
	keptConnections(p, 10*o.idle, all.at(rowKept, p.name))
}

func (f *figure) fail(err error) {
	log.Print(err)
	f.bad++
}

func (f *figure) add(d time.Duration) { f.seconds = append(f.seconds, d.Seconds()) }

// newClient speaks HTTP/2 in the clear, on one connection.
func newClient() (*http.Client, func()) {
	transport := &http.Transport{Protocols: new(http.Protocols), HTTP2: &http.HTTP2Config{MaxReceiveBufferPerStream: 4 << 20, MaxReceiveBufferPerConnection: 64 << 20}}
	transport.Protocols.SetUnencryptedHTTP2(true)
	return &http.Client{Transport: transport}, transport.CloseIdleConnections
}

// firstByte is how long the first byte of the body takes.
func firstByte(client *http.Client, url string) (time.Duration, error) {
	began := time.Now()
	resp, err := client.Get(url)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.ReadFull(resp.Body, make([]byte, 1))
	return time.Since(began), err
}

func download(client *http.Client, url string, size int64) error {
	resp, err := client.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	if err == nil && n != size {
		err = fmt.Errorf("%d bytes of %d came", n, size)
	}
	return err
}

// zeros is a body.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func upload(client *http.Client, url string, size int64) error {
	req, err := http.NewRequest(http.MethodPost, url, io.LimitReader(zeros{}, size))
	if err != nil {
		return err
	}
	req.ContentLength = size
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// idleConnections notes what connections cost that have sent a request each.
func idleConnections(p *proxy, n int, f *figure) {
	before := rss(p.pid())
	for range n {
		client, end := newClient()
		defer end()
		if err := download(client, p.url("/small"), 13); err != nil {
			f.fail(err)
			return
		}
	}
	f.kib = append(f.kib, float64(rss(p.pid())-before)/float64(n))
}

// keptConnections is idleConnections for HTTP/1.1.
func keptConnections(p *proxy, n int, f *figure) {
	before := rss(p.pid())
	address := strings.TrimSuffix(strings.TrimPrefix(p.url1("/"), "http://"), "/")
	for range n {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			f.fail(err)
			return
		}
		defer conn.Close()
		if _, err = fmt.Fprintf(conn, "GET /small HTTP/1.1\r\nHost: localhost\r\n\r\n"); err == nil {
			_, err = conn.Read(make([]byte, 1024))
		}
		if err != nil {
			f.fail(err)
			return
		}
	}
	f.kib = append(f.kib, float64(rss(p.pid())-before)/float64(n))
}

// idleStreams opens downchannels, 100 on a connection, and notes what each costs.
func idleStreams(p *proxy, n int, f *figure) {
	before := rss(p.pid())
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var opened, closed sync.WaitGroup
	failures := make(chan error, n)
	for range (n + 99) / 100 {
		client, end := newClient()
		defer end()
		for range min(100, n) {
			opened.Add(1)
			closed.Go(func() {
				req, _ := http.NewRequestWithContext(ctx, http.MethodGet, p.url("/downchannel"), nil)
				resp, err := client.Do(req)
				opened.Done()
				if err != nil {
					failures <- err
					return
				}
				<-ctx.Done()
				resp.Body.Close()
			})
		}
	}
	opened.Wait()
	f.kib = append(f.kib, float64(rss(p.pid())-before)/float64(n))
	cancel()
	closed.Wait()
	select {
	case err := <-failures:
		f.fail(err)
	default:
	}
}
