package sandbox

import (
	"encoding/json"
	"slices"
	"strings"
)

// scopeMeaning returns what a user allows with a scope, or "" for an unknown one. It
// knows the scopes of the APIs for which avsproxy has presets.
func scopeMeaning(scope string) string {
	switch scope {
	case "alexa:all":
		return "Use Alexa as this device"
	case "profile":
		return "See your name and your email address"
	case "profile:user_id":
		return "See your user ID"
	case "postal_code":
		return "See your postal code"
	case "dash:replenish":
		return "Reorder supplies"
	case "alexa::ask:skills:readwrite", "alexa::ask:models:readwrite", "alexa::ask:skills:test":
		return "Change and test your Alexa skills"
	case "advertising::campaign_management", "cpc_advertising:campaign_management", "advertising::audiences":
		return "Manage your advertising campaigns"
	}
	return ""
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
