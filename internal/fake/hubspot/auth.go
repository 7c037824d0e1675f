package hubspot

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// tokenLife is how long HubSpot's access tokens live.
const tokenLife = 30 * time.Minute

// authorize refuses a call without a valid token or scope.
func (s *Server) authorize(r *http.Request) (answer, bool) {
	token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	ends, given := s.tokens[token]
	switch {
	case !bearer || token == "":
		return fail(http.StatusUnauthorized, "INVALID_AUTHENTICATION", "Authentication credentials not found."), true
	case given && s.options.Now().Before(ends), s.options.Token != "" && token == s.options.Token:
	case given, strings.HasPrefix(token, accessPrefix):
		return fail(http.StatusUnauthorized, "EXPIRED_AUTHENTICATION", "The OAuth token used to make this call expired."), true
	default:
		// HubSpot does not echo it. Who logs this body must be safe all the same.
		return fail(http.StatusUnauthorized, "INVALID_AUTHENTICATION", "Authentication credentials not found. Got "+token), true
	}
	if scopes := s.faults.MissingScopes; len(scopes) > 0 {
		a := fail(http.StatusForbidden, "MISSING_SCOPES", "This app hasn't been granted all required scopes to make this call.")
		body := a.body.(apiError)
		body.Errors = []apiError{{Message: "One or more of the following scopes are required.", Context: errorContext{Scopes: slices.Clone(scopes)}}}
		a.body = body
		return a, true
	}
	return answer{}, false
}

const accessPrefix = "access-"

// oauth gives out an access token for the refresh token.
func (s *Server) oauth(r *http.Request, path []string, body []byte) answer {
	form, err := url.ParseQuery(string(body))
	if path[1] != "token" || r.Method != http.MethodPost || err != nil {
		return fail(http.StatusNotFound, "", "resource not found")
	}
	o := s.options
	if o.RefreshToken == "" || form.Get("grant_type") != "refresh_token" || form.Get("client_id") != o.ClientID ||
		form.Get("client_secret") != o.ClientSecret || form.Get("refresh_token") != o.RefreshToken {
		return answer{status: http.StatusBadRequest, body: map[string]any{
			"error": "invalid_grant", "error_description": "missing or invalid refresh token " + form.Get("refresh_token"), "status": "BAD_REFRESH_TOKEN",
		}}
	}
	s.nextID++
	token := fmt.Sprintf("%s%d", accessPrefix, s.nextID)
	s.tokens[token] = o.Now().Add(tokenLife)
	return answer{status: http.StatusOK, body: map[string]any{
		"access_token": token, "refresh_token": o.RefreshToken, "token_type": "bearer", "expires_in": int(tokenLife / time.Second), "hub_id": portal,
	}}
}
