package api

import (
	"cmp"
	"strings"
	"time"

	"avsproxy/internal/terminal"
	"avsproxy/tokens"
)

// Lines are the state of a credential, then what may need a person.
func (c CredentialStatus) Lines() []string {
	lines := append([]string{c.TokenText() + "; grant " + c.Grant}, c.Facts()...)
	if c.Problem != nil {
		lines = append(lines, c.Problem.text())
	}
	return lines
}

// Facts are what else is known of a credential: its login, its scopes, its last renewal.
func (c CredentialStatus) Facts() (lines []string) {
	if c.LoggedInAt != nil && c.Login {
		lines = append(lines, "logged in "+terminal.When(*c.LoggedInAt))
	}
	if c.EndsAt != nil {
		lines = append(lines, terminal.LoginEnd(*c.EndsAt))
	}
	if len(c.Scopes) > 0 {
		lines = append(lines, c.scopesText())
	}
	if c.LastAt != nil && c.Last != tokens.OutcomeLoginNeeded { // which the first line says
		lines = append(lines, "last renewal: "+strings.ReplaceAll(string(c.Last), "_", " ")+", "+terminal.When(*c.LastAt))
	} else if c.RenewedAt != nil {
		lines = append(lines, "token got "+terminal.When(*c.RenewedAt))
	}
	if c.ClockAhead != 0 {
		lines = append(lines, terminal.ClockSkew(time.Duration(c.ClockAhead*float64(time.Second))))
	}
	return lines
}

// text leaves out a hint that the message has in it.
func (e *Error) text() string {
	if e.Hint == "" || strings.Contains(e.Message, e.Hint) {
		return e.Message
	}
	return e.Message + "; " + e.Hint
}

func (c CredentialStatus) scopesText() string {
	text := "scopes " + strings.Join(c.Scopes, " ")
	if asked := strings.Join(c.Asked, " "); asked != strings.Join(c.Scopes, " ") {
		text += "; asked for " + cmp.Or(asked, "none")
	}
	return text
}

// WhenText is when a probe was sent.
func (p Probe) WhenText() string { return terminal.When(p.At) }
