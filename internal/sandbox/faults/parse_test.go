package faults

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// read returns the faults of a list.
func read(text string) (List, error) {
	s := new(Set)
	err := s.Replace(text)
	return s.List(), err
}

func TestParseReadsEveryPartOfAnItem(t *testing.T) {
	got, err := read("expire-token, 403@3, goaway@10s, token-503 x2, rst=REFUSED_STREAM@2, slow-headers=2s 25%")
	if err != nil {
		t.Fatal(err)
	}
	want := List{
		{Name: "expire-token"},
		{Name: "403", At: 3},
		{Name: "goaway", After: 10 * time.Second},
		{Name: "token-503", Count: 2},
		{Name: "rst", Value: "REFUSED_STREAM", At: 2},
		{Name: "slow-headers", Value: "2s", Percent: 25},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestParseIgnoresSpacesAndCase(t *testing.T) {
	for text, want := range map[string]string{
		"":                                  "",
		" ,\n, ":                            "",
		" Token-503   X 2 , ,":              "token-503 x2",
		"RST = refused_stream @ 2 x3 25 %":  "rst=REFUSED_STREAM@2 x3 25%",
		"429 = 007 @ 1M30S":                 "429=7@1m30s",
		"goaway@1h=DROP":                    "goaway=drop@1h",
		"token-500 12.50%x4":                "token-500 x4 12.5%",
		"huge-headers=64KiB\ncut-body=1mib": "huge-headers=65536, cut-body=1048576",
		"invalidvalue, INVALID_GRANT":       "InvalidValue, invalid_grant",
		"expires-in=STRING, expires-in=0@2, expires-in=12": "expires-in=string, expires-in=0@2, expires-in=12",
		"expire-token=1h30m0s, expire-token@60s":           "expire-token=1h30m, expire-token@1m",
		"token-slow=1500ms 0.0001%, 599 100%":              "token-slow=1.5s 0.0001%, 599 100%",
		"authorization_pending=3, codepair=invalidvalue":   "authorization_pending=3, codepair=InvalidValue",
	} {
		list, err := read(text)
		if err != nil || list.String() != want {
			t.Errorf("%q: %q, %v", text, list, err)
		}
	}
}

func TestParseErrorsSayWhatToWrite(t *testing.T) {
	for item, want := range map[string]string{
		"toke-503 x2":                `fault "toke-503 x2": there is no fault "toke-503"; did you mean token-503?`,
		"rotate_refresh":             `did you mean rotate-refresh?`,
		"invalid-grant":              `did you mean invalid_grant?`,
		"nonsense":                   `there is no fault "nonsense"; there are token-html, token-empty,`,
		"200":                        `200 is not the status of an error; use a number from 400 to 599`,
		"600":                        `from 400 to 599`,
		"@3":                         `it has no name; write NAME[=VALUE][@WHEN] [xCOUNT] [P%]`,
		"token-slow":                 `it needs a value; write token-slow=DURATION, with a duration such as 2s, 500ms or 1m30s`,
		"token-slow=2":               `"2" does not fit; write token-slow=DURATION`,
		"token-slow=-2s":             `"-2s" does not fit`,
		"token-slow=0s":              `"0s" does not fit`,
		"token-503=1":                `it takes no value; write token-503`,
		"token-429=soon":             `"soon" does not fit; write token-429[=SECONDS], with whole seconds such as 120`,
		"expires-in=sting":           `"sting" does not fit; did you mean string?`,
		"expires-in=-1":              `"-1" does not fit; write expires-in=string|absent|0|negative|huge|N`,
		"rst=REFUSED":                `"REFUSED" does not fit; write rst[=NO_ERROR|`,
		"cut-body=1GiB":              `such as 1000, 64KiB or 1MiB`,
		"early-hints=0":              `with a number from 1`,
		"403@":                       `@ is neither a number nor a duration; write @3 for the third event, or a duration such as @10s`,
		"403@0":                      `@0 is neither a number nor a duration`,
		"403@-1s":                    `@-1s is neither a number nor a duration`,
		"403@3@4":                    `"@" is there twice; keep one of them`,
		"403 x0":                     `x0 is not a count; write x1, x2 and so on`,
		"403 x":                      `x is not a count`,
		"403 xs":                     `xs is not a count`,
		"403 2":                      `invalid chance "2"; write a number of per cent, such as 25%; a count is written x25`,
		"403 0%":                     `invalid chance "0%"`,
		"403 101%":                   `invalid chance "101%"`,
		"403 25% 30%":                `"%" is there twice`,
		"403 twice":                  `"twice" is not understood; after the name come =VALUE, @WHEN, xCOUNT and P%`,
		"403=":                       `nothing follows the =`,
		"slow_down=":                 `nothing follows the =`,
		"authorization_pending=2 x3": `it has two counts; keep =N or xCOUNT`,
	} {
		list, err := read(item)
		var wrong *Error
		if list != nil || !errors.As(err, &wrong) || wrong.Item != item || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v", item, list, err)
		}
	}
}

func TestParseReportsEveryWrongItem(t *testing.T) {
	_, err := read("one, 403, two x3")
	if text := err.Error(); !strings.Contains(text, `"one"`) || !strings.Contains(text, `"two x3"`) || strings.Contains(text, `"403"`) {
		t.Error(text)
	}
}

func TestValuesAreDurationsOrNumbers(t *testing.T) {
	list, err := read("slow-headers=1m, cut-body=2KiB, 429=120, goaway=drop")
	if err != nil {
		t.Fatal(err)
	}
	if list[0].Duration() != time.Minute || list[1].Number() != 2048 || list[2].Number() != 120 || list[3].Number() != 0 || list[3].Duration() != 0 {
		t.Error(list)
	}
	if f, ok := list.Find("429"); !ok || f.Value != "120" {
		t.Error(f, ok)
	}
	if _, ok := list.Find("403"); ok {
		t.Error("found a fault that is not in the list")
	}
}

// Every kind can be written as its usage says, and is documented.
func TestParseAcceptsEveryKindAndValue(t *testing.T) {
	example := map[string]string{"DURATION": "2s", "SECONDS": "3", "BYTES": "4", "N": "5", "": ""}
	for _, k := range Kinds() {
		name := strings.ReplaceAll(k.Name, statuses, "500")
		if k.Does == "" || k.Event == "" || k.group == "" || strings.HasSuffix(k.Does, ".") {
			t.Errorf("%+v", k)
		}
		values := strings.Split(k.Value, "|")
		if k.Optional {
			values = append(values, "")
		}
		for _, value := range values {
			if _, form := example[value]; form {
				value = example[value]
			}
			f := Fault{Name: name, Value: value}
			list, err := read(f.String())
			if err != nil || !slices.Equal(list, List{f}) {
				t.Errorf("%s: %v, %v", f, list, err)
			}
		}
	}
}

func TestUsageShowsTheValue(t *testing.T) {
	for _, c := range []struct {
		kind Kind
		want string
	}{
		{Kind{Name: "a"}, "a"},
		{Kind{Name: "a", Value: "N"}, "a=N"},
		{Kind{Name: "a", Value: "N", Optional: true}, "a[=N]"},
	} {
		if c.kind.Usage() != c.want {
			t.Error(c.kind.Usage())
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"expire-token, 403@3, goaway@10s, token-503 x2, rst=REFUSED_STREAM@2, slow-headers=2s 25%",
		"rst = 9 @ 2 x 3 0.0001 %", "expire-token=1.5h@1µs 99.9999%", "429=999999999", "huge-headers=1MiB", "x x1", "=", "403 %",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		list, err := read(text)
		if err != nil {
			var wrong *Error
			if list != nil || !errors.As(err, &wrong) || wrong.Hint == "" {
				t.Fatalf("%v, %v", list, err)
			}
			return
		}
		again, err := read(list.String())
		if err != nil || !slices.Equal(list, again) {
			t.Fatalf("%q: %#v, %v", list, again, err)
		}
	})
}
