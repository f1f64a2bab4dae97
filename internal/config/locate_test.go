package config

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"avsproxy/internal/testkit"

	"github.com/BurntSushi/toml"
)

// TestLocate names, behind each line's "#=", the places to be found on it.
func TestLocate(t *testing.T) {
	for name, text := range map[string]string{
		"tables": `
a = 1 #= a
[b] #= b
c = "x # y" #= b.c
[d.e] #= d.e
f = 1 #= d.e.f
[d] #= d
g = 1 #= d.g
`,
		"arrays of tables": `
[[r]] #= r r[0]
n = 1 #= r[0].n
[r.h] #= r[0].h
x = 1 #= r[0].h.x
[[r]] #= r[1]
n = 1 #= r[1].n
[[r.s]] #= r[1].s r[1].s[0]
n = 1 #= r[1].s[0].n
[[r.s]] #= r[1].s[1]
[[r]] #= r[2]
[[r.s]] #= r[2].s[0]
`,
		"dotted and quoted keys": `
a.b.c = 1 #= a a.b a.b.c
a . "d e" . f = 1 #= a."d e" a."d e".f
'x.y' = 1 #= "x.y"
"\u0041" = 1 #= A
"tab\tkey".z = 1 #= "tab\tkey".z
[ "q]" . r ] #= "q]" "q]".r
s = 1 #= "q]".r.s
[["[[x"]] #= "[[x"[0]
y = 1 #= "[[x"[0].y
`,
		"inline tables": `
t = { a = 1, b = { c = "}", d = [1, 2] } } #= t t.a t.b t.b.c t.b.d t.b.d[1]
u = [{ n = 1 }, #= u u[0] u[0].n
 { n = 2 }] #= u[1] u[1].n
v = 1 #= v
`,
		"arrays over lines": `
a = [ #= a
  "x]", #= a[0]
  # a comment with ] and "
  [1, #= a[1] a[1][0]
   2], #= a[1][1]
] # the end
b = [] #= b
c = 1 #= c
`,
		"strings over lines": `
a = """ #= a
[not] a = "table"
b = 1 \""" still
"""
b = ''' #= b
c = 1 \'''
c = """"quoted"""" #= c
d = '''x'''' #= d
e = "\"]" #= e
f = '\' #= f
`,
		"numbers and dates": "\n" +
			"a = 1979-05-27 07:32:00 #= a\r\n" +
			"b=+1_000#= b\r\n" +
			"c =\t-inf #= c\n" +
			"d = true #= d",
	} {
		t.Run(name, func(t *testing.T) { checkLines(t, text) })
	}
}

func checkLines(t *testing.T, text string) {
	t.Helper()
	found := linesOf(text)
	for i, line := range strings.Split(text, "\n") {
		_, places, ok := strings.Cut(line, "#= ")
		if !ok {
			continue
		}
		for _, at := range splitPlaces(places) {
			if got := found[at]; got != i+1 {
				t.Errorf("%s: on line %d, want %d", at, got, i+1)
			}
		}
	}
	if t.Failed() {
		t.Log(found)
	}
}

// linesOf returns the line of each place. Names are dotted, with the index of array
// elements: route[1].hosts[0].
func linesOf(text string) map[string]int {
	lines := map[string]int{}
	var walk func(name string, p *place)
	walk = func(name string, p *place) {
		lines[name] = p.line
		for key, member := range p.members {
			walk(joined(name, key), member)
		}
		for i, item := range p.items {
			walk(fmt.Sprintf("%s[%d]", name, i), item)
		}
	}
	walk("", locate([]byte(text)))
	return lines
}

// splitPlaces splits at the spaces outside of quotes.
func splitPlaces(text string) []string {
	open := false
	return strings.FieldsFunc(strings.TrimSpace(text), func(r rune) bool {
		if r == '"' {
			open = !open
		}
		return r == ' ' && !open
	})
}

// TestLocateFindsEveryKey compares with the parser's own list of keys.
func TestLocateFindsEveryKey(t *testing.T) {
	text := shippedText(t) + `
[[route]]
"a b".c = { d = [ { e.f = """
g = 1
""" } ] }
`
	values := map[string]any{}
	testkit.Must(toml.Decode(text, &values))(t)
	found := linesOf(text)
	var walk func(at string, v any)
	walk = func(at string, v any) {
		if _, ok := found[at]; at != "" && !ok {
			t.Errorf("%s not found", at)
		}
		switch v := v.(type) {
		case map[string]any:
			for key, inner := range v {
				walk(joined(at, key), inner)
			}
		case []map[string]any:
			for i, inner := range v {
				walk(fmt.Sprintf("%s[%d]", at, i), inner)
			}
		case []any:
			for i, inner := range v {
				walk(fmt.Sprintf("%s[%d]", at, i), inner)
			}
		}
	}
	walk("", values)
}

func TestLocateEndsOnAnyText(t *testing.T) {
	for _, text := range []string{"", "[", "[[", "[[a", "=", "a=", "a=[", "a={", "a=\"", "a='''", "'", "\"\\", ".", "]", "a=[}", "a={]", "\ufeff", "a=[=", "{", "a=\\\"\"\"\\"} {
		locate([]byte(text))
		locate([]byte("a = 1\n" + text + "\n[b]\nc = [" + text))
	}
}

// TestDeepNestingIsCheap would need gigabytes if each level kept its whole name.
func TestDeepNestingIsCheap(t *testing.T) {
	deep := 40_000
	for _, text := range []string{
		"a = " + strings.Repeat("[", deep) + strings.Repeat("]", deep),
		"a = " + strings.Repeat("{a=", deep) + "1" + strings.Repeat("}", deep),
		strings.Repeat("a.", deep) + "a = 1",
		"[" + strings.Repeat("a.", deep) + "a]",
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		p := position{place: locate([]byte(text))}
		for range deep {
			p = p.key("a")
		}
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 128<<20 || len(p.name) > maxName+len(".a") {
			t.Errorf("%.10s: %d bytes and a name of %d", text, used, len(p.name))
		}
	}
}

func TestPositionOfMissingKeyIsItsTable(t *testing.T) {
	p := position{place: locate([]byte("\n[a]\n\nb = 1"))}
	for _, c := range []struct {
		at   position
		want string
	}{
		{p.key("a"), "a 2"},
		{p.key("a").key("b"), "a.b 4"},
		{p.key("a").key("c").key("d"), "a.c.d 2"},
		{p.key("z").item(3), "z 1"},
	} {
		if got := fmt.Sprint(c.at.name, " ", c.at.line); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}
