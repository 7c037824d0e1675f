package snowflake

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
)

// known reports whether a request has a token of a user, signed with his key, that
// is good for no longer than an hour.
func (s *Server) known(r *http.Request) bool {
	if len(s.options.Users) == 0 {
		return true
	}
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	parts := strings.Split(token, ".")
	if len(parts) != 3 || r.Header.Get("X-Snowflake-Authorization-Token-Type") != "KEYPAIR_JWT" {
		return false
	}
	var claims struct {
		Issuer  string `json:"iss"`
		Subject string `json:"sub"`
		Issued  int64  `json:"iat"`
		Expires int64  `json:"exp"`
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	signature, err2 := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || err2 != nil || json.Unmarshal(body, &claims) != nil {
		return false
	}
	s.mu.Lock()
	key, ok := s.options.Users[claims.Subject]
	s.mu.Unlock()
	now := s.options.Now().Unix()
	if !ok || claims.Issuer != claims.Subject+".SHA256:"+fingerprint(key) || claims.Issued > now+60 || claims.Expires <= now || claims.Expires-claims.Issued > 3600 {
		return false
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	return rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature) == nil
}

func fingerprint(key *rsa.PublicKey) string {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil { // an RSA key always marshals
		panic(err)
	}
	sum := sha256.Sum256(der)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// SetKey gives a user another key, as an administrator who rotates keys does.
func (s *Server) SetKey(user string, key *rsa.PublicKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.options.Users[user] = key
}
