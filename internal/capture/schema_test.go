package capture

import (
	"embed"
	"encoding/json"
	"fmt"
	"math"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"avsproxy/internal/testkit"
)

// The schema of HAR 1.2 from the npm package har-schema 2.0.0.
//
//go:embed testdata/har-schema/*.json
var harSchema embed.FS

// A schema supports the keywords of JSON Schema (draft 6) that har-schema uses. Decoding
// refuses all others, so that none is ignored.
type schema struct {
	ID         string             `json:"$id"`
	Draft      string             `json:"$schema"`
	Optional   bool               `json:"optional"` // no word of JSON Schema
	Ref        string             `json:"$ref"`
	Type       string             `json:"type"`
	Required   []string           `json:"required"`
	Properties map[string]*schema `json:"properties"`
	Items      *schema            `json:"items"`
	Format     string             `json:"format"`
	Pattern    string             `json:"pattern"`
	Min        *float64           `json:"min"` // meant as minimum
	OneOf      []*schema          `json:"oneOf"`
}

func loadSchema(name string) (*schema, error) {
	file, err := harSchema.Open("testdata/har-schema/" + strings.TrimSuffix(name, "#"))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	decoder := json.NewDecoder(file)
	decoder.DisallowUnknownFields()
	var s schema
	return &s, decoder.Decode(&s)
}

// check returns the first violation in v.
func (s *schema) check(path string, v any) []string {
	if s.Ref != "" {
		target, err := loadSchema(s.Ref)
		if err != nil {
			return []string{err.Error()}
		}
		return target.check(path, v)
	}
	var wrong []string
	complain := func(format string, args ...any) {
		wrong = append(wrong, path+": "+fmt.Sprintf(format, args...))
	}
	if !s.typed(v) {
		complain("%v is no %s", v, s.Type)
	}
	switch v := v.(type) {
	case map[string]any:
		wrong = append(wrong, s.checkObject(path, v)...)
	case []any:
		for i, item := range v {
			if s.Items != nil {
				wrong = append(wrong, s.Items.check(fmt.Sprintf("%s[%d]", path, i), item)...)
			}
		}
	case float64:
		if s.Min != nil && v < *s.Min {
			complain("%v is less than %v", v, *s.Min)
		}
	case string:
		if s.Pattern != "" && !regexp.MustCompile(s.Pattern).MatchString(v) {
			complain("%q does not match", v)
		}
		if !formatted(s.Format, v) {
			complain("%q is no %s", v, s.Format)
		}
	}
	if len(s.OneOf) > 0 && !slices.ContainsFunc(s.OneOf, func(one *schema) bool { return len(one.check(path, v)) == 0 }) {
		complain("%v is none of %d", v, len(s.OneOf))
	}
	return wrong
}

func (s *schema) checkObject(path string, v map[string]any) (wrong []string) {
	for _, name := range s.Required {
		if _, found := v[name]; !found {
			wrong = append(wrong, path+": "+name+" is missing")
		}
	}
	for name := range v {
		if _, known := s.Properties[name]; !known && len(s.Properties) > 0 && !strings.HasPrefix(name, "_") {
			wrong = append(wrong, path+": "+name+" is no field of the format, and does not begin with _")
		}
	}
	for name, property := range s.Properties {
		if value, found := v[name]; found {
			wrong = append(wrong, property.check(path+"."+name, value)...)
		}
	}
	return wrong
}

func (s *schema) typed(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		return s.Type == "object" || s.Type == ""
	case []any:
		return s.Type == "array" || s.Type == ""
	case string:
		return s.Type == "string" || s.Type == ""
	case float64:
		return s.Type == "number" || s.Type == "" || s.Type == "integer" && v == math.Trunc(v)
	}
	return s.Type == ""
}

func formatted(format, v string) bool {
	var err error
	switch format {
	case "":
	case "date-time":
		_, err = time.Parse(time.RFC3339Nano, v)
	case "uri":
		var u *url.URL
		if u, err = url.Parse(v); err == nil && u.Scheme == "" {
			return false
		}
	case "ipv4", "ipv6":
		return net.ParseIP(v) != nil
	default:
		return false
	}
	return err == nil
}

func checkHAR(t *testing.T, text string) map[string]any {
	t.Helper()
	root := testkit.Must(loadSchema("har.json#"))(t)
	var v map[string]any
	testkit.NoError(t, json.Unmarshal([]byte(text), &v))
	for _, wrong := range root.check("har", v) {
		t.Error(wrong)
	}
	return v
}

func TestTheSchemaRefusesWhatIsNoHAR(t *testing.T) {
	root := testkit.Must(loadSchema("har.json#"))(t)
	for _, text := range []string{
		`{}`, `{"log":[]}`, `{"log":{"version":1.2,"creator":{"name":"a","version":"b"},"entries":[]}}`,
		`{"log":{"version":"1.2","creator":{"name":"a"},"entries":[]}}`,
		`{"log":{"version":"1.2","creator":{"name":"a","version":"b"},"entries":[{}]}}`,
	} {
		var v any
		testkit.NoError(t, json.Unmarshal([]byte(text), &v))
		if len(root.check("har", v)) == 0 {
			t.Errorf("%s is taken for HAR", text)
		}
	}
}
