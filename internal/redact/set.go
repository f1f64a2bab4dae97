package redact

import (
	"encoding/base64"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// maxSlotValues is how many values of one changing secret are remembered.
const maxSlotValues = 4

// minNamedLength is the length of the shortest value that is taken for a secret only
// because of its name. A shorter one is no key and would be found everywhere.
const minNamedLength = 8

// A Set holds the secrets of a configuration that are known so far. The zero value is
// empty. Its methods may be called at the same time.
type Set struct {
	mu    sync.Mutex
	slots []*Slot
}

// A Slot holds the recent values of one secret, which may change.
type Slot struct {
	set    *Set
	values []string
}

// Add adds secrets that do not change.
func (s *Set) Add(values ...string) { s.slot(values) }

// Slot adds a secret whose value is not known yet.
func (s *Set) Slot() *Slot { return s.slot(nil) }

func (s *Set) slot(values []string) *Slot {
	s.mu.Lock()
	defer s.mu.Unlock()
	slot := &Slot{set: s, values: values}
	s.slots = append(s.slots, slot)
	return slot
}

// Observe adds the value that the secret has now.
func (s *Slot) Observe(value string) {
	s.set.mu.Lock()
	defer s.set.mu.Unlock()
	if value == "" || slices.Contains(s.values, value) {
		return
	}
	s.values = append(slices.Clip(s.values), value)
	s.values = s.values[max(0, len(s.values)-maxSlotValues):]
}

// Values returns all secrets.
func (s *Set) Values() (all []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, slot := range s.slots {
		all = append(all, slot.values...)
	}
	return all
}

// AddNamed adds the values of header fields or parameters whose names say that they are
// secret.
func (s *Set) AddNamed(values map[string]string) {
	for name, value := range values {
		if mayHoldSecret(name) {
			s.Add(slices.DeleteFunc(secretParts(name, value), func(part string) bool { return len(part) < minNamedLength })...)
		}
	}
}

// AddProxies adds the passwords of the proxies in the environment.
func (s *Set) AddProxies(getenv func(string) string) {
	for _, name := range []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"} {
		if proxy, err := url.Parse(getenv(name)); err == nil && proxy.User != nil {
			password, _ := proxy.User.Password()
			s.Add(password, base64.StdEncoding.EncodeToString([]byte(proxy.User.Username()+":"+password)))
		}
	}
}

// secretParts returns the parts of a value that are secret by themselves: the
// credentials behind a scheme, the password in Basic ones (RFC 7617), the values of
// cookies.
func secretParts(name, value string) (parts []string) {
	if strings.EqualFold(name, "Cookie") {
		for pair := range strings.SplitSeq(value, ";") {
			_, value, _ := strings.Cut(pair, "=")
			parts = append(parts, strings.TrimSpace(value))
		}
		return parts
	}
	scheme, credentials, found := strings.Cut(value, " ")
	switch {
	case !found:
		return []string{value}
	case !strings.EqualFold(scheme, "Basic"):
		return []string{credentials}
	}
	pair, _ := base64.StdEncoding.DecodeString(credentials)
	_, password, _ := strings.Cut(string(pair), ":")
	return []string{credentials, string(pair), password}
}

// Base64Forms returns the forms in which a token shows that is sent in base64: encoded,
// and, if it is a pair for Basic authentication (RFC 7617), its password.
func Base64Forms(token string) []string {
	_, password, _ := strings.Cut(token, ":")
	return []string{base64.StdEncoding.EncodeToString([]byte(token)), password}
}
