package records

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/rung-dev/rung/internal/charset"
)

const (
	// maxYAML bounds a YAML file, which is read as a whole: people write it.
	maxYAML = 8 << 20
	// maxNodes bounds what a YAML file is once its aliases are written out.
	maxNodes = 2_000_000
)

// yaml reads a list of rows, each item of it; of anything else each document is a row.
func (r *reader) yaml(lines *charset.Lines) error {
	text, repairs, err := wholeText(lines)
	if err != nil {
		return err
	}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return fmt.Errorf("not YAML: %s", yaml.FormatError(err, false, false))
	}
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		if n := size(doc.Body, map[string]int{}); n > maxNodes {
			return fmt.Errorf("the YAML document has more than %d values once its aliases are written out", maxNodes)
		}
		var v any
		if err := yaml.NodeToValue(doc.Body, &v, yaml.UseOrderedMap()); err != nil {
			return fmt.Errorf("not YAML: %s", yaml.FormatError(err, false, false))
		}
		items, list := v.([]any)
		var nodes []ast.Node
		if seq, ok := doc.Body.(*ast.SequenceNode); ok {
			nodes = seq.Values
		}
		if !list {
			items, nodes = []any{v}, []ast.Node{doc.Body}
		}
		if err := r.yamlItems(items, nodes, repairs); err != nil {
			return err
		}
		repairs = nil
	}
	return nil
}

func (r *reader) yamlItems(items []any, nodes []ast.Node, repairs []charset.Repair) error {
	for i, item := range items {
		line := i + 1
		if i < len(nodes) && nodes[i].GetToken() != nil {
			line = nodes[i].GetToken().Position.Line
		}
		out, err := appendOrdered(nil, item)
		if err != nil {
			err = r.fault([]byte(fmt.Sprint(item)), line, "%v", err)
		} else {
			err = r.emit(out, out, line, repairs)
		}
		if err != nil {
			return err
		}
		repairs = nil
	}
	return nil
}

// wholeText reads a file that people write.
func wholeText(lines *charset.Lines) (text []byte, repairs []charset.Repair, err error) {
	for {
		line, err := lines.Next()
		if errors.Is(err, io.EOF) {
			return text, repairs, nil
		}
		if err != nil {
			return nil, nil, err
		}
		text = append(text, line.Text...)
		if !line.More {
			text = append(text, '\n')
		}
		repairs = append(repairs, line.Repairs...)
		if len(text) > maxYAML {
			return nil, nil, fmt.Errorf("the YAML file is larger than %d MiB", maxYAML>>20)
		}
	}
}

// size counts the values of a node with its aliases written out: a few lines of aliases of aliases can stand for billions.
func size(n ast.Node, anchors map[string]int) int {
	total := 1
	switch n := n.(type) {
	case *ast.MappingNode:
		for _, v := range n.Values {
			total += size(v, anchors)
		}
	case *ast.MappingValueNode:
		total += size(n.Key, anchors) + size(n.Value, anchors)
	case *ast.SequenceNode:
		for _, v := range n.Values {
			total += size(v, anchors)
		}
	case *ast.AnchorNode:
		total = size(n.Value, anchors)
		anchors[n.Name.String()] = total
	case *ast.AliasNode:
		total = anchors[n.Value.String()]
	case *ast.TagNode:
		total = size(n.Value, anchors)
	}
	return min(total, maxNodes+1)
}

// appendOrdered writes a YAML value as JSON, keys in their order.
func appendOrdered(dst []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case yaml.MapSlice:
		dst = append(dst, '{')
		for i, item := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			var err error
			if dst, err = jsontext.AppendQuote(dst, fmt.Sprint(item.Key)); err != nil {
				return nil, err
			}
			if dst, err = appendOrdered(append(dst, ':'), item.Value); err != nil {
				return nil, err
			}
		}
		return append(dst, '}'), nil
	case []any:
		dst = append(dst, '[')
		for i, item := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			var err error
			if dst, err = appendOrdered(dst, item); err != nil {
				return nil, err
			}
		}
		return append(dst, ']'), nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return append(dst, "null"...), nil
		}
	case time.Time:
		return append(append(append(dst, '"'), v.Format(time.RFC3339Nano)...), '"'), nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return append(dst, b...), nil
}
