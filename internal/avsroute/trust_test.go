package avsroute

import (
	"net/url"
	"testing"
)

func TestTrusts(t *testing.T) {
	for _, c := range []struct {
		from, to string
		want     bool
	}{
		{"https://alexa.na.gateway.devices.a2z.com", "https://ALEXA.eu.gateway.devices.a2z.com/", true},
		{"https://avs-alexa-na.amazon.com", "https://alexa.fe.gateway.devices.a2z.com:443", true},
		{"https://h.example", "https://H.example:8443", true},
		{"https://[::1]", "https://[::1]:8443", true},
		{"https://h.example", "https://alexa.fe.gateway.devices.a2z.com", false},
		{"https://alexa.na.gateway.devices.a2z.com", "https://h.example", false},
		{"https://alexa.na.gateway.devices.a2z.com", "https://alexa.na.gateway.devices.a2z.com.example", false},
	} {
		to := originOf(c.to)
		if to == nil || trusts(mustParse(t, c.from), to) != c.want {
			t.Errorf("%v: %v", c, to)
		}
	}
	for _, address := range []string{"http://h", "https://", "h", "https://h/x", "https://h?q", "https://h#f", "https://a@h", "https://h:x", "https://h_\u212a", "https://h:", "https://%68", "https://h:99999999", "https://a b"} {
		if got := originOf(address); got != nil {
			t.Errorf("%s is taken for %s", address, got)
		}
	}
}

func mustParse(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
