package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"avsproxy/internal/api"
	"avsproxy/internal/capture"
	"avsproxy/internal/config"
	"avsproxy/internal/terminal"

	"github.com/spf13/cobra"
)

// filterFlags say which exchanges a command is about, as the query of the console, which
// filters in the same way.
type filterFlags struct{ query url.Values }

func (f *filterFlags) add(a *commands, cmd *cobra.Command) {
	f.query = url.Values{}
	for name, usage := range map[string]string{
		"route":  "only those of this `ROUTE`",
		"status": "only those answered with this `STATUS`, such as 404 or 4xx",
		"method": "only those with this `METHOD`",
		"text":   "only those with this `TEXT` in the URL, the event's name, the decision or the error",
	} {
		cmd.Flags().Func(name, usage, f.setter(name))
	}
	cmd.Flags().BoolFunc("errors", "only those that failed: a status of 400 and above, an error of ours, or an answer that was cut", f.setter("errors"))
	complete(cmd, "status", cobra.FixedCompletions([]string{"2xx", "3xx", "4xx", "5xx"}, cobra.ShellCompDirectiveNoFileComp))
	complete(cmd, "method", completeMethod)
	complete(cmd, "route", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return routeNames(a), cobra.ShellCompDirectiveNoFileComp
	})
}

func (f *filterFlags) setter(name string) func(string) error {
	return func(value string) error {
		f.query.Set(name, value)
		return nil
	}
}

func complete(cmd *cobra.Command, flag string, values cobra.CompletionFunc) {
	_ = cmd.RegisterFlagCompletionFunc(flag, values) // which fails for flags that there are not
}

func (f *filterFlags) shows() (func(capture.Summary) bool, error) {
	filter, err := api.ParseFilter(f.query)
	return filter.Shows, terminal.Usage(err, "a status is a number such as 404, or a class such as 4xx")
}

func routeNames(a *commands) (names []string) {
	conf, err := config.LoadWithoutSecrets(a.configPath, a.Getenv)
	if err != nil {
		return nil
	}
	for _, route := range conf.Routes {
		names = append(names, route.Name)
	}
	return names
}

type harFlags struct {
	filterFlags
	id uint64
}

func harCommand(a *commands) *cobra.Command {
	var flags harFlags
	cmd := &cobra.Command{
		Use:   "har",
		Short: "Write the captured requests as HAR, for browsers' developer tools and others",
		Long: `Write the requests that the running proxy remembers as HAR 1.2 on stdout, for the
developer tools of browsers and many others. No token is in it; what else is
confidential in the traffic is.`,
		Example: `  avsproxy har > file.har`,
		Args:    arguments(),
		RunE:    a.withDaemon(flags.run),
	}
	flags.add(a, cmd)
	cmd.Flags().Uint64Var(&flags.id, "id", 0, "only the one with this `NUMBER`")
	return cmd
}

func (f *harFlags) run(ctx context.Context, a *commands, daemon *api.Daemon, _ string) error {
	if _, err := f.shows(); err != nil {
		return err
	}
	if terminal.IsTerminal(a.stdout) {
		return terminal.Usage(errors.New("a HAR is not for reading on a terminal"), "avsproxy har > file.har")
	}
	if f.id != 0 {
		f.query.Set("id", strconv.FormatUint(f.id, 10))
	}
	resp, err := daemon.Open(ctx, http.MethodGet, "/har?"+f.query.Encode(), nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(a.stdout, resp.Body); err != nil {
		return fmt.Errorf("the HAR is not whole: %w", err)
	}
	return nil
}
