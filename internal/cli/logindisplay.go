package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"avsproxy/internal/api"
	"avsproxy/internal/terminal"

	"github.com/mdp/qrterminal/v3"
	"github.com/pkg/browser"
)

// announceLogin says what will happen and opens the browser, unless the
// flags say otherwise.
func announceLogin(a *commands, attempt *loginAttempt, flags loginFlags) {
	if attempt.Device != nil {
		showCode(a, attempt)
		return
	}
	a.UI.Say("Logging in to %s. The provider must know this exact return URL:", attempt.Credential)
	a.UI.Say("  %s", attempt.RedirectURL)
	a.UI.Say("If it shows an error page instead of sending you back, that URL is missing there, or client_id is wrong.")
	if strings.HasPrefix(attempt.RedirectURL, "https:") {
		a.UI.Say("The browser may warn about the certificate of this machine's callback; its SHA-256 fingerprint is")
		a.UI.Say("  %s", attempt.Fingerprint)
	}
	if flags.noBrowser || flags.paste {
		fmt.Fprintln(a.stdout, attempt.AuthorizeURL)
	} else if err := openBrowser(attempt.AuthorizeURL); err != nil {
		a.UI.Say("No browser could be opened here. Open this URL yourself:")
		fmt.Fprintln(a.stdout, attempt.AuthorizeURL)
	}
	if flags.paste {
		a.UI.Say("Paste the URL that the browser ends at, even if its page cannot be shown:")
	}
}

// openBrowser opens only what a login may lead to. The URL is one argument of
// the opener, never part of a shell line.
func openBrowser(target string) error {
	if !strings.HasPrefix(target, "https://") {
		return errors.New("the authorization URL is not https")
	}
	browser.Stdout, browser.Stderr = io.Discard, io.Discard
	return browser.OpenURL(target)
}

// showCode prints what to type and where: for scripts on stdout, for the person
// large and, at a terminal, also as a QR code.
func showCode(a *commands, attempt *loginAttempt) {
	device := attempt.Device
	a.UI.Say("Logging in to %s. On any device, open", attempt.Credential)
	fmt.Fprintln(a.stdout, device.VerificationURL)
	a.UI.Say("and type in this code there:")
	a.UI.Say("")
	fmt.Fprintln(a.stdout, device.UserCode)
	if !terminal.IsTerminal(a.UI.Out) {
		return
	}
	a.UI.Say("\n    %s\n", a.UI.Bold(strings.Join(strings.Split(device.UserCode, ""), " ")))
	a.UI.Say("Or take a picture of this:")
	qrterminal.GenerateHalfBlock(cmp.Or(device.CompleteURL, device.VerificationURL), qrterminal.L, a.UI.Out)
}

// countDown shows at a terminal how long the code is still valid.
func countDown(a *commands, device *api.DeviceCode) (stop func()) {
	if device == nil || !terminal.IsTerminal(a.UI.Out) {
		return func() {}
	}
	ended := make(chan struct{})
	over := make(chan struct{})
	go func() {
		defer close(over)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			fmt.Fprintf(a.UI.Out, "\rwaiting for you; the code is good for %-8v", time.Until(device.ExpiresAt).Round(time.Second))
			select {
			case <-tick.C:
			case <-ended:
				fmt.Fprint(a.UI.Out, "\r\x1b[K")
				return
			}
		}
	}()
	return func() { close(ended); <-over }
}
