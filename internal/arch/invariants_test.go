package arch

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"avsproxy/internal/testkit"
)

var update = flag.Bool("update", false, "write the lists of tests in docs/invariants.md")

var invariantsFile = filepath.Join(root, "docs", "invariants.md")

// A row is an entry of docs/invariants.md.
type row struct {
	number string
	text   string   // up to the tests
	tests  []string // empty where it says "No test:"
	reason string   // the "No test:" and what follows
}

var (
	rowStart  = regexp.MustCompile(`^- \*\*([A-Za-z0-9]+)\*\* `)
	quoted    = regexp.MustCompile("`([^`]+)`")
	testFunc  = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	numbered  = regexp.MustCompile(`^(?:Test|Fuzz)((?:(?:[A-Z]|Promise)[0-9]+_)+)`)
	form      = regexp.MustCompile(`(?m)^#.*`) // a script's comment, in which client forms have their numbers
	formInUse = regexp.MustCompile(`\bF[0-9]+\b`)
)

// TestInvariantsAndTestNamesAgree compares docs/invariants.md with the names of the
// tests, both ways.
func TestInvariantsAndTestNamesAgree(t *testing.T) {
	text := testkit.Must(os.ReadFile(invariantsFile))(t)
	numbersOf := namedTests(t)
	rows, inOrder := parseRows(string(text))
	for name, numbers := range numbersOf {
		for _, number := range numbers {
			if rows[number] == nil {
				t.Errorf("%s: %s is no row of docs/invariants.md", name, number)
			}
		}
	}
	if *update {
		bringUpToDate(rows, numbersOf)
		testkit.NoError(t, os.WriteFile(invariantsFile, []byte(written(string(text), inOrder)), 0o644))
	}
	for _, r := range inOrder {
		r.check(t, numbersOf)
	}
	if len(rows) < 60 || len(rows) != len(inOrder) {
		t.Errorf("%d rows were read, %d of them different", len(inOrder), len(rows))
	}
}

func (r *row) check(t *testing.T, numbersOf map[string][]string) {
	t.Helper()
	if len(r.tests) == 0 && r.reason == "" {
		t.Errorf("%s names no test", r.number)
	}
	for _, name := range r.tests {
		if _, exists := numbersOf[name]; !exists {
			t.Errorf("%s names %s, which does not exist", r.number, name)
		}
	}
	for name, numbers := range numbersOf {
		if slices.Contains(numbers, r.number) && !slices.Contains(r.tests, name) {
			t.Errorf("%s does not name %s (go test ./internal/arch -run Invariants -update)", r.number, name)
		}
	}
}

// namedTests returns the numbers that each test bears. Scripts are tests by the name
// that testscript gives them.
func namedTests(t *testing.T) map[string][]string {
	tests := map[string][]string{}
	for path, text := range texts(t) {
		switch {
		case strings.HasSuffix(path, "_test.go"):
			for _, found := range testFunc.FindAllSubmatch(text, -1) {
				name := string(found[1])
				tests[name] = append(tests[name], numbersIn(name)...)
			}
		case filepath.Ext(path) == ".txt" && filepath.Base(filepath.Dir(path)) == "testdata":
			name := "TestScripts/" + strings.TrimSuffix(filepath.Base(path), ".txt")
			tests[name] = nil
			for _, comment := range form.FindAllString(string(text), -1) {
				tests[name] = append(tests[name], formInUse.FindAllString(comment, -1)...)
			}
		}
	}
	return tests
}

// numbersIn returns the numbers with which a test's name begins.
func numbersIn(name string) []string {
	found := numbered.FindStringSubmatch(name)
	if found == nil {
		return nil
	}
	return strings.Split(strings.TrimSuffix(found[1], "_"), "_")
}

// parseRows reads the entries: a text, then "Tests:" with names in backquotes, or
// "No test:" with a reason.
func parseRows(text string) (byNumber map[string]*row, inOrder []*row) {
	byNumber = map[string]*row{}
	for _, entry := range entries(text) {
		number := rowStart.FindStringSubmatch(entry)[1]
		r := &row{number: number, text: entry}
		if before, reason, found := strings.Cut(entry, "\n  No test:"); found {
			r.text, r.reason = before, "No test:"+reason
		}
		if before, names, found := strings.Cut(entry, "\n  Tests:"); found {
			r.text = before
			for _, name := range quoted.FindAllStringSubmatch(names, -1) {
				r.tests = append(r.tests, name[1])
			}
		}
		byNumber[number] = r
		inOrder = append(inOrder, r)
	}
	return byNumber, inOrder
}

// entries are the items of the list, each with the lines that belong to it.
func entries(text string) (list []string) {
	for line := range strings.Lines(text) {
		switch last := len(list) - 1; {
		case rowStart.MatchString(line):
			list = append(list, line)
		case last >= 0 && strings.HasPrefix(line, "  "):
			list[last] += line
		}
	}
	return list
}

// bringUpToDate adds the tests that bear a row's number and drops those that are gone.
func bringUpToDate(rows map[string]*row, numbersOf map[string][]string) {
	for _, name := range slices.Sorted(maps.Keys(numbersOf)) {
		for _, number := range numbersOf[name] {
			if r := rows[number]; r != nil && !slices.Contains(r.tests, name) {
				r.tests = append(r.tests, name)
			}
		}
	}
	for _, r := range rows {
		r.tests = slices.DeleteFunc(r.tests, func(name string) bool {
			_, exists := numbersOf[name]
			return !exists
		})
		slices.Sort(r.tests)
	}
}

// written is the page with the rows' present lists.
func written(text string, rows []*row) string {
	for i, entry := range entries(text) {
		if rows[i].reason == "" {
			text = strings.Replace(text, entry, rows[i].text+"\n"+wrapped(rows[i].tests), 1)
		}
	}
	return text
}

func wrapped(tests []string) string {
	const width = 120
	text, line := "", "  Tests:"
	for i, name := range tests {
		word := fmt.Sprintf(" `%s`", name)
		if i < len(tests)-1 {
			word += ","
		}
		if len(line)+len(word) > width {
			text += line + "\n"
			line = " "
		}
		line += word
	}
	return text + line + "\n"
}
