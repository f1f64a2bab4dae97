package console

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// urlsOf are those of the entries of an archive.
func urlsOf(t *testing.T, a answer) (urls []string) {
	t.Helper()
	want(t, a, 200)
	var archive struct {
		Log struct {
			Version string
			Creator struct{ Name string }
			Entries []struct{ Request struct{ URL string } }
		}
	}
	if err := json.Unmarshal([]byte(a.text), &archive); err != nil || archive.Log.Version != "1.2" || archive.Log.Creator.Name != "avsproxy" {
		t.Fatalf("%v\n%s", err, a.text)
	}
	for _, entry := range archive.Log.Entries {
		urls = append(urls, entry.Request.URL)
	}
	return urls
}

func TestHARIsDownloaded(t *testing.T) {
	d := inspecting(t)
	d.remember(told{route: "avs", method: "GET", target: "/a", status: 204})
	d.remember(told{route: "plain", method: "POST", target: "/b", request: "x", status: 500, response: "</script>"})
	d.remember(told{route: "plain", method: "GET", target: "/c", requestOnly: true})
	for query, want := range map[string]string{
		"": "/a /b /c", "?route=plain": "/b /c", "?errors=1": "/b", "?id=1": "/a", "?route=none": "", "?after=1&limit=1": "/c",
	} {
		a := d.ask("GET", "/har"+query)
		got := strings.ReplaceAll(strings.Join(urlsOf(t, a), " "), "http://localhost:9744", "")
		if got != want {
			t.Errorf("%q has %s, want %s", query, got, want)
		}
		if h := a.Header; h.Get("Content-Type") != "application/json" || !strings.HasPrefix(h.Get("Content-Disposition"), `attachment; filename="avsproxy-2`) || !strings.HasSuffix(h.Get("Content-Disposition"), `.har"`) {
			t.Errorf("%v", h)
		}
		wantSecure(t, a)
	}
}

// A gone is a writer whose reader is gone.
type gone struct{ http.ResponseWriter }

func (gone) Write([]byte) (int, error) { return 0, errors.New("the reader is gone") }

func TestAnArchiveThatFailsIsCut(t *testing.T) {
	d := inspecting(t)
	defer func() {
		if recover() != http.ErrAbortHandler {
			t.Error("the rest would look like an archive")
		}
	}()
	d.har(gone{httptest.NewRecorder()}, httptest.NewRequest("GET", "/har", nil))
}
