package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"avsproxy/internal/api"
	"avsproxy/internal/terminal"

	"github.com/spf13/cobra"
)

type harFlags struct {
	filterFlags
	id uint64
}

func harCommand(a *commands) *cobra.Command {
	var flags harFlags
	cmd := &cobra.Command{
		Use:   "har [FILTER...]",
		Short: "Write the captured requests as HAR, for browsers' developer tools and others",
		Long: `Write the requests that the running proxy remembers as HAR 1.2 on stdout, for the
developer tools of browsers and many others. No token is in it; what else is
confidential in the traffic is.` + filterHelp,
		Example: `  avsproxy har > file.har
  avsproxy har route:avs 'status:>=400' > errors.har`,
		ValidArgsFunction: completeFilter,
		RunE:              flags.withFilter(a, flags.run),
	}
	flags.add(a, cmd)
	cmd.Flags().Uint64Var(&flags.id, "id", 0, "only the one with this `NUMBER`")
	return cmd
}

func (f *harFlags) run(ctx context.Context, a *commands, daemon *api.Daemon, _ string) error {
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
