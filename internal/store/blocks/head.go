package blocks

import "encoding/binary"

// A head is, in varints where not said otherwise: the form (1), the number of traces, the number of labels, the labels as
// lengths and bytes, the first trace's time; then of each trace its ID in 16 bytes, its time after the one before, twice the
// number of its labels plus one if it failed, and the length of its JSON.
const headForm = 1

func appendHead(b []byte, entries []Entry) []byte {
	var labels []Labels
	of := make(map[Labels]int)
	for i := range entries {
		if _, ok := of[entries[i].Labels]; !ok {
			of[entries[i].Labels] = len(labels)
			labels = append(labels, entries[i].Labels)
		}
	}
	b = append(make([]byte, 0, 64+24*len(entries)), b...)
	b = binary.AppendUvarint(append(b, headForm), uint64(len(entries)))
	b = binary.AppendUvarint(b, uint64(len(labels)))
	for _, l := range labels {
		for _, s := range [...]string{l.Task, l.Version, l.Arm, l.Key} {
			b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
		}
	}
	before := int64(0)
	for i := range entries {
		e := &entries[i]
		b = append(b, e.ID[:]...)
		b = binary.AppendVarint(b, e.At-before)
		before = e.At
		mark := uint64(of[e.Labels]) << 1
		if e.Failed {
			mark |= 1
		}
		b = binary.AppendUvarint(b, mark)
		b = binary.AppendUvarint(b, uint64(e.size))
	}
	return b
}

// readHead gives the entries of a head. It takes bytes of any kind and never gives more entries than there are bytes.
func readHead(b []byte) ([]Entry, error) {
	r := reader{b: b}
	if r.byte() != headForm {
		return nil, errDamaged
	}
	n, kinds := r.count(18), r.count(4)
	labels := make([]Labels, 0, kinds)
	for range kinds {
		labels = append(labels, Labels{r.string(), r.string(), r.string(), r.string()})
	}
	entries := make([]Entry, 0, n)
	at := int64(0)
	for range n {
		var e Entry
		copy(e.ID[:], r.bytes(len(e.ID)))
		at += r.varint()
		mark, size := r.uvarint(), r.uvarint()
		if r.bad || mark>>1 >= uint64(len(labels)) || size > maxTrace {
			return nil, errDamaged
		}
		e.At, e.Failed, e.Labels, e.size = at, mark&1 == 1, labels[mark>>1], int(size)
		entries = append(entries, e)
	}
	if r.bad || len(r.b) > 0 {
		return nil, errDamaged
	}
	return entries, nil
}

// reader takes values off bytes until they do not fit any more.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) bytes(n int) []byte {
	if r.bad || n < 0 || n > len(r.b) {
		r.bad = true
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) byte() byte {
	if b := r.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad = true
		return 0
	}
	r.bytes(n)
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.bad = true
		return 0
	}
	r.bytes(n)
	return v
}

// count is a number of things of at least size bytes each.
func (r *reader) count(size int) int {
	v := r.uvarint()
	if v > uint64(len(r.b)/size) {
		r.bad = true
		return 0
	}
	return int(v)
}

func (r *reader) string() string {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.bad = true
		return ""
	}
	return string(r.bytes(int(n)))
}
