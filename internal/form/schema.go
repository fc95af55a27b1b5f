package form

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/rung-dev/rung"
)

// compiled is a schema ready to validate and to put properties in order.
type compiled struct {
	raw    json.RawMessage
	schema *jsonschema.Schema
	layout *layout
}

// noLoading refuses references to other files and hosts: a schema is data from outside.
type noLoading struct{}

func (noLoading) Load(url string) (any, error) {
	return nil, fmt.Errorf("it refers to %s; put the definition into the same schema, under $defs", url)
}

func compile(raw json.RawMessage) (*compiled, error) {
	tree, err := parseNode(raw)
	if err != nil {
		return nil, &rung.Error{Code: rung.CodeInput, What: "the output schema is not JSON: " + err.Error(), Do: "correct it", Err: err}
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, &rung.Error{Code: rung.CodeInput, What: "the output schema is not JSON: " + err.Error(), Do: "correct it", Err: err}
	}
	c := jsonschema.NewCompiler()
	c.UseLoader(noLoading{})
	const name = "schema.json"
	if err := c.AddResource(name, doc); err != nil {
		return nil, notASchema(err)
	}
	schema, err := c.Compile(name)
	if err != nil {
		return nil, notASchema(err)
	}
	return &compiled{raw: raw, schema: schema, layout: layoutOf(tree, tree, 0)}, nil
}

func notASchema(err error) error {
	return &rung.Error{Code: rung.CodeInput, What: "the output schema is not a JSON Schema: " + firstLine(err), Do: "correct it; https://json-schema.org/understanding-json-schema shows the form", Err: err}
}

func firstLine(err error) string {
	var sv *jsonschema.SchemaValidationError
	if errors.As(err, &sv) {
		var ve *jsonschema.ValidationError
		if errors.As(sv.Err, &ve) {
			return explain(ve)
		}
	}
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// check validates a JSON value. The error's message is one line that names the failing path.
func (c *compiled) check(value json.RawMessage) error {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(value))
	if err != nil {
		return err
	}
	err = c.schema.Validate(doc)
	var ve *jsonschema.ValidationError
	if errors.As(err, &ve) {
		return errors.New(explain(ve))
	}
	return err
}

var english = message.NewPrinter(language.English)

// explain names the first leaf of a validation error: its place and what is wrong there.
func explain(ve *jsonschema.ValidationError) string {
	leaf := ve
	for len(leaf.Causes) > 0 {
		leaf = leaf.Causes[0]
	}
	place := "the answer"
	if len(leaf.InstanceLocation) > 0 {
		place = strings.Join(leaf.InstanceLocation, ".")
	}
	return place + ": " + leaf.ErrorKind.LocalizedString(english)
}

// ordered is value, compact, with its properties in the schema's order.
func (c *compiled) ordered(value []byte) (json.RawMessage, error) {
	n, err := parseNode(value)
	if err != nil {
		return nil, err
	}
	c.layout.apply(n)
	return n.bytes(), nil
}
