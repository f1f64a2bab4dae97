package h1

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"avsproxy/internal/testkit"
)

const (
	next   = "GET /next HTTP/1.1\r\nHost: x\r\n\r\n"
	hidden = "GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n"
)

func post(fields, body string) string {
	return "POST /a HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n" + body + next
}

// ambiguous are the forms of request smuggling that were published (CL.TE, TE.CL, TE.TE, CL.0,
// 0.CL, chunks and their extensions, trailers, lines). Each is refused.
var ambiguous = map[string]string{
	"CL.TE":                     post("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\nG"),
	"TE.CL":                     post("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", "12\r\nGPOST / HTTP/1.1\r\n\r\n0\r\n\r\n"),
	"TE.TE, unknown second":     post("Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n", "0\r\n\r\n"),
	"TE.TE, unknown first":      post("Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
	"TE twice":                  post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
	"TE list":                   post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"),
	"TE list, twice":            post("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"),
	"TE identity":               post("Transfer-Encoding: identity\r\n", ""),
	"TE not last":               post("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"),
	"TE with a prefix":          post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"),
	"TE with a parameter":       post("Transfer-Encoding: chunked;q=1\r\n", "0\r\n\r\n"),
	"TE quoted":                 post("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n"),
	"TE with a comma":           post("Transfer-Encoding: ,chunked\r\n", "0\r\n\r\n"),
	"TE empty":                  post("Transfer-Encoding:\r\n", "0\r\n\r\n"),
	"TE with a vertical tab":    post("Transfer-Encoding: \x0bchunked\r\n", "0\r\n\r\n"),
	"TE with a form feed":       post("Transfer-Encoding: chunked\x0c\r\n", "0\r\n\r\n"),
	"TE with a NUL":             post("Transfer-Encoding: chunked\x00\r\n", "0\r\n\r\n"),
	"TE with NEL":               post("Transfer-Encoding: \x85chunked\r\n", "0\r\n\r\n"),
	"TE with a no-break space":  post("Transfer-Encoding: \xa0chunked\r\n", "0\r\n\r\n"),
	"TE in another alphabet":    post("Transfer-Encoding: chun\u212aed\r\n", "0\r\n\r\n"),
	"TE, space before colon":    post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"),
	"TE, tab before colon":      post("Transfer-Encoding\t: chunked\r\n", "0\r\n\r\n"),
	"TE, CR before colon":       post("Transfer-Encoding\r: chunked\r\n", "0\r\n\r\n"),
	"TE, LF before colon":       post("Transfer-Encoding\n: chunked\r\n", "0\r\n\r\n"),
	"TE, NUL in name":           post("Transfer-\x00Encoding: chunked\r\n", "0\r\n\r\n"),
	"TE folded":                 post("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"),
	"TE folded behind another":  post("X: y\r\n Transfer-Encoding: chunked\r\n", ""),
	"TE behind a bare LF":       post("X: y\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
	"TE behind a bare CR":       post("X: y\rTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
	"TE behind CR CR LF":        post("X: y\r\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
	"TE and CL of zero":         post("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", "0\r\n\r\n"),
	"TE in HTTP/1.0":            "POST /a HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + next,
	"TE of a CONNECT":           "CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + next,
	"CL of a CONNECT":           "CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\nContent-Length: 1\r\n\r\na" + next,
	"two CL":                    post("Content-Length: 0\r\nContent-Length: 34\r\n", hidden),
	"two CL, the same":          post("Content-Length: 1\r\nContent-Length: 1\r\n", "a"),
	"CL list":                   post("Content-Length: 1, 1\r\n", "a"),
	"CL list, different":        post("Content-Length: 0, 34\r\n", hidden),
	"CL with a plus":            post("Content-Length: +1\r\n", "a"),
	"CL with a minus":           post("Content-Length: -1\r\n", ""),
	"CL hexadecimal":            post("Content-Length: 0x1\r\n", "a"),
	"CL with an underscore":     post("Content-Length: 1_0\r\n", "0123456789"),
	"CL with a fraction":        post("Content-Length: 1.0\r\n", "a"),
	"CL with a space":           post("Content-Length: 1 0\r\n", "0123456789"),
	"CL in other digits":        post("Content-Length: \u0661\r\n", "a"),
	"CL empty":                  post("Content-Length:\r\n", ""),
	"CL beyond 64 bits":         post("Content-Length: 18446744073709551617\r\n", "a"),
	"CL, space before colon":    post("Content-Length : 34\r\n", hidden),
	"CL, NUL in value":          post("Content-Length: 1\x00\r\n", "a"),
	"CL folded":                 post("Content-Length:\r\n 34\r\n", hidden),
	"CL behind a bare LF":       post("X: y\nContent-Length: 34\r\n", hidden),
	"a name with a space":       post("X Y: z\r\n", ""),
	"no name":                   post(": z\r\n", ""),
	"no colon":                  post("Content-Length\r\n", ""),
	"a space before all fields": "POST /a HTTP/1.1\r\n Host: x\r\nContent-Length: 0\r\n\r\n" + next,
	"a control byte":            post("X: a\x01b\r\n", ""),
	"DEL":                       post("X: a\x7fb\r\n", ""),
	"no Host":                   "GET /a HTTP/1.1\r\n\r\n" + next,
	"two Hosts":                 "GET /a HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n" + next,
	"two Hosts, the same":       "GET /a HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n" + next,
	"a Host that is folded":     "GET /a HTTP/1.1\r\nHost: x\r\n y\r\n\r\n" + next,
	"bare LFs":                  "GET /a HTTP/1.1\nHost: x\n\n" + next,
	"a bare LF in the end":      "GET /a HTTP/1.1\r\nHost: x\r\n\n" + next,
	"a bare LF in the line":     "GET /a HTTP/1.1\nHost: x\r\n\r\n" + next,
	"a bare CR in the end":      "GET /a HTTP/1.1\r\nHost: x\r\n\r" + next,
	"HTTP/0.9":                  "GET /a\r\n\r\n" + next,
	"HTTP/2.0":                  "GET /a HTTP/2.0\r\nHost: x\r\n\r\n" + next,
	"HTTP/1.2":                  "GET /a HTTP/1.2\r\nHost: x\r\n\r\n" + next,
	"HTTP/1.10":                 "GET /a HTTP/1.10\r\nHost: x\r\n\r\n" + next,
	"HTTP/01.1":                 "GET /a HTTP/01.1\r\nHost: x\r\n\r\n" + next,
	"http/1.1":                  "GET /a http/1.1\r\nHost: x\r\n\r\n" + next,
	"HTTP/1.1 with more":        "GET /a HTTP/1.1 \r\nHost: x\r\n\r\n" + next,
	"two spaces":                "GET  /a HTTP/1.1\r\nHost: x\r\n\r\n" + next,
	"a space in the target":     "GET /a b HTTP/1.1\r\nHost: x\r\n\r\n" + next,
	"tabs":                      "GET\t/a\tHTTP/1.1\r\nHost: x\r\n\r\n" + next,
	"a space before the method": " GET /a HTTP/1.1\r\nHost: x\r\n\r\n" + next,
	"an empty line first":       "\r\nGET /a HTTP/1.1\r\nHost: x\r\n\r\n" + next,
	"no method":                 " /a HTTP/1.1\r\nHost: x\r\n\r\n" + next,
	"a method with a colon":     "GE:T /a HTTP/1.1\r\nHost: x\r\n\r\n" + next,
	"a fragment":                "GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n" + next,
	"a bad percent":             "GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n" + next,
	"a relative target":         "GET a HTTP/1.1\r\nHost: x\r\n\r\n" + next,
	"no scheme":                 "GET ://x/ HTTP/1.1\r\nHost: x\r\n\r\n" + next,
	"no such scheme":            "GET 1a://x/ HTTP/1.1\r\nHost: x\r\n\r\n" + next,
	"another expectation":       post("Expect: the moon\r\n", ""),
	"an opaque address":         "GET x:http://evil/ HTTP/1.1\r\nHost: x\r\n\r\n" + next,
	"a user in the address":     "GET http://a@x/ HTTP/1.1\r\nHost: x\r\n\r\n" + next,
	"no host in the address":    "GET http:///a HTTP/1.1\r\nHost: x\r\n\r\n" + next,
	"an asterisk":               "GET * HTTP/1.1\r\nHost: x\r\n\r\n" + next,
	"a CONNECT for a path":      "CONNECT /a HTTP/1.1\r\nHost: x\r\n\r\n" + next,
}

// badChunks are bodies that are refused, behind a head that is good.
var badChunks = map[string]string{
	"a size with a prefix":        "0x1\r\na\r\n0\r\n\r\n",
	"a size with a plus":          "+1\r\na\r\n0\r\n\r\n",
	"a size with a minus":         "-1\r\na\r\n0\r\n\r\n",
	"a size with an underscore":   "1_0\r\n0123456789abcdef\r\n0\r\n\r\n",
	"a space before a size":       " 1\r\na\r\n0\r\n\r\n",
	"a space behind a size":       "1 \r\na\r\n0\r\n\r\n",
	"a tab behind a size":         "1\t\r\na\r\n0\r\n\r\n",
	"a space before an extension": "1 ;x\r\na\r\n0\r\n\r\n",
	"no size":                     "\r\na\r\n0\r\n\r\n",
	"no size, an extension":       ";x\r\na\r\n0\r\n\r\n",
	"a size beyond 64 bits":       "10000000000000001\r\na\r\n0\r\n\r\n",
	"a size of 16 digits":         "ffffffffffffffff\r\na\r\n0\r\n\r\n",
	"a bare LF behind a size":     "1\na\r\n0\r\n\r\n",
	"a bare CR behind a size":     "1\ra\r\n0\r\n\r\n",
	"CR CR LF behind a size":      "1\r\r\na\r\n0\r\n\r\n",
	"TERM.EXT":                    "2;\nxx\r\n4c\r\n0\r\n\r\n" + hidden + "0\r\n\r\n",
	"EXT.TERM":                    "5;\rxx\r\na\r\n0\r\n\r\n",
	"an extension with a NUL":     "1;\x00\r\na\r\n0\r\n\r\n",
	"a chunk that is too long":    "1\r\nab\r\n0\r\n\r\n",
	"a chunk that is too short":   "2\r\na\r\n0\r\n\r\n",
	"a chunk that ends in LF":     "1\r\na\n0\r\n\r\n",
	"a chunk that ends in CR":     "1\r\na\r0\r\n\r\n",
	"a chunk that ends in xx":     "1\r\naxx0\r\n\r\n",
	"no chunk's end":              "1\r\na0\r\n\r\n",
	"a trailer with a bare LF":    "0\r\nX: y\n\r\n",
	"a trailer that ends in LF":   "0\r\nX: y\r\n\n",
	"a trailer that is folded":    "0\r\nX: y\r\n z\r\n\r\n",
	"a trailer without a name":    "0\r\n: y\r\n\r\n",
	"a trailer with a space":      "0\r\nX : y\r\n\r\n",
	"a bare LF for a trailer":     "0\r\n\n",
}

// fine are requests that are taken, next to what is not: each judge frames them alike.
var fine = map[string]struct {
	text string
	want []seen
}{
	"a GET":                    {"GET /a HTTP/1.1\r\nHost: x\r\n\r\n" + next, []seen{{"GET", "/a", ""}, {"GET", "/next", ""}}},
	"a length":                 {post("Content-Length: 5\r\n", "a\r\n\r\n"), []seen{{"POST", "/a", "a\r\n\r\n"}, {"GET", "/next", ""}}},
	"a length with zeros":      {post("Content-Length: 0005\r\n", "abcde"), []seen{{"POST", "/a", "abcde"}, {"GET", "/next", ""}}},
	"a length of zero":         {post("Content-Length: 0\r\n", ""), []seen{{"POST", "/a", ""}, {"GET", "/next", ""}}},
	"a body that is a request": {post("Content-Length: 33\r\n", hidden), []seen{{"POST", "/a", hidden}, {"GET", "/next", ""}}},
	"no length":                {post("", ""), []seen{{"POST", "/a", ""}, {"GET", "/next", ""}}},
	"a GET with a body":        {"GET /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc" + next, []seen{{"GET", "/a", "abc"}, {"GET", "/next", ""}}},
	"chunks":                   {post("Transfer-Encoding: chunked\r\n", "1\r\na\r\n00A;x=\"y\"\r\n0123456789\r\n0\r\n\r\n"), []seen{{"POST", "/a", "a0123456789"}, {"GET", "/next", ""}}},
	"chunks, in capitals":      {post("TRANSFER-ENCODING:CHUNKED\r\n", "1\r\na\r\n0\r\n\r\n"), []seen{{"POST", "/a", "a"}, {"GET", "/next", ""}}},
	"a trailer":                {post("Transfer-Encoding: chunked\r\n", "1\r\na\r\n0\r\nX: y\r\n\r\n"), []seen{{"POST", "/a", "a"}, {"GET", "/next", ""}}},
	"a trailer that lies":      {post("Transfer-Encoding: chunked\r\n", "1\r\na\r\n0\r\nContent-Length: 30\r\n\r\n"), []seen{{"POST", "/a", "a"}, {"GET", "/next", ""}}},
	"a line between":           {post("Content-Length: 1\r\n", "a\r\n"), []seen{{"POST", "/a", "a"}, {"GET", "/next", ""}}},
	"odd bytes":                {"GET /a|b%2Fc?d=\"<e>\\{}^` HTTP/1.1\r\nHost: x\r\n\r\n", []seen{{"GET", "/a|b%2Fc?d=\"<e>\\{}^`", ""}}},
	"an asterisk":              {"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n" + next, []seen{{"OPTIONS", "*", ""}, {"GET", "/next", ""}}},
	"an address":               {"GET http://x:80/a?b HTTP/1.1\r\nHost: x\r\n\r\n" + next, []seen{{"GET", "http://x:80/a?b", ""}, {"GET", "/next", ""}}},
	"an upgrade with a body":   {post("Connection: upgrade\r\nUpgrade: x\r\nContent-Length: 5\r\n", "abcde"), []seen{{"POST", "/a", "abcde"}, {"GET", "/next", ""}}},
	"HTTP/1.0":                 {"GET /a HTTP/1.0\r\n\r\n" + next, []seen{{"GET", "/a", ""}}},
	"HTTP/1.0, kept":           {"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + next, []seen{{"GET", "/a", ""}, {"GET", "/next", ""}}},
	"closed":                   {"GET /a HTTP/1.1\r\nHost: x\r\nConnection: x, Close\r\n\r\n" + next, []seen{{"GET", "/a", ""}}},
}

// isOneRefusal reports whether answers are one of 400, with which the connection ends.
func isOneRefusal(answers string) bool {
	head, body, _ := strings.Cut(answers, "\r\n\r\n")
	return len(head) > 13 && head[8:13] == " 400 " && strings.Contains(head, "Connection: close") && !strings.Contains(body, "\r\n\r\n")
}

func judges(t testing.TB) map[string]judge {
	return map[string]judge{"net/http": standard{}, "llhttp": newNode(t)}
}

// Never do we take a request that a judge frames otherwise.
func TestSmuggledRequestsAreRefused(t *testing.T) {
	all := judges(t)
	for name, text := range ambiguous {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			own := ours{}.read(t, text)
			if len(own.requests) > 0 || !isOneRefusal(own.answers) {
				t.Errorf("it is taken: %+v, %.200q", own.requests, own.answers)
			}
			for judge, j := range all {
				if text := differ(own.requests, j.read(t, text).requests); text != "" {
					t.Errorf("%s: %s", judge, text)
				}
			}
		})
	}
}

func TestBadChunksAreRefused(t *testing.T) {
	all := judges(t)
	for name, body := range badChunks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := post("Transfer-Encoding: chunked\r\n", body)
			own := ours{}.read(t, text)
			if len(own.requests) > 0 || !isOneRefusal(own.answers) {
				t.Errorf("it is taken: %+v, %.200q", own.requests, own.answers)
			}
			for judge, j := range all {
				if text := differ(own.requests, j.read(t, text).requests); text != "" {
					t.Errorf("%s: %s", judge, text)
				}
			}
		})
	}
}

func TestGoodRequestsAreTaken(t *testing.T) {
	all := judges(t)
	for name, c := range fine {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			own := ours{}.read(t, c.text)
			if text := differ(c.want, own.requests); text != "" || len(own.requests) != len(c.want) {
				t.Errorf("want %+v, got %+v; %s; %q", c.want, own.requests, text, own.answers)
			}
			for judge, j := range all {
				if text := differ(own.requests, j.read(t, c.text).requests); text != "" {
					t.Errorf("%s: %s", judge, text)
				}
			}
		})
	}
}

// What becomes of the requests above by chance is read alike by all, too.
func TestRequestsWithFaultsAreNotReadOtherwise(t *testing.T) {
	var all []string
	for _, text := range ambiguous {
		all = append(all, text)
	}
	for _, body := range badChunks {
		all = append(all, post("Transfer-Encoding: chunked\r\n", body))
	}
	for _, c := range fine {
		all = append(all, c.text)
	}
	slices.Sort(all)
	tries := 2_000
	if testkit.IsHeavy() {
		tries = 20_000
	}
	random, llhttp := rand.New(rand.NewPCG(1, 2)), newNode(t)
	for range tries {
		text := all[random.IntN(len(all))]
		for range random.IntN(5) {
			text = withFault(random, text, all[random.IntN(len(all))])
		}
		own := readInMemory([]byte(text))
		if text := differ(own, readStandard([]byte(text))); text != "" {
			t.Errorf("net/http: %s", text)
		}
		if len(own) > 0 {
			if text := differ(own, llhttp.read(t, text).requests); text != "" {
				t.Errorf("llhttp: %s", text)
			}
		}
	}
}

// withFault changes a byte, leaves some out, or puts some in.
func withFault(random *rand.Rand, text, other string) string {
	at := random.IntN(len(text) + 1)
	before, after := text[:at], text[at:]
	switch random.IntN(4) {
	case 0:
		return before + string([]byte{byte(random.IntN(256))}) + after[min(1, len(after)):]
	case 1:
		return before + after[min(random.IntN(10), len(after)):]
	case 2:
		from := random.IntN(len(other))
		return before + other[from:min(len(other), from+random.IntN(20))] + after
	}
	return before + "\r\n" + after
}
