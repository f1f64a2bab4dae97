package cli

import (
	"context"
	"errors"
	"net/url"
	"strings"

	"avsproxy/internal/api"
	"avsproxy/internal/filter"
	"avsproxy/internal/terminal"

	"github.com/spf13/cobra"
)

// filterHelp is for the help of commands that take filters.
const filterHelp = `

A FILTER is one or more terms that must all hold, in the language of the inspector:
words and "quoted texts" as a line shows them, /regular expressions/, and keys, as in
status:>=400 method:POST,PUT route:avs host:api path:/v2 took:>1s size:>10KiB
header:x-id body:"not found" is:error. A minus before a term turns it round.
is:own shows what avsproxy did by itself: logins, renewals, probes.`

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
	complete(cmd, "route", func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		return a.routeNames(cmd), cobra.ShellCompDirectiveNoFileComp
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

// withFilter is [commands.withDaemon] for a command whose arguments are a filter. A wrong one is met before the proxy is asked.
func (f *filterFlags) withFilter(a *commands, run func(context.Context, *commands, *api.Daemon, string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		f.query.Set("filter", strings.Join(args, " "))
		if _, err := filter.Parse(f.query.Get("filter")); err != nil {
			return terminal.Usage(err, filterHint(err))
		}
		if _, err := api.ParseFilter(f.query); err != nil {
			return terminal.Usage(err, "a status is a number such as 404, or a class such as 4xx")
		}
		return a.withDaemon(run)(cmd, nil)
	}
}

func filterHint(err error) string {
	if wrong, ok := errors.AsType[*filter.Error](err); ok {
		return wrong.Hint
	}
	return ""
}
