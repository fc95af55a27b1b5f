package sqlite

import (
	"errors"

	"github.com/klauspost/compress/zstd"
)

// packer makes big values small. A packed value begins with a byte: 0 for plain, 1 for zstd.
type packer struct {
	enc *zstd.Encoder
	dec *zstd.Decoder
}

const (
	plain  = 0
	packed = 1

	packAbove   = 512      // bytes; below, compressing costs more than it saves
	maxUnpacked = 64 << 20 // a damaged file must not make us fill the memory
)

func newPacker() *packer {
	// The errors are about options, which are constants here.
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(2),
		zstd.WithWindowSize(128<<10), zstd.WithLowerEncoderMem(true))
	if err != nil {
		panic(err)
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(2), zstd.WithDecoderMaxMemory(maxUnpacked), zstd.WithDecoderLowmem(true))
	if err != nil {
		panic(err)
	}
	return &packer{enc: enc, dec: dec}
}

func (p *packer) pack(b []byte) []byte {
	if len(b) > packAbove {
		return p.enc.EncodeAll(b, append(make([]byte, 0, len(b)/2), packed))
	}
	return append(append(make([]byte, 0, len(b)+1), plain), b...)
}

var errPacked = errors.New("a packed value is damaged")

func (p *packer) unpack(b []byte) ([]byte, error) {
	if len(b) == 0 || b[0] > packed {
		return nil, errPacked
	}
	if b[0] == plain {
		return b[1:], nil
	}
	return p.dec.DecodeAll(b[1:], nil)
}
