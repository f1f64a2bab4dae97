package console

import (
	"slices"
	"strings"

	"avsproxy/internal/capture"
	"avsproxy/internal/redact"
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

// whole refuses to send what was not kept as it was sent, unless the edit replaces it. An
// editor returns unchanged what it does not change: masked texts and texts that were cut.
func (e ReplayEdit) whole(again ReplayRequest, record capture.Record) error {
	isCut := func(f capture.Field) bool {
		return slices.ContainsFunc(record.Request.Header, func(kept capture.Field) bool { return kept.Cut && kept.Same(f) })
	}
	switch body := record.Request.Body; {
	case record.MethodMasked && strings.Contains(again.Method, redact.Mask), record.TargetMasked && strings.Contains(again.Target, redact.Mask), record.TargetCut && again.Target == record.Target:
		return errLineNotWhole
	case record.Request.Cut && (e.Headers == nil || slices.ContainsFunc(again.Header, isCut)):
		return errHeadersNotWhole
	case e.Body == nil && (body.Masked || !body.Complete): // also without a body, if the upstream did not wait for it
		return errNotWhole
	}
	return nil
}

// unmasked removes the fields that a replay could only send with a mask.
func unmasked(fields []capture.Field) []capture.Field {
	return slices.DeleteFunc(slices.Clone(fields), func(f capture.Field) bool { return f.Masked })
}
