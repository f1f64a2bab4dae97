package sandbox

import (
	"encoding/json"
	"slices"
	"strings"
)

// scopeMeaning returns what a user allows with a scope, or "" for an unknown one. It
// knows the scopes of the APIs for which avsproxy has presets.
func scopeMeaning(scope string) string {
	return map[string]string{
		"alexa:all":                           "Use Alexa as this device",
		"profile":                             "See your name and your email address",
		"profile:user_id":                     "See your user ID",
		"postal_code":                         "See your postal code",
		"dash:replenish":                      "Reorder supplies",
		"alexa::ask:skills:readwrite":         "Change and test your Alexa skills",
		"alexa::ask:models:readwrite":         "Change and test your Alexa skills",
		"alexa::ask:skills:test":              "Change and test your Alexa skills",
		"advertising::campaign_management":    "Manage your advertising campaigns",
		"cpc_advertising:campaign_management": "Manage your advertising campaigns",
		"advertising::audiences":              "Manage your advertising campaigns",
	}[scope]
}

// unknownScope returns the first scope that no user can grant, or "".
func unknownScope(scope string) string {
	for _, name := range strings.Fields(scope) {
		if scopeMeaning(name) == "" {
			return name
		}
	}
	return ""
}

// isClientScope reports whether a client gets a scope without a user.
func isClientScope(scope string) bool {
	return slices.Contains([]string{
		"alexa:skill_messaging",
		"sellingpartnerapi::notifications",
		"sellingpartnerapi::migration",
		"sellingpartnerapi::client_credential:rotation",
	}, scope)
}

// A device is what scope_data says about alexa:all.
type device struct {
	ProductID  string `json:"productID"`
	Attributes struct {
		SerialNumber string `json:"deviceSerialNumber"`
	} `json:"productInstanceAttributes"`
}

func deviceOf(scopeData string) device {
	var data struct {
		Alexa device `json:"alexa:all"`
	}
	if json.Unmarshal([]byte(scopeData), &data) != nil {
		return device{}
	}
	return data.Alexa
}

// deviceID returns the device as AVS tells devices apart: client and serial number. It
// is empty without a serial number.
func deviceID(scopeData string) string {
	serial := deviceOf(scopeData).Attributes.SerialNumber
	if serial == "" {
		return ""
	}
	return ClientID + " " + serial
}

// hasScopeData reports whether scope_data names the product and the device, if the
// scope alexa:all needs them.
func hasScopeData(scope, scopeData string) bool {
	d := deviceOf(scopeData)
	return !slices.Contains(strings.Fields(scope), "alexa:all") || d.ProductID != "" && d.Attributes.SerialNumber != ""
}
