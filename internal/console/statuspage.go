package console

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"avsproxy/internal/api"
	"avsproxy/internal/capture"
	"avsproxy/internal/charset"
	"avsproxy/internal/terminal"
)

// A statusPage is all that 'avsproxy status' knows, and what the capture tells of the traffic.
type statusPage struct {
	api.Status
	Hour        *hourPlot // nil = nothing was captured
	Latencies   []latency
	Connections []connection
	Now         time.Time
}

const (
	plotted  = time.Hour
	plotBars = 60
	// recentConnections is how many of the latest exchanges name connections, besides those under way.
	recentConnections = 100
)

// An hourPlot has the requests of the last hour, a bar for each minute.
type hourPlot struct {
	Requests, Most int // of a bar
	From, To       string
	Bars           []plotBar
}

// A plotBar is a class of requests in one minute, in percent of the height.
type plotBar struct {
	X         int
	Y, Height float64
	Class     string
}

// plotClasses are from the bottom up, as the inspector draws them.
var plotClasses = []string{"good", "soft", "warn", "bad", "open"}

func plotClass(s *capture.Summary) string {
	switch {
	case s.Status >= 500, s.Error != "", s.Ended != "":
		return "bad"
	case s.Status >= 400:
		return "warn"
	case s.Status == 0:
		return "open"
	case s.Status >= 300, s.Status < 200:
		return "soft"
	}
	return "good"
}

// A latency says how long the requests of a route took that have an end of their own.
type latency struct {
	Route                     string
	Requests, Failed          int
	Median, P90, P99, Longest string
}

// A connection has the requests that went over it lately.
type connection struct {
	Name, Route, Proto string
	Requests, Open     int
	Which              string // of those that are under way
}

func (p pages) home(w http.ResponseWriter, r *http.Request) {
	page := statusPage{Status: p.present(), Now: time.Now()}
	if list := p.traffic(); len(list) > 0 && p.isOwner(r) {
		page.Hour, page.Latencies, page.Connections = plotHour(list, page.Now), latencies(list), connections(list)
	}
	p.show(w, http.StatusOK, "home.html", page)
}

// traffic is what clients asked for, the newest first.
func (c *Console) traffic() (list []capture.Summary) {
	if c.Exchanges == nil {
		return nil
	}
	for s := range c.Exchanges.Newest() {
		if s.Own == "" {
			list = append(list, s)
		}
	}
	return list
}

func plotHour(list []capture.Summary, now time.Time) *hourPlot {
	from := now.Add(-plotted)
	plot := &hourPlot{Most: 1, From: from.Format("15:04"), To: now.Format("15:04")}
	var counts [plotBars]map[string]int
	for i := range list {
		s := &list[i]
		if s.Began.Before(from) || s.Began.After(now) {
			continue
		}
		plot.Requests++
		bar := min(plotBars-1, int(s.Began.Sub(from)*plotBars/plotted))
		if counts[bar] == nil {
			counts[bar] = map[string]int{}
		}
		counts[bar][plotClass(s)]++
		sum := 0
		for _, n := range counts[bar] {
			sum += n
		}
		plot.Most = max(plot.Most, sum)
	}
	for x, classes := range counts {
		y := 100.0
		for _, class := range plotClasses {
			if n := classes[class]; n > 0 {
				height := max(1.5, float64(n)/float64(plot.Most)*100)
				y -= height
				plot.Bars = append(plot.Bars, plotBar{x, y, height, class})
			}
		}
	}
	return plot
}

func latencies(list []capture.Summary) (all []latency) {
	took := map[string][]float64{}
	failed := map[string]int{}
	for i := range list {
		s := &list[i]
		if s.State != capture.StateDone || s.Lasts || s.Status == 0 {
			continue
		}
		name := cmp.Or(s.Route, "no route")
		took[name] = append(took[name], s.TookMS)
		if class := plotClass(s); class == "bad" || class == "warn" {
			failed[name]++
		}
	}
	for _, name := range slices.Sorted(maps.Keys(took)) {
		sorted := took[name]
		slices.Sort(sorted)
		all = append(all, latency{
			name, len(sorted), failed[name], percentile(sorted, .5), percentile(sorted, .9), percentile(sorted, .99), percentile(sorted, 1),
		})
	}
	return all
}

// percentile is by the nearest rank.
func percentile(sorted []float64, p float64) string {
	at := max(0, int(math.Ceil(float64(len(sorted))*p))-1)
	return terminal.Wait(time.Duration(sorted[at] * float64(time.Millisecond)))
}

func connections(list []capture.Summary) []connection {
	type key struct {
		upstream bool
		number   uint64
	}
	found := map[key]*connection{}
	for i := range list {
		s := &list[i]
		if i >= recentConnections && s.State != capture.StateActive {
			continue
		}
		for _, k := range []key{{true, s.UpstreamConn}, {false, s.ClientConn}} {
			if k.number == 0 {
				continue
			}
			one := found[k]
			if one == nil {
				one = &connection{Name: fmt.Sprintf("client %d", k.number), Route: s.Route, Proto: s.Proto}
				if k.upstream {
					one.Name, one.Proto = fmt.Sprintf("upstream %d", k.number), s.UpstreamProto
				}
				found[k] = one
			}
			one.add(s)
		}
	}
	keys := slices.SortedFunc(maps.Keys(found), func(a, b key) int {
		if a.upstream != b.upstream && a.upstream {
			return -1
		} else if a.upstream != b.upstream {
			return 1
		}
		return cmp.Compare(a.number, b.number)
	})
	all := make([]connection, len(keys))
	for i, k := range keys {
		all[i] = *found[k]
	}
	return all
}

func (c *connection) add(s *capture.Summary) {
	c.Requests++
	if s.State != capture.StateActive {
		return
	}
	if c.Open++; c.Open <= 3 {
		path, _, _ := strings.Cut(s.Target, "?")
		c.Which = strings.TrimPrefix(c.Which+fmt.Sprintf(", #%d %s %s", s.ID, charset.Printable(s.Method), charset.Printable(path)), ", ")
	}
}

// logoutPage asks before a login is forgotten.
func (p pages) logoutPage(w http.ResponseWriter, r *http.Request) error {
	credential, ok := p.find(r.URL.Query().Get("credential"))
	if !ok || credential.Client == nil {
		return &notice{http.StatusNotFound, "Nothing to log out of", "This credential does not exist, or nobody logs in to it.", "/status", "See what there is"}
	}
	p.show(w, http.StatusOK, "logout.html", credential.Source.Name)
	return nil
}

// endLogin is a POST, so that no link or image can.
func (p pages) endLogin(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, 4<<10)
	if err := r.ParseForm(); err != nil {
		return &notice{http.StatusBadRequest, "The form could not be read", "Nothing was changed.", "/status", "Back"}
	}
	r.URL.RawQuery = url.Values{"credential": {r.PostForm.Get("credential")}}.Encode()
	if _, err := p.logout(r); err != nil {
		return &notice{http.StatusInternalServerError, "The logout failed", sentence(err.Error()), "/status", "Back"}
	}
	http.Redirect(w, r, "/status", http.StatusSeeOther)
	return nil
}
