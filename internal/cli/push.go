package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/app"
	"github.com/rung-dev/rung/internal/registry"
)

type pushOptions struct {
	name, ref string
	sign      bool
	key       string
	inside    bool
	remote    registry.Remote
}

// pushed is what rung push --json prints.
type pushed struct {
	Name      string      `json:"name"`
	Digest    rung.Digest `json:"digest"`
	Reference string      `json:"reference"` // by digest
	Signers   []string    `json:"signers"`   // fingerprints
}

func newPushCommand(s *settings) *cobra.Command {
	var o pushOptions
	c := &cobra.Command{
		Use:     "push TASK@VERSION REGISTRY/REPOSITORY[:TAG]",
		GroupID: "ship",
		Short:   "Push a release to an OCI registry",
		Long: `Push copies a release with its parts and signatures to any OCI registry (GitHub, GitLab, Harbor, ECR, a registry of your
own). Its digests are checked first. Without a tag the version is the tag; a tag that holds another release is left alone.

Where the terms of the data forbid to publish what was made of them, or their retention has passed, it is refused with the reason. rung does not know whose
registry it is: with --inside you say that it is yours and nobody else reads it, so that nothing is published.

The login is that of docker login, or RUNG_REGISTRY_USER and RUNG_REGISTRY_PASSWORD. HTTPS is used but for a registry on this
machine.`,
		Example: "  rung push tickets@v3 ghcr.io/acme/tickets\n  rung push tickets@v3 localhost:5000/tickets:v3 --sign",
		Args:    exactArgs(2, "a release and a reference"),
		RunE: func(c *cobra.Command, args []string) error {
			o.name, o.ref = args[0], args[1]
			return runPush(c.Context(), s, &o)
		},
	}
	f := c.Flags()
	f.BoolVar(&o.sign, "sign", false, "sign it with your key first; the first time one is made")
	f.StringVar(&o.key, "key", "", "the signing key (default: rung/signing.key in your configuration directory)")
	f.BoolVar(&o.inside, "inside", false, "the registry is inside your house: this is no publication")
	remoteFlags(c, &o.remote)
	return c
}

func remoteFlags(c *cobra.Command, r *registry.Remote) {
	c.Flags().BoolVar(&r.PlainHTTP, "plain-http", false, "use HTTP without TLS, also for a registry elsewhere")
	c.Flags().DurationVar(&r.Timeout, "timeout", registry.DefaultTimeout, "take at most so long")
}

func checkTimeout(d time.Duration) error {
	if d <= 0 {
		return usage("--timeout must be above zero, it is %s", d)
	}
	return nil
}

// checkReference refuses a folder: its name would be looked up as a registry's.
func checkReference(ref string) error {
	if strings.HasPrefix(ref, ".") || filepath.IsAbs(ref) || isDir(ref) {
		return usage("%s is a folder or its path; name a repository of a registry, such as ghcr.io/acme/tickets:v3 (the releases of a store are an OCI layout already: copy its folder releases/, or use rung export)", ref)
	}
	return nil
}

func runPush(ctx context.Context, s *settings, o *pushOptions) (err error) {
	if err := checkTimeout(o.remote.Timeout); err != nil {
		return err
	}
	if err := checkReference(o.ref); err != nil {
		return err
	}
	sh, err := openShelf(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sh.Close()) }()
	line, err := sh.find(ctx, o.name)
	if err != nil {
		return err
	}
	r, err := sh.layout.Release(ctx, line.Digest)
	if err != nil {
		return err
	}
	note, err := app.Publishable(r, time.Now(), o.inside)
	if err != nil {
		return err
	}
	if note != "" {
		fmt.Fprintln(s.Err, "rung: note: "+note)
	}
	if o.sign || o.key != "" {
		key, err := s.signingKey(o.key)
		if err != nil {
			return err
		}
		if err := sh.layout.Sign(ctx, line.Digest, key); err != nil {
			return err
		}
	}
	o.remote.Log = func(text string) { fmt.Fprintln(s.Err, "rung: "+text) }
	out := pushed{Name: line.Task + "@" + line.Version, Digest: line.Digest, Signers: []string{}}
	if out.Reference, err = sh.layout.Push(ctx, line.Digest, o.ref, o.remote); err != nil {
		return err
	}
	signers, err := sh.layout.Signers(ctx, line.Digest)
	if err != nil {
		return err
	}
	out.Signers = append(out.Signers, signers...)
	if s.json {
		return s.printJSON(out)
	}
	_, err = fmt.Fprintf(s.Out, "%s is at %s, signed by %d\n", out.Name, out.Reference, len(out.Signers))
	return err
}

type pullOptions struct {
	ref    string
	verify string
	remote registry.Remote
}

// pulled is what rung pull --json prints.
type pulled struct {
	Name     string      `json:"name"`
	Digest   rung.Digest `json:"digest"`
	Verified string      `json:"verified,omitempty"` // fingerprint of the key that the signature was verified with
	Signers  []string    `json:"signers"`            // fingerprints that the signatures name
}

func newPullCommand(s *settings) *cobra.Command {
	var o pullOptions
	c := &cobra.Command{
		Use:     "pull REGISTRY/REPOSITORY:TAG",
		GroupID: "ship",
		Short:   "Pull a release from an OCI registry",
		Long: `Pull brings a release into the store, so that it can be served, compared and exported here. Every digest is checked. With
--verify a signature by that key must be attached, or nothing is kept. No alias moves: rung alias points one at it.

A reference may name a digest (…@sha256:…) instead of a tag.`,
		Example: "  rung pull ghcr.io/acme/tickets:v3 --verify release.pub",
		Args:    exactArgs(1, "one reference"),
		RunE: func(c *cobra.Command, args []string) error {
			o.ref = args[0]
			return runPull(c.Context(), s, &o)
		},
	}
	c.Flags().StringVar(&o.verify, "verify", "", "public key (PEM file) that must have signed it")
	c.Flags().Int64Var(&o.remote.MaxBytes, "max-bytes", registry.DefaultMaxBytes, "refuse a release that is larger")
	remoteFlags(c, &o.remote)
	return c
}

func runPull(ctx context.Context, s *settings, o *pullOptions) (err error) {
	if err := checkTimeout(o.remote.Timeout); err != nil {
		return err
	}
	if err := checkReference(o.ref); err != nil {
		return err
	}
	out := pulled{Signers: []string{}}
	if o.verify != "" {
		if o.remote.Verify, err = registry.PublicKey(o.verify); err != nil {
			return err
		}
		out.Verified = registry.Fingerprint(o.remote.Verify)
	}
	dir, err := pullDir(s)
	if err != nil {
		return err
	}
	sh, err := openShelfIn(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sh.Close()) }()
	o.remote.Log = func(text string) { fmt.Fprintln(s.Err, "rung: "+text) }
	r, err := sh.layout.Pull(ctx, o.ref, o.remote)
	if err != nil {
		return err
	}
	if err := sh.serving.PutRelease(ctx, app.LineOf(r)); err != nil {
		return err
	}
	out.Name, out.Digest = r.Name(), r.Digest
	signers, err := sh.layout.Signers(ctx, r.Digest)
	if err != nil {
		return err
	}
	out.Signers = append(out.Signers, signers...)
	if s.json {
		return s.printJSON(out)
	}
	how := "its digests are right; whose it is was not verified (--verify)"
	if out.Verified != "" {
		how = "signed by " + out.Verified
	}
	_, err = fmt.Fprintf(s.Out, "%s  %s on %s, %s: %s\n", out.Name, r.Candidate.Rung, r.Candidate.Model, r.Digest.Short(), how)
	return err
}

// pullDir is the store at hand, or .rung here: a machine that serves need not have climbed.
func pullDir(s *settings) (string, error) {
	if s.store != "" {
		return s.store, nil
	}
	dir, err := storeDir(s)
	if rung.CodeOf(err) == rung.CodeNotFound {
		return storeName, nil
	}
	return dir, err
}
