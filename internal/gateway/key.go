package gateway

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/rung-dev/rung"
)

// Scopes of keys.
const (
	ScopeServe    = "serve"    // ask models
	ScopeFeedback = "feedback" // say how an answer was
	ScopeRead     = "read"     // metrics
	ScopeAdmin    = "admin"    // all of it
)

// Scopes are all scopes.
var Scopes = []string{ScopeServe, ScopeFeedback, ScopeRead, ScopeAdmin}

// KeyPrefix begins every key, so that secret scanners know one when they see it.
const KeyPrefix = "rk_"

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// keyDigits hold 256 bits: 62^43 > 2^256.
const keyDigits = 43

// NewKey makes a key of 256 random bits and its hash. The key is shown once; only the hash is kept.
func NewKey() (key string, hash []byte) {
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails (crypto/rand)
	n := new(big.Int).SetBytes(random[:])
	digits := make([]byte, keyDigits)
	base, rest := big.NewInt(62), new(big.Int)
	for i := len(digits) - 1; i >= 0; i-- {
		n.DivMod(n, base, rest)
		digits[i] = base62[rest.Int64()]
	}
	key = KeyPrefix + string(digits)
	return key, HashKey(key)
}

// HashKey is what is kept of a key. A fast hash is enough: nobody guesses 256 random bits.
func HashKey(key string) []byte {
	sum := sha256.Sum256([]byte(key))
	return sum[:]
}

// keyOf is the key that a request brings: as a bearer token, or in Anthropic's header.
func keyOf(r *http.Request) string {
	if h := r.Header["Authorization"]; len(h) > 0 {
		if scheme, token, ok := strings.Cut(h[0], " "); ok && strings.EqualFold(scheme, "Bearer") {
			return strings.TrimSpace(token)
		}
	}
	if h := r.Header["X-Api-Key"]; len(h) > 0 {
		return h[0]
	}
	return ""
}

var errNoKey = &rung.Error{Code: rung.CodeAuth, What: "there is no valid key in the request", Do: "send one that rung keys add made, as a bearer token or in x-api-key"}

// find gives the account of a key; nil, nil where the gateway is open to this machine. An unknown, expired or revoked key is one
// and the same error.
func (s *state) find(r *http.Request, public bool) (*account, error) {
	if !s.anyKeys && !public {
		return nil, onlyLocal(r)
	}
	hash := sha256.Sum256([]byte(keyOf(r)))
	a := s.keys[hash]
	if a == nil || subtle.ConstantTimeCompare(a.key.Hash, hash[:]) != 1 || a.ended(time.Now()) {
		return nil, errNoKey
	}
	return a, nil
}

// may says whether a key allows something; no key is a gateway that is open to this machine.
func (a *account) may(scope string) error {
	if a == nil || slices.Contains(a.key.Scopes, scope) || slices.Contains(a.key.Scopes, ScopeAdmin) {
		return nil
	}
	return &rung.Error{Code: rung.CodeDenied, What: "the key does not have the scope " + scope, Do: "use one that has it"}
}

// mayAsk says whether a key may ask for a model: a task's name, provider/name, or provider/* in its list; all where it has none.
func (a *account) mayAsk(name string) error {
	if a == nil || len(a.key.Tasks) == 0 || slices.Contains(a.key.Tasks, name) {
		return nil
	}
	if provider, _, ok := strings.Cut(name, "/"); ok && slices.Contains(a.key.Tasks, provider+"/*") {
		return nil
	}
	return &rung.Error{Code: rung.CodeDenied, What: "the key does not allow " + clipName(name), Do: "use one that does"}
}

func clipName(s string) string {
	if len(s) > 100 {
		s = s[:100]
	}
	return s
}

// ended reports whether a key has expired or was revoked.
func (a *account) ended(now time.Time) bool {
	k := &a.key
	return !k.Revoked.IsZero() && !now.Before(k.Revoked) || !k.Expires.IsZero() && !now.Before(k.Expires)
}

// onlyLocal keeps web pages out of a gateway that asks for no key: a page may not call it by another name for this machine's
// address (DNS rebinding), nor from its own origin.
func onlyLocal(r *http.Request) error {
	if !loopbackHost(r.Host) {
		return &rung.Error{Code: rung.CodeDenied, What: "this gateway has no keys and answers to this machine's own names only", Do: "call it as localhost, or make a key"}
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		_, host, _ := strings.Cut(origin, "://")
		if !loopbackHost(host) {
			return &rung.Error{Code: rung.CodeDenied, What: "this gateway has no keys and does not answer web pages", Do: "make a key"}
		}
	}
	return nil
}
