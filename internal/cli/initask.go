package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"avsproxy/internal/setup"
	"avsproxy/internal/terminal"

	"charm.land/huh/v2"
)

// ask asks for what the flags leave open, where there is somebody to ask.
func (f *initFlags) ask(ctx context.Context, a *commands) error {
	if err := f.Check(); err != nil {
		return terminal.Usage(err, "see 'avsproxy init --help'")
	}
	asks := terminal.IsTerminal(a.stdin)
	if f.Kind == "" {
		if !asks {
			return terminal.Usage(errors.New("--kind is missing, and standard input is no terminal"), "write --kind "+setup.KindNames())
		}
		if err := f.askKind(ctx, a); err != nil {
			return err
		}
	}
	if !slices.ContainsFunc(setup.Kinds, func(k setup.Choice) bool { return k.Kind == f.Kind }) {
		return terminal.Usage(fmt.Errorf("--kind: there is no kind %q", f.Kind), "write "+setup.KindNames())
	}
	var missing []string
	asked := map[string]bool{}
	for q := f.nextQuestion(asked); q != nil; q = f.nextQuestion(asked) { // one answer may settle others
		asked[q.Flag] = true
		switch {
		case asks:
			if err := askOne(ctx, a, q); err != nil {
				return err
			}
		case q.Default != "":
			q.Set(q.Default)
		case !q.Optional:
			missing = append(missing, "--"+q.Flag)
		}
	}
	if len(missing) > 0 {
		return terminal.Usage(fmt.Errorf("%s: missing, and standard input is no terminal", strings.Join(missing, ", ")), "give these, or run 'avsproxy init' at a terminal")
	}
	return nil
}

// nextQuestion is the first that was not asked; nil = there is none.
func (f *initFlags) nextQuestion(asked map[string]bool) *setup.Question {
	all := f.Questions()
	i := slices.IndexFunc(all, func(q setup.Question) bool { return !asked[q.Flag] })
	if i < 0 {
		return nil
	}
	return &all[i]
}

func (f *initFlags) askKind(ctx context.Context, a *commands) error {
	var options []huh.Option[setup.Kind]
	for _, k := range setup.Kinds {
		options = append(options, huh.NewOption(k.Text, k.Kind))
	}
	return a.show(ctx, huh.NewSelect[setup.Kind]().Title("What is to be reached?").Options(options...).Value(&f.Kind))
}

func askOne(ctx context.Context, a *commands, q *setup.Question) error {
	text := q.Default
	title := q.Title
	if a.asksPlainly() { // which shows neither help nor default
		if q.Help != "" {
			title += "\n" + q.Help
		}
		if q.Default != "" {
			title += "\n[" + q.Default + "]"
		}
	}
	var field huh.Field
	if len(q.Choices) > 0 {
		field = huh.NewSelect[string]().Title(title).Description(q.Help).Options(huh.NewOptions(q.Choices...)...).Value(&text)
	} else {
		field = huh.NewInput().Title(title).Description(q.Help).Value(&text).Validate(q.Accepts)
	}
	if err := a.show(ctx, field); err != nil {
		return err
	}
	q.Set(cmp.Or(strings.TrimSpace(text), q.Default))
	return nil
}

// asksPlainly reports whether questions are lines, for screen readers and terminals that can show no more than lines.
func (a *commands) asksPlainly() bool {
	return a.Getenv("TERM") == "dumb" || a.Getenv("AVSPROXY_ACCESSIBLE") != ""
}

// show asks one question.
func (a *commands) show(ctx context.Context, field huh.Field) error {
	form := huh.NewForm(huh.NewGroup(field)).WithAccessible(a.asksPlainly()).WithInput(a.stdin).WithOutput(a.UI.Stream())
	if a.UI.Plain() || a.asksPlainly() {
		form = form.WithTheme(huh.ThemeFunc(huh.ThemeBase))
	}
	ended := make(chan error, 1)
	go func() { ended <- form.RunWithContext(ctx) }()
	var err error
	select {
	case err = <-ended:
	case <-ctx.Done(): // a line that is asked for plainly may never come
		return context.Cause(ctx)
	}
	if errors.Is(err, huh.ErrUserAborted) {
		return terminal.Failed(errors.New("nothing was written"), "")
	}
	return terminal.Failed(err, "")
}
