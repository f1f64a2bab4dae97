package main

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"avsproxy/internal/api"

	"github.com/mdp/qrterminal/v3"
)

// showCode prints what to type and where: for scripts on stdout, for the person
// large and, at a terminal, also as a QR code.
func (a *app) showCode(attempt *loginAttempt) {
	device := attempt.Device
	a.ui.say("Logging in to %s. On any device, open", attempt.Credential)
	fmt.Fprintln(a.stdout, device.VerificationURL)
	a.ui.say("and type in this code there:")
	a.ui.say("")
	fmt.Fprintln(a.stdout, device.UserCode)
	if !isTerminal(a.ui.out) {
		return
	}
	a.ui.say("\n    %s\n", a.ui.bold(strings.Join(strings.Split(device.UserCode, ""), " ")))
	a.ui.say("Or take a picture of this:")
	qrterminal.GenerateHalfBlock(cmp.Or(device.CompleteURL, device.VerificationURL), qrterminal.L, a.ui.out)
}

// countDown tells at a terminal for how long the code is still good.
func (a *app) countDown(device *api.DeviceCode) (stop func()) {
	if device == nil || !isTerminal(a.ui.out) {
		return func() {}
	}
	ended := make(chan struct{})
	over := make(chan struct{})
	go func() {
		defer close(over)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			fmt.Fprintf(a.ui.out, "\rwaiting for you; the code is good for %-8v", time.Until(device.ExpiresAt).Round(time.Second))
			select {
			case <-tick.C:
			case <-ended:
				fmt.Fprint(a.ui.out, "\r\x1b[K")
				return
			}
		}
	}()
	return func() { close(ended); <-over }
}
