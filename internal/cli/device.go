package cli

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/mdp/qrterminal/v3"

	"avsproxy/internal/api"
	"avsproxy/internal/terminal"
)

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

// countDown tells at a terminal for how long the code is still good.
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
