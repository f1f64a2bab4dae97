package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/pkg/browser"
)

// announceLogin tells the person what will happen and opens the browser, unless the
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
