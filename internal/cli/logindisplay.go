package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	"avsproxy/internal/api"
	"avsproxy/internal/terminal"
	"avsproxy/tokens"

	"github.com/mdp/qrterminal/v3"
	"github.com/pkg/browser"
)

// announce says what will happen and opens the browser, unless the
// flags say otherwise.
func (f *loginFlags) announce(a *commands, attempt *loginAttempt) {
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
	if f.noBrowser || f.paste {
		fmt.Fprintln(a.stdout, attempt.AuthorizeURL)
	} else if err := openBrowser(attempt.AuthorizeURL); err != nil {
		a.UI.Say("No browser could be opened here. Open this URL yourself:")
		fmt.Fprintln(a.stdout, attempt.AuthorizeURL)
	}
	if f.paste {
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

// pasteQuiet is for how long nothing comes before a paste counts as whole: the
// address may have line breaks in it.
const pasteQuiet = 150 * time.Millisecond

// readPasted takes pasted callbacks from stdin until ctx ends.
func readPasted(ctx context.Context, a *commands, attempt *loginAttempt) {
	chunks := make(chan []byte)
	go readChunks(ctx, a.stdin, chunks)
	var text []byte
	for {
		var quiet <-chan time.Time
		if strings.ContainsAny(string(text), "\r\n") {
			quiet = time.After(pasteQuiet)
		}
		select {
		case chunk, more := <-chunks:
			text = applyKeys(text, chunk)
			if more {
				continue
			}
			takePasted(ctx, a, attempt, string(text))
			if strings.TrimSpace(string(text)) == "" {
				a.UI.Say("Nothing more comes from standard input; the callback is still waited for here.")
			}
			return
		case <-quiet:
			takePasted(ctx, a, attempt, string(text))
			text = nil
		case <-ctx.Done():
			return
		}
	}
}

// readChunks sends what is read; it closes chunks at the end of the input.
func readChunks(ctx context.Context, from io.Reader, chunks chan<- []byte) {
	defer close(chunks)
	for {
		chunk := make([]byte, 4<<10)
		n, err := from.Read(chunk)
		select {
		case chunks <- chunk[:n]:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// applyKeys adds what came to text. A terminal that does not edit lines sends the
// keys of editing as they are.
func applyKeys(text, chunk []byte) []byte {
	const backspace, remove, endOfInput = 0x08, 0x7f, 0x04
	for _, c := range chunk {
		switch {
		case c == backspace || c == remove:
			text = text[:max(0, len(text)-1)]
		case c != endOfInput:
			text = append(text, c)
		}
	}
	return text
}

func takePasted(ctx context.Context, a *commands, attempt *loginAttempt, text string) {
	if strings.TrimSpace(text) == "" {
		return
	}
	asked, err := pastedCallback(text, attempt.RedirectURL)
	if err != nil {
		a.UI.Warn(err.Error(), "copy the whole address, from its beginning to its end")
		return
	}
	if redirect, err := url.Parse(attempt.RedirectURL); err == nil && (asked.Port() != redirect.Port() || asked.Path != redirect.Path) {
		a.UI.Warn("that address is not this login's return URL", "it begins with "+attempt.RedirectURL)
		return
	}
	if err := attempt.paste(ctx, asked); errors.Is(err, tokens.ErrUnknownState) {
		a.UI.Warn("that URL belongs to another login, or was used already", "use the URL that this login ended at")
	}
}

// pastedCallback reads a callback as people paste it: in quotes or angle brackets,
// with line breaks and spaces in it, without its scheme, or the query alone.
func pastedCallback(text, redirectURL string) (*url.URL, error) {
	text = strings.Join(strings.Fields(text), "") // an address has no spaces
	text = strings.Trim(text, "\"'`<>()")
	if host, _, _ := strings.Cut(text, "?"); !strings.Contains(host, "://") {
		text = withOrigin(text, redirectURL)
	}
	asked, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("that is not an address that can be read")
	}
	query := asked.Query()
	switch {
	case query.Get("state") == "":
		return nil, errors.New("that is not the URL of the callback: it has no state")
	case query.Get("code") == "" && query.Get("error") == "":
		return nil, errors.New("that is not the whole URL of the callback: it has neither a code nor an error")
	}
	return asked, nil
}

// withOrigin puts in front what a pasted address lacks.
func withOrigin(text, redirectURL string) string {
	redirect, err := url.Parse(redirectURL)
	switch {
	case err != nil:
		return text
	case strings.HasPrefix(text, redirect.Host+"/"), strings.HasPrefix(text, redirect.Host+"?"):
		return redirect.Scheme + "://" + text
	}
	_, query, found := strings.Cut(text, "?")
	if !found {
		query = text
	}
	redirect.RawQuery = query
	return redirect.String()
}

// pasteMode lets a terminal pass on what is typed as it comes: while it edits
// lines, it cuts them at 4,095 bytes (1,024 on macOS). Interrupts go on to work.
func pasteMode(a *commands) (restore func()) {
	if file, ok := a.stdin.(*os.File); ok {
		return disableLineEditing(int(file.Fd()))
	}
	return func() {}
}
