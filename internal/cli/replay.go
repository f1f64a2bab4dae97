package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"

	"avsproxy/internal/api"
	"avsproxy/internal/capture"
	"avsproxy/internal/charset"
	"avsproxy/internal/terminal"

	"github.com/spf13/cobra"
)

type replayFlags struct {
	method, target, body string
	headers              []string
}

func replayCommand(a *commands) *cobra.Command {
	var flags replayFlags
	cmd := &cobra.Command{
		Use:   "replay ID",
		Short: "Send a captured request again, with a fresh token",
		Long: `Send a request that the running proxy remembers again, as it was or changed. It
goes the way of all requests of its route and gets a fresh token. Its new number
is printed, and when it has ended its line, as 'tail' prints it. A body in which a
secret was masked is sent as it came, to the same upstream only. Exit code 1 means
that it failed, or was answered with a status of 400 or above.`,
		Example: `  avsproxy replay 12
  avsproxy replay 12 --header 'Accept: text/plain' --body @event.json`,
		Args:              arguments("ID"),
		ValidArgsFunction: completeExchange(a),
		RunE:              a.withDaemon(flags.run),
	}
	cmd.Flags().StringVar(&flags.method, "method", "", "another `METHOD`")
	cmd.Flags().StringVar(&flags.target, "target", "", "another `PATH`, with its query")
	cmd.Flags().StringArrayVar(&flags.headers, "header", nil, "a header `FIELD` in the place of those of its name: 'Name: value', or 'Name:' for none")
	cmd.Flags().StringVar(&flags.body, "body", "", "another body: `@FILE`, or - for standard input")
	complete(cmd, "method", completeMethod)
	return cmd
}

func (f *replayFlags) run(ctx context.Context, a *commands, daemon *api.Daemon, text string) error {
	id, err := strconv.ParseUint(strings.TrimPrefix(text, "#"), 10, 64)
	if err != nil {
		return terminal.Usage(fmt.Errorf("%s is not the number of an exchange", charset.Printable(text)), "see the numbers with 'avsproxy tail'")
	}
	edit, err := f.edit(ctx, a, daemon, id)
	if err != nil {
		return err
	}
	events, err := daemon.Watch(ctx, 0, nil) // before it begins, so that its end is not missed
	if err != nil {
		return err
	}
	defer events.Close()
	var begun api.ReplayBegun
	if err := daemon.Call(ctx, http.MethodPost, api.ExchangePath(id)+"/replay", edit, &begun); err != nil {
		return inFlags(err)
	}
	fmt.Fprintln(a.stdout, begun.ID)
	return awaitReplay(ctx, a, daemon, events, begun.ID)
}

// inFlags words what to do about a refusal with the flags of the command.
func inFlags(err error) error {
	var refusal *api.Error
	if !errors.As(err, &refusal) {
		return err
	}
	hints := map[string]string{
		"body_not_whole":    "give the whole body with --body @FILE; body in [capture] says how much of each is kept",
		"target_not_whole":  "give it with --target PATH, and where it was masked the method with --method",
		"headers_not_whole": "send it by its client again: --header takes the place of single fields only",
	}
	if hint := hints[refusal.Code]; hint != "" {
		return terminal.Failed(refusal, hint)
	}
	return err
}

// edit is what the flags change.
func (f *replayFlags) edit(ctx context.Context, a *commands, daemon *api.Daemon, id uint64) (edit api.ReplayEdit, err error) {
	if f.method != "" {
		edit.Method = new(strings.ToUpper(f.method))
	}
	if f.target != "" {
		edit.Target = &f.target
	}
	if f.body != "" {
		body, err := readBody(a, f.body)
		if err != nil {
			return edit, err
		}
		edit.Body = &body
	}
	if len(f.headers) == 0 {
		return edit, nil
	}
	var record capture.Record
	if err := daemon.Call(ctx, http.MethodGet, api.ExchangePath(id), nil, &record); err != nil {
		return edit, err
	}
	if record.Request.Cut {
		return edit, terminal.Failed(errors.New("the request's headers were too many or too long to keep, so no others can take the place of some"), "see them all in the client that sent them")
	}
	edit.Headers, err = edited(record.Request.Header, f.headers)
	return edit, err
}

// edited puts the lines in the place of the fields of their names. Fields that were
// masked are left out: a replay has only the asterisks.
func edited(fields []capture.Field, lines []string) ([]capture.Field, error) {
	fields = slices.DeleteFunc(slices.Clone(fields), func(f capture.Field) bool { return f.Masked })
	var added []capture.Field
	for _, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return nil, terminal.Usage(errors.New("--header has no colon"), "write it like 'Accept: text/plain'")
		}
		fields = slices.DeleteFunc(fields, func(f capture.Field) bool { return strings.EqualFold(f.Name, name) })
		if value = strings.TrimSpace(value); value != "" {
			added = append(added, capture.Field{Name: name, Value: value})
		}
	}
	return append(fields, added...), nil
}

func readBody(a *commands, from string) ([]byte, error) {
	path, isFile := strings.CutPrefix(from, "@")
	switch {
	case from == "-" || from == "@-":
		return io.ReadAll(a.stdin)
	case !isFile:
		return nil, terminal.Usage(errors.New("--body names no file"), "write --body @FILE, or --body - to read standard input")
	}
	body, err := os.ReadFile(path)
	return body, terminal.Failed(err, "")
}

// awaitReplay prints how the exchange ended.
func awaitReplay(ctx context.Context, a *commands, daemon *api.Daemon, events *api.EventStream, id uint64) error {
	for {
		event, err := events.Next()
		if errors.Is(err, io.EOF) {
			return errors.New("the console ended its events before the request did")
		}
		if err != nil {
			return err
		}
		s := event.Summary
		if s == nil || s.ID != id || s.State != capture.StateDone {
			continue
		}
		fmt.Fprintln(a.stdout, newLineWriter(a.stdout, a.Getenv).line(*s))
		page, _ := daemon.Inspector(ctx) // without a ticket it asks for the key
		a.UI.Say("see it at %s", page+number(id))
		if s.Failed() || s.Status < 100 {
			return &terminal.ExitError{Code: terminal.ExitFailed} // the line says why
		}
		return nil
	}
}
