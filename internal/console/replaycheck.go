package console

import (
	"net/http"
	"slices"
	"strings"

	"avsproxy/internal/api"
	"avsproxy/internal/capture"
	"avsproxy/internal/redact"
)

// The parts of a request that cannot be sent again, since they were not kept as they
// were sent.
var (
	errLineNotWhole = refuse(http.StatusConflict, "target_not_whole", "the request's method or target was not kept as it was sent: a secret in it was masked, or it was too long",
		"give target, and where it was masked method, without ***")
	errHeadersNotWhole = refuse(http.StatusConflict, "headers_not_whole", "the request's headers were too many or too long to keep", "give those to send as headers")
	errBodyNotWhole    = refuse(http.StatusConflict, "body_not_whole", "the request's body was not kept as it was sent", "give the body as body_base64; body in [capture] says how much of each is kept")
	errElsewhere       = refuse(http.StatusConflict, "body_not_whole", "the request's body has a secret in it, and its route goes to another upstream now", "give the body as body_base64")
)

// checkWhole refuses to send what was not kept as it was sent, unless the edit replaces it. An
// editor returns unchanged what it does not change: masked texts and texts that were cut.
func checkWhole(again ReplayRequest, record capture.Record, edit api.ReplayEdit) error {
	isCut := func(f capture.Field) bool {
		return slices.ContainsFunc(record.Request.Header, func(kept capture.Field) bool { return kept.Cut && kept.Same(f) })
	}
	switch body := record.Request.Body; {
	case record.MethodMasked && strings.Contains(again.Method, redact.Mask), record.TargetMasked && strings.Contains(again.Target, redact.Mask), record.TargetCut && again.Target == record.Target:
		return errLineNotWhole
	case record.Request.Cut && (edit.Headers == nil || slices.ContainsFunc(again.Header, isCut)):
		return errHeadersNotWhole
	case edit.Body == nil && (body.Masked || !body.Complete): // also without a body, if the upstream did not wait for it
		return errBodyNotWhole
	}
	return nil
}

// unmasked removes the fields that a replay could only send with a mask.
func unmasked(fields []capture.Field) []capture.Field {
	return slices.DeleteFunc(slices.Clone(fields), func(f capture.Field) bool { return f.Masked })
}
