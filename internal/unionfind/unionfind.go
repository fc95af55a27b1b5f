// Package unionfind keeps which rows belong together.
package unionfind

// Forest is union-find over rows by their numbers; the smallest number of a set is its root.
type Forest []int32

// New has n rows, each alone.
func New(n int) Forest {
	f := make(Forest, n)
	for i := range f {
		f[i] = int32(i)
	}
	return f
}

// Root is the set's representative, found with path halving.
func (f Forest) Root(i int32) int32 {
	for f[i] != i {
		f[i] = f[f[i]]
		i = f[i]
	}
	return i
}

// Join puts two sets together; the smaller root stays the representative.
func (f Forest) Join(a, b int32) {
	a, b = f.Root(a), f.Root(b)
	switch {
	case a < b:
		f[b] = a
	case b < a:
		f[a] = b
	}
}
