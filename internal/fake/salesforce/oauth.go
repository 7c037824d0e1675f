package salesforce

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// token answers the token endpoint.
func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := r.ParseForm(); err != nil {
		refuseToken(w, "invalid_request", "malformed body")
		return
	}
	if f, ok := s.faults.request(r); ok {
		if f.Status >= http.StatusInternalServerError {
			answer(w, f.Status, []any{problem(f.Code, f.Message).encode("errorCode")})
			return
		}
		refuseToken(w, f.Code, f.Message)
		return
	}
	knows := r.PostForm.Get("client_id") == s.options.ClientID && r.PostForm.Get("client_secret") == s.options.ClientSecret
	switch r.PostForm.Get("grant_type") {
	case "client_credentials":
		if !knows {
			refuseToken(w, "invalid_client", "invalid client credentials")
			return
		}
	case "refresh_token":
		if !knows {
			refuseToken(w, "invalid_client", "invalid client credentials")
			return
		}
		if r.PostForm.Get("refresh_token") != s.options.RefreshToken {
			refuseToken(w, "invalid_grant", "expired access/refresh token")
			return
		}
	case "urn:ietf:params:oauth:grant-type:jwt-bearer":
		if err := s.assertion(r.PostForm.Get("assertion")); err != nil {
			refuseToken(w, "invalid_grant", err.Error())
			return
		}
	default:
		refuseToken(w, "unsupported_grant_type", "grant type not supported")
		return
	}
	s.issued++
	token := fmt.Sprintf("00Dxx0000000001!AQ%d", s.issued)
	s.tokens[token] = -1
	if s.faults.tokenRequests > 0 {
		s.tokens[token] = s.faults.tokenRequests
		s.faults.tokenRequests = 0
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	answer(w, http.StatusOK, map[string]string{
		"access_token": token, "instance_url": scheme + "://" + r.Host, "token_type": "Bearer",
		"id":        "https://login.salesforce.com/id/00Dxx0000000001/005xx0000000001",
		"issued_at": fmt.Sprint(time.Now().UnixMilli()), "signature": "c2lnbmF0dXJl",
	})
}

func refuseToken(w http.ResponseWriter, code, description string) {
	answer(w, http.StatusBadRequest, map[string]string{"error": code, "error_description": description})
}

// assertion checks a JWT: its signature, who it is from and for, and its time.
func (s *Server) assertion(text string) error {
	parts := strings.Split(text, ".")
	if len(parts) != 3 || len(s.options.PublicKey) == 0 {
		return fmt.Errorf("invalid assertion")
	}
	block, _ := pem.Decode(s.options.PublicKey)
	if block == nil {
		return fmt.Errorf("the fake's public key is not PEM")
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return fmt.Errorf("the fake's public key: %w", err)
	}
	key, ok := parsed.(*rsa.PublicKey)
	if !ok {
		return fmt.Errorf("the fake's public key is not RSA")
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err != nil || rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], signature) != nil {
		return fmt.Errorf("invalid assertion")
	}
	var claims struct {
		Issuer   string `json:"iss"`
		Subject  string `json:"sub"`
		Audience string `json:"aud"`
		Expires  int64  `json:"exp"`
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(payload, &claims) != nil {
		return fmt.Errorf("invalid assertion")
	}
	left := time.Until(time.Unix(claims.Expires, 0))
	switch {
	case claims.Issuer != s.options.ClientID:
		return fmt.Errorf("client identifier invalid")
	case claims.Subject != s.options.Username:
		return fmt.Errorf("user hasn't approved this consumer")
	case claims.Audience != "https://login.salesforce.com" && claims.Audience != "https://test.salesforce.com":
		return fmt.Errorf("audience is invalid")
	case left <= 0 || left > 5*time.Minute:
		return fmt.Errorf("assertion is expired, or expires too late")
	}
	return nil
}
