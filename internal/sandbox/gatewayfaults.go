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

const toldTo = "The sandbox was told to do so."

// misbehave does what faults do to a request before its answer, or instead of it:
// then nothing is left to answer. The others strike the answer itself.
func (g *gateway) misbehave(a *answer, r *http.Request) (answered bool) {
	stream := frames.FromContext(r.Context())
	for _, f := range a.struck {
		switch f.Name {
		case "goaway", "stall-reads", "stall-writes":
			if stream != nil {
				g.conduct.inflict(stream.Conn(), f)
			} else {
				inflictHTTP1(a, r, f)
			}
		case "rst":
			if stream != nil {
				stream.Reset(resetCode(f))
			}
			panic(http.ErrAbortHandler)
		}
	}
	return standIn(a, r)
}

// inflictHTTP1 comes as near as HTTP/1.1 can.
func inflictHTTP1(a *answer, r *http.Request, f faults.Fault) {
	switch {
	case f.Name != "goaway":
		<-r.Context().Done()
		fallthrough
	case f.Value == "drop":
		panic(http.ErrAbortHandler)
	default:
		a.Header().Set("Connection", "close")
	}
}

// resetCode is the fault's value, by name or by number.
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

// standIn answers with a status that a fault puts in the place of the real one.
func standIn(a *answer, r *http.Request) bool {
	for _, f := range a.struck {
		status, err := strconv.Atoi(f.Name)
		if err != nil {
			continue
		}
		if f.Value != "" {
			a.Header().Set("Retry-After", f.Value)
		}
		if body := exceptionFor(status, r); body != nil {
			except(a, status, body)
		} else {
			a.WriteHeader(status)
		}
		return true
	}
	return false
}

// exceptionFor returns the body that goes with a status, nil where AVS has none.
func exceptionFor(status int, r *http.Request) []byte {
	if status == http.StatusForbidden && isV1(r) {
		return avs.InvalidTokenV1()
	}
	code := ""
	switch status {
	case http.StatusBadRequest:
		code = avs.CodeInvalidRequest
	case http.StatusForbidden:
		code = avs.CodeUnauthorized
	case http.StatusUnsupportedMediaType:
		code = avs.CodeUnsupportedMedia
	case http.StatusTooManyRequests:
		code = avs.CodeThrottling
	case http.StatusInternalServerError:
		code = avs.CodeInternal
	default:
		return nil
	}
	return avs.Exception(newID(), code, toldTo)
}

// isV1 reports whether a request is for the older service.
func isV1(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/v1/avs/") }
