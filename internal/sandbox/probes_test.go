package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestEchoAnswersEachChunkAsItComes(t *testing.T) {
	for name, o := range map[string]Options{"h2": {}, "HTTP/1.1": {HTTP1: true}} {
		t.Run(name, func(t *testing.T) {
			s := start(t, o)
			body, voice := io.Pipe()
			request := ask(t, s, loggedIn(t, s).AccessToken, "POST", "/sandbox/echo", body)
			request.Header.Set("Content-Type", "text/odd; x")
			request.Trailer = http.Header{"X-Last": nil}
			response, err := client(t, s).Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			for _, word := range []string{"one", "two", "three"} {
				io.WriteString(voice, word)
				heard := make([]byte, len(word))
				if _, err := io.ReadFull(response.Body, heard); err != nil || string(heard) != word {
					t.Fatalf("%q, %v", heard, err)
				}
			}
			request.Trailer.Set("X-Last", "word")
			voice.Close()
			io.ReadAll(response.Body)
			if response.Header.Get("Content-Type") != "text/odd; x" || response.Trailer.Get("X-Last") != "word" {
				t.Errorf("%v, trailers %v", response.Header, response.Trailer)
			}
			if arrived := s.Ledger()[0]; arrived.Trailer.Get("X-Last") != "word" {
				t.Errorf("ledger trailers %v", arrived.Trailer)
			}
		})
	}
}

func TestCurlEchoesALargeFileOverExpectContinue(t *testing.T) {
	for name, o := range map[string]Options{"h2": {}, "HTTP/1.1": {HTTP1: true}} {
		t.Run(name, func(t *testing.T) {
			s := start(t, o)
			cmd := curlCommand(t, s, "-H", "Authorization: Bearer "+loggedIn(t, s).AccessToken, "-H", "Expect: 100-continue",
				"-X", "POST", "-T", "-", s.AVS()+"/sandbox/echo")
			cmd.Stdin = Bytes(3 << 20)
			out, err := cmd.Output()
			if want, _ := io.ReadAll(Bytes(3 << 20)); err != nil || string(out) != string(want) {
				t.Errorf("%d bytes, %v", len(out), err)
			}
		})
	}
}

func TestBytesBringTheirHash(t *testing.T) {
	s := start(t, Options{})
	token := loggedIn(t, s).AccessToken
	for _, n := range []string{"0", "1", "65536", "5000000"} {
		answer := send(t, client(t, s), ask(t, s, token, "GET", "/sandbox/bytes?n="+n, nil))
		sum := sha256.Sum256(answer.body)
		if answer.Trailer.Get(HashTrailer) != hex.EncodeToString(sum[:]) {
			t.Errorf("%s: %d bytes, trailers %v", n, len(answer.body), answer.Trailer)
		}
	}
	for _, bad := range []string{"bytes", "bytes?n=-1", "bytes?n=9999999999", "slow-multipart", "slow-multipart?gap=1ms&n=0"} {
		if answer := send(t, client(t, s), ask(t, s, token, "GET", "/sandbox/"+bad, nil)); answer.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %s", bad, answer.Status)
		}
	}
}

func TestBytesAreAPattern(t *testing.T) {
	body, _ := io.ReadAll(Bytes(1000))
	for i, b := range body {
		if int(b) != i%251 {
			t.Fatalf("byte %d is %d", i, b)
		}
	}
}

func TestSlowMultipartSendsPartByPart(t *testing.T) {
	s := start(t, Options{})
	const gap = 100 * time.Millisecond
	begun := time.Now()
	response, err := client(t, s).Do(ask(t, s, loggedIn(t, s).AccessToken, "GET", "/sandbox/slow-multipart?n=3&gap="+gap.String(), nil))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	first := make([]byte, 4096)
	n, _ := io.ReadAtLeast(response.Body, first, 100)
	if !strings.Contains(string(first[:n]), `"part":1`) || strings.Contains(string(first[:n]), `"part":2`) {
		t.Errorf("%q", first[:n])
	}
	rest, _ := io.ReadAll(response.Body)
	if parts := partsOf(t, response.Header.Get("Content-Type"), string(first[:n])+string(rest)); len(parts) != 3 {
		t.Errorf("%d parts", len(parts))
	}
	if took := time.Since(begun); took < 2*gap {
		t.Errorf("all of it within %v", took)
	}
}

func TestRedirectNamesAHostThatDoesNotExist(t *testing.T) {
	s := start(t, Options{})
	answer := send(t, client(t, s), ask(t, s, loggedIn(t, s).AccessToken, "GET", "/sandbox/redirect", nil))
	if answer.StatusCode != http.StatusFound || answer.Header.Get("Location") != "https://elsewhere.invalid/" {
		t.Error(answer.Status, answer.Header)
	}
}
