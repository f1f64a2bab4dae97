package sandbox

import (
	"encoding/json"
	"slices"
	"strings"
)

// meaning says what a user agrees to with a scope, "" for an unknown one. It
// knows those of the APIs that avsproxy has presets for.
func meaning(scope string) string {
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

// firstUnknown returns the first scope that no user can grant.
func firstUnknown(scope string) string {
	for _, name := range strings.Fields(scope) {
		if meaning(name) == "" {
			return name
		}
	}
	return ""
}

// grantless reports whether a client gets a scope in its own name.
func grantless(scope string) bool {
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

func deviceOf(data string) device {
	var wanted struct {
		Alexa device `json:"alexa:all"`
	}
	if json.Unmarshal([]byte(data), &wanted) != nil {
		return device{}
	}
	return wanted.Alexa
}

// identity names the device that AVS takes a grant for: the client and the serial
// number. It is empty if there is no number.
func identity(data string) string {
	serial := deviceOf(data).Attributes.SerialNumber
	if serial == "" {
		return ""
	}
	return ClientID + " " + serial
}

// scopeDataFits reports whether alexa:all, where asked for, says which product
// and which device it is for.
func scopeDataFits(scope, data string) bool {
	named := deviceOf(data)
	return !slices.Contains(strings.Fields(scope), "alexa:all") || named.ProductID != "" && named.Attributes.SerialNumber != ""
}
