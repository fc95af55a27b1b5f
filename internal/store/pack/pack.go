// Package pack makes values small before they are stored.
package pack

import (
	"errors"

	"github.com/klauspost/compress/zstd"
)

// Packer makes big values small. A packed value begins with a byte: 0 for plain, 1 for zstd. It is safe for concurrent use.
type Packer struct {
	enc *zstd.Encoder
	dec *zstd.Decoder
}

const (
	plain  = 0
	packed = 1

	packAbove = 512 // bytes; below, compressing costs more than it saves
	// MaxUnpacked bounds what a value may become, in bytes.
	MaxUnpacked = 64 << 20 // a damaged file must not make us fill the memory
)

// New makes a packer.
func New() *Packer {
	// The errors are about options, which are constants here.
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(2),
		zstd.WithWindowSize(128<<10), zstd.WithLowerEncoderMem(true))
	if err != nil {
		panic(err)
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(2), zstd.WithDecoderMaxMemory(MaxUnpacked), zstd.WithDecoderLowmem(true))
	if err != nil {
		panic(err)
	}
	return &Packer{enc: enc, dec: dec}
}

// Pack gives b in its packed form, in memory of its own.
func (p *Packer) Pack(b []byte) []byte {
	if len(b) > packAbove {
		return p.enc.EncodeAll(b, append(make([]byte, 0, len(b)/2), packed))
	}
	return append(append(make([]byte, 0, len(b)+1), plain), b...)
}

var errPacked = errors.New("a packed value is damaged")

// Unpack gives back what was packed; the result may share b's memory.
func (p *Packer) Unpack(b []byte) ([]byte, error) {
	if len(b) == 0 || b[0] > packed {
		return nil, errPacked
	}
	if b[0] == plain {
		return b[1:], nil
	}
	return p.dec.DecodeAll(b[1:], nil)
}
