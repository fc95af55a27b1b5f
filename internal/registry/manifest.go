package registry

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/rung-dev/rung"
)

// The media types of a release.
const (
	ArtifactType = "application/vnd.rung.release.v1+json"
	configType   = "application/vnd.rung.release.config.v1+json"
)

// The kinds of parts.
const (
	Pool        = "train pool"   // the train examples that nearest demonstrations come from
	PoolVectors = "pool vectors" // their embeddings, so that loading embeds nothing
	Index       = "index"        // of the documents
	Adapter     = "adapter"      // LoRA, as GGUF
	PEFTConfig  = "peft config"  // the same adapter as PEFT keeps it
	PEFTWeights = "peft weights"
	// TrainingMarks tell the guard data_leak what the adapter was trained on, without the texts.
	TrainingMarks = "training marks"
)

// partForm is how a kind of part stands in a manifest.
type partForm struct{ mediaType, title string }

// partForms are all kinds there are. A layer of another media type or title is refused.
var partForms = map[string]partForm{
	Pool:          {"application/vnd.rung.pool.v1+json", "pool.json"},
	PoolVectors:   {"application/vnd.rung.pool.vectors.v1", "pool.vectors"},
	Index:         {"application/vnd.rung.index.v1", "index.bin"},
	Adapter:       {"application/vnd.rung.adapter.v1+gguf", "adapter.gguf"},
	PEFTConfig:    {"application/vnd.rung.peft.config.v1+json", "adapter_config.json"},
	PEFTWeights:   {"application/vnd.rung.peft.weights.v1+safetensors", "adapter_model.safetensors"},
	TrainingMarks: {"application/vnd.rung.training.marks.v1", "training.marks"},
}

// Limits on what is read from a registry or a layout. A release beyond them is refused before it is read.
const (
	maxManifest = 256 << 10
	maxConfig   = 64 << 20
	maxPart     = 16 << 30
	maxParts    = 16
)

var (
	taskRule    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)
	versionRule = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.-]{0,26}$`)
)

// CheckVersion says whether a release may be called so: letters, digits, dots and dashes, at most 27. No underscore, since
// one stands between task and version in a tag.
func CheckVersion(version string) error {
	if !versionRule.MatchString(version) {
		return &rung.Error{Code: rung.CodeUsage, What: fmt.Sprintf("%q is no version", version), Do: "use letters, digits, dots and dashes, at most 27, such as v3 or 2026.1"}
	}
	return nil
}

// CheckTask says whether a task of that name can be released.
func CheckTask(task string) error {
	if !taskRule.MatchString(task) {
		return &rung.Error{Code: rung.CodeUsage, What: fmt.Sprintf("a task called %q cannot be released", task), Do: "give it a name of at most 100 letters, digits, dots, dashes and underscores"}
	}
	return nil
}

// Tag is the tag of a release in a layout. The last underscore ends the task's name, so that no two releases share a tag.
func Tag(task, version string) string { return task + "_" + version }

// manifestOf writes the manifest and the config of a release. The same release gives the same bytes.
func manifestOf(r *rung.Release) (manifest, config []byte, err error) {
	if err := errors.Join(CheckTask(r.Task), CheckVersion(r.Version)); err != nil {
		return nil, nil, err
	}
	if config, err = encode(r); err != nil {
		return nil, nil, err
	}
	m := ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest, ArtifactType: ArtifactType,
		Config: ocispec.Descriptor{MediaType: configType, Digest: digest.FromBytes(config), Size: int64(len(config))},
		Layers: []ocispec.Descriptor{},
		Annotations: map[string]string{
			ocispec.AnnotationTitle: r.Task, ocispec.AnnotationVersion: r.Version, ocispec.AnnotationCreated: r.At.UTC().Format(time.RFC3339),
		},
	}
	for _, p := range r.Parts {
		desc, err := layerOf(p)
		if err != nil {
			return nil, nil, err
		}
		m.Layers = append(m.Layers, desc)
	}
	if manifest, err = encode(m); err != nil {
		return nil, nil, err
	}
	// What is written is held to the rules of what is read.
	if _, err := parse(manifest); err != nil {
		return nil, nil, err
	}
	return manifest, config, nil
}

func layerOf(p rung.Part) (ocispec.Descriptor, error) {
	form, ok := partForms[p.Kind]
	if !ok {
		return ocispec.Descriptor{}, &rung.Error{Code: rung.CodeInternal, What: fmt.Sprintf("a release has no parts of the kind %q", p.Kind)}
	}
	return ocispec.Descriptor{
		MediaType: form.mediaType, Digest: ociDigest(p.Digest), Size: p.Bytes, Annotations: map[string]string{ocispec.AnnotationTitle: form.title},
	}, nil
}

// encode writes JSON as it is hashed: no escapes that another encoder would not make.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

func ociDigest(d rung.Digest) digest.Digest {
	return digest.NewDigestFromEncoded(digest.SHA256, string(d))
}

// refused is the error of content that is not a release as rung writes it. It may come from a stranger.
func refused(format string, args ...any) error {
	return &rung.Error{Code: rung.CodeInput, What: "the release is refused: " + fmt.Sprintf(format, args...), Do: "do not use it; ask whoever pushed it for one that rung made"}
}

// parse reads a manifest and refuses what is not exactly the form of a release.
func parse(raw []byte) (*ocispec.Manifest, error) {
	if len(raw) > maxManifest {
		return nil, refused("its manifest has more than %d bytes", maxManifest)
	}
	var m ocispec.Manifest
	if err := decode(raw, &m); err != nil {
		return nil, refused("its manifest is no JSON of a manifest: %v", err)
	}
	switch {
	case m.SchemaVersion != 2 || m.MediaType != ocispec.MediaTypeImageManifest:
		return nil, refused("its manifest has the media type %q", m.MediaType)
	case m.ArtifactType != ArtifactType:
		return nil, refused("it is an artifact of the type %q", m.ArtifactType)
	case m.Subject != nil:
		return nil, refused("its manifest has a subject")
	case m.Config.MediaType != configType:
		return nil, refused("its config has the media type %q", m.Config.MediaType)
	case len(m.Layers) > maxParts:
		return nil, refused("it has %d parts", len(m.Layers))
	}
	if err := checkDescriptor(m.Config, maxConfig); err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, l := range m.Layers {
		if err := checkLayer(l); err != nil {
			return nil, err
		}
		if seen[l.MediaType] {
			return nil, refused("it has two parts of the type %s", l.MediaType)
		}
		seen[l.MediaType] = true
	}
	return &m, nil
}

// decode reads one JSON value and nothing after it.
func decode(raw []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if err := dec.Decode(into); err != nil {
		return err
	}
	if dec.More() {
		return errors.New("something follows it")
	}
	return nil
}

func checkDescriptor(d ocispec.Descriptor, limit int64) error {
	switch {
	case d.Digest.Validate() != nil || d.Digest.Algorithm() != digest.SHA256:
		return refused("%.80q is no SHA-256 digest", string(d.Digest))
	case d.Size <= 0 || d.Size > limit:
		return refused("%s claims %d bytes; from 1 to %d are allowed", d.MediaType, d.Size, limit)
	case len(d.URLs) > 0 || len(d.Data) > 0:
		return refused("%s is not kept in the registry but elsewhere", d.MediaType)
	}
	return nil
}

func checkLayer(d ocispec.Descriptor) error {
	kind, ok := kindOf(d.MediaType)
	if !ok {
		return refused("a part has the unknown media type %.80q", d.MediaType)
	}
	if title := d.Annotations[ocispec.AnnotationTitle]; title != partForms[kind].title {
		return refused("its %s has the title %.80q, not %s", kind, title, partForms[kind].title)
	}
	return checkDescriptor(d, maxPart)
}

func kindOf(mediaType string) (string, bool) {
	for kind, form := range partForms {
		if form.mediaType == mediaType {
			return kind, true
		}
	}
	return "", false
}

// release reads the config of a manifest: the release, whose parts must be the manifest's layers.
func release(m *ocispec.Manifest, config []byte) (*rung.Release, error) {
	if digest.FromBytes(config) != m.Config.Digest {
		return nil, refused("its config is not the one that its manifest names")
	}
	var r rung.Release
	if err := decode(config, &r); err != nil {
		return nil, refused("its config cannot be read: %v", err)
	}
	if !taskRule.MatchString(r.Task) || !versionRule.MatchString(r.Version) {
		return nil, refused("it is called %.80q", r.Task+"@"+r.Version)
	}
	if len(r.Parts) != len(m.Layers) {
		return nil, refused("its config names %d parts, its manifest %d", len(r.Parts), len(m.Layers))
	}
	for i, p := range r.Parts {
		l := m.Layers[i]
		if partForms[p.Kind].mediaType != l.MediaType || ociDigest(p.Digest) != l.Digest || p.Bytes != l.Size {
			return nil, refused("its config and its manifest do not agree on part %d", i+1)
		}
	}
	return &r, checkRefers(&r)
}

// checkRefers holds a release to having what its candidate needs to answer.
func checkRefers(r *rung.Release) error {
	has := map[string]rung.Digest{}
	for _, p := range r.Parts {
		has[p.Kind] = p.Digest
	}
	c := &r.Candidate
	if d := c.Demos; d != nil && d.Mode != rung.FixedDemos && has[Pool] != d.Pool {
		return refused("its candidate needs the train pool %s, which it has not", d.Pool.Short())
	}
	if c.Retrieval != nil && has[Index] != c.Retrieval.Index {
		return refused("its candidate needs the index %s, which it has not", c.Retrieval.Index.Short())
	}
	if c.Adapter != nil && has[Adapter] != c.Adapter.Digest {
		return refused("its candidate needs the adapter %s, which it has not", c.Adapter.Digest.Short())
	}
	return nil
}
