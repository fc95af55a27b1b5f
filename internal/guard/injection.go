package guard

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/guard/linear"
	"github.com/rung-dev/rung/internal/pii"
)

// Injected instructions are screened by two linear models and by phrases that attacks use. injection.bin knows what user texts
// with injected instructions look like. request.bin knows sentences that ask somebody for something, which is what an
// instruction planted in a document does and the document around it seldom. bench/guards/train makes both; docs/guards.md says
// from what, how well they do, and that neither stops an attacker who tries for long.

//go:embed injection.bin
var injectionWeights []byte

//go:embed request.bin
var requestWeights []byte

//go:embed injection.txt
var injectionPhrases string

// Default thresholds, where cross-validation on the training data found something in one of a hundred ordinary texts, and in
// one of a hundred sentences of documents.
const (
	defaultInjection = .5
	defaultRequest   = .8
	phraseScore      = .95
)

// injection is what screens texts; it is loaded once.
type injection struct {
	user, request *linear.Model
	phrases       *matcher
}

var loadInjection = sync.OnceValues(func() (*injection, error) {
	user, err := linear.Load(injectionWeights)
	if err != nil {
		return nil, fmt.Errorf("injection.bin: %w", err)
	}
	request, err := linear.Load(requestWeights)
	if err != nil {
		return nil, fmt.Errorf("request.bin: %w", err)
	}
	phrases, err := newMatcher(slices.DeleteFunc(strings.Split(injectionPhrases, "\n"), func(s string) bool {
		return strings.TrimSpace(s) == "" || strings.HasPrefix(s, "#")
	}))
	return &injection{user, request, phrases}, err
})

func newInjection(threshold float64) (checker, error) {
	in, err := loadInjection()
	if err != nil {
		return nil, err
	}
	return func(_ context.Context, stage rung.GuardStage, text string) (result, error) {
		limit := threshold
		var score float64
		var kind string
		if stage == rung.GuardRetrieved {
			score, kind = in.passage(text)
			if limit == 0 {
				limit = defaultRequest
			}
		} else {
			score, kind = in.userText(text)
			if limit == 0 {
				limit = defaultInjection
			}
		}
		if score < limit {
			return result{score: score}, nil
		}
		return result{hit: true, score: score, kinds: []string{kind}}, nil
	}, nil
}

// windowSentences is how many sentences are scored together: an attack at the end of a long text must not be outvoted by what
// stands before it.
const windowSentences = 3

// userText is the greatest score of the whole text and of its windows.
func (in *injection) userText(text string) (float64, string) {
	if in.attacks(text) {
		return phraseScore, "PHRASE"
	}
	f := FoldText(text)
	best := 0.0
	if len(f) < 2*maxPart {
		best = in.user.Score(f)
	}
	for _, w := range sentencesOf(f, windowSentences) {
		if w.end-w.start >= 60 || best == 0 {
			best = max(best, in.user.Score(f[w.start:w.end]))
		}
	}
	return best, "INJECTION"
}

// passage is the greatest score of a passage's sentences.
func (in *injection) passage(text string) (float64, string) {
	if in.attacks(text) {
		return phraseScore, "PHRASE"
	}
	f := FoldText(text)
	best := 0.0
	for _, w := range sentencesOf(f, 1) {
		if w.end-w.start >= 12 {
			best = max(best, in.request.Score(f[w.start:w.end]))
		}
	}
	return best, "REQUEST"
}

// attacks looks for the phrases in the text, in letters that stand one by one, and in invisible tag characters.
func (in *injection) attacks(text string) bool {
	if len(in.phrases.find(text)) > 0 {
		return true
	}
	if hidden := tagged(text); len(hidden) > 8 {
		return true // nobody writes words invisibly for an honest reason
	}
	close := joined(folded(text).Text)
	return close != "" && in.spelled(close)
}

// spelled looks for words that only attacks spell letter by letter.
func (in *injection) spelled(text string) bool {
	for _, w := range []string{"ignore", "disregard", "instructions", "systemprompt", "jailbreak", "override"} {
		if strings.Contains(text, w) {
			return true
		}
	}
	return false
}

// FoldText is a text as the models read it: folded, in valid UTF-8, with line ends kept. Training folds in the same way.
func FoldText(text string) string {
	s := pii.Rewrite(text, func(r rune) rune {
		if r == '\n' {
			return '\n'
		}
		if r == utf8.RuneError {
			return ' '
		}
		switch {
		case r < utf8.RuneSelf:
			if r >= 'A' && r <= 'Z' {
				return r + 'a' - 'A'
			}
			return r
		case pii.Invisible(r):
			return -1
		}
		return base(r)
	})
	return s.Text
}

// Sentences cuts a folded text as the screening of passages does, for training.
func Sentences(text string) []string {
	var out []string
	for _, w := range sentencesOf(text, 1) {
		out = append(out, text[w.start:w.end])
	}
	return out
}
