package rung

// StyleSpec is a metric of rules that the style of an answer keeps. Zero values ask for nothing.
type StyleSpec struct {
	MinWords         int
	MaxWords         int
	MaxSentenceWords int     // of the longest sentence
	MinGrade         float64 // reading level: years of school, by Flesch and Kincaid
	MaxGrade         float64
	Required         []string // phrases
	Forbidden        []string
	Structure        []string // see the Structures
	Sections         []string // headings, or members of a JSON object, in this order
}

// What a style can ask of an answer's structure.
const (
	HasBullets   = "bullets"       // a list with bullets
	HasNumbers   = "numbered"      // a numbered list
	HasHeadings  = "headings"      // at least one heading
	HasTable     = "table"         // a table with pipes
	HasCode      = "code"          // a fenced block
	PlainText    = "plain"         // no markup at all
	OneParagraph = "one_paragraph" // no empty line between words
	IsJSON       = "json"          // one JSON object or list
)

// Structures are the names that StyleSpec.Structure may hold.
var Structures = []string{HasBullets, HasNumbers, HasHeadings, HasTable, HasCode, PlainText, OneParagraph, IsJSON}

// LikeSpec is a metric that says how much an answer sounds like the examples of a style and not like the others: a classifier
// trained on both.
type LikeSpec struct {
	Examples []string // texts in the style
	Others   []string // texts that are not
}
