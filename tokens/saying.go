package tokens

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// A Saying is how a provider says something in words of its own: members of its
// answer, or of one object in the answer's list "errors".
type Saying struct {
	Is  map[string]string   // members and their values; letter case does not count
	Not map[string][]string // texts that a member must not have in it; nil = none
}

// says reports whether the answer has one of the sayings in it. An answer that
// tells of trouble at the provider says nothing else.
func (a *answer) says(sayings []Saying) bool {
	if a.passing() || a.issues() {
		return false
	}
	for _, object := range append(a.errorList(), a.fields) {
		for _, saying := range sayings {
			if saying.in(object) {
				return true
			}
		}
	}
	return false
}

func (s Saying) in(object map[string]json.RawMessage) bool {
	for key, value := range s.Is {
		if !strings.EqualFold(plain(object[key]), value) {
			return false
		}
	}
	for key, texts := range s.Not {
		if slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(plain(object[key]), text) }) {
			return false
		}
	}
	return len(s.Is) > 0
}

// errorList is the list "errors" of answers like Fitbit's and Strava's.
func (a *answer) errorList() []map[string]json.RawMessage {
	var list []map[string]json.RawMessage
	_ = json.Unmarshal(a.fields["errors"], &list) // anything else is no such list
	return list
}

// passing reports whether the status tells of trouble that passes, whatever the
// answer says besides.
func (a *answer) passing() bool {
	return a.status >= 500 || a.status == http.StatusTooManyRequests || a.status == http.StatusRequestTimeout
}

// word is the answer's error code, or the nearest to it that the answer has.
func (a *answer) word() string {
	if code := a.code(); code != "" {
		return code
	}
	for _, object := range append(a.errorList(), a.inner("error")) {
		for _, key := range []string{"errorType", "code", "type", "status"} {
			if word := plain(object[key]); word != "" {
				return errorCode(word)
			}
		}
	}
	return ""
}

func (a *answer) inner(key string) (object map[string]json.RawMessage) {
	_ = json.Unmarshal(a.fields[key], &object) // anything else has no members
	return object
}

// signed notes in an error what the answer was, where it is a refusal in JSON of
// which nobody knows whether it will pass.
func (a *answer) signed(e *Error) *Error {
	if a.fields != nil && a.status/100 == 4 && !a.passing() {
		e.sign = fmt.Sprint(a.status, " ", e.Code)
	}
	return e
}
