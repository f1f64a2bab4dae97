package doctor

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"avsproxy/internal/api"
	"avsproxy/internal/terminal"
	"avsproxy/tokens"
)

// Credentials is about how credentials stand. login is the command for each.
func Credentials(status *api.Status, login func(name string) string) (all []Finding) {
	for _, c := range status.Credentials {
		all = append(all, credential(c, login(c.Name))...)
	}
	return all
}

func credential(c api.CredentialStatus, login string) (all []Finding) {
	check := "credential " + c.Name
	switch {
	case c.State == tokens.StateReady || c.State == tokens.StateUnknown && c.Problem == nil:
		all = append(all, ok(check, "%s", c.TokenText()))
	case c.State == tokens.StateLoginNeeded && c.Login:
		all = append(all, fail(check, "a login is needed", "run '"+login+"'"))
	case c.Problem != nil:
		all = append(all, fail(check, c.Problem.Message, c.Problem.Hint))
	default:
		all = append(all, warn(check, c.TokenText(), "see 'avsproxy status'"))
	}
	if c.EndsAt != nil && time.Until(*c.EndsAt) < terminal.EndsSoon {
		all = append(all, warn(check, terminal.LoginEnd(*c.EndsAt), "run '"+login+"' before"))
	}
	if missing := slices.DeleteFunc(slices.Clone(c.Asked), func(scope string) bool { return slices.Contains(c.Scopes, scope) }); len(c.Scopes) > 0 && len(missing) > 0 {
		all = append(all, warn(check, "not granted: "+strings.Join(missing, " ")+"; granted: "+strings.Join(c.Scopes, " "), "allow the scope in the provider's console, and log in again: "+login))
	}
	return append(all, clock("the provider of "+c.Name, time.Duration(c.ClockAhead*float64(time.Second)))...)
}

// Authority is about the certificate authority that signs for the routes' hosts: the root in the
// file path, or why there is none.
func Authority(path string, root *x509.Certificate, err error) Finding {
	const again = "start 'avsproxy serve', which makes another, and trust that one"
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return ok("certificates", "there is no authority yet; 'avsproxy serve' makes it")
	case err != nil:
		return fail("certificates", err.Error(), "move "+path+" away; "+again)
	case time.Now().After(root.NotAfter):
		return fail("certificates", fmt.Sprintf("the authority ended on %s", root.NotAfter.Local().Format(time.DateOnly)), again)
	}
	if _, err := root.Verify(x509.VerifyOptions{KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err != nil {
		return warn("certificates", "the system does not trust "+path+": clients by HTTPS_PROXY fail, but for those of 'avsproxy run'", "run 'avsproxy ca trust', if programs are to use it without 'run'")
	}
	return ok("certificates", "the system trusts %s; Node has roots of its own (NODE_EXTRA_CA_CERTS)", path)
}

// Serving is about the proxy that runs; nil = none does.
func Serving(daemon *api.Daemon) Finding {
	if daemon == nil {
		return ok("serve", "no avsproxy runs with this configuration's folder")
	}
	return ok("serve", "running (pid %d), proxy %s", daemon.PID, strings.Join(daemon.Proxy, " "))
}
