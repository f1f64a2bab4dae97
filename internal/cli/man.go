package cli

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"avsproxy/internal/app"
	"avsproxy/internal/terminal"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// The manual pages are the help in the form of man(7). cobra has a package that writes them, which brings
// three modules with it; all they would do here is to put a few marks before lines.

func manCommand(a *commands) *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "man [COMMAND...]",
		Short: "Print the manual page of a command, or write all of them",
		Example: `  avsproxy man serve | man -l -
  avsproxy man --dir ~/.local/share/man/man1`,
		Args: func(cmd *cobra.Command, args []string) error {
			if found, rest, err := cmd.Root().Find(args); err != nil || len(rest) > 0 {
				return unknownCommand(found, strings.Join(rest, " "))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if dir != "" {
				return terminal.Failed(writeManual(cmd.Root(), dir), "name a folder that can be written to with --dir")
			}
			page, _, err := cmd.Root().Find(args)
			if err != nil {
				return err
			}
			return terminal.Failed(manPage(a.stdout, page), "")
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "write the pages of all commands into this `FOLDER`, which is made if need be")
	return cmd
}

func writeManual(cmd *cobra.Command, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			if err := writeManual(sub, dir); err != nil {
				return err
			}
		}
	}
	var page strings.Builder
	_ = manPage(&page, cmd) // into memory
	return os.WriteFile(filepath.Join(dir, manName(cmd)+".1"), []byte(page.String()), 0o644)
}

func manName(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }

func manPage(w io.Writer, cmd *cobra.Command) error {
	var page strings.Builder
	section := func(name, text string) {
		if text != "" {
			fmt.Fprintf(&page, ".SH %s\n%s", name, text)
		}
	}
	fmt.Fprintf(&page, ".TH %s 1 \"\" \"avsproxy %s\"\n", strings.ToUpper(roff(manName(cmd))), roff(app.Version()))
	section("NAME", roff(manName(cmd))+` \- `+roff(cmd.Short)+"\n")
	section("SYNOPSIS", ".nf\n"+roff(cmd.UseLine())+"\n.fi\n")
	section("DESCRIPTION", preformatted(cmd.Long))
	section("COMMANDS", manCommands(cmd))
	section("OPTIONS", manFlags(cmd.LocalFlags()))
	section("OPTIONS OF ALL COMMANDS", manFlags(cmd.InheritedFlags()))
	section("EXAMPLES", preformatted(cmd.Example))
	if cmd == cmd.Root() {
		section("EXIT STATUS", preformatted("0  done\n1  failed\n2  wrong usage or configuration\n3  a login is needed\n4  the provider or the upstream cannot be reached"))
	}
	_, err := io.WriteString(w, page.String())
	return err
}

// manCommands also leads back to the command above.
func manCommands(cmd *cobra.Command) string {
	var text strings.Builder
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			fmt.Fprintf(&text, ".TP\n.BR %s (1)\n%s\n", roff(manName(sub)), roff(sub.Short))
		}
	}
	return text.String()
}

func manFlags(flags *pflag.FlagSet) string {
	var text strings.Builder
	flags.VisitAll(func(flag *pflag.Flag) {
		if flag.Hidden {
			return
		}
		name, usage := pflag.UnquoteUsage(flag)
		fmt.Fprint(&text, ".TP\n.B ")
		if flag.Shorthand != "" {
			fmt.Fprintf(&text, `\-%s, `, flag.Shorthand)
		}
		fmt.Fprintf(&text, "%s %s\n%s\n", roff("--"+flag.Name), roff(name), roff(usage))
	})
	return text.String()
}

// preformatted keeps the lines of a text.
func preformatted(text string) string {
	if text == "" {
		return ""
	}
	return ".nf\n" + roff(strings.Trim(text, "\n")) + "\n.fi\n"
}

// roff is a text in which nothing is a mark.
func roff(text string) string {
	lines := strings.Split(strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}
