package config

// preset is what avsproxy knows about an API, so that files need not have it.
type preset struct {
	name             string
	upstream         string // in North America; other routes set their own
	header           string
	format           string
	healOn           []int
	singleConnection bool
	clientIDHeader   string // static header that repeats the credential's client_id
}

// presets has first the one of routes without a preset.
func presets() []preset {
	refused := []int{401, 403} // these APIs answer 403 to an expired token too
	return []preset{
		{healOn: []int{401}},
		{name: "avs", upstream: "https://alexa.na.gateway.devices.a2z.com", healOn: refused, singleConnection: true},
		{name: "sp-api", upstream: "https://sellingpartnerapi-na.amazon.com", healOn: refused,
			header: "x-amz-access-token", format: "{token}"},
		{name: "amazon-ads", upstream: "https://advertising-api.amazon.com", healOn: refused,
			clientIDHeader: "Amazon-Advertising-API-ClientId"},
		{name: "smapi", upstream: "https://api.amazonalexa.com", healOn: refused},
		{name: "skill-messaging", upstream: "https://api.amazonalexa.com", healOn: refused},
		{name: "alexa-events", upstream: "https://api.amazonalexa.com", healOn: refused},
	}
}

// preset gets the route's preset. A wrong one counts as none.
func (t *table) preset() preset {
	var names []string
	for _, p := range presets()[1:] {
		names = append(names, p.name)
	}
	return presetNamed(t.oneOf("preset", t.text("preset", ""), names))
}

func presetNamed(name string) preset {
	for _, p := range presets() {
		if p.name == name {
			return p
		}
	}
	return presets()[0]
}
