package pii

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"strings"
)

// Secrets are found by the beginnings that their issuers give them, by their structure (JWT, PEM), and, after a word such as
// "password", by how random they look.

// secretRule marks findings that are secrets, whatever their type.
const secretRule = "secret"

// findSecrets finds secrets in a text as it is seen, none overlapping.
func findSecrets(text string, found []span) []span {
	found = findPEM(text, found)
	found = findTokens(text, found)
	found = findPasswords(text, found)
	for i := range found {
		found[i].rule = secretRule
	}
	return Disjoint(found, (*span).bounds)
}

// findPEM finds private keys. One without an end is hidden to the end of its lines of base64.
func findPEM(text string, found []span) []span {
	const begin = "-----BEGIN "
	for from := 0; ; {
		i := strings.Index(text[from:], begin)
		if i < 0 {
			return found
		}
		i += from
		from = i + len(begin)
		label := text[from:min(len(text), from+64)]
		dashes := strings.Index(label, "-----")
		if dashes < 0 || !strings.Contains(label[:dashes], "PRIVATE KEY") {
			continue
		}
		end := from + dashes + 5
		for end < len(text) && (alnum(text[end]) || strings.IndexByte("+/=\r\n \\:,-", text[end]) >= 0) {
			if strings.HasPrefix(text[end:], "-----END ") {
				if k := strings.Index(text[end+9:min(len(text), end+80)], "-----"); k >= 0 {
					end += 9 + k + 5
				}
				break
			}
			end++
		}
		found = append(found, span{start: i, end: end, kind: "PRIVATE_KEY"})
		from = end
	}
}

// issued is a kind of secret that starts with something that its issuer chose.
type issued struct {
	prefix   string
	kind     string
	min, max int // characters after the prefix
	upper    bool
}

// issuedSecrets are checked in this order; longer beginnings come first.
var issuedSecrets = []issued{
	{"github_pat_", "GITHUB_TOKEN", 22, 255, false}, {"ghp_", "GITHUB_TOKEN", 30, 255, false}, {"gho_", "GITHUB_TOKEN", 30, 255, false},
	{"ghu_", "GITHUB_TOKEN", 30, 255, false}, {"ghs_", "GITHUB_TOKEN", 30, 255, false}, {"ghr_", "GITHUB_TOKEN", 30, 255, false},
	{"glpat-", "GITLAB_TOKEN", 20, 64, false}, {"glrt-", "GITLAB_TOKEN", 20, 64, false}, {"sk-ant-", "API_KEY", 24, 200, false},
	{"sk-proj-", "API_KEY", 24, 250, false}, {"sk-or-", "API_KEY", 24, 200, false}, {"sk-", "API_KEY", 20, 200, false},
	{"sk_live_", "API_KEY", 16, 200, false}, {"sk_test_", "API_KEY", 16, 200, false}, {"rk_live_", "API_KEY", 16, 200, false},
	{"pk_live_", "API_KEY", 16, 200, false}, {"whsec_", "API_KEY", 24, 100, false}, {"AKIA", "AWS_KEY", 16, 16, true},
	{"ASIA", "AWS_KEY", 16, 16, true}, {"AIza", "GOOGLE_KEY", 35, 35, false}, {"ya29.", "GOOGLE_KEY", 30, 400, false},
	{"GOCSPX-", "GOOGLE_KEY", 20, 60, false}, {"xoxb-", "SLACK_TOKEN", 20, 200, false}, {"xoxp-", "SLACK_TOKEN", 20, 200, false},
	{"xoxa-", "SLACK_TOKEN", 20, 200, false}, {"xoxr-", "SLACK_TOKEN", 20, 200, false}, {"xapp-", "SLACK_TOKEN", 20, 200, false},
	{"SG.", "API_KEY", 40, 100, false}, {"hf_", "API_KEY", 30, 60, false}, {"npm_", "API_KEY", 36, 36, false}, {"pypi-", "API_KEY", 60, 300, false},
	{"dop_v1_", "API_KEY", 60, 70, false}, {"key-", "API_KEY", 32, 32, false}, {"shpat_", "API_KEY", 32, 32, false}, {"lin_api_", "API_KEY", 32, 64, false},
	{"gsk_", "API_KEY", 40, 80, false}, {"r8_", "API_KEY", 36, 40, false}, {"dapi", "API_KEY", 32, 36, false}, {"rung_", "API_KEY", 32, 100, false},
	{"hvs.", "API_KEY", 24, 200, false}, {"AGE-SECRET-KEY-1", "PRIVATE_KEY", 50, 70, true},
}

// tokenByte are the bytes that secrets are made of.
func tokenByte(c byte) bool { return alnum(c) || strings.IndexByte("_-./+=~", c) >= 0 }

// findTokens looks at each run of token bytes from its start and after each = and / inside of it: keys stand in URLs too.
func findTokens(text string, found []span) []span {
	for i := 0; i < len(text); {
		if !tokenByte(text[i]) {
			i++
			continue
		}
		end := i
		for end < len(text) && tokenByte(text[end]) {
			end++
		}
		if end-i >= 16 {
			found = tokensIn(text, i, end, found)
		}
		i = end
	}
	return found
}

func tokensIn(text string, start, end int, found []span) []span {
	for i := start; i < end; i++ {
		if i > start && strings.IndexByte("=/.-+~", text[i-1]) < 0 {
			continue
		}
		if sp, ok := secretAt(text, i, end); ok {
			found = append(found, sp)
			i = sp.end - 1
		}
	}
	return found
}

func secretAt(text string, i, end int) (span, bool) {
	s := text[i:end]
	if strings.HasPrefix(s, "eyJ") && (i == 0 || text[i-1] != '-') { // - is a character of the token itself
		if n := jwt(s); n > 0 {
			return span{start: i, end: i + n, kind: "JWT"}, true
		}
	}
	for _, k := range issuedSecrets {
		rest, ok := strings.CutPrefix(s, k.prefix)
		if !ok {
			continue
		}
		n := 0
		for n < len(rest) && n <= k.max && (alnum(rest[n]) || rest[n] == '_' || rest[n] == '-' || rest[n] == '.' && k.max > 64) {
			n++
		}
		n = len(strings.TrimRight(rest[:n], ".-"))
		if n < k.min || n > k.max || k.upper && rest[:n] != strings.ToUpper(rest[:n]) || !random(rest[:n], 2.5) {
			return span{}, false
		}
		return span{start: i, end: i + len(k.prefix) + n, kind: k.kind}, true
	}
	return span{}, false
}

// maxJWTHead bounds what is decoded of a token's first part.
const maxJWTHead = 2000

// jwt is the length of the JSON web token at the start of s: three parts in base64 of which the first is a JSON object with an
// algorithm. 0 when there is none.
func jwt(s string) int {
	first := 0
	for first < len(s) && first <= maxJWTHead && (alnum(s[first]) || s[first] == '_' || s[first] == '-') {
		first++
	}
	if first < 10 || first >= len(s) || s[first] != '.' {
		return 0
	}
	head, err := base64.RawURLEncoding.DecodeString(s[:first])
	var fields struct {
		Alg string `json:"alg"`
	}
	if err != nil || json.Unmarshal(head, &fields) != nil || fields.Alg == "" {
		return 0
	}
	n, dots := 0, 0
	for n < len(s) && (alnum(s[n]) || strings.IndexByte("_-=", s[n]) >= 0 || s[n] == '.' && dots < 4) {
		if s[n] == '.' {
			dots++
		}
		n++
	}
	if dots < 2 {
		return 0
	}
	return len(strings.TrimRight(s[:n], "."))
}

// secretWords come before a value that is secret.
var secretWords = []string{"password", "passwd", "passphrase", "pwd", "secret", "api_key", "apikey", "api key", "api-key", "access_key", "access key", "accesskey",
	"auth_token", "access_token", "token", "private_key", "client_secret", "accountkey", "sharedaccesskey", "credential", "bearer", "passwort", "authorization"}

// findPasswords finds values after a secret word and a separator, and user:password@ in URLs. A value after "password" need
// only look unlike a word; after other words it must look random.
func findPasswords(text string, found []span) []span {
	lower := strings.ToLower(text)
	if len(lower) != len(text) { // a few letters change their length with their case
		lower = asciiLower(text)
	}
	for _, w := range secretWords {
		for from := 0; ; {
			i := strings.Index(lower[from:], w)
			if i < 0 {
				break
			}
			i += from
			from = i + len(w)
			if start := valueAfter(lower, from, w == "bearer"); start > 0 {
				password := strings.HasPrefix(w, "pass") || w == "pwd"
				end := valueEnd(text, start)
				if amp := strings.IndexByte(text[start:end], '&'); amp >= 0 && !password { // the next parameter of a URL
					end = start + amp
				}
				if secretValue(text[start:end], password) {
					found = append(found, span{start: start, end: end, kind: "SECRET"})
				}
			}
		}
	}
	return findURLPasswords(text, found)
}

func asciiLower(text string) string {
	b := []byte(text)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c | 0x20
		}
	}
	return string(b)
}

// valueAfter is where the value starts after a separator (: = => "is"), 0 when none follows.
func valueAfter(lower string, i int, bare bool) int {
	limit := min(len(lower), i+24)
	separated := bare
	for i < limit {
		switch c := lower[i]; {
		case c == ':' || c == '=' || c == '>':
			separated = true
			i++
		case c == ' ' || c == '"' || c == '\'' || c == '`' || c == '\t' || c == '\\':
			i++
		case strings.HasPrefix(lower[i:], "is ") || strings.HasPrefix(lower[i:], "ist "):
			separated = true
			i += 3
		case strings.HasPrefix(lower[i:], "bearer ") || strings.HasPrefix(lower[i:], "basic "):
			i += 6
		default:
			if !separated {
				return 0
			}
			return i
		}
	}
	return 0
}

func valueEnd(text string, i int) int {
	end := i
	for end < len(text) && end-i < 400 && text[end] > ' ' && text[end] < 0x7f && strings.IndexByte("\"'`,;<>(){}[]\\", text[end]) < 0 {
		end++
	}
	for end > i && strings.IndexByte(".!?:", text[end-1]) >= 0 {
		end--
	}
	return end
}

func secretValue(v string, password bool) bool {
	if strings.Contains(v, "://") || strings.Trim(v, "*x.X-_") == "" {
		return false
	}
	if password {
		return len(v) >= 6 && classes(v) >= 2 && (classes(v) >= 3 || strings.ContainsAny(v, "0123456789"))
	}
	return len(v) >= 16 && classes(v) >= 2 && strings.ContainsAny(v, "0123456789") && random(v, 3)
}

// classes counts the kinds of characters: small letters, capitals, digits, others.
func classes(s string) int {
	var small, capital, digits, other int
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z':
			small = 1
		case c >= 'A' && c <= 'Z':
			capital = 1
		case digit(c):
			digits = 1
		default:
			other = 1
		}
	}
	return small + capital + digits + other
}

// random reports whether the characters of s have at least that entropy, in bits each (Shannon's, of their frequencies).
func random(s string, bits float64) bool {
	var counts [256]int
	for i := range len(s) {
		counts[s[i]]++
	}
	sum := 0.0
	for _, n := range counts {
		if n > 0 {
			p := float64(n) / float64(len(s))
			sum -= p * math.Log2(p)
		}
	}
	return sum >= bits
}

// findURLPasswords finds the password of scheme://user:password@host.
func findURLPasswords(text string, found []span) []span {
	for from := 0; ; {
		i := strings.Index(text[from:], "://")
		if i < 0 {
			return found
		}
		i += from + 3
		from = i
		end := i
		for end < len(text) && end-i < 300 && text[end] > ' ' && text[end] != '/' && text[end] != '"' && text[end] != '\'' {
			end++
		}
		at := strings.LastIndexByte(text[i:end], '@')
		colon := strings.IndexByte(text[i:end], ':')
		if colon >= 0 && at > colon+1 {
			found = append(found, span{start: i + colon + 1, end: i + at, kind: "SECRET"})
		}
	}
}
