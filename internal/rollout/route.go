package rollout

import (
	"sync/atomic"

	"github.com/rung-dev/rung"
)

// Assignment says who answers a request.
type Assignment struct {
	Version string // empty: the alias points nowhere
	Rollout string // id of the rollout that the request counts in; empty: none
	Arm     string // Baseline or Target; for the request of a shadow rollout Baseline. Empty without a rollout
	Shadow  string // version that answers too and is never returned; empty: none
	// Repeat: the sticky key has counted already, so the request is not to be observed. It still belongs to its arm. Requests of
	// one person are alike: counted one by one they would be taken for more evidence than they are.
	Repeat bool
}

// Judged reports whether the request is to be observed.
func (a Assignment) Judged() bool { return a.Rollout != "" && !a.Repeat }

type aliasKey struct{ task, alias string }

// snapshot is what routing reads. It never changes; a new one takes its place.
type snapshot struct {
	revision int64
	aliases  map[aliasKey]string
	active   map[aliasKey]*live
	byID     map[string]*live
}

// live is a rollout with this gateway's part in it. A changed rollout is a new live with the same tally and keys.
type live struct {
	rollout rung.Rollout
	tally   *Tally
	keys    *seenKeys
}

// Route says who answers. key is what an A/B rollout sticks to, such as the caller's user id; without one, chance decides as for
// a canary. random is uniform on [0, 1).
func (c *Controller) Route(task, alias, key string, random float64) Assignment {
	s := c.now.Load()
	at := aliasKey{task, alias}
	version := s.aliases[at]
	l := s.active[at]
	if l == nil {
		return Assignment{Version: version}
	}
	r := &l.rollout
	switch {
	case r.Mode == rung.Shadow && random >= r.Share:
		return Assignment{Version: version}
	case r.Mode == rung.Shadow:
		return Assignment{Version: version, Rollout: r.ID, Arm: Baseline, Shadow: r.Target}
	}
	a := Assignment{Version: r.Baseline, Rollout: r.ID, Arm: Baseline}
	if r.Mode == rung.AB && key != "" {
		h := hash(r.ID, key)
		random, a.Repeat = unit(h), l.keys.add(h)
	}
	if random < r.Share {
		a.Version, a.Arm = r.Target, Target
	}
	return a
}

// hash is FNV-1a of both with a zero byte between, its bits mixed by the finalizer of splitmix64 (Steele, Lea & Flood 2014). It
// depends on nothing else, so every gateway gives a key the same arm, and an arm keeps its keys when its share grows.
func hash(id, key string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(id) {
		h = (h ^ uint64(id[i])) * 1099511628211
	}
	h *= 1099511628211
	for i := range len(key) {
		h = (h ^ uint64(key[i])) * 1099511628211
	}
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

// unit maps a hash to [0, 1).
func unit(h uint64) float64 { return float64(h>>11) / (1 << 53) }

// seenKeys remembers keys in one mebibyte (a Bloom filter). It may take a new key for an old one, in 2 % of cases after a million
// keys, which costs an observation; it never takes an old one for new.
type seenKeys struct {
	bits [1 << 17]atomic.Uint64
}

// add reports whether the key was there.
func (s *seenKeys) add(h uint64) (old bool) {
	const places, mask = 4, 1<<23 - 1
	old = true
	step := h>>32 | 1
	for i := range uint64(places) {
		place := (h + i*step) & mask
		bit := uint64(1) << (place & 63)
		if s.bits[place>>6].Or(bit)&bit == 0 {
			old = false
		}
	}
	return old
}
