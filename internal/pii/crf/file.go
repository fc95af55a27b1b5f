package crf

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
)

// A model's file: "CRF1", the number of tags, the scale, the weights between tags, the number of features; then, deflated, three
// streams one after another: distances between the sorted features, bit sets of the tags that have a weight, the weights.

const magic = "CRF1"

// Bounds on what is read: a model is ours, but its file may be damaged.
const (
	maxFeatures = 1 << 21
	maxInflated = 128 << 20
)

// Bytes is the model's file.
func (m *Model) Bytes() []byte {
	out := append([]byte(magic), byte(m.tags))
	out = binary.LittleEndian.AppendUint32(out, math.Float32bits(m.scale))
	for _, w := range m.trans {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(w))
	}
	type entry struct {
		key uint32
		row row
	}
	var all []entry
	for i, key := range m.keys {
		if key != 0 {
			all = append(all, entry{key, m.rows[m.at[i]]})
		}
	}
	slices.SortFunc(all, func(a, b entry) int {
		if a.key < b.key {
			return -1
		}
		return 1
	})
	out = binary.LittleEndian.AppendUint32(out, uint32(len(all)))
	var keys, sets, weights []byte
	before := uint32(0)
	for _, e := range all {
		keys = binary.AppendUvarint(keys, uint64(e.key-before))
		before = e.key
		var set uint32
		for t, w := range e.row {
			if w != 0 {
				set |= 1 << t
				weights = append(weights, byte(w))
			}
		}
		sets = binary.LittleEndian.AppendUint32(sets, set)
	}
	var b bytes.Buffer
	z, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		panic(err) // the level is a constant
	}
	for _, part := range [][]byte{keys, sets, weights} {
		_, _ = z.Write(part) // a buffer takes everything
	}
	_ = z.Close()
	return append(out, b.Bytes()...)
}

var errDamaged = errors.New("the model's file is damaged")

// Load reads a model's file.
func Load(file []byte) (*Model, error) {
	if len(file) < 9 || string(file[:4]) != magic {
		return nil, fmt.Errorf("%w: it does not start with %s", errDamaged, magic)
	}
	m := &Model{tags: int(file[4]), scale: math.Float32frombits(binary.LittleEndian.Uint32(file[5:]))}
	file = file[9:]
	if m.tags == 0 || m.tags > width || len(file) < 4*m.tags*m.tags+4 {
		return nil, errDamaged
	}
	for range m.tags * m.tags {
		m.trans = append(m.trans, math.Float32frombits(binary.LittleEndian.Uint32(file)))
		file = file[4:]
	}
	n := int(binary.LittleEndian.Uint32(file))
	if n > maxFeatures {
		return nil, errDamaged
	}
	body, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(file[4:])), maxInflated))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	return m, m.read(body, n)
}

// read takes the three streams apart.
func (m *Model) read(body []byte, n int) error {
	keys := make([]uint32, n)
	key := uint64(0)
	for i := range keys {
		d, size := binary.Uvarint(body)
		if size <= 0 || key+d > math.MaxUint32 {
			return errDamaged
		}
		key += d
		keys[i], body = uint32(key), body[size:]
	}
	if len(body) < 4*n {
		return errDamaged
	}
	weights := body[4*n:]
	m.rows = make([]row, n)
	for i := range m.rows {
		set := binary.LittleEndian.Uint32(body[4*i:])
		for t := range width {
			if set>>t&1 == 0 {
				continue
			}
			if len(weights) == 0 || t >= m.tags {
				return errDamaged
			}
			m.rows[i][t], weights = int8(weights[0]), weights[1:]
		}
	}
	m.index(keys)
	return nil
}
