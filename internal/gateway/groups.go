package gateway

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/rung-dev/rung"
)

// Groups says where a caller's access groups come from, beside the key: a signed token, or a header that a proxy of one's own sets.
type Groups struct {
	Header      string // believed from Trusted only
	Trusted     []netip.Prefix
	TokenHeader string
	Issuer      string // that tokens must name; empty: any
	Audience    string
	Required    bool // no answer without a token
	verify      verifier
}

const maxGroups = 256

// of is the union of the groups that the key, the token and the trusted header give. A token that is not valid is an error and not
// no groups: its sender thinks it is.
func (g *Groups) of(r *http.Request, a *account) ([]string, error) {
	var groups []string
	if a != nil {
		groups = append(groups, a.key.Groups...)
	}
	if g.verify != nil {
		token := r.Header.Get(g.TokenHeader)
		if rest, ok := strings.CutPrefix(token, "Bearer "); ok {
			token = rest
		}
		switch {
		case token != "":
			claims, err := verify(token, g, time.Now())
			if err != nil {
				return nil, &rung.Error{Code: rung.CodeAuth, What: "the token in " + g.TokenHeader + " is not valid: " + err.Error(), Do: "send a new one"}
			}
			groups = append(groups, claims...)
		case g.Required:
			return nil, &rung.Error{Code: rung.CodeAuth, What: "there is no token in " + g.TokenHeader, Do: "send one"}
		}
	}
	if g.Header != "" && g.trusts(r.RemoteAddr) {
		for _, v := range r.Header.Values(g.Header) {
			for _, name := range strings.Split(v, ",") {
				if name = strings.TrimSpace(name); name != "" {
					groups = append(groups, name)
				}
			}
		}
	}
	if len(groups) > maxGroups {
		return nil, bad("there are more than %d access groups", maxGroups)
	}
	slices.Sort(groups)
	return slices.Compact(groups), nil
}

// trusts says whether the peer itself, and not what it says about itself, is one of ours.
func (g *Groups) trusts(remote string) bool {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return false
	}
	ip := at.Addr().Unmap()
	return slices.ContainsFunc(g.Trusted, func(p netip.Prefix) bool { return p.Contains(ip) })
}
