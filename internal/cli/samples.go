package cli

import (
	"encoding/json"
	"fmt"

	"github.com/rung-dev/rung"
)

// sampleSegment marks the examples that rung init writes, so that rung check can say that they are still there.
const sampleSegment = "sample: replace me"

// sampleSet is twelve examples with what belongs to them. They pass rung check and are there to be replaced.
type sampleSet struct {
	instructions string
	fields       []rung.Field
	file         string // schema or tools
	rows         []sampleRow
}

type sampleRow struct{ input, output string } // JSON

var textField = []rung.Field{{Name: "text", Type: "string"}}

var defaultLabels = []string{"billing", "delivery", "account"}

// samples puts sample examples into the plan.
func (p *initPlan) samples() {
	switch p.Kind {
	case rung.JSONSchema:
		p.set = &jsonSamples
	case rung.Text:
		p.set = &textSamples
	case rung.Tools:
		p.set = &toolSamples
	default:
		if len(p.Labels) == 0 {
			p.Labels = defaultLabels
		}
		p.set = labelSamples(p.Labels)
	}
	p.Fields, p.Examples, p.sample = p.set.fields, "examples.jsonl", true
	if p.set.file != "" {
		p.schema = []byte(p.set.file)
	}
	p.Notes = append(p.Notes, "examples.jsonl holds twelve samples: replace them with your own before you believe any figure")
}

// labelSamples are support messages for the default labels, and fill-in lines for others.
func labelSamples(labels []string) *sampleSet {
	set := &sampleSet{fields: textField, instructions: "Sort the text into exactly one of the labels."}
	if fmt.Sprint(labels) == fmt.Sprint(defaultLabels) {
		set.instructions = "Sort the customer's message by the department that should answer it."
		set.rows = supportRows
		return set
	}
	for i := range max(12, len(labels)) {
		label := labels[i%len(labels)]
		set.rows = append(set.rows, sampleRow{jsonText("text", fmt.Sprintf("Sample %d, to be replaced: a real input whose right label is %s.", i+1, label)), quoted(label)})
	}
	return set
}

func jsonText(key, value string) string {
	return fmt.Sprintf("{%s: %s}", quoted(key), quoted(value))
}

func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		return `""`
	}
	return string(b)
}

var supportRows = []sampleRow{
	{`{"text": "I was charged twice for the same month."}`, `"billing"`},
	{`{"text": "The parcel says delivered, but nothing is here."}`, `"delivery"`},
	{`{"text": "I cannot log in since I changed my phone."}`, `"account"`},
	{`{"text": "Where can I download last year's invoices?"}`, `"billing"`},
	{`{"text": "My order left the warehouse a week ago. When will it arrive?"}`, `"delivery"`},
	{`{"text": "Please delete everything you have stored about me."}`, `"account"`},
	{`{"text": "The discount code was not taken off the total."}`, `"billing"`},
	{`{"text": "The driver left the box in the rain and it is soaked."}`, `"delivery"`},
	{`{"text": "How do I change the e-mail address I sign in with?"}`, `"account"`},
	{`{"text": "Can I pay by bank transfer instead of by card?"}`, `"billing"`},
	{`{"text": "I moved house. Can the shipment still be redirected?"}`, `"delivery"`},
	{`{"text": "Someone else seems to be using my profile."}`, `"account"`},
}

var jsonSamples = sampleSet{
	instructions: "Extract what the customer wants to order. Leave out what the message does not say.",
	fields:       textField,
	file: `{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "properties": {
    "product": {"type": "string"},
    "quantity": {"type": "integer", "minimum": 1},
    "size": {"enum": ["small", "medium", "large"]},
    "city": {"type": "string"}
  },
  "required": ["product"],
  "additionalProperties": false
}
`,
	rows: []sampleRow{
		{`{"text": "Three large blue shirts to Porto, please."}`, `{"product": "blue shirt", "quantity": 3, "size": "large", "city": "Porto"}`},
		{`{"text": "I would like a small lamp."}`, `{"product": "lamp", "quantity": 1, "size": "small"}`},
		{`{"text": "Do you ship garden chairs to Oslo? I need four."}`, `{"product": "garden chair", "quantity": 4, "city": "Oslo"}`},
		{`{"text": "Send the medium rucksack to my office in Lyon."}`, `{"product": "rucksack", "size": "medium", "city": "Lyon"}`},
		{`{"text": "A dozen candles."}`, `{"product": "candle", "quantity": 12}`},
		{`{"text": "Can I get the kettle delivered to Turin?"}`, `{"product": "kettle", "city": "Turin"}`},
		{`{"text": "Two pairs of wool socks, size medium."}`, `{"product": "wool socks", "quantity": 2, "size": "medium"}`},
		{`{"text": "One more of the same red umbrellas, to Ghent this time."}`, `{"product": "red umbrella", "quantity": 1, "city": "Ghent"}`},
		{`{"text": "We need ten notebooks by Friday."}`, `{"product": "notebook", "quantity": 10}`},
		{`{"text": "The large tent for Vienna."}`, `{"product": "tent", "size": "large", "city": "Vienna"}`},
		{`{"text": "How about five small flower pots?"}`, `{"product": "flower pot", "quantity": 5, "size": "small"}`},
		{`{"text": "Just the coffee grinder, thanks."}`, `{"product": "coffee grinder"}`},
	},
}

var textSamples = sampleSet{
	instructions: "Answer the question in one short sentence.",
	fields:       []rung.Field{{Name: "question", Type: "string"}},
	rows: []sampleRow{
		{`{"question": "How many days are there in a leap year?"}`, `"A leap year has 366 days."`},
		{`{"question": "What do bees make from nectar?"}`, `"Bees make honey from nectar."`},
		{`{"question": "Which planet is closest to the sun?"}`, `"Mercury is closest to the sun."`},
		{`{"question": "At what temperature does water boil at sea level?"}`, `"Water boils at 100 degrees Celsius at sea level."`},
		{`{"question": "Who wrote Hamlet?"}`, `"William Shakespeare wrote Hamlet."`},
		{`{"question": "What is the capital of Portugal?"}`, `"The capital of Portugal is Lisbon."`},
		{`{"question": "How many strings does a violin have?"}`, `"A violin has four strings."`},
		{`{"question": "What gas do plants take in?"}`, `"Plants take in carbon dioxide."`},
		{`{"question": "Which ocean lies between Africa and Australia?"}`, `"The Indian Ocean lies between Africa and Australia."`},
		{`{"question": "What is frozen water called?"}`, `"Frozen water is called ice."`},
		{`{"question": "How long does the earth take to go round the sun?"}`, `"The earth takes about one year to go round the sun."`},
		{`{"question": "Which metal is liquid at room temperature?"}`, `"Mercury is liquid at room temperature."`},
	},
}

var toolSamples = sampleSet{
	instructions: "Choose the tool that does what the user asks, and fill in its arguments from the request.",
	fields:       []rung.Field{{Name: "request", Type: "string"}},
	file: `[
  {
    "name": "set_timer",
    "description": "Starts a timer.",
    "parameters": {
      "type": "object",
      "properties": {"minutes": {"type": "integer", "minimum": 1}, "label": {"type": "string"}},
      "required": ["minutes"],
      "additionalProperties": false
    }
  },
  {
    "name": "play_music",
    "description": "Plays music by an artist or of a genre.",
    "parameters": {
      "type": "object",
      "properties": {"artist": {"type": "string"}, "genre": {"type": "string"}},
      "additionalProperties": false
    }
  },
  {
    "name": "get_weather",
    "description": "Tells the weather of a city.",
    "parameters": {
      "type": "object",
      "properties": {"city": {"type": "string"}, "day": {"enum": ["today", "tomorrow"]}},
      "required": ["city"],
      "additionalProperties": false
    }
  }
]
`,
	rows: []sampleRow{
		{`{"request": "Wake me up in 20 minutes."}`, `{"name": "set_timer", "arguments": {"minutes": 20}}`},
		{`{"request": "Put on some jazz."}`, `{"name": "play_music", "arguments": {"genre": "jazz"}}`},
		{`{"request": "Will it rain in Bergen tomorrow?"}`, `{"name": "get_weather", "arguments": {"city": "Bergen", "day": "tomorrow"}}`},
		{`{"request": "Set a timer for the pasta, nine minutes."}`, `{"name": "set_timer", "arguments": {"minutes": 9, "label": "pasta"}}`},
		{`{"request": "Play something by Nina Simone."}`, `{"name": "play_music", "arguments": {"artist": "Nina Simone"}}`},
		{`{"request": "What is the weather like in Quito?"}`, `{"name": "get_weather", "arguments": {"city": "Quito"}}`},
		{`{"request": "Remind me of the laundry in an hour."}`, `{"name": "set_timer", "arguments": {"minutes": 60, "label": "laundry"}}`},
		{`{"request": "I feel like listening to reggae."}`, `{"name": "play_music", "arguments": {"genre": "reggae"}}`},
		{`{"request": "Do I need a coat in Minsk today?"}`, `{"name": "get_weather", "arguments": {"city": "Minsk", "day": "today"}}`},
		{`{"request": "Count down five minutes, please."}`, `{"name": "set_timer", "arguments": {"minutes": 5}}`},
		{`{"request": "Bach would be nice now."}`, `{"name": "play_music", "arguments": {"artist": "Bach"}}`},
		{`{"request": "Tell me tomorrow's forecast for Nairobi."}`, `{"name": "get_weather", "arguments": {"city": "Nairobi", "day": "tomorrow"}}`},
	},
}
