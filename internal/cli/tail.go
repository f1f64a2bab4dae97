package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"avsproxy/internal/api"
	"avsproxy/internal/app"
	"avsproxy/internal/avs"
	"avsproxy/internal/capture"
	"avsproxy/internal/terminal"

	"github.com/spf13/cobra"
)

type tailFlags struct {
	filterFlags
	last   int
	asJSON bool
	follow bool
}

func tailCommand(a *commands) *cobra.Command {
	var flags tailFlags
	cmd := &cobra.Command{
		Use:   "tail [FILTER...]",
		Short: "Show the requests that go through the running proxy, each as it ends",
		Long: `Show the requests that go through the running proxy, one line each as it ends:
the time, its number, status, method and URL, the route, what was done about the
token, how long it took, the size of the answer, the client's protocol, and what
went wrong. Those that last, such as downchannels, have a line when they open, too,
and AVS's directives one as each passes. No line has a token in it.

It ends with Ctrl-C, or with 1 when 'serve' does.` + filterHelp,
		Example: `  avsproxy tail
  avsproxy tail status:5xx -path:/ping
  avsproxy tail --json 'took:>1s'`,
		ValidArgsFunction: completeFilter,
		RunE:              flags.withFilter(a, flags.run),
	}
	flags.add(a, cmd)
	cmd.Flags().IntVarP(&flags.last, "last", "n", 10, "begin with this `NUMBER` of those that went before")
	cmd.Flags().BoolVar(&flags.follow, "follow-downchannels", true, "show the directives that pass")
	cmd.Flags().BoolVar(&flags.asJSON, "json", false, "print each exchange as one line of JSON when it ends, and nothing else")
	return cmd
}

// A tail prints each exchange once.
type tail struct {
	*tailFlags
	daemon *api.Daemon
	lines  lineWriter
	open   map[uint64]bool // printed as open
	listed map[uint64]bool // printed from the list; the events may repeat them

	followers sync.WaitGroup
	places    chan struct{} // for followers

	mu  sync.Mutex
	out io.Writer
}

// maxFollowed bounds the downchannels whose directives are shown.
const maxFollowed = 8

func (f *tailFlags) run(ctx context.Context, a *commands, daemon *api.Daemon, _ string) error {
	t := &tail{
		tailFlags: f, daemon: daemon, lines: newLineWriter(a.stdout, a.Getenv), out: terminal.Wrap(a.stdout),
		open: map[uint64]bool{}, listed: map[uint64]bool{}, places: make(chan struct{}, maxFollowed),
	}
	defer t.followers.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	abandoned := make(chan struct{})
	go func() {
		if terminal.AwaitAbandoned(ctx, a.stdout) {
			close(abandoned)
			cancel()
		}
	}()
	paused := func() {
		a.UI.Warn("capture is paused, so nothing new will show", "go on with it at "+api.LocalhostURL(daemon.Console))
	}
	listed := func() {
		if !f.asJSON {
			a.UI.Say("avsproxy: waiting for requests to %s; end with Ctrl-C", strings.Join(app.LocalhostURLs(daemon.Proxy), " "))
		}
	}
	err := t.loop(ctx, paused, listed)
	select {
	case <-abandoned:
		return nil
	default:
	}
	if errors.Is(err, io.EOF) { // the proxy goes on, but ended our stream
		return errors.New("too slow for what went through the proxy, and cut off; start 'avsproxy tail' again")
	}
	return err
}

// loop prints until the console ends the events, which is [io.EOF].
func (t *tail) loop(ctx context.Context, paused, listed func()) error {
	events, err := t.daemon.Watch(ctx, 0, t.query) // before the list, so that nothing falls between the two
	if err != nil {
		return err
	}
	defer events.Close()
	isPaused, err := t.list(ctx)
	if err != nil {
		return err
	}
	if isPaused {
		paused()
	}
	listed()
	for {
		event, err := events.Next()
		if err == nil && event.Summary != nil {
			err = t.update(ctx, *event.Summary, false)
		}
		if err != nil {
			return err
		}
	}
}

// list prints what went before.
func (t *tail) list(ctx context.Context) (paused bool, err error) {
	query := maps.Clone(t.query)
	query.Set("limit", strconv.Itoa(max(t.last, 1)))
	var list api.Exchanges
	if err := t.daemon.Call(ctx, http.MethodGet, "/api/exchanges?"+query.Encode(), nil, &list); err != nil {
		return false, err
	}
	for _, s := range list.Exchanges {
		if err := t.update(ctx, s, true); err != nil {
			return false, err
		}
	}
	return list.Paused, nil
}

// update prints what is new about an exchange.
func (t *tail) update(ctx context.Context, s capture.Summary, listed bool) error {
	switch {
	case t.listed[s.ID]:
	case s.State == capture.StateDone:
		delete(t.open, s.ID)
		if listed {
			t.listed[s.ID] = true
		}
		if !listed || t.last > 0 {
			return t.print(s)
		}
	case isLongLived(s) && !t.open[s.ID]:
		t.open[s.ID] = true
		return t.opened(ctx, s, listed)
	}
	return nil
}

// print prints an exchange that has ended.
func (t *tail) print(s capture.Summary) error {
	if !t.asJSON {
		return t.say(t.lines.line(s))
	}
	line, err := terminal.JSONLine(s)
	if err != nil {
		return err
	}
	return t.say(line)
}

func (t *tail) opened(ctx context.Context, s capture.Summary, listed bool) error {
	if t.asJSON {
		return nil
	}
	err := t.say(t.lines.line(s))
	if t.follow && isDownchannel(s) {
		t.directives(ctx, s, listed)
	}
	return err
}

// say is for the followers, too.
func (t *tail) say(line string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, err := fmt.Fprintln(t.out, line)
	return terminal.Failed(err, "")
}

// isLongLived reports whether an exchange that has its answer's head will be open for long,
// as far as that can be seen.
func isLongLived(s capture.Summary) bool {
	return s.Lasts || (s.Method == http.MethodConnect && s.Status != 0)
}

func isDownchannel(s capture.Summary) bool {
	path, _, _ := strings.Cut(s.Target, "?")
	return s.Status == http.StatusOK && s.Method == http.MethodGet && strings.HasSuffix(path, avs.PathDirectives)
}

// directives prints those of a downchannel as they pass, until it ends; where the
// channel was open before us, only those from now on. An error here does not
// end the tail.
func (t *tail) directives(ctx context.Context, s capture.Summary, before bool) {
	select {
	case t.places <- struct{}{}:
	default:
		return // the limit is reached
	}
	t.followers.Go(func() {
		defer func() { <-t.places }()
		silent := before
		scanner := avs.NewDirectiveScanner(s.ContentType, func(p avs.ReceivedDirective) {
			if !silent {
				_ = t.say(t.lines.directive(s.ID, time.Now(), p.Header)) // the tail itself finds a closed output
			}
		})
		if scanner == nil {
			return
		}
		events, err := t.daemon.Watch(ctx, s.ID, nil)
		if err != nil {
			return
		}
		defer events.Close()
		seen := t.scanCaptured(ctx, s.ID, scanner)
		silent = false
		for {
			event, err := events.Next()
			if err != nil || !scan(scanner, event, s.ID, seen) {
				return
			}
		}
	})
}

// scanCaptured scans what was captured before the events began, and returns how much.
func (t *tail) scanCaptured(ctx context.Context, id uint64, scanner io.Writer) int64 {
	resp, err := t.daemon.Open(ctx, http.MethodGet, api.ExchangePath(id)+"/response/body", nil)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	n, _ := io.Copy(scanner, resp.Body)
	return n
}

// scan passes on what an event says of the downchannel id past the bytes that were
// seen. It reports whether more may come.
func scan(scanner io.Writer, event capture.Event, id uint64, seen int64) bool {
	if chunk := event.Chunk; chunk != nil && chunk.ID == id && chunk.Side == capture.ResponseSide {
		known := min(max(seen-chunk.Offset, 0), int64(len(chunk.Bytes)))
		_, _ = scanner.Write(chunk.Bytes[known:]) // takes everything
	}
	s := event.Summary
	return s == nil || s.ID != id || s.State != capture.StateDone
}
