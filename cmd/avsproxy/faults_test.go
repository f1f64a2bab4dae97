package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"avsproxy/internal/sandbox/faults"
	"avsproxy/internal/testkit"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite docs/faults.md")

// A struck fault is a row of docs/faults.md.
type struckFault struct {
	usage string // as in the table of docs/sandbox.md
	fault string // as a list for the sandbox, without @WHEN
	cells []string
}

// A faultTable is one of those in docs/faults.md.
type faultTable struct {
	heading string
	events  []faults.Event // whose faults it has
	columns []string
	// try strikes with the fault and returns the other cells of its row.
	try func(t *testing.T, fault string) []string
}

func faultTables() []faultTable {
	return []faultTable{
		{
			"Faults of the Alexa Voice Service", []faults.Event{faults.Request, faults.Handshake, faults.TokenCheck},
			[]string{"fault", "a GET sees", "a *Recognize* sees", "next good answer"}, tryGateway,
		},
		{
			"Faults of the token endpoint, when the token has ended", []faults.Event{faults.TokenCall, faults.TokenIssue, faults.Renewal},
			[]string{"fault", "a GET sees", "next good answer"}, tryTokens,
		},
		{
			"Faults of a login", []faults.Event{faults.Consent, faults.PairCall, faults.Poll},
			[]string{"fault", "`avsproxy login` says", "exit code"}, tryLogin,
		},
	}
}

// faultValues are the values that are tried of faults that take one; "" = without.
var faultValues = map[string][]string{
	"400...599[=SECONDS]":       {"400", "401", "403", "429=7", "500", "503=7"},
	"token-429[=SECONDS]":       {"token-429", "token-429=3"},
	"token-slow=DURATION":       {"token-slow=200ms"},
	"expire-token=DURATION":     {"expire-token=1s"},
	"slow-headers=DURATION":     {"slow-headers=200ms"},
	"cut-body[=BYTES]":          {"cut-body", "cut-body=100"},
	"early-hints[=N]":           {"early-hints=2"},
	"continue[=N]":              {"continue=2"},
	"goaway[=drop]":             {"goaway", "goaway=drop"},
	"huge-headers[=BYTES]":      {"huge-headers=20000", "huge-headers"},
	"authorization_pending[=N]": {"authorization_pending=1"},
}

var aNumber = regexp.MustCompile(`=N$`)

// rows are the faults to be tried of a kind: all of its values, where it names them.
func rows(kind faults.Kind) (list []struckFault) {
	usage := kind.Usage()
	values := faultValues[usage]
	if name, alternatives, ok := strings.Cut(usage, "="); values == nil && ok && strings.Contains(alternatives, "|") {
		for _, value := range strings.Split(strings.TrimSuffix(alternatives, "]"), "|") {
			values = append(values, strings.TrimSuffix(name, "[")+"="+value)
		}
	}
	if values == nil {
		values = []string{usage}
	}
	for _, value := range values {
		list = append(list, struckFault{usage: usage, fault: aNumber.ReplaceAllString(value, "=7")})
	}
	return list
}

// TestFaults strikes the built pipeline with every fault that the sandbox has, and
// compares what clients see with docs/faults.md. To write that page:
//
//	go test ./cmd/avsproxy -run Faults -update
func TestFaults(t *testing.T) {
	if !*update {
		testkit.Heavy(t) // some faults are noticed by waiting
	}
	var text strings.Builder
	text.WriteString(faultsIntroduction)
	tables := faultTables()
	var trying sync.WaitGroup
	results := make([][]struckFault, len(tables))
	written, err := os.ReadFile(faultsFile)
	if err != nil && !*update {
		t.Fatal(err)
	}
	slots := make(chan struct{}, 12)
	known := 0
	for i, table := range tables {
		for _, kind := range faults.Kinds() {
			if slices.Contains(table.events, kind.Event) {
				results[i] = append(results[i], rows(kind)...)
				known++
			}
		}
		for j := range results[i] {
			row := &results[i][j]
			trying.Go(func() {
				if !strings.HasPrefix(row.fault, "stall") { // which waits rather than works
					slots <- struct{}{}
					defer func() { <-slots }()
				}
				t.Run(row.fault, func(t *testing.T) { row.tryOften(t, table, written) })
			})
		}
	}
	trying.Wait()
	if all := len(faults.Kinds()); known != all {
		t.Errorf("%d of %d faults have a table", known, all)
	}
	for i, table := range tables {
		writeTable(&text, table, results[i])
	}
	compareFile(t, faultsFile, text.String())
}

var faultsFile = filepath.Join("..", "..", "docs", "faults.md")

// tryOften tries again where the outcome is not what is written: a connection that is
// cut may take along what was sent just before, and with it the head of an answer.
func (f *struckFault) tryOften(t *testing.T, table faultTable, written []byte) {
	const most = 4
	for range most {
		f.cells = table.try(t, f.fault)
		if *update || bytes.Contains(written, []byte(f.row())) {
			return
		}
	}
}

func (f *struckFault) row() string {
	return fmt.Sprintf("| `%s` | %s |\n", f.fault, strings.Join(f.cells, " | "))
}

func writeTable(text *strings.Builder, table faultTable, rows []struckFault) {
	fmt.Fprintf(text, "\n## %s\n\n| %s |\n|%s\n", table.heading, strings.Join(table.columns, " | "), strings.Repeat("---|", len(table.columns)))
	for _, row := range rows {
		text.WriteString(row.row())
	}
}

func compareFile(t *testing.T, path, text string) {
	t.Helper()
	if t.Failed() {
		return
	}
	if *update {
		testkit.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	written := testkit.Must(os.ReadFile(path))(t)
	if !bytes.Equal(written, []byte(text)) {
		t.Errorf("docs/faults.md is not what clients see (go test ./cmd/avsproxy -run Faults -update):\n%s", cmp.Diff(string(written), text))
	}
}
