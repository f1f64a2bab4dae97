package cli

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"avsproxy/internal/config"
	"avsproxy/internal/suggest"
	"avsproxy/internal/terminal"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// arguments are those of a command, by their names as its Use line has them; in brackets = it may be missing.
func arguments(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > len(names) {
			extra := args[len(names)]
			if cmd.HasSubCommands() && len(names) == 0 {
				return unknownCommand(cmd, extra)
			}
			return misused(cmd, fmt.Errorf("%q is one argument too many", extra))
		}
		for _, name := range names[len(args):] {
			if !strings.HasPrefix(name, "[") {
				return misused(cmd, fmt.Errorf("%s is missing", name))
			}
		}
		return nil
	}
}

// misused is an error of the command line, with the way to that command's help.
func misused(cmd *cobra.Command, err error) error {
	return terminal.Usage(err, usageHint(cmd))
}

func usageHint(cmd *cobra.Command) string {
	return fmt.Sprintf("usage: %s; see '%s --help'", cmd.UseLine(), cmd.CommandPath())
}

// unknownCommand names the command that was probably meant, or all there are.
func unknownCommand(parent *cobra.Command, typed string) error {
	var names []string
	for _, cmd := range parent.Commands() {
		if cmd.IsAvailableCommand() {
			names = append(names, cmd.Name())
		}
	}
	hint := "there are " + strings.Join(names, ", ")
	if nearest := suggest.Nearest(typed, names); nearest != "" {
		hint = fmt.Sprintf("did you mean '%s %s'?", parent.CommandPath(), nearest)
	}
	return terminal.Usage(fmt.Errorf("%s has no command %q", parent.CommandPath(), typed), hint)
}

// badFlag words what the parser of flags found.
func badFlag(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	var invalid *pflag.InvalidValueError
	var missing *pflag.ValueRequiredError
	switch {
	case errors.As(err, &unknown) && len(unknown.GetSpecifiedName()) > 1:
		name := unknown.GetSpecifiedName()
		var names []string
		cmd.Flags().VisitAll(func(flag *pflag.Flag) { names = append(names, flag.Name) })
		if nearest := suggest.Nearest(name, names); nearest != "" {
			return terminal.Usage(fmt.Errorf("there is no flag --%s", name), fmt.Sprintf("did you mean --%s? see '%s --help'", nearest, cmd.CommandPath()))
		}
		return misused(cmd, fmt.Errorf("there is no flag --%s", name))
	case errors.As(err, &unknown) && strings.Contains(cmd.Use, "[FILTER...]"):
		return terminal.Usage(fmt.Errorf("there is no flag -%s", unknown.GetSpecifiedName()), fmt.Sprintf("write -- before a filter that begins with a minus, as in '%s -- -route:avs'", cmd.CommandPath()))
	case errors.As(err, &unknown):
		return misused(cmd, fmt.Errorf("there is no flag -%s", unknown.GetSpecifiedName()))
	case errors.As(err, &invalid):
		return misused(cmd, fmt.Errorf("--%s: %q is not %s", invalid.GetFlag().Name, invalid.GetValue(), kindOf(invalid.GetFlag())))
	case errors.As(err, &missing):
		return misused(cmd, fmt.Errorf("--%s needs a value", missing.GetFlag().Name))
	}
	return misused(cmd, err)
}

// kindOf is what a flag takes, in words.
func kindOf(flag *pflag.Flag) string {
	switch flag.Value.Type() {
	case "bool":
		return "true or false"
	case "int", "uint64", "float64":
		return "a number"
	case "duration":
		return "a length of time, such as 30s, 10m, 4h or 2d"
	}
	return "a " + flag.Value.Type()
}

// A duration is a flag that takes days, too.
type duration time.Duration

// Set implements [pflag.Value].
func (d *duration) Set(text string) error {
	parsed, err := config.ParseDuration(text)
	*d = duration(parsed)
	return err
}

// String implements [pflag.Value].
func (d *duration) String() string {
	if *d == 0 {
		return ""
	}
	return time.Duration(*d).String()
}

// Type implements [pflag.Value].
func (d *duration) Type() string { return "duration" }

// helpCommand is cobra's, but for topics that there are not.
func helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND]",
		Short:   "Help about a command",
		Example: "  avsproxy help serve\n  avsproxy help ca trust",
		RunE: func(_ *cobra.Command, args []string) error {
			cmd, rest, err := root.Find(args)
			switch {
			case err != nil:
				return err
			case len(rest) > 0:
				return unknownCommand(cmd, rest[0])
			}
			return cmd.Help()
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			cmd, _, err := root.Find(args)
			if err != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			var names []string
			for _, sub := range cmd.Commands() {
				if sub.IsAvailableCommand() {
					names = append(names, sub.Name()+"\t"+sub.Short)
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
	}
}
