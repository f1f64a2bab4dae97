package console

import (
	"slices"
	"strings"

	"avsproxy/internal/capture"
)

// A notWhole says which part of a request cannot be sent again, since it was not kept
// as it was sent.
type notWhole struct{ code, detail, hint string }

// Error implements error.
func (e *notWhole) Error() string { return e.detail }

var (
	errLineNotWhole = &notWhole{"target_not_whole", "the request's method or target was not kept as it was sent: a secret in it was masked, or it was too long",
		"give target, and where it was masked method, without ***"}
	errHeadersNotWhole = &notWhole{"headers_not_whole", "the request's headers were too many or too long to keep", "give those to send as headers"}
	errNotWhole        = &notWhole{"body_not_whole", "the request's body was not kept as it was sent", "give the body as body_base64; body in [capture] says how much of each is kept"}
)

// whole wants what is sent to be what was sent, or what somebody wrote. An editor hands
// back what it did not change: asterisks and ends that were cut off are no writing.
func (e Edit) whole(again Again, record capture.Record) error {
	switch body := record.Request.Body; {
	case masked(again.Method, record.Method), masked(again.Target, record.Target), again.Target == record.Target && cutOff(again.Target):
		return errLineNotWhole
	case record.Request.Cut && (e.Headers == nil || slices.ContainsFunc(again.Header, func(f capture.Field) bool { return cutOff(f.Value) })):
		return errHeadersNotWhole
	case e.Body == nil && (body.Masked || !body.Complete): // of no bytes, perhaps, where the upstream did not wait for the body
		return errNotWhole
	}
	return nil
}

const mark = "***"

// masked reports whether the text has asterisks that were not sent: with those that
// were, where none was masked, it is as good as any.
func masked(text, record string) bool {
	return strings.Contains(text, mark) && strings.Contains(record, mark)
}

// cutOff goes by what the recorder puts behind what it cuts.
func cutOff(text string) bool { return strings.HasSuffix(text, "…") }

// unmasked leaves out what a replay could only send as asterisks.
func unmasked(fields []capture.Field) []capture.Field {
	return slices.DeleteFunc(slices.Clone(fields), func(f capture.Field) bool { return strings.Contains(f.Name+f.Value, mark) })
}
