package pii

import (
	"bufio"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"

	"github.com/rung-dev/rung"
)

// A vault keeps the rows that were changed, as they were, each under the SHA-256 of the row that took its place, so that rows can be put
// back after others were removed or moved. The file is "RUNGVLT1", 16 random bytes, then sealed records: length (4 bytes) and
// AES-256-GCM, the record's number as nonce; the file's key is derived from the user's and the random bytes. The last record is empty:
// without it the vault was cut.

const vaultMagic = "RUNGVLT1"

// maxRecord is the most bytes of a sealed record: a row and what belongs to it.
const maxRecord = 17 << 20

type sealer struct {
	aead cipher.AEAD
	n    uint64
}

func newSealer(user, salt []byte) (*sealer, error) {
	key, err := keyFor(user, "vault "+string(salt))
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	return &sealer{aead: aead}, err
}

// nonce is the number of the next record: a file's key seals nothing else.
func (s *sealer) nonce() []byte {
	out := binary.BigEndian.AppendUint64(make([]byte, 4), s.n)
	s.n++
	return out
}

// VaultWriter writes a vault. It is not safe for concurrent use.
type VaultWriter struct {
	w io.Writer
	s *sealer
}

// NewVault begins a vault under a user's key of at least MinKey bytes.
func NewVault(w io.Writer, user []byte) (*VaultWriter, error) {
	salt := make([]byte, 16)
	_, _ = rand.Read(salt) // it never fails
	s, err := newSealer(user, salt)
	if err != nil {
		return nil, err
	}
	_, err = w.Write(append([]byte(vaultMagic), salt...))
	return &VaultWriter{w, s}, err
}

// Put keeps a row as it was, under the row that took its place.
func (v *VaultWriter) Put(now, was []byte) error {
	sum := sha256.Sum256(now)
	return v.seal(append(sum[:], was...))
}

// Close ends the vault; without it, it cannot be read.
func (v *VaultWriter) Close() error { return v.seal(nil) }

func (v *VaultWriter) seal(record []byte) error {
	sealed := v.s.aead.Seal(nil, v.s.nonce(), record, nil)
	if _, err := v.w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(sealed))), sealed...)); err != nil {
		return err
	}
	return nil
}

// Vault gives rows back.
type Vault struct{ rows map[[32]byte][][]byte }

func vaultError(what string, err error) error {
	return &rung.Error{Code: rung.CodeInput, What: what, Do: "name the vault that was written with this data, and its key file", Err: err}
}

// VaultReader reads a vault record by record, in the order in which it was written. It is not safe for concurrent use.
type VaultReader struct {
	in *bufio.Reader
	s  *sealer
}

// ReadVault begins to read a vault under a user's key.
func ReadVault(r io.Reader, user []byte) (*VaultReader, error) {
	in := bufio.NewReader(r)
	head := make([]byte, len(vaultMagic)+16)
	if _, err := io.ReadFull(in, head); err != nil || string(head[:len(vaultMagic)]) != vaultMagic {
		return nil, vaultError("this is no vault", err)
	}
	s, err := newSealer(user, head[len(vaultMagic):])
	if err != nil {
		return nil, err
	}
	return &VaultReader{in, s}, nil
}

// Next is the next row as it was, with the SHA-256 of what took its place; io.EOF after the last. A vault that was cut is an error.
func (v *VaultReader) Next() (sum [32]byte, was []byte, err error) {
	record, err := v.s.open(v.in)
	switch {
	case err != nil:
		return sum, nil, err
	case len(record) == 0:
		return sum, nil, io.EOF
	case len(record) < len(sum):
		return sum, nil, vaultError("the vault is damaged", nil)
	}
	return [32]byte(record[:32]), record[32:], nil
}

// OpenVault reads a vault whole into memory.
func OpenVault(r io.Reader, user []byte) (*Vault, error) {
	in, err := ReadVault(r, user)
	if err != nil {
		return nil, err
	}
	v := &Vault{rows: map[[32]byte][][]byte{}}
	for {
		sum, was, err := in.Next()
		if errors.Is(err, io.EOF) {
			return v, nil
		}
		if err != nil {
			return nil, err
		}
		v.rows[sum] = append(v.rows[sum], was)
	}
}

func (s *sealer) open(in io.Reader) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(in, size[:]); err != nil {
		return nil, vaultError("the vault was cut: its end is missing", io.ErrUnexpectedEOF) // io.EOF would look like its end
	}
	n := binary.BigEndian.Uint32(size[:])
	if n > maxRecord || int(n) < s.aead.Overhead() {
		return nil, vaultError("the vault is damaged", nil)
	}
	sealed := make([]byte, n)
	if _, err := io.ReadFull(in, sealed); err != nil {
		return nil, vaultError("the vault was cut: its end is missing", io.ErrUnexpectedEOF)
	}
	record, err := s.aead.Open(nil, s.nonce(), sealed, nil)
	if err != nil {
		return nil, vaultError("the vault cannot be opened: the key is another, or the file was changed", errors.New("authentication failed"))
	}
	return record, nil
}

// Take gives the row that now stands for, once for each time that it was put there.
func (v *Vault) Take(now []byte) (was []byte, ok bool) {
	sum := sha256.Sum256(now)
	list := v.rows[sum]
	if len(list) == 0 {
		return nil, false
	}
	v.rows[sum] = list[1:]
	return list[0], true
}

// Left is the number of rows that were not taken.
func (v *Vault) Left() int {
	n := 0
	for _, list := range v.rows {
		n += len(list)
	}
	return n
}
