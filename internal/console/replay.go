package console

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"avsproxy/internal/api"
	"avsproxy/internal/capture"
	"avsproxy/internal/charset"

	"golang.org/x/net/http/httpguts"
)

// maxReplayBody bounds the body of a request that is sent again.
const maxReplayBody = 16 << 20

// ReplayRequest is a request to send once more, edited or as it was.
type ReplayRequest struct {
	Of                          uint64 // the exchange that it repeats
	Route, Method, Scheme, Host string
	Target                      string // path and query
	// Header has neither hop-by-hop fields nor Content-Length, nor what was masked.
	Header []capture.Field
	Body   []byte
}

func (c *Console) replay(r *http.Request) (any, error) {
	record, err := c.record(r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	if c.Replay == nil {
		return nil, refuse(http.StatusNotFound, "no_replay", "this console cannot send requests again", "ask the console of 'avsproxy serve'")
	}
	edit, err := readEdit(r)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "bad_request", err.Error(), `send {}, or an object with method, target, headers ([["Name","value"]]) and body_base64`)
	}
	if edit.Body == nil && record.Request.Body.Masked {
		if edit.Body, err = c.original(record); err != nil {
			return nil, err
		}
	}
	again, err := edited(record, edit)
	if err != nil {
		return nil, err
	}
	id, err := c.Replay(r.Context(), again)
	if err != nil {
		return nil, refuse(http.StatusBadGateway, "replay_failed", err.Error(), "see 'avsproxy status'")
	}
	return api.ReplayBegun{ID: id}, nil
}

// original is a body that is shown with masks only, as it came. It goes to the origin that it went to, and nowhere else.
func (c *Console) original(record capture.Record) (*[]byte, error) {
	body, _ := c.Exchanges.Raw(record.ID, capture.RequestSide)
	i := slices.IndexFunc(c.Routes, func(r Route) bool { return r.Name == record.Route })
	switch {
	case !body.Complete, i < 0:
		return nil, errBodyNotWhole
	case !sameOrigin(c.Routes[i].now().Upstream, record.Upstream.Address):
		return nil, errElsewhere
	}
	return &body.Bytes, nil
}

func sameOrigin(a, b string) bool {
	first, err1 := url.Parse(a)
	second, err2 := url.Parse(b)
	return err1 == nil && err2 == nil && first.Scheme == second.Scheme && strings.EqualFold(first.Host, second.Host)
}

// readEdit takes an empty body for "as it was".
func readEdit(r *http.Request) (api.ReplayEdit, error) {
	var edit api.ReplayEdit
	body := http.MaxBytesReader(nil, r.Body, maxReplayBody/3*4+256<<10) // in base64, and the rest
	decoder := json.NewDecoder(body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&edit); err != nil && r.ContentLength != 0 {
		return edit, errors.New("the edit cannot be read: " + err.Error())
	}
	if edit.Body != nil && len(*edit.Body) > maxReplayBody {
		return edit, errors.New("the body is larger than 16 MiB")
	}
	return edit, nil
}

// edited makes the request to send of what was sent.
func edited(record capture.Record, edit api.ReplayEdit) (ReplayRequest, error) {
	again := ReplayRequest{
		Of: record.ID, Route: record.Route, Scheme: record.Scheme, Host: record.Host,
		Method: orKept(edit.Method, record.Method), Target: orKept(edit.Target, record.Target),
		Header: edit.Headers, Body: orKept(edit.Body, record.Request.Body.Bytes),
	}
	if edit.Headers == nil {
		again.Header = unmasked(record.Request.Header)
	}
	if err := checkWhole(again, record, edit); err != nil {
		return again, err
	}
	again.Header = endToEnd(again.Header)
	if err := again.check(); err != nil {
		return again, refuse(http.StatusBadRequest, "bad_request", err.Error(), "correct the request")
	}
	return again, nil
}

func orKept[T any](edited *T, kept T) T {
	if edited != nil {
		return *edited
	}
	return kept
}

// hopByHop are the fields that are for one connection alone (RFC 9110 section 7.6.1),
// and those that the replay writes itself.
var hopByHop = []string{
	"Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "TE", "Trailer",
	"Transfer-Encoding", "Upgrade", "HTTP2-Settings", "Expect", "Content-Length", "Host",
}

func endToEnd(fields []capture.Field) []capture.Field {
	dropped := slices.Clone(hopByHop)
	for _, field := range fields {
		if strings.EqualFold(field.Name, "Connection") {
			for name := range strings.SplitSeq(field.Value, ",") {
				dropped = append(dropped, strings.TrimSpace(name))
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(fields), func(field capture.Field) bool {
		return strings.HasPrefix(field.Name, ":") || slices.ContainsFunc(dropped, func(name string) bool { return strings.EqualFold(name, field.Name) })
	})
}

// check refuses what must not stand in a request (RFC 9110 sections 5.5 and 9.1).
func (a ReplayRequest) check() error {
	switch {
	case !httpguts.ValidHeaderFieldName(a.Method):
		return errors.New("the method is no token")
	case slices.Contains([]string{http.MethodConnect, http.MethodTrace}, strings.ToUpper(a.Method)):
		return errors.New(a.Method + " cannot be sent again")
	case !strings.HasPrefix(a.Target, "/"):
		return errors.New("the target does not begin with /")
	case strings.ContainsFunc(a.Target, func(c rune) bool { return c <= ' ' || c >= 0x7f }) || strings.Contains(a.Target, "#"):
		return errors.New("the target holds characters that must be percent-encoded")
	}
	for _, field := range a.Header {
		if !httpguts.ValidHeaderFieldName(field.Name) || !httpguts.ValidHeaderFieldValue(field.Value) {
			return errors.New("the header field " + cmp.Or(charset.PrintableN(field.Name, 64), "without a name") + " is not valid")
		}
	}
	return nil
}
