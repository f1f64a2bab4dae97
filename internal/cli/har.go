package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"avsproxy/internal/api"
	"avsproxy/internal/terminal"
)

func harCommand(a *commands) *cobra.Command {
	var flags filterFlags
	var id uint64
	cmd := &cobra.Command{
		Use:   "har",
		Short: "Write the captured requests as HAR, for browsers' developer tools and others",
		Long: `Write the requests that the running proxy remembers as HAR 1.2 on stdout, for the
developer tools of browsers and many others. No token is in it; what else is
confidential in the traffic is.`,
		Example: `  avsproxy har > file.har`,
		Args:    cobra.NoArgs,
		RunE: withDaemon(a, func(ctx context.Context, daemon *api.Daemon, _ string) error {
			return runHAR(ctx, a, daemon, flags, id)
		}),
	}
	flags.add(a, cmd)
	cmd.Flags().Uint64Var(&id, "id", 0, "only the one with this `NUMBER`")
	return cmd
}

func runHAR(ctx context.Context, a *commands, daemon *api.Daemon, flags filterFlags, id uint64) error {
	if _, err := flags.shows(); err != nil {
		return err
	}
	if file, ok := a.stdout.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		return terminal.Usage(errors.New("a HAR is not for reading on a terminal"), "avsproxy har > file.har")
	}
	query := flags.query()
	if id != 0 {
		query.Set("id", strconv.FormatUint(id, 10))
	}
	resp, err := daemon.Open(ctx, http.MethodGet, "/har?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(a.stdout, resp.Body); err != nil {
		return fmt.Errorf("the HAR is not whole: %w", err)
	}
	return nil
}
