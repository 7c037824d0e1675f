package main

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"strings"
	"sync"
	"time"
)

// tokenLife is how long a token is good; Snowflake takes an hour at most.
const tokenLife = 50 * time.Minute

// key signs tokens of a user.
type key struct {
	private         *rsa.PrivateKey
	subject, issuer string

	mu    sync.Mutex
	token string
	until time.Time
}

var errKey = errors.New(`setting "private_key": not an RSA key in PEM: make one with openssl genrsa 2048 | openssl pkcs8 -topk8 -nocrypt`)

func newKey(o settings) (*key, error) {
	block, _ := pem.Decode([]byte(o.PrivateKey))
	if block == nil {
		return nil, errKey
	}
	var private *rsa.PrivateKey
	if parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
		private, _ = parsed.(*rsa.PrivateKey)
	} else if parsed, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		private = parsed
	}
	if private == nil {
		return nil, errKey
	}
	der, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	if err != nil {
		return nil, errKey
	}
	sum := sha256.Sum256(der)
	// The region of an account locator is not part of its name in tokens.
	account, _, _ := strings.Cut(o.Account, ".")
	subject := strings.ToUpper(account + "." + o.User)
	return &key{private: private, subject: subject, issuer: subject + ".SHA256:" + base64.StdEncoding.EncodeToString(sum[:])}, nil
}

// get returns a token that is good for a while.
func (k *key) get() (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	if now.Add(time.Minute).Before(k.until) {
		return k.token, nil
	}
	claims, err := json.Marshal(map[string]any{"iss": k.issuer, "sub": k.subject, "iat": now.Unix(), "exp": now.Add(tokenLife).Unix()})
	if err != nil {
		return "", err
	}
	encode := base64.RawURLEncoding.EncodeToString
	text := encode([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + encode(claims)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, k.private, crypto.SHA256, sum[:])
	if err != nil {
		return "", errors.New("sign a token: the private key cannot sign")
	}
	k.token, k.until = text+"."+encode(signature), now.Add(tokenLife)
	return k.token, nil
}

// forget makes the next call get a new token.
func (k *key) forget(token string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.token == token {
		k.until = time.Time{}
	}
}
