package hubspot

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
)

// portal is the account's number.
const portal = 891936587

// apiError is HubSpot's error body, of an answer and of one input of a batch.
type apiError struct {
	Status        string       `json:"status"`
	Category      string       `json:"category,omitempty"`
	Message       string       `json:"message"`
	CorrelationID string       `json:"correlationId,omitempty"`
	Context       errorContext `json:"context,omitzero"`
	Errors        []apiError   `json:"errors,omitempty"`
	ErrorType     string       `json:"errorType,omitempty"`
	PolicyName    string       `json:"policyName,omitempty"`
}

type errorContext struct {
	IDs      []string `json:"ids,omitempty"`
	TraceIDs []string `json:"objectWriteTraceId,omitempty"`
	Scopes   []string `json:"requiredGranularScopes,omitempty"`
}

func fail(status int, category, message string) answer {
	return answer{status: status, body: apiError{
		Status: "error", Category: category, Message: message, CorrelationID: "aeb5f871-7f07-4993-9211-075dc63e7cbf",
	}}
}

func rateLimited(policy string) answer {
	return answer{status: http.StatusTooManyRequests, body: apiError{
		Status: "error", Message: "You have reached your " + strings.ToLower(policy) + " limit.",
		ErrorType: "RATE_LIMIT", PolicyName: policy, CorrelationID: "c033cdaa-2c40-4a64-ae48-b4cec88dad24",
	}}
}

// invalid is the message for values that do not fit.
func invalid(code, property, message string) apiError {
	detail, err := json.Marshal([]map[string]any{{
		"isValid": false, "message": message, "error": code, "name": property, "localizedErrorMessage": message, "portalId": portal,
	}})
	if err != nil { // strings and numbers always marshal
		panic(err)
	}
	return apiError{Status: "error", Category: "VALIDATION_ERROR", Message: "Property values were not valid: " + string(detail)}
}

func unknownProperty(name string) apiError {
	return invalid("PROPERTY_DOESNT_EXIST", name, "Property "+strconv.Quote(name)+" does not exist")
}
