package config

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Show is the configuration as TOML, with the defaults filled in and without a secret. origins
// adds to each setting where it comes from.
func (c *Config) Show(origins bool) string {
	s := &shown{lines: c.Lines, file: cmp.Or(c.File, BuiltInName), origins: origins}
	s.setting("", "sandbox", strconv.FormatBool(c.Sandbox), "")
	s.table("[proxy]", "proxy", c.Proxy, "")
	s.table("[console]", "console", c.Console, "")
	s.table("[store]", "store", c.Store, "")
	s.table("[capture]", "capture", c.Capture, "")
	if len(c.Share.Listen) > 0 {
		s.table("[share]", "share", c.Share, "")
	}
	for i, route := range c.Routes {
		if route.AccountOf != "" {
			continue // the file has it as credential_from
		}
		s.table("[[route]]", "route["+strconv.Itoa(i)+"]", route, route.Preset)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Credentials)) {
		s.table("[credential."+name+"]", "credential."+name, c.Credentials[name], "")
	}
	return s.text.String()
}

type shown struct {
	text    strings.Builder
	lines   map[string]int
	file    string
	origins bool
}

// untagged are the settings that are fields without a tag.
var untagged = []string{"Listen", "Preset", "Provider", "Grant", "Clients", "CredentialFrom"}

// ofPreset are the settings that a preset fills in, and ofCredential those of a credential that a
// route's preset knows better, unless the file has them.
var (
	ofPreset     = []string{"upstream", "heal_on", "single_connection"}
	ofCredential = []string{"header", "format"}
)

func (s *shown) table(header, path string, settings any, preset string) {
	fmt.Fprintf(&s.text, "\n%s\n", header)
	v := reflect.ValueOf(settings)
	for i := range v.NumField() {
		field := v.Type().Field(i)
		key, ok := field.Tag.Lookup("toml")
		if !ok && slices.Contains(untagged, field.Name) {
			key, ok = strings.ToLower(field.Name), true
			if field.Name == "CredentialFrom" {
				key = "credential_from"
			}
		}
		text := valueText(key, v.Field(i).Interface())
		inFile := s.lines[path+"."+key] > 0
		if !ok || !inFile && (text == "" || slices.Contains(ofCredential, key)) {
			continue
		}
		if !slices.Contains(ofPreset, key) {
			s.setting(path, key, cmp.Or(text, `""`), "")
			continue
		}
		s.setting(path, key, cmp.Or(text, `""`), preset)
	}
}

// setting writes one line. preset is what may have filled it in; empty = nothing.
func (s *shown) setting(path, key, text, preset string) {
	fmt.Fprintf(&s.text, "%s = %s", key, text)
	if s.origins {
		line, inFile := s.lines[strings.TrimPrefix(path+"."+key, ".")]
		switch {
		case inFile:
			fmt.Fprintf(&s.text, "   # %s:%d", s.file, line)
		case preset != "":
			s.text.WriteString("   # preset " + preset)
		default:
			s.text.WriteString("   # default")
		}
	}
	s.text.WriteByte('\n')
}

const masked = `"***"`

// valueText is a value as TOML; empty = it is not set. What may be a secret is masked: also the
// values of header fields and parameters, and the arguments of programs.
func valueText(key string, value any) string {
	switch value := value.(type) {
	case string:
		if value != "" {
			return strconv.Quote(value)
		}
	case bool:
		return strconv.FormatBool(value)
	case int64:
		return sizeText(value)
	case time.Duration:
		return durationText(value)
	case []string:
		return listText(key, value)
	case []int:
		if len(value) > 0 {
			return strings.ReplaceAll(fmt.Sprint(value), " ", ", ")
		}
	case map[string]string:
		return pairsText(value)
	case map[string][]string:
		var pairs []string
		for _, name := range slices.Sorted(maps.Keys(value)) {
			pairs = append(pairs, strconv.Quote(name)+" = "+cmp.Or(listText(key, value[name]), "[]"))
		}
		if len(pairs) > 0 {
			return "{ " + strings.Join(pairs, ", ") + " }"
		}
	case CredentialFrom:
		return value.shown()
	case SecretRef:
		return value.shown()
	case []SecretRef:
		var list []string
		for _, secret := range value {
			list = append(list, secret.shown())
		}
		if len(list) > 0 {
			return "[" + strings.Join(list, ", ") + "]"
		}
	}
	return ""
}

func listText(key string, list []string) string {
	var quoted []string
	for i, text := range list {
		if i > 0 && (key == "command" || key == "on_login_needed") {
			quoted = append(quoted, masked)
		} else {
			quoted = append(quoted, strconv.Quote(text))
		}
	}
	if len(list) == 0 {
		return ""
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

func pairsText(pairs map[string]string) string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(pairs)) {
		list = append(list, strconv.Quote(name)+" = "+masked)
	}
	if len(list) == 0 {
		return ""
	}
	return "{ " + strings.Join(list, ", ") + " }"
}

func sizeText(n int64) string {
	for _, unit := range []struct {
		name string
		size int64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if n > 0 && n%unit.size == 0 {
			return strconv.Quote(strconv.FormatInt(n/unit.size, 10) + unit.name)
		}
	}
	return strconv.Quote(strconv.FormatInt(n, 10) + "B")
}

func durationText(d time.Duration) string {
	if d == 0 {
		return ""
	}
	text := d.String()
	for _, zero := range []string{"m0s", "h0m"} { // 4m0s, 1h0m
		if strings.HasSuffix(text, zero) {
			text = text[:len(text)-2]
		}
	}
	return strconv.Quote(text)
}

// shown is the secret as TOML: where it comes from, or that it stands in the file.
func (s SecretRef) shown() string {
	switch {
	case s.IsZero():
		return ""
	case s.env != "":
		return "{ env = " + strconv.Quote(s.env) + " }"
	case s.file != "":
		return "{ file = " + strconv.Quote(s.file) + " }"
	case len(s.command) > 0:
		return "{ command = " + listText("command", s.command) + " }"
	case s.keyring != "":
		return "{ keyring = " + strconv.Quote(s.keyring) + " }"
	}
	return masked
}

// settingLines are the lines of all settings in the file, by dotted names; routes have an index.
func settingLines(p *place, name string, lines map[string]int) {
	for key, inner := range p.members {
		path := strings.TrimPrefix(name+"."+key, ".")
		if len(inner.items) > 0 && inner.items[0].members != nil {
			for i, item := range inner.items {
				settingLines(item, path+"["+strconv.Itoa(i)+"]", lines)
			}
			continue
		}
		lines[path] = inner.line
		settingLines(inner, path, lines)
	}
}

func (f CredentialFrom) shown() string {
	if len(f.Table) == 0 {
		return ""
	}
	selector := "header = " + strconv.Quote(f.Header)
	if f.Header == "" {
		selector = "host = " + strconv.Quote(f.Host)
	}
	var table []string
	for _, account := range slices.Sorted(maps.Keys(f.Table)) {
		table = append(table, strconv.Quote(account)+" = "+strconv.Quote(f.Table[account]))
	}
	return "{ " + selector + ", table = { " + strings.Join(table, ", ") + " } }"
}
