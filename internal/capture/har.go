package capture

import (
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"strings"

	"avsproxy/internal/exchange"
)

// WriteHAR writes records as an HTTP Archive of version 1.2, entry by entry.
// creator is the name of the program, a space and its version. Fields whose names begin
// with "_" are extensions, which the format allows.
func WriteHAR(w io.Writer, creator string, records iter.Seq[Record]) error {
	name, version, _ := strings.Cut(creator, " ")
	head, err := json.Marshal(map[string]string{"name": name, "version": version})
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(w, `{"log":{"version":"1.2","creator":%s,"pages":[],"entries":[`, head); err != nil {
		return err
	}
	separator := "\n"
	for record := range records {
		entry, err := json.Marshal(newHAREntry(record))
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(w, "%s%s", separator, entry); err != nil {
			return err
		}
		separator = ",\n"
	}
	_, err = io.WriteString(w, "\n]}}\n")
	return err
}

type harEntry struct {
	Started   string       `json:"startedDateTime"`
	Time      float64      `json:"time"`
	Request   harRequest   `json:"request"`
	Response  harResponse  `json:"response"`
	Cache     struct{}     `json:"cache"`
	Timings   harTimings   `json:"timings"`
	Conn      string       `json:"connection,omitempty"`
	Resource  string       `json:"_resourceType"`
	Extension harExtension `json:"_avsproxy"`
	Comment   string       `json:"comment,omitempty"`
}

// harExtension holds what the format has no field for.
type harExtension struct {
	ID       uint64            `json:"id"`
	Route    string            `json:"route"`
	State    State             `json:"state"`
	AVS      string            `json:"avs,omitempty"`
	Client   exchange.ConnInfo `json:"client"`
	Upstream exchange.ConnInfo `json:"upstream"`
	Tries    int               `json:"tries"`
	Token    Token             `json:"token"`
	Error    string            `json:"error,omitempty"`
	ReplayOf uint64            `json:"replay_of,omitempty"`
	Interim  []Interim         `json:"interim"`
}

type harRequest struct {
	Method      string       `json:"method"`
	URL         string       `json:"url"`
	Version     string       `json:"httpVersion"`
	Cookies     []struct{}   `json:"cookies"`
	Headers     []harPair    `json:"headers"`
	Query       []harPair    `json:"queryString"`
	PostData    *harPostData `json:"postData,omitempty"`
	HeadersSize int          `json:"headersSize"`
	BodySize    int64        `json:"bodySize"`
	Trailers    []harPair    `json:"_trailers,omitempty"`
}

// harPostData has an extension for a body that is not text. Programs that ignore it take
// the base64 for the text.
type harPostData struct {
	Type     string `json:"mimeType"`
	Text     string `json:"text"`
	Encoding string `json:"_encoding,omitempty"`
	Comment  string `json:"comment,omitempty"`
}

type harResponse struct {
	Status       int        `json:"status"`
	StatusText   string     `json:"statusText"`
	Version      string     `json:"httpVersion"`
	Cookies      []struct{} `json:"cookies"`
	Headers      []harPair  `json:"headers"`
	Content      harContent `json:"content"`
	RedirectURL  string     `json:"redirectURL"`
	HeadersSize  int        `json:"headersSize"`
	BodySize     int64      `json:"bodySize"`
	TransferSize int64      `json:"_transferSize"`
	Trailers     []harPair  `json:"_trailers,omitempty"`
	Error        string     `json:"_error,omitempty"`
}

type harContent struct {
	Size int64  `json:"size"`
	Type string `json:"mimeType"`
	harText
}

// harText is a body. Encoding is "base64" if it is not text.
type harText struct {
	Text     string `json:"text"`
	Encoding string `json:"encoding,omitempty"`
	Comment  string `json:"comment,omitempty"`
}

type harPair struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// harTimings is in milliseconds; -1 means not applicable.
type harTimings struct {
	Blocked float64 `json:"blocked"`
	DNS     float64 `json:"dns"`
	Connect float64 `json:"connect"`
	SSL     float64 `json:"ssl"`
	Send    float64 `json:"send"`
	Wait    float64 `json:"wait"`
	Receive float64 `json:"receive"`
}
