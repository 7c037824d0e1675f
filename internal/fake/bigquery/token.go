package bigquery

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
)

// token gives a token for the signed assertion of a service account.
func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if r.PostFormValue("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" || !s.signed(r.PostFormValue("assertion")) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"error":"invalid_grant","error_description":"Invalid JWT Signature."}`))
		return
	}
	token := "fake-" + rand.Text()
	s.mu.Lock()
	s.tokens[token] = s.options.Now().Add(s.options.TokenLife)
	s.mu.Unlock()
	_ = json.NewEncoder(w).Encode(map[string]any{"access_token": token, "token_type": "Bearer", "expires_in": int(s.options.TokenLife.Seconds())})
}

// signed reports whether the assertion was signed by an account, just now.
func (s *Server) signed(assertion string) bool {
	parts := strings.Split(assertion, ".")
	if len(parts) != 3 {
		return false
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	signature, err2 := base64.RawURLEncoding.DecodeString(parts[2])
	var claims struct {
		Issuer  string `json:"iss"`
		Expires int64  `json:"exp"`
	}
	if err != nil || err2 != nil || json.Unmarshal(body, &claims) != nil {
		return false
	}
	key, ok := s.options.Accounts[claims.Issuer]
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	return ok && claims.Expires > s.options.Now().Unix() && rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature) == nil
}

// known reports whether a request has a token that is good.
func (s *Server) known(r *http.Request) bool {
	if len(s.options.Accounts) == 0 {
		return true
	}
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	s.mu.Lock()
	defer s.mu.Unlock()
	end, ok := s.tokens[token]
	return ok && s.options.Now().Before(end)
}
