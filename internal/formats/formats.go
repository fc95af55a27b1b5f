// Package formats reads rows of any of the usual formats as dataset rows, each with its origin, and writes them in the same formats. The
// format and the encoding are found by looking; what is chosen, what is repaired and what has no place is reported, never done in silence.
package formats

import (
	"github.com/rung-dev/rung"
)

// Format is how rows say what is asked and what is answered.
type Format string

// The formats. The first are read from any container (JSON lines, a JSON array, CSV, Parquet, Arrow, also compressed).
const (
	Rung        Format = "rung"        // {"input": …, "output": …} with what else a dataset row has
	Flat        Format = "flat"        // a key or column for each field; which is which is found or named
	Text        Format = "text"        // bare texts: one a line, or JSON strings
	Chat        Format = "chat"        // OpenAI chat fine-tuning: messages, tools
	ShareGPT    Format = "sharegpt"    // conversations of from and value
	Alpaca      Format = "alpaca"      // instruction, input, output
	LabelStudio Format = "labelstudio" // a Label Studio export, JSON
	Promptfoo   Format = "promptfoo"   // promptfoo tests: vars and assert, YAML or JSON
	Traces      Format = "traces"      // what rung traces export writes
	Folder      Format = "folder"      // prompts and answers as plain files
	// Containers, as names to write to: rows are flat in them.
	JSONL   Format = "jsonl"
	JSON    Format = "json"
	CSV     Format = "csv"
	TSV     Format = "tsv"
	Parquet Format = "parquet"
	HF      Format = "hf" // a Hugging Face dataset folder
)

// Options say how files are read. The zero value finds everything by looking.
type Options struct {
	Format   Format // of the rows; "" finds it for each file
	Encoding string // a name that the WHATWG Encoding Standard knows, such as shift_jis; "" finds it
	Source   string // Source.Name, written to the rows and origins
	// Input are the keys that make up the input, and Output that of the output, of flat rows; empty: found. Input of "*" takes all keys that
	// have no other role.
	Input  []string
	Output string
	// Fields are those of a task's input. Flat rows that have one of them, and for which no Input is named, have these as their input.
	Fields []string
	// Map names the key of a role: id, output, alternatives, segment, group, split, time, person, or input.NAME for a field of another name.
	Map map[string]string
	// Conversation says what becomes of chats of one turn: ChatText, ChatMessages or "" for what the first thousand rows need.
	Conversation Conversation
	MaxExpanded  int64  // bytes that all compressed files may expand to together; 0: DefaultMaxExpanded
	MaxRatio     int64  // how many times its size a compressed file may expand to; 0: DefaultMaxRatio
	Number       bool   // a row whose id an earlier row has gets a number behind it, and its origin says so
	OwnIDs       bool   // a row without an id stays without one; else it is named by what it says
	Home         string // a folder whose own name marks its files for no split, such as that of a project; "": none
	Tmp          string // where working files go; "": the system's place
}

// Conversation is how the input of a chat is kept.
type Conversation string

// The ways.
const (
	ChatText     Conversation = "text"     // fields text and, with a system turn, system: chats of one question
	ChatMessages Conversation = "messages" // field messages with all turns before the answer, and tools
)

// Report says what was read.
type Report struct {
	Files  []FileReport `json:"files"`
	Rows   int          `json:"rows"`
	Broken int          `json:"broken"`
	Fields []string     `json:"fields"` // of the inputs, as they first appear
	// Passed are files of folders that were not read though they may hold rows: configurations, texts, what rung wrote beside rows.
	Passed []string `json:"passed_over,omitempty"`
}

// FileReport is what was found in one file. A member of an archive and a file of a folder have one of their own.
type FileReport struct {
	File        string      `json:"file"`
	Container   string      `json:"container"` // jsonl, json, csv, tsv, parquet, arrow, yaml, text, folder
	Format      Format      `json:"format"`
	Compression string      `json:"compression,omitempty"` // gzip, zip, zstd, bzip2
	Encoding    string      `json:"encoding"`              // utf-8, utf-16le, windows-1252, …
	Bytes       int64       `json:"bytes"`                 // as it lies on the disk
	Digest      rung.Digest `json:"digest"`                // of the file as it lies on the disk
	Rows        int         `json:"rows"`
	Broken      int         `json:"broken"`
	Chosen      []string    `json:"chosen,omitempty"`   // which key took which role, such as "output: label"
	LeftOut     []Count     `json:"left_out,omitempty"` // keys and values that have no role
	Repairs     []Repair    `json:"repairs,omitempty"`
	Notes       []string    `json:"notes,omitempty"`
}

// Count says of how many rows something holds.
type Count struct {
	What string `json:"what"`
	Rows int    `json:"rows"`
}

// Repair is a kind of repair with the rows that it was made in. A kind that begins with "suspected" was seen and not repaired.
type Repair struct {
	Kind     string          `json:"kind"`
	Rows     int             `json:"rows"`
	Examples []RepairExample `json:"examples"` // at most three
}

// RepairExample is one row's repair.
type RepairExample struct {
	Line   int    `json:"line"`
	Before string `json:"before"` // a part of the row; bytes that are no text as \x..
	After  string `json:"after"`
}

// WriteOptions say how rows are written.
type WriteOptions struct {
	Written *Written // filled in when not nil
	Strict  bool     // what the format cannot hold is an error and not a loss
	Tmp     string
}

// Written says what was written and what the format could not hold.
type Written struct {
	Files  []WrittenFile `json:"files"`
	Rows   int           `json:"rows"`
	Losses []Count       `json:"losses,omitempty"` // in how many rows what was lost or is written in another way
}

// WrittenFile is one file that was written.
type WrittenFile struct {
	File   string      `json:"file"`
	Digest rung.Digest `json:"digest"`
	Rows   int         `json:"rows"`
}
