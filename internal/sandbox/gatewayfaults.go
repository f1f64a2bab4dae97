package sandbox

import (
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/net/http2"

	"avsproxy/internal/avs"
	"avsproxy/internal/sandbox/faults"
	"avsproxy/internal/sandbox/frames"
)

// faultReason is what an answer or a GOAWAY says of a fault.
const faultReason = "The sandbox was told to do so."

// applyFaults applies the faults that strike before an answer, or that replace it. The
// responseWriter applies the others.
func (g *gateway) applyFaults(w *responseWriter, r *http.Request) (answered bool) {
	stream := frames.FromContext(r.Context())
	for _, f := range w.struck {
		switch f.Name {
		case "goaway", "stall-reads", "stall-writes":
			if stream != nil {
				g.connections.applyFault(stream.Conn(), f)
			} else {
				applyFaultHTTP1(w, r, f)
			}
		case "rst":
			if stream != nil {
				stream.Reset(resetCode(f))
			}
			panic(http.ErrAbortHandler)
		}
	}
	return answerWithStatus(w, r)
}

// applyFaultHTTP1 does what HTTP/1.1 can do of a fault that strikes connections.
func applyFaultHTTP1(w *responseWriter, r *http.Request, f faults.Fault) {
	switch {
	case f.Name != "goaway":
		<-r.Context().Done()
		fallthrough
	case f.Value == "drop":
		panic(http.ErrAbortHandler)
	default:
		w.Header().Set("Connection", "close")
	}
}

// resetCode returns the error code of RST_STREAM, which the fault names or numbers.
func resetCode(f faults.Fault) http2.ErrCode {
	if f.Value == "" {
		return http2.ErrCodeInternal
	}
	for code := http2.ErrCodeNo; code <= http2.ErrCodeHTTP11Required; code++ {
		if code.String() == f.Value {
			return code
		}
	}
	return http2.ErrCode(f.Number())
}

func answerWithStatus(w *responseWriter, r *http.Request) bool {
	for _, f := range w.struck {
		status, err := strconv.Atoi(f.Name)
		if err != nil {
			continue
		}
		if f.Value != "" {
			w.Header().Set("Retry-After", f.Value)
		}
		if body := exceptionFor(status, r); body != nil {
			writeException(w, status, body)
		} else {
			w.WriteHeader(status)
		}
		return true
	}
	return false
}

// exceptionFor returns the body that AVS sends with a status, or nil.
func exceptionFor(status int, r *http.Request) []byte {
	if status == http.StatusForbidden && isV1(r) {
		return avs.InvalidTokenV1()
	}
	code, ok := map[int]string{
		http.StatusBadRequest:           avs.CodeInvalidRequest,
		http.StatusForbidden:            avs.CodeUnauthorized,
		http.StatusUnsupportedMediaType: avs.CodeUnsupportedMedia,
		http.StatusTooManyRequests:      avs.CodeThrottling,
		http.StatusInternalServerError:  avs.CodeInternal,
	}[status]
	if !ok {
		return nil
	}
	return avs.Exception(newID(), code, faultReason)
}

// isV1 reports whether a request is for the older service.
func isV1(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/v1/avs/") }
