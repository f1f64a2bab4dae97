package config

// checkDownchannel wants no client to get another identity's directives.
func (t *table) checkDownchannel(r *Route) {
	switch {
	case r.Downchannel != "keep":
	case !t.has("credential"):
		t.report("downchannel", "needs a credential to be kept with", `name a credential, or set downchannel = "pass"`)
	case r.ClientAuth == "keep" || r.ClientAuth == "reject":
		t.report("downchannel", "is kept with the route's own credential", `set client_auth = "replace", or downchannel = "pass"`)
	}
}
