package cli

import (
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"avsproxy/internal/api"
	"avsproxy/internal/capture"
	"avsproxy/internal/config"
	"avsproxy/internal/terminal"
)

// filterFlags say which exchanges a command is about.
type filterFlags struct {
	route, status, method, text string
	errors                      bool
}

func (f *filterFlags) add(a *commands, cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.route, "route", "", "only those of this `ROUTE`")
	flags.StringVar(&f.status, "status", "", "only those answered with this `STATUS`, such as 404 or 4xx")
	flags.StringVar(&f.method, "method", "", "only those with this `METHOD`")
	flags.StringVar(&f.text, "text", "", "only those with this `TEXT` in the URL, the event's name, the decision or the error")
	flags.BoolVar(&f.errors, "errors", false, "only those that failed: a status of 400 and above, an error of ours, or an answer that was cut")
	complete := func(flag string, values func() []string) {
		_ = cmd.RegisterFlagCompletionFunc(flag, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) { // which fails for flags that there are not
			return values(), cobra.ShellCompDirectiveNoFileComp
		})
	}
	complete("route", func() []string { return routeNames(a) })
	complete("status", func() []string { return []string{"2xx", "3xx", "4xx", "5xx"} })
	complete("method", methods)
}

// query is for the console, which filters in the same way.
func (f *filterFlags) query() url.Values {
	query := url.Values{}
	for name, value := range map[string]string{"route": f.route, "status": f.status, "method": f.method, "text": f.text} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if f.errors {
		query.Set("errors", strconv.FormatBool(f.errors))
	}
	return query
}

func (f *filterFlags) shows() (func(capture.Summary) bool, error) {
	filter, err := api.ParseFilter(f.query())
	if err != nil {
		return nil, terminal.Usage(err, "a status is a number such as 404, or a class such as 4xx")
	}
	return filter.Shows, nil
}

func routeNames(a *commands) (names []string) {
	conf, err := config.LoadBeside(a.configPath, a.Getenv)
	if err != nil {
		return nil
	}
	for _, route := range conf.Routes {
		names = append(names, route.Name)
	}
	return names
}
