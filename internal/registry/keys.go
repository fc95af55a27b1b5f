package registry

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/rung-dev/rung"
)

// Keys are PEM files as openssl makes and reads them: PKCS #8 for the private key, PKIX for the public one beside it.
const (
	privateBlock = "PRIVATE KEY"
	publicBlock  = "PUBLIC KEY"
	maxKey       = 16 << 10
)

// DefaultKeyPath is the user's own signing key. The public key is beside it, with .pub added.
func DefaultKeyPath() (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", &rung.Error{Code: rung.CodeStore, What: "the user's configuration directory is not known: " + err.Error(), Do: "name the signing key with --key", Err: err}
	}
	return filepath.Join(dir, "rung", "signing.key"), nil
}

// PublicKeyPath is the file of the public key that belongs to the private key at path.
func PublicKeyPath(path string) string { return path + ".pub" }

// SigningKey reads the private key at path, and makes a pair when there is none; made says so. A key that others may read is
// refused.
func SigningKey(path string) (key ed25519.PrivateKey, made bool, err error) {
	raw, err := readKey(path)
	if errors.Is(err, fs.ErrNotExist) {
		key, err = makeKey(path)
		return key, err == nil, err
	}
	if err != nil {
		return nil, false, err
	}
	if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o077 != 0 {
		return nil, false, &rung.Error{Code: rung.CodeInput, Place: path, What: fmt.Sprintf("the signing key can be read by others (mode %04o)", info.Mode().Perm()), Do: "chmod 600 it, and make a new one if it may have been read"}
	}
	block, _ := pem.Decode(raw)
	if block == nil || block.Type != privateBlock {
		return nil, false, badKey(path, "is no private key in PEM")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, false, badKey(path, "cannot be read: "+err.Error())
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, false, badKey(path, fmt.Sprintf("is a key of another kind (%T)", parsed))
	}
	return key, false, nil
}

// PublicKey reads a public key to verify with.
func PublicKey(path string) (ed25519.PublicKey, error) {
	raw, err := readKey(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &rung.Error{Code: rung.CodeUsage, Place: path, What: "there is no such public key", Do: "name the signer's .pub file with --verify", Err: err}
	}
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(raw)
	if block == nil || block.Type != publicBlock {
		return nil, badKey(path, "is no public key in PEM")
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, badKey(path, "cannot be read: "+err.Error())
	}
	key, ok := parsed.(ed25519.PublicKey)
	if !ok {
		return nil, badKey(path, fmt.Sprintf("is a key of another kind (%T)", parsed))
	}
	return key, nil
}

// Fingerprint is how people compare public keys, as ssh writes it.
func Fingerprint(key ed25519.PublicKey) string {
	sum := sha256.Sum256(key)
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
}

func badKey(path, what string) error {
	return &rung.Error{Code: rung.CodeInput, Place: path, What: what, Do: "name an ed25519 key, such as the pair that rung release --sign makes"}
}

func readKey(path string) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err != nil {
		return nil, badKey(path, "cannot be read: "+err.Error())
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxKey))
	if err != nil {
		return nil, badKey(path, "cannot be read: "+err.Error())
	}
	return raw, nil
}

// makeKey makes a pair. The private key is created so that only the user can ever read it, and never replaces another.
func makeKey(path string) (ed25519.PrivateKey, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, err
	}
	open, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, err
	}
	failed := func(err error) error {
		return &rung.Error{Code: rung.CodeStore, Place: path, What: "the signing key cannot be written: " + err.Error(), Do: "make the directory writable, or name a key with --key", Err: err}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, failed(err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, failed(err)
	}
	err = pem.Encode(f, &pem.Block{Type: privateBlock, Bytes: secret})
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, failed(err)
	}
	pub := pem.EncodeToMemory(&pem.Block{Type: publicBlock, Bytes: open})
	if err := os.WriteFile(PublicKeyPath(path), pub, 0o644); err != nil {
		return nil, failed(err)
	}
	return private, nil
}
