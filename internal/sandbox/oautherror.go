package sandbox

import (
	"encoding/json"
	"net/http"
)

// A refusal is an error of LWA: HTTP status, error, error_description.
type refusal struct {
	status      int
	code        string
	description string
}

func (f refusal) write(w http.ResponseWriter) {
	writeJSON(w, f.status, f.members(w))
}

func (f refusal) members(w http.ResponseWriter) map[string]any {
	return map[string]any{
		"error":             f.code,
		"error_description": f.description,
		"request_id":        w.Header().Get("x-amzn-RequestId"),
	}
}

func writeJSON(w http.ResponseWriter, status int, body map[string]any) {
	w.Header().Set("Content-Type", jsonType)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Pragma", "no-cache")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}

const jsonType = "application/json;charset=UTF-8"

func missing(parameter string) *refusal {
	return &refusal{http.StatusBadRequest, "invalid_request", "The request is missing a required parameter : " + parameter}
}

func invalid(parameter string) *refusal {
	return &refusal{http.StatusBadRequest, "invalid_request", "The request has an invalid parameter : " + parameter}
}

func invalidValue(parameter string) *refusal {
	return &refusal{http.StatusBadRequest, "InvalidValue", "The request has an invalid parameter : " + parameter}
}

func unreadable() *refusal {
	return &refusal{http.StatusBadRequest, "invalid_request", "The request is malformed"}
}

func invalidCode() *refusal {
	return &refusal{http.StatusBadRequest, "invalid_grant", "The request has an invalid grant parameter : code"}
}

func invalidRefresh() *refusal {
	return &refusal{http.StatusBadRequest, "invalid_grant",
		"The request has an invalid grant parameter : refresh_token. User may have revoked or didn't grant the permission."}
}

func invalidClient() *refusal {
	return &refusal{http.StatusUnauthorized, "invalid_client", "Client authentication failed"}
}

func invalidScope(scope string) *refusal {
	return &refusal{http.StatusBadRequest, "invalid_scope", "Client does not have permission to use scope : " + scope}
}

func unauthorizedClient() *refusal {
	return &refusal{http.StatusBadRequest, "unauthorized_client", "Not authorized for requested operation"}
}

func unsupportedGrant() *refusal {
	return &refusal{http.StatusBadRequest, "unsupported_grant_type", "The authorization grant type is not supported by the authorization server"}
}

func authorizationPending() *refusal {
	return &refusal{http.StatusBadRequest, "authorization_pending", "The user has not yet decided about the code pair"}
}

func slowDown() *refusal {
	return &refusal{http.StatusBadRequest, "slow_down", "The code pair is polled too often"}
}

func invalidCodePair() *refusal {
	return &refusal{http.StatusBadRequest, "invalid_code_pair", "The code pair is unknown, expired or used"}
}

func accessDenied() *refusal {
	return &refusal{http.StatusBadRequest, "access_denied", "Access not permitted."}
}

func throttled() *refusal {
	return &refusal{http.StatusTooManyRequests, "throttling", "Rate exceeded"}
}

func serverError(text string) *refusal {
	return &refusal{http.StatusInternalServerError, "servererror", text}
}

// refusalNamed is the refusal that a fault asks for by its error, as it would be
// worded for a request.
func refusalNamed(code string, request *tokenRequest) *refusal {
	switch code {
	case "invalid_grant":
		if request.get("grant_type") == "refresh_token" {
			return invalidRefresh()
		}
		return invalidCode()
	case "invalid_client":
		return invalidClient()
	case "unauthorized_client":
		return unauthorizedClient()
	case "invalid_request":
		return unreadable()
	case "InvalidValue":
		return invalidValue("client_id")
	case "invalid_scope":
		return invalidScope(request.get("scope"))
	case "unsupported_grant_type":
		return unsupportedGrant()
	case "authorization_pending":
		return authorizationPending()
	case "slow_down":
		return slowDown()
	case "invalid_code_pair":
		return invalidCodePair()
	}
	return serverError("The server encountered a runtime error")
}
