package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"

	"avsproxy/internal/config"

	"github.com/spf13/cobra"
)

func (a *app) explainCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "explain METHOD URL",
		Short: "Say what becomes of a request: its route, its token, its upstream, and why",
		Long: `Say what becomes of a request, without sending it: which route takes it and why,
whether 'allow' lets it through, which token it gets and how that stands, where
it goes, over which protocols, and what is sent again. A running 'serve' is asked
where there is one; else the configuration and the store tell.

The URL is a path alone (asked of localhost), one of the proxy's own
(http://localhost:9744/..., http://NAME.localhost:9744/...), or any other, as a
client asks for it that has the proxy set (curl -x, HTTPS_PROXY).`,
		Example: `  avsproxy explain GET /ping
  avsproxy explain POST https://alexa.na.gateway.devices.a2z.com/v20160207/events`,
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: completeMethod,
		RunE: func(cmd *cobra.Command, args []string) error {
			conf, err := config.LoadBeside(a.configPath, a.getenv)
			if err != nil {
				return err
			}
			x, err := a.explain(cmd.Context(), conf, args[0], args[1])
			if err != nil {
				return err
			}
			if asJSON {
				return indented(a.stdout, x)
			}
			return printExplanation(a.stdout, x)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the explanation as JSON")
	return cmd
}

// explain asks the running proxy, or else decides by itself.
func (a *app) explain(ctx context.Context, conf *config.Config, method, target string) (*explanation, error) {
	if beside := a.running(ctx, conf); beside != nil {
		x := new(explanation)
		return x, beside.call(ctx, http.MethodGet, "/api/explain?"+url.Values{"method": {method}, "url": {target}}.Encode(), x)
	}
	program, err := a.build(conf, standIf(conf.Sandbox))
	if err != nil {
		return nil, err
	}
	explainer, err := newExplainer(program, conf.Proxy.Listen, "you")
	if err != nil {
		return nil, err
	}
	x, err := explainer.explain(method, target)
	if err != nil {
		return nil, &exitError{exitUsage, err, "see 'avsproxy explain --help'"}
	}
	return x, nil
}

// printExplanation puts what each sentence is about into a column of its own.
func printExplanation(w io.Writer, x *explanation) error {
	fmt.Fprintf(w, "%s %s\n", x.Method, printable(x.URL))
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, sentence := range x.Text {
		about, rest, _ := strings.Cut(sentence, ": ")
		fmt.Fprintf(table, "  %s\t%s\n", strings.ToLower(about), printableLine(rest))
	}
	return table.Flush()
}

// printableLine is for what the console tells, which is masked and bounded there.
func printableLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return '?'
		}
		return r
	}, text)
}

func indented(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

func completeMethod(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return []string{"GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT"}, cobra.ShellCompDirectiveNoFileComp
}
