package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"avsproxy/tokens"

	"github.com/pkg/browser"
)

// introduce tells the person what will happen and opens the browser, unless the
// flags say otherwise.
func (a *app) introduce(attempt *loginAttempt, flags loginFlags) {
	if attempt.Device != nil {
		a.showCode(attempt)
		return
	}
	a.ui.say("Logging in to %s. The provider must know this exact return URL:", attempt.Credential)
	a.ui.say("  %s", attempt.RedirectURL)
	a.ui.say("If it shows an error page instead of sending you back, that URL is missing there, or client_id is wrong.")
	if strings.HasPrefix(attempt.RedirectURL, "https:") {
		a.ui.say("The browser may warn about the certificate of this machine's callback; its SHA-256 fingerprint is")
		a.ui.say("  %s", attempt.Fingerprint)
	}
	if flags.noBrowser || flags.paste {
		fmt.Fprintln(a.stdout, attempt.AuthorizeURL)
	} else if err := openBrowser(attempt.AuthorizeURL); err != nil {
		a.ui.say("No browser could be opened here. Open this URL yourself:")
		fmt.Fprintln(a.stdout, attempt.AuthorizeURL)
	}
	if flags.paste {
		a.ui.say("Paste the URL that the browser ends at, even if its page cannot be shown:")
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

func (a *app) readPasted(ctx context.Context, attempt *loginAttempt) {
	lines := bufio.NewScanner(a.stdin)
	for lines.Scan() {
		text := strings.TrimSpace(lines.Text())
		if text == "" {
			continue
		}
		pasted, err := url.Parse(text)
		if err != nil || pasted.Query().Get("state") == "" {
			a.ui.warn("that is not the URL of the callback", "copy the whole address, from https:// to the end")
			continue
		}
		if err := attempt.paste(ctx, pasted.Query()); errors.Is(err, tokens.ErrUnknownState) {
			a.ui.warn("that URL belongs to another login, or was used already", "use the URL that this login ended at")
		}
	}
}
