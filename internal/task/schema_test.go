package task_test

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/rogpeppe/go-internal/txtar"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/rung-dev/rung/internal/task"
)

func compiledSchema(t *testing.T) *jsonschema.Schema { return compiled(t, task.Schema()) }

func compiled(t *testing.T, schema []byte) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("task.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("task.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// instance is the YAML of an archive's task file as an editor's checker sees it.
func instance(t *testing.T, archive string) any {
	t.Helper()
	a, err := txtar.ParseFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := yaml.UnmarshalWithOptions(a.Files[0].Data, &v, yaml.AllowDuplicateMapKey()); err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestSchemaAcceptsGoodFiles(t *testing.T) {
	s := compiledSchema(t)
	for _, archive := range archives(t, "good") {
		if err := s.Validate(instance(t, archive)); err != nil {
			t.Errorf("%s: %v", filepath.Base(archive), err)
		}
	}
}

// TestSchemaRefusesBadFiles: what is wrong with the form of a file, an editor shows as well. What needs other files, or
// other keys (does the metric fit?), only Load can tell.
func TestSchemaRefusesBadFiles(t *testing.T) {
	s := compiledSchema(t)
	for _, name := range []string{"keys", "empty_task", "no_values", "types", "list_task", "scalars", "split_one", "labels", "one_label",
		"metrics", "rungs", "tools_from_key", "tools_number", "guards", "rollout", "documents_groups", "licence", "style_modes"} {
		if err := s.Validate(instance(t, filepath.Join("testdata", "bad", name+".txtar"))); err == nil {
			t.Errorf("%s.txtar: the schema accepts it", name)
		}
	}
}

// TestSchemaAndLoadKnowTheSameKeys walks the schema and the keys that Load knows side by side.
func TestSchemaAndLoadKnowTheSameKeys(t *testing.T) {
	sameKeys(t, task.Schema(), task.Keys)
	sameKeys(t, task.DescriptionSchema(), task.DescriptionKeys)
}

func sameKeys(t *testing.T, schema []byte, keys map[string][]string) {
	t.Helper()
	var root map[string]any
	if err := json.Unmarshal(schema, &root); err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{}
	walkKeys(t, root, root, "", found)
	for path, want := range keys {
		got := found[path]
		slices.Sort(got)
		want = slices.Sorted(slices.Values(want))
		if !slices.Equal(slices.Compact(got), want) {
			t.Errorf("%q: the schema has %v, Load knows %v", path, got, want)
		}
		delete(found, path)
	}
	for path, keys := range found {
		t.Errorf("%q: the schema has %v, Load knows none", path, keys)
	}
}

// walkKeys collects the properties of closed mappings, and asks for a description of each.
func walkKeys(t *testing.T, root, node map[string]any, path string, found map[string][]string) {
	t.Helper()
	for _, list := range []string{"oneOf", "anyOf"} {
		options, _ := node[list].([]any)
		for _, o := range options {
			walkKeys(t, root, o.(map[string]any), path, found)
		}
	}
	if items, ok := node["items"].(map[string]any); ok && items["properties"] != nil {
		walkKeys(t, root, items, path+"[]", found)
	}
	properties, _ := node["properties"].(map[string]any)
	for key, value := range properties {
		found[path] = append(found[path], key)
		sub := value.(map[string]any)
		at := strings.TrimPrefix(path+"."+key, ".")
		if d, _ := sub["description"].(string); len(d) < 5 {
			t.Errorf("%s has no description", at)
		}
		walkKeys(t, root, sub, at, found)
	}
}

// TestSchemaNamesTheMetrics keeps the list that editors complete from in step with the standard metrics.
func TestSchemaNamesTheMetrics(t *testing.T) {
	var root struct {
		Properties struct {
			Bar struct {
				Properties struct {
					Metric struct {
						AnyOf []struct{ Enum []string }
					}
				}
			}
		}
	}
	if err := json.Unmarshal(task.Schema(), &root); err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, m := range task.Metrics {
		want = append(want, m.Name)
	}
	if got := root.Properties.Bar.Properties.Metric.AnyOf[0].Enum; !slices.Equal(got, want) {
		t.Errorf("the schema has %v, Load knows %v", got, want)
	}
}
