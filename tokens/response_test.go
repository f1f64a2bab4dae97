package tokens

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"
	"unicode/utf16"

	"avsproxy/internal/testkit"
)

const whole = `{"access_token":"access-1","refresh_token":"refresh-1","expires_in":3600,"token_type":"bearer"}`

func inUTF16(text string, bigEndian bool) string {
	var out []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		low, high := byte(unit), byte(unit>>8)
		if bigEndian {
			low, high = high, low
		}
		out = append(out, low, high)
	}
	return string(out)
}

// breakingOff answers with text and then loses the connection.
func breakingOff(text string) func(int, url.Values) (*http.Response, error) {
	return always(func() (*http.Response, error) {
		resp := reply(200, jsonType, "")
		resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(text), iotest.ErrReader(io.ErrUnexpectedEOF)))
		return resp, nil
	})
}

// goodAnswers all give access-1 and refresh-1, each in its own way.
var goodAnswers = map[string]func(int, url.Values) (*http.Response, error){
	"JSON":                          answering(200, jsonType, whole),
	"201":                           answering(201, jsonType, whole),
	"JSON called text/plain":        answering(200, "text/plain; charset=utf-8", whole),
	"JSON called text/html":         answering(200, "text/html", whole),
	"JSON called a form":            answering(200, "application/x-www-form-urlencoded", whole),
	"JSON called nothing":           answering(200, "", whole),
	"a form":                        answering(200, "application/x-www-form-urlencoded", "access_token=access-1&refresh_token=refresh-1&expires_in=3600"),
	"a form called text/plain":      answering(200, "text/plain", "access_token=access-1&refresh_token=refresh-1&expires_in=3600\n"),
	"a form called JSON":            answering(200, jsonType, "refresh_token=refresh-1&access_token=access-1&expires_in=3600"),
	"a byte order mark":             answering(200, jsonType, "\ufeff"+whole),
	"a NUL behind":                  answering(200, jsonType, whole+"\x00"),
	"NULs around":                   answering(200, jsonType, "\x00"+whole+"\x00\x00"),
	"white space around":            answering(200, jsonType, "\r\n\r\n "+whole+"\n\n"),
	"UTF-16LE":                      answering(200, jsonType, inUTF16(whole, false)),
	"UTF-16BE":                      answering(200, jsonType, inUTF16(whole, true)),
	"UTF-16 with a mark":            answering(200, "application/json; charset=utf-16", inUTF16("\ufeff"+whole, false)),
	"error false":                   answering(200, jsonType, `{"error":false,`+whole[1:]),
	"error 0":                       answering(200, jsonType, `{"error":0,`+whole[1:]),
	"error null":                    answering(200, jsonType, `{"error":null,`+whole[1:]),
	"error empty":                   answering(200, jsonType, `{"error":"",`+whole[1:]),
	"error beside tokens":           answering(200, jsonType, `{"error":"none",`+whole[1:]),
	"error an object":               answering(200, jsonType, `{"error":{},`+whole[1:]),
	"a number for token_type":       answering(200, jsonType, strings.Replace(whole, `"bearer"`, `1`, 1)),
	"a number for the description":  answering(200, jsonType, `{"error_description":17,`+whole[1:]),
	"an object for error_uri":       answering(200, jsonType, `{"error_uri":{"a":[1]},`+whole[1:]),
	"a list for scope":              answering(200, jsonType, `{"scope":["alexa:all"],`+whole[1:]),
	"a null for scope":              answering(200, jsonType, `{"scope":null,`+whole[1:]),
	"cut behind the JSON":           breakingOff(whole),
	"cut behind JSON in UTF-16":     breakingOff(inUTF16(whole, false)),
	"text behind the JSON":          answering(200, jsonType, whole+"<br />Deprecated: ..."),
	"JSON in a string":              answering(200, jsonType, fmt.Sprintf("%q", whole)),
	"300 KiB":                       answering(200, jsonType, `{"id_token":"`+strings.Repeat("x", 300<<10)+`",`+whole[1:]),
	"300 KiB of space in front":     answering(200, jsonType, strings.Repeat(" ", 300<<10)+whole),
	"User Access Token":             answering(200, jsonType, strings.Replace(whole, "bearer", "User Access Token", 1)),
	"Application Access Token":      answering(200, jsonType, strings.Replace(whole, "bearer", "Application Access Token", 1)),
	"BearerToken":                   answering(200, jsonType, strings.Replace(whole, "bearer", "BearerToken", 1)),
	"Bearer with space":             answering(200, jsonType, strings.Replace(whole, "bearer", " Bearer ", 1)),
	"expires_in in quotes":          answering(200, jsonType, strings.Replace(whole, "3600", `"3600"`, 1)),
	"expires_in with a fraction":    answering(200, jsonType, strings.Replace(whole, "3600", `3600.0`, 1)),
	"cut behind the refresh token":  breakingOff(`{"expires_in":3600,"access_token":"access-1","refresh_token":"refresh-1","id_tok`),
	"no token type, unknown member": answering(200, jsonType, `{"x":[{"y":{}}],"access_token":"access-1","refresh_token":"refresh-1","expires_in":3600}`),
}

func TestPromise1_AGoodAnswerIsTakenWhateverItLooksLike(t *testing.T) {
	for name, answer := range goodAnswers {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, store := newProvider(), holding(t, stored(-time.Second))
				p.now(answer)
				if got := mustToken(t, open(t, p, store)); got != "access-1" {
					t.Error(got.Reveal())
				}
				got := load(t, store)
				if got.Refresh != "refresh-1" || !got.PendingSince.IsZero() || got.Expiry.Sub(wallNow()) != time.Hour || fmt.Sprint(got.Scopes) != "[alexa:all]" {
					t.Errorf("stored: %+v, %s", got, got.Refresh.Reveal())
				}
			})
		})
	}
}

// A rotated refresh token is saved also where the rest of the answer is of no use.
func TestPromise1_ARotatedTokenIsSavedBeforeAnythingMayFail(t *testing.T) {
	for name, answer := range map[string]func(int, url.Values) (*http.Response, error){
		"no access token":         answering(200, jsonType, `{"refresh_token":"refresh-1"}`),
		"null for access token":   answering(200, jsonType, `{"access_token":null,"refresh_token":"refresh-1"}`),
		"token for no header":     answering(200, jsonType, `{"access_token":"a\nb","refresh_token":"refresh-1"}`),
		"a token that is bound":   answering(200, jsonType, `{"access_token":"a","token_type":"DPoP","refresh_token":"refresh-1"}`),
		"cut in the access token": breakingOff(`{"refresh_token":"refresh-1","access_token":"acc`),
		"an error beside it":      answering(200, jsonType, `{"error":"server_error","refresh_token":"refresh-1"}`),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, store := newProvider(), holding(t, stored(-time.Second))
				p.now(answer)
				source := open(t, p, store)
				e := refused(t, source)
				checkSilent(t, e)
				if got := load(t, store); got.Refresh != "refresh-1" {
					t.Error("the store holds the spent", got.Refresh.Reveal())
				}
				p.now(rotating)
				time.Sleep(time.Hour)
				if mustToken(t, source); p.last().Get("refresh_token") != "refresh-1" {
					t.Error("sent", p.last().Get("refresh_token"))
				}
			})
		})
	}
}

func TestAnEndGivenAsATimeIsUnderstood(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	behind := http.Header{"Date": {now.Add(10 * time.Minute).Format(http.TimeFormat)}} // by the provider's clock
	for _, c := range []struct {
		in     string
		header http.Header
		want   time.Duration
	}{
		{fmt.Sprint(now.Add(30 * time.Minute).Unix()), nil, 30 * time.Minute},
		{fmt.Sprintf(`"%d"`, now.Add(30*time.Minute).Unix()), nil, 30 * time.Minute},
		{fmt.Sprint(now.Add(30 * time.Minute).UnixMilli()), nil, 30 * time.Minute},
		{fmt.Sprint(now.Add(30 * time.Minute).Unix()), behind, 20 * time.Minute},
		{fmt.Sprint(now.Add(-time.Minute).Unix()), nil, 0},
		{fmt.Sprint(now.Add(-time.Minute).UnixMilli()), nil, 0},
		{"99999999999999999999", nil, lifeMost},
		{"1e400", nil, lifeMost},
		{"31536000", nil, lifeMost},
		{"-5", nil, 0},
		{`"NaN"`, nil, 0},
	} {
		a := &response{header: c.header, fields: map[string]json.RawMessage{"expires_in": json.RawMessage(c.in)}}
		if got := a.life(now); got != c.want {
			t.Errorf("%s: %v, want %v", c.in, got, c.want)
		}
	}
}

// unclear answers succeed by their status, and nobody understands them.
var unclear = map[string]func(int, url.Values) (*http.Response, error){
	"HTML":          answering(200, "text/html", "<h1>welcome to our wifi "+canary),
	"a cut token":   breakingOff(`{"access_token":"access-1","refresh_token":"` + canary),
	"nested":        answering(200, jsonType, `{"data":{"access_token":"access-1","refresh_token":"`+canary+`"}}`),
	"not UTF-8":     answering(200, jsonType, "\x80\x81"+canary),
	"cut and ended": breakingOff(`{"access_token":"access-1",`),
}

func TestPromise1_WhatNobodyUnderstandsIsKeptForDiagnosis(t *testing.T) {
	for name, answer := range unclear {
		t.Run(name, func(t *testing.T) {
			p, store := newProvider(), FileStore{Dir: t.TempDir()}
			testkit.NoError(t, store.Save("alexa", stored(-time.Second)))
			p.now(answer)
			source := open(t, p, store)
			e := refused(t, source)
			checkSilent(t, e)
			path := store.unread("alexa").paths()[0]
			info := testkit.Must(os.Stat(path))(t)
			resp, _ := answer(1, nil)
			said, _ := io.ReadAll(resp.Body)
			kept, _ := os.ReadFile(path)
			if info.Mode().Perm() != 0o600 || !bytes.Equal(kept, said) || !strings.Contains(e.Hint, path) {
				t.Errorf("%v %q; %s", info.Mode(), kept, e.Hint)
			}
			if load(t, store).PendingSince.IsZero() || load(t, store).Failed.Hint != e.Hint {
				t.Error("another process is not told")
			}
			testkit.NoError(t, source.SetGrant(t.Context(), stored(time.Hour)))
			if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
				t.Error("it is left behind after a login:", err)
			}
		})
	}
}

func TestAnswersThatNobodyUnderstandsAreBounded(t *testing.T) {
	store := FileStore{Dir: t.TempDir()}
	var paths []string
	for n := range 20 {
		path := testkit.Must(store.unread("alexa").keep([]byte(strings.Repeat(fmt.Sprint(n%10), 1<<20))))(t)
		paths = append(paths, path)
	}
	files, _ := filepath.Glob(filepath.Join(store.Dir, "*"))
	total := 0
	for _, file := range files {
		text, _ := os.ReadFile(file)
		total += len(text)
	}
	if len(files) != unreadCount || total > unreadCount*unreadMost || paths[0] != store.unread("alexa").paths()[0] {
		t.Errorf("%d bytes in %v", total, files)
	}
	first, _ := os.ReadFile(paths[0])
	if first[0] != '0' {
		t.Error("the first answer was replaced")
	}
	testkit.NoError(t, store.Save("alexa", stored(time.Hour)))
	testkit.NoError(t, store.Delete("alexa"))
	if left, _ := filepath.Glob(filepath.Join(store.Dir, "*unread*")); len(left) > 0 {
		t.Error("left behind by a logout:", left)
	}
}
