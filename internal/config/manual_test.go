package config

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"avsproxy/internal/testkit"

	"github.com/google/go-cmp/cmp"
)

const shipped = "../../config.toml"

func shippedText(t *testing.T) string {
	t.Helper()
	text := testkit.Must(os.ReadFile(shipped))(t)
	return string(text)
}

// everySet stands for an environment in which every variable is set.
func everySet(name string) string {
	return "/set/" + name
}

func mustParse(t *testing.T, text string) *Config {
	t.Helper()
	c, err := parse("config.toml", []byte(text), everySet, nil, Overrides{}) // this machine does not have the files of the examples
	if err != nil {
		t.Fatalf("%v\n\n%s", err, text)
	}
	return c
}

// same compares what two files mean, not where they say it.
func same(t *testing.T, what string, want, got *Config) {
	t.Helper()
	ignored := cmp.FilterPath(func(p cmp.Path) bool {
		return p.Last().String() == ".Line" || p.Last().String() == ".Lines" || p.Last().String() == ".SecretFiles" || p.Last().String() == ".RedirectURLSet"
	}, cmp.Ignore())
	secrets := cmp.Comparer(func(a, b SecretRef) bool {
		return a.text == b.text && a.env == b.env && a.file == b.file && slices.Equal(a.command, b.command) && a.keyring == b.keyring
	})
	none := cmp.FilterValues(func(a, b any) bool { return empty(a) && empty(b) }, cmp.Ignore())
	if diff := cmp.Diff(want, got, ignored, secrets, none); diff != "" {
		t.Errorf("%s: (-as shipped +changed)\n%s", what, diff)
	}
}

// empty takes "no list" and "an empty list" for the same.
func empty(v any) bool {
	switch v := v.(type) {
	case []string:
		return len(v) == 0
	case map[string]string:
		return len(v) == 0
	}
	return false
}

func TestShippedConfigLoads(t *testing.T) {
	c := testkit.Must(Load(shipped, func(name string) string { return map[string]string{"HOME": "/home/someone"}[name] }))(t)
	r := c.Routes[0]
	if !c.Sandbox || len(c.Routes) != 1 || r.Name != "avs" || r.Preset != "avs" || r.Credential != "alexa" {
		t.Errorf("not the shipped route: %+v", c)
	}
	if want := presetNamed("avs").upstream; r.Upstream != want {
		t.Errorf("upstream %s, preset has %s", r.Upstream, want)
	}
	if c.Store.Path != "/home/someone/.local/state/avsproxy" {
		t.Errorf("store path %s", c.Store.Path)
	}
}

func setting() *regexp.Regexp { return regexp.MustCompile(`^# (([a-z_]+) = .*)$`) }

// TestCommentedDefaultsAreTheCodes takes the "# " from one line after the
// other; none may change what the file means.
func TestCommentedDefaultsAreTheCodes(t *testing.T) {
	text := shippedText(t)
	want := mustParse(t, text)
	lines := strings.Split(text, "\n")
	tried := 0
	for i, line := range lines {
		found := setting().FindStringSubmatch(line)
		if found == nil || strings.Contains(line, "(example)") {
			continue
		}
		tried++
		changed := append([]string{}, lines...)
		changed[i] = found[1]
		same(t, line, want, mustParse(t, strings.Join(changed, "\n")))
	}
	if tried < 20 {
		t.Errorf("only %d commented defaults found", tried)
	}
}

// TestCommentedDefaultsSpeakForAnEmptyFile leaves out every section that has
// only comments.
func TestCommentedDefaultsSpeakForAnEmptyFile(t *testing.T) {
	text := shippedText(t)
	bare := regexp.MustCompile(`(?m)^\[(proxy|console|store)\]$`).ReplaceAllString(text, "")
	same(t, "without the sections", mustParse(t, text), mustParse(t, bare))
}

// TestExamplesAreAccepted puts each example in its place, with all the other
// settings that it may need.
func TestExamplesAreAccepted(t *testing.T) {
	text := strings.Replace(shippedText(t), "sandbox = true", "sandbox = false", 1)
	text = strings.Replace(text, `# client_id = ""`, `client_id = "me"`, 1)
	text = strings.Replace(text, `# refresh_token = ""`, `refresh_token = "Atzr|x"`, 1)
	text = strings.Replace(text, `# token = ""`, `token = "Atza|x"`, 1)
	text = strings.Replace(text, `# client_secret = ""`, `client_secret = "x"`, 1)
	text = strings.Replace(text, `# command = []`, `command = ["prog"]`, 1)
	text = strings.Replace(text, `# url = ""`, `url = "unix:/run/share"`, 1)
	text = regexp.MustCompile(`(?m)^# (tls_cert|tls_key|client_ca) = ""`).ReplaceAllString(text, `$1 = "x.pem"`)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		found := setting().FindStringSubmatch(line)
		if found == nil || !strings.Contains(line, "(example)") {
			continue
		}
		changed := append([]string{}, lines...)
		for j := range changed {
			if strings.HasPrefix(changed[j], found[2]+" = ") {
				changed[j] = "" // set for the other examples
			}
		}
		changed[i] = found[1]
		mustParse(t, strings.Join(changed, "\n"))
	}
}

func TestExampleBlockIsAccepted(t *testing.T) {
	text := strings.Replace(shippedText(t), "sandbox = true", "sandbox = false", 1)
	text = strings.Replace(text, `# client_id = ""`, `client_id = "me"`, 1)
	c := mustParse(t, regexp.MustCompile(`(?m)^#   `).ReplaceAllString(text, ""))
	if len(c.Routes) != 2 || c.Routes[1].Credential != "files" || c.Credentials["files"].Provider != "oauth2" {
		t.Errorf("the second route is not as the example says: %+v", c.Routes)
	}
}

// TestManualNamesEverySetting keeps settings from being added in silence.
func TestManualNamesEverySetting(t *testing.T) {
	later := map[string]bool{ // refused or without effect in this version
		"capture": true,
	}
	text := shippedText(t)
	for _, key := range settings(t) {
		if !later[key] && !regexp.MustCompile(`(?m)^(#   |# |\[+)?`+key+`\b`).MatchString(text) {
			t.Errorf("config.toml does not mention %s", key)
		}
	}
}

// settings are all the keys that the code asks for.
func settings(t *testing.T) []string {
	t.Helper()
	_, err := Parse("", []byte("zz=1\n[proxy]\nzz=1\n[console]\nzz=1\n[store]\nzz=1\n[[route]]\nzz=1\n[credential.a]\nzz=1"), everySet)
	var keys []string
	for _, c := range err.(Issues) {
		if _, known, ok := strings.Cut(c.Hint, "known here: "); ok {
			keys = append(keys, strings.Split(known, ", ")...)
		}
	}
	if len(keys) < 40 {
		t.Fatalf("only %d settings found in %v", len(keys), err)
	}
	return keys
}
