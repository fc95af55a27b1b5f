package gateway

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"os"
	"strings"
	"time"

	"github.com/tidwall/gjson"
)

// verifier checks a signature over signed with the one algorithm that it is for: what a token says about its algorithm chooses
// nothing.
type verifier interface {
	alg() string
	valid(signed, signature []byte) bool
}

type hs256 []byte

func (hs256) alg() string { return "HS256" }

func (k hs256) valid(signed, signature []byte) bool {
	m := hmac.New(sha256.New, k)
	m.Write(signed)
	return hmac.Equal(m.Sum(nil), signature)
}

type edDSA ed25519.PublicKey

func (edDSA) alg() string { return "EdDSA" }

func (k edDSA) valid(signed, signature []byte) bool {
	return len(signature) == ed25519.SignatureSize && ed25519.Verify(ed25519.PublicKey(k), signed, signature)
}

// newVerifier reads the HS256 secret from a variable of the environment or the Ed25519 public key from a PEM file. where names it.
func newVerifier(env, file string) (v verifier, where string, err error) {
	if env != "" {
		secret := os.Getenv(env)
		if len(secret) < 32 {
			return nil, env, errors.New("the secret in " + env + " has fewer than 32 bytes")
		}
		return hs256(secret), env, nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, file, errors.New("the public key cannot be read")
	}
	block, _ := pem.Decode(b)
	if block == nil {
		return nil, file, errors.New("the public key is not PEM")
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, file, errors.New("the public key cannot be read: " + err.Error())
	}
	public, ok := key.(ed25519.PublicKey)
	if !ok {
		return nil, file, errors.New("the public key is not Ed25519")
	}
	return edDSA(public), file, nil
}

const (
	maxToken  = 16 << 10
	clockSkew = time.Minute
)

var (
	errToken   = errors.New("it is no signed token")
	errAlg     = errors.New("its algorithm is not the one that is expected")
	errSigned  = errors.New("its signature is wrong")
	errExpired = errors.New("it has expired, or has no expiry")
	errEarly   = errors.New("it is not valid yet")
	errIssuer  = errors.New("it is for somebody else")
	errGroups  = errors.New("its groups are not a list of names")
)

// verify checks a JWT (RFC 7519) and gives its groups. A token without expiry is refused: it could never be taken back.
func verify(token string, g *Groups, now time.Time) ([]string, error) {
	head, rest, ok := strings.Cut(token, ".")
	payload, sig, ok2 := strings.Cut(rest, ".")
	if len(token) > maxToken || !ok || !ok2 || strings.Contains(sig, ".") {
		return nil, errToken
	}
	enc := base64.RawURLEncoding.Strict()
	h, err1 := enc.DecodeString(head)
	p, err2 := enc.DecodeString(payload)
	s, err3 := enc.DecodeString(sig)
	if err1 != nil || err2 != nil || err3 != nil || checkJSON(h) != nil || checkJSON(p) != nil {
		return nil, errToken
	}
	header := gjson.ParseBytes(h)
	if header.Get("alg").Str != g.verify.alg() || header.Get("crit").Exists() {
		return nil, errAlg
	}
	if !g.verify.valid([]byte(head+"."+payload), s) {
		return nil, errSigned
	}
	return claims(gjson.ParseBytes(p), g, now)
}

func claims(v gjson.Result, g *Groups, now time.Time) ([]string, error) {
	exp, nbf := v.Get("exp"), v.Get("nbf")
	if exp.Type != gjson.Number || !now.Add(-clockSkew).Before(seconds(exp)) {
		return nil, errExpired
	}
	if nbf.Exists() && now.Add(clockSkew).Before(seconds(nbf)) {
		return nil, errEarly
	}
	if g.Issuer != "" && v.Get("iss").Str != g.Issuer {
		return nil, errIssuer
	}
	if g.Audience != "" && !audience(v.Get("aud"), g.Audience) {
		return nil, errIssuer
	}
	list := v.Get("groups")
	if !list.Exists() {
		return nil, nil
	}
	if !list.IsArray() {
		return nil, errGroups
	}
	var groups []string
	for _, name := range list.Array() {
		if name.Type != gjson.String || name.Str == "" {
			return nil, errGroups
		}
		groups = append(groups, name.Str)
	}
	return groups, nil
}

// seconds is a NumericDate; one beyond all calendars does not overflow.
func seconds(v gjson.Result) time.Time { return time.Unix(int64(min(max(v.Num, 0), 1e11)), 0) }

func audience(v gjson.Result, want string) bool {
	if v.Type == gjson.String {
		return v.Str == want
	}
	for _, a := range v.Array() {
		if a.Str == want {
			return true
		}
	}
	return false
}
