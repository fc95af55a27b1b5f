package task

import _ "embed"

//go:embed schema.json
var schemaFile []byte

//go:embed description.json
var descriptionSchema []byte

// Schema is the JSON Schema of the task file (draft 2020-12), with descriptions, for editors.
func Schema() []byte { return schemaFile }

// DescriptionSchema is that of a dataset's description.
func DescriptionSchema() []byte { return descriptionSchema }
