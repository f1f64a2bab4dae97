package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"

	"avsproxy/internal/capture"
	"avsproxy/internal/config"
	"avsproxy/internal/console"

	"github.com/spf13/cobra"
)

type replayFlags struct {
	method, target, body string
	headers              []string
}

func (a *app) replayCommand() *cobra.Command {
	var flags replayFlags
	cmd := &cobra.Command{
		Use:   "replay ID",
		Short: "Send a captured request again, with a fresh token",
		Long: `Send a request that the running proxy remembers again, as it was or changed. It
goes the way of all requests of its route and gets a fresh token. Its new number
is printed, and when it has ended its line, as 'tail' prints it. Exit code 1 means
that it failed, or was answered with a status of 400 or above.`,
		Example: `  avsproxy replay 12
  avsproxy replay 12 --header 'Accept: text/plain' --body @event.json`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeExchange,
		RunE: a.besideOnly(func(ctx context.Context, beside *running, id string) error {
			return a.replay(ctx, beside, id, flags)
		}),
	}
	cmd.Flags().StringVar(&flags.method, "method", "", "another `METHOD`")
	cmd.Flags().StringVar(&flags.target, "target", "", "another `PATH`, with its query")
	cmd.Flags().StringArrayVar(&flags.headers, "header", nil, "a header `FIELD` in the place of those of its name: 'Name: value', or 'Name:' for none")
	cmd.Flags().StringVar(&flags.body, "body", "", "another body: `@FILE`, or - for standard input")
	_ = cmd.RegisterFlagCompletionFunc("method", completeMethod) // which fails for flags that there are not
	return cmd
}

func (a *app) replay(ctx context.Context, beside *running, text string, flags replayFlags) error {
	id, err := strconv.ParseUint(strings.TrimPrefix(text, "#"), 10, 64)
	if err != nil {
		return &exitError{exitUsage, fmt.Errorf("%s is not the number of an exchange", printable(text)), "see the numbers with 'avsproxy tail'"}
	}
	edit, err := a.edit(ctx, beside, id, flags)
	if err != nil {
		return err
	}
	events, err := beside.watch(ctx, 0) // before it begins, so that its end is not missed
	if err != nil {
		return err
	}
	defer events.close()
	var begun console.ReplayBegun
	if err := beside.post(ctx, exchangePath(id)+"/replay", edit, &begun); err != nil {
		return err
	}
	fmt.Fprintln(a.stdout, begun.ID)
	return a.awaitReplay(ctx, beside, events, begun.ID)
}

func exchangePath(id uint64) string { return "/api/exchanges/" + strconv.FormatUint(id, 10) }

// post is call with a body.
func (r *running) post(ctx context.Context, path string, value, answer any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return err
	}
	resp, err := r.open(ctx, http.MethodPost, path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return json.NewDecoder(io.LimitReader(resp.Body, answerMost)).Decode(answer)
}

// edit is what the flags change.
func (a *app) edit(ctx context.Context, beside *running, id uint64, flags replayFlags) (map[string]any, error) {
	edit := map[string]any{}
	if flags.method != "" {
		edit["method"] = strings.ToUpper(flags.method)
	}
	if flags.target != "" {
		edit["target"] = flags.target
	}
	if flags.body != "" {
		body, err := a.readBody(flags.body)
		if err != nil {
			return nil, err
		}
		edit["body_base64"] = body // as JSON has bytes
	}
	if len(flags.headers) == 0 {
		return edit, nil
	}
	var record capture.Record
	if err := beside.call(ctx, http.MethodGet, exchangePath(id), &record); err != nil {
		return nil, err
	}
	if record.Request.Cut {
		return nil, failed(errors.New("the request's headers were too many or too long to keep, so no others can take the place of some"), "see them all in the client that sent them")
	}
	fields, err := edited(record.Request.Header, flags.headers)
	edit["headers"] = fields
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
			return nil, &exitError{exitUsage, errors.New("--header has no colon"), "write it like 'Accept: text/plain'"}
		}
		fields = slices.DeleteFunc(fields, func(f capture.Field) bool { return strings.EqualFold(f.Name, name) })
		if value = strings.TrimSpace(value); value != "" {
			added = append(added, capture.Field{Name: name, Value: value})
		}
	}
	return append(fields, added...), nil
}

func (a *app) readBody(from string) ([]byte, error) {
	path, isFile := strings.CutPrefix(from, "@")
	switch {
	case from == "-" || from == "@-":
		return io.ReadAll(a.stdin)
	case !isFile:
		return nil, &exitError{exitUsage, errors.New("--body names no file"), "write --body @FILE, or --body - to read standard input"}
	}
	body, err := os.ReadFile(path)
	if err != nil {
		return nil, failed(err, "")
	}
	return body, nil
}

// awaitReplay prints how the exchange ended.
func (a *app) awaitReplay(ctx context.Context, beside *running, events *eventStream, id uint64) error {
	for {
		kind, data, err := events.next()
		if errors.Is(err, io.EOF) {
			return errors.New("the console ended its events before the request did")
		}
		if err != nil {
			return err
		}
		var s capture.Summary
		if kind != capture.KindExchange || json.Unmarshal(data, &s) != nil || s.ID != id || s.State != capture.StateDone {
			continue
		}
		fmt.Fprintln(a.stdout, newLineWriter(a.stdout, a.getenv).line(s))
		a.ui.say("see it at %s", beside.page(ctx, id))
		if s.Error != "" || s.Ended != "" || s.Status < 100 || s.Status >= 400 {
			return &exitError{Code: exitFailed} // the line says why
		}
		return nil
	}
}

// page is where a browser shows the exchange.
func (r *running) page(ctx context.Context, id uint64) string {
	var made console.TicketMade
	if r.Key != "" && r.post(ctx, "/api/tickets", nil, &made) == nil {
		return localhostURL(made.Address) + number(id)
	}
	return localhostURL(r.Console) + "/" + number(id)
}

// completeExchange offers the latest exchanges of the running proxy.
func (a *app) completeExchange(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	none := cobra.ShellCompDirectiveNoFileComp
	conf, err := config.LoadBeside(a.configPath, a.getenv)
	if err != nil || len(args) > 0 {
		return nil, none
	}
	ctx := cmp.Or(cmd.Context(), context.Background())
	beside := a.running(ctx, conf)
	if beside == nil {
		return nil, none
	}
	defer beside.client.CloseIdleConnections()
	var list console.Exchanges
	if beside.call(ctx, http.MethodGet, "/api/exchanges?limit=20", &list) != nil {
		return nil, none
	}
	var ids []string
	for _, s := range slices.Backward(list.Exchanges) {
		ids = append(ids, strconv.FormatUint(s.ID, 10)+"\t"+requestOf(s))
	}
	return ids, none | cobra.ShellCompDirectiveKeepOrder
}
