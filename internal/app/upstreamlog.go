package app

import (
	"log/slog"
	"sync"

	"avsproxy/internal/terminal"
	"avsproxy/proxy"
)

// logConnection prints what becomes of the connection that a route keeps to: what
// changes something, and not each try.
func logConnection(log *slog.Logger, route, host string) func(proxy.LinkEvent, error) {
	log = log.With("route", route, "upstream", host)
	var mu sync.Mutex
	var last proxy.LinkEvent
	var why string
	return func(event proxy.LinkEvent, cause error) {
		switch event { // whatever came before
		case proxy.Full:
			log.Warn("requests wait for a stream", "cause", terminal.Printable(cause.Error()))
			return
		case proxy.Paused:
			log.Error("no connection is tried for a while", "cause", terminal.Printable(cause.Error()))
			return
		}
		mu.Lock()
		defer mu.Unlock()
		before, changed := last, cause != nil && why != cause.Error()
		if last = event; cause != nil {
			why = cause.Error()
		}
		switch {
		case event == proxy.Connected && before == proxy.Unreachable:
			log.Info("the upstream is reached again")
		case event == proxy.Connected:
			log.Debug("connected")
		case event == proxy.Unused:
			log.Debug("the upstream ended a connection that nobody used; the next one is made after a pause, or for a request")
		case event == proxy.Left:
			log.Info("the upstream ended the connection, which is usual; requests go over a new one")
		case event == proxy.Lost && before != proxy.Unreachable:
			log.Warn("the connection was lost; connecting anew", "cause", terminal.Printable(cause.Error()))
		case event == proxy.Unreachable && (changed || before != proxy.Unreachable):
			log.Warn("the upstream cannot be reached; trying on", "cause", terminal.Printable(cause.Error()))
		}
	}
}

func logDownchannel(log *slog.Logger, route string) func(proxy.DownchannelNews, error) {
	return func(news proxy.DownchannelNews, cause error) {
		switch news {
		case proxy.DownchannelOpened:
			log.Info("downchannel opened", "route", route)
		case proxy.DownchannelLost:
			log.Warn("downchannel lost; trying again", "route", route, "cause", faultText(cause))
		case proxy.DownchannelWaits:
			log.Warn("the downchannel waits for a login", "route", route)
		case proxy.DownchannelSkipped:
			log.Warn("a part of the downchannel was not passed on", "route", route, "cause", faultText(cause))
		}
	}
}
