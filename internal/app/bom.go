package app

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/engine"
	"github.com/rung-dev/rung/internal/govern"
	"github.com/rung-dev/rung/internal/tune"
)

// Package is a pinned package of another language that a release was made with.
type Package struct {
	Name, Version string
	SHA256        []rung.Digest // of its files, any of which may have been installed
}

// TrainingPackages are the packages that the training worker pins.
func TrainingPackages() ([]Package, error) {
	lock, err := tune.Lock()
	if err != nil {
		return nil, err
	}
	var out []Package
	for line := range strings.Lines(string(lock)) {
		line = strings.TrimSuffix(strings.TrimSpace(line), "\\")
		for _, word := range strings.Fields(line) {
			if hash, ok := strings.CutPrefix(word, "--hash=sha256:"); ok && len(out) > 0 {
				p := &out[len(out)-1]
				p.SHA256 = append(p.SHA256, rung.Digest(hash))
			} else if name, version, ok := strings.Cut(word, "=="); ok && !strings.HasPrefix(line, "#") {
				name, _, _ = strings.Cut(name, "[")
				out = append(out, Package{Name: name, Version: strings.TrimSuffix(version, ";")})
			}
		}
	}
	return out, nil
}

// BOM is the bill of materials of a release: CycloneDX 1.6, as JSON. It follows from the release alone: the same release gives the same bytes.
func BOM(r *rung.Release, training []Package) ([]byte, error) {
	b := cdx.NewBOM()
	b.JSONSchema = "http://cyclonedx.org/schema/bom-1.6.schema.json"
	b.SpecVersion = cdx.SpecVersion1_6
	model := modelComponent(r)
	tool := cdx.Component{BOMRef: "rung", Type: cdx.ComponentTypeApplication, Name: "rung", Version: r.Rung}
	b.Metadata = &cdx.Metadata{Timestamp: r.At.UTC().Format("2006-01-02T15:04:05Z"), Component: &model, Tools: &cdx.ToolsChoice{Components: &[]cdx.Component{tool}}}
	parts := components(r, training)
	b.Components = &parts
	refs := make([]string, len(parts))
	deps := make([]cdx.Dependency, len(parts))
	for i := range parts {
		refs[i], deps[i] = parts[i].BOMRef, cdx.Dependency{Ref: parts[i].BOMRef}
	}
	all := append([]cdx.Dependency{{Ref: model.BOMRef, Dependencies: &refs}}, deps...)
	b.Dependencies = &all
	var out bytes.Buffer
	enc := cdx.NewBOMEncoder(&out, cdx.BOMFileFormatJSON)
	err := enc.SetPretty(true).SetEscapeHTML(false).EncodeVersion(b, cdx.SpecVersion1_6)
	return out.Bytes(), err
}

func hashes(ds []rung.Digest) *[]cdx.Hash {
	var out []cdx.Hash
	for _, d := range ds {
		out = append(out, cdx.Hash{Algorithm: cdx.HashAlgoSHA256, Value: string(d)})
	}
	if len(out) == 0 {
		return nil
	}
	return &out
}

func sha(d rung.Digest) *[]cdx.Hash {
	if len(d) != 64 {
		return nil
	}
	return &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: string(d)}}
}

// licences are licences as CycloneDX has them: an identifier of the list, an expression, or a name.
func licences(list []string) *cdx.Licenses {
	var out cdx.Licenses
	for _, l := range list {
		e, err := govern.Parse(l)
		switch {
		case err != nil || e.ID != "" && (strings.Contains(e.ID, "LicenseRef-") || e.ID == govern.None || e.ID == govern.NoAssertion):
			out = append(out, cdx.LicenseChoice{License: &cdx.License{Name: l}})
		case e.ID != "" && !e.Later && e.Exception == "":
			out = append(out, cdx.LicenseChoice{License: &cdx.License{ID: e.ID}})
		case len(list) == 1:
			out = append(out, cdx.LicenseChoice{Expression: e.String()})
		default: // an expression stands alone
			out = append(out, cdx.LicenseChoice{License: &cdx.License{Name: e.String()}})
		}
	}
	if len(out) == 0 {
		return nil
	}
	return &out
}

func property(name, value string) cdx.Property {
	return cdx.Property{Name: "rung:" + name, Value: value}
}

func modelComponent(r *rung.Release) cdx.Component {
	c := &r.Candidate
	props := []cdx.Property{property("rung", string(c.Rung)), property("candidate", string(c.Digest())), property("run", r.Run), property("heldout", string(r.Heldout.Digest))}
	if r.Commit != "" {
		props = append(props, property("commit", r.Commit))
	}
	return cdx.Component{BOMRef: "release:" + r.Name(), Type: cdx.ComponentTypeMachineLearningModel, Name: r.Task, Version: r.Version, Description: r.Note, Hashes: sha(r.Digest),
		Licenses: licences(r.Terms.Licence), Properties: &props, ModelCard: modelCard(r)}
}

func modelCard(r *rung.Release) *cdx.MLModelCard {
	params := &cdx.MLModelParameters{Task: string(r.Candidate.Output.Kind), ModelArchitecture: string(r.Base.Model)}
	if r.Candidate.Adapter != nil {
		params.Approach = &cdx.MLModelParametersApproach{Type: cdx.MLModelParametersApproachTypeSupervised}
	}
	var sets []cdx.MLDatasetChoice
	for i := range r.Data {
		sets = append(sets, cdx.MLDatasetChoice{Ref: dataRef(&r.Data[i])})
	}
	if c := trainingRows(r); c != nil {
		sets = append(sets, cdx.MLDatasetChoice{Ref: c.BOMRef})
	}
	if len(sets) > 0 {
		params.Datasets = &sets
	}
	card := &cdx.MLModelCard{ModelParameters: params}
	limits := []string{fmt.Sprintf("evaluated on %d held-out examples (%s)", r.Heldout.N, r.Heldout.Digest.Short())}
	if o := outcomeOf(r); o != nil {
		card.QuantitativeAnalysis = &cdx.MLQuantitativeAnalysis{PerformanceMetrics: figures(o)}
		limits = append(limits, fmt.Sprintf("verdict against the bar (%s at least %g): %s", r.Bar.Metric, r.Bar.AtLeast, o.Verdict))
		if o.Scorecard != nil {
			for _, m := range o.Scorecard.Mistakes {
				limits = append(limits, fmt.Sprintf("%s: %d of %d held-out answers", m.Kind, m.Count, o.Scorecard.N))
			}
		}
	}
	uses := []string{r.Candidate.Instructions}
	card.Considerations = &cdx.MLModelCardConsiderations{UseCases: &uses, TechnicalLimitations: &limits}
	return card
}

// figures are the metrics with their intervals; level, n and method stand with the metric's name, since CycloneDX has no place for them.
func figures(o *rung.Outcome) *[]cdx.MLPerformanceMetric {
	out := []cdx.MLPerformanceMetric{}
	names := make([]string, 0, len(o.Metrics))
	for name := range o.Metrics {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		v := o.Metrics[name]
		out = append(out, cdx.MLPerformanceMetric{Type: fmt.Sprintf("%s (n=%d, %.4g %% interval, %s)", name, v.N, 100*v.Level, v.Method), Value: fmt.Sprintf("%.6g", v.Value), Slice: "heldout",
			ConfidenceInterval: &cdx.MLPerformanceMetricConfidenceInterval{LowerBound: fmt.Sprintf("%.6g", v.Low), UpperBound: fmt.Sprintf("%.6g", v.High)}})
	}
	return &out
}

func dataRef(d *rung.DataRef) string { return "data:" + string(d.Digest) }

func components(r *rung.Release, training []Package) []cdx.Component {
	out := []cdx.Component{{BOMRef: "base:" + string(r.Base.Model), Type: cdx.ComponentTypeMachineLearningModel, Name: string(r.Base.Model), Hashes: sha(r.Base.Weights), Licenses: licences(nonEmpty(r.Base.Licence))}}
	for i := range r.Data {
		out = append(out, dataComponent(&r.Data[i]))
	}
	if c := trainingRows(r); c != nil {
		out = append(out, *c)
	}
	if t := r.Candidate.Retrieval; t != nil && t.Embedder != "" && t.Embedder != r.Base.Model {
		out = append(out, cdx.Component{BOMRef: "embedder:" + string(t.Embedder), Type: cdx.ComponentTypeMachineLearningModel, Name: string(t.Embedder), Description: "makes the vectors of the index",
			Licenses: licences(nonEmpty(engine.FactOf(t.Embedder).Licence))})
	}
	for _, p := range r.Parts {
		out = append(out, cdx.Component{BOMRef: "part:" + string(p.Digest), Type: cdx.ComponentTypeFile, Name: p.Kind, Hashes: sha(p.Digest), Properties: &[]cdx.Property{property("bytes", fmt.Sprint(p.Bytes))}})
	}
	if r.Candidate.Adapter != nil {
		for _, p := range training {
			purl := "pkg:pypi/" + strings.ToLower(strings.ReplaceAll(p.Name, "_", "-")) + "@" + p.Version
			out = append(out, cdx.Component{BOMRef: purl, Type: cdx.ComponentTypeLibrary, Name: p.Name, Version: p.Version, PackageURL: purl, Hashes: hashes(p.SHA256)})
		}
	}
	return out
}

// trainingRows are the rows that the adapter learned from, by their digest; nil where nothing was trained. They stand beside the datasets that
// they were taken from, which a task with its own files has none of.
func trainingRows(r *rung.Release) *cdx.Component {
	a := r.Candidate.Adapter
	if a == nil {
		return nil
	}
	one := cdx.ComponentData{Type: cdx.ComponentDataTypeDataset, Name: "training rows", Classification: cmp.Or(string(r.Terms.Sensitivity), "not stated"), Description: TermsText(&r.Terms)}
	return &cdx.Component{BOMRef: "rows:" + string(a.Data), Type: cdx.ComponentTypeData, Name: "training rows", Hashes: sha(a.Data), Licenses: licences(r.Terms.Licence), Data: &[]cdx.ComponentData{one}}
}

func nonEmpty(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

func dataComponent(d *rung.DataRef) cdx.Component {
	one := cdx.ComponentData{Type: cdx.ComponentDataTypeDataset, Name: d.Name, Classification: cmp.Or(string(d.Terms.Sensitivity), "not stated"), Description: TermsText(&d.Terms)}
	if d.Terms.Sensitivity == rung.Personal || d.Terms.Sensitivity == rung.Special {
		one.SensitiveData = &[]string{string(d.Terms.Sensitivity)}
	}
	if len(d.Terms.Contact) > 0 {
		var who []cdx.ComponentDataGovernanceResponsibleParty
		for _, c := range d.Terms.Contact {
			who = append(who, cdx.ComponentDataGovernanceResponsibleParty{Contact: &cdx.OrganizationalContact{Name: c}})
		}
		one.Governance = &cdx.DataGovernance{Custodians: &who}
	}
	return cdx.Component{BOMRef: dataRef(d), Type: cdx.ComponentTypeData, Name: d.Name, Hashes: sha(d.Digest), Licenses: licences(d.Terms.Licence), Data: &[]cdx.ComponentData{one}}
}
