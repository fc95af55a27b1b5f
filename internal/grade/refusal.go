package grade

import (
	"regexp"
	"strings"
)

// Declining is of two kinds: abstaining, which says that there is no answer ("unanswerable", see abstentions), and refusing,
// which says that none will be given ("I'm sorry, but I can't help with that"). Both are told by their wording alone, in
// English; docs/metrics.md has what that finds and misses.

// refusalHead is how much of an answer is read for a refusal, in bytes: one that comes later declines only a part.
const refusalHead = 320

// refusalWords hold one of the words without which no pattern of a refusal matches, so that most answers cost no more.
var refusalWords = []string{"cannot", "can't", "can not", "unable", "not able", "won't", "will not", "declin", "refus", "not allowed",
	"don't have", "do not have", "not permitted", "not comfortable", "against my"}

const (
	speaker = `\b(?:i|we)(?: am|'m| are|'re|'ll| will| have to| must| simply| really| also| would)*`
	helping = `(?:help|assist|answer|provide|comply|fulfill?|give|share|write|create|generate|discuss|engage|support|say|tell|respond|complete|do (?:that|this|so)|offer|participate|recommend|advise|make|produce|determine|browse|access|be able)\b`
)

var refusals = regexp.MustCompile(speaker + ` (?:cannot|can't|can not|unable to|not able to|won't|not|declin\w+(?: to)?|refuse\w*(?: to)?|not allowed to|not permitted to|not comfortable)(?: \w+){0,2}? ` + helping +
	`|` + speaker + ` (?:sorry|afraid)\b[^.!?\n]{0,40}\b(?:cannot|can't|can not|unable|not able|won't|not)\b` +
	`|\b(?:as an ai|as a language model|as an assistant)\b[^.!?\n]{0,80}\b(?:cannot|can't|can not|unable|not able|don't have|do not have)\b` +
	`|\bi (?:must|have to|respectfully) (?:respectfully )?(?:decline|refuse)\b|\bagainst my (?:guidelines|policy|policies|programming|rules)\b` +
	`|\bi (?:don't|do not) have (?:any |enough |the |access to )?(?:information|access|personal|ability|context|data|opinions|feelings)`)

// refuses reports whether an answer begins by refusing.
func refuses(s string) bool {
	head := strings.ToLower(strings.ToValidUTF8(s[:min(len(s), refusalHead)], ""))
	head = strings.NewReplacer("’", "'", "`", "'").Replace(head)
	for _, word := range refusalWords {
		if strings.Contains(head, word) {
			return refusals.MatchString(head)
		}
	}
	return strings.Contains(head, "sorry") && refusals.MatchString(head)
}

// declines reports whether a text abstains or refuses.
func (t *text) declines() bool { return t.abstains() || refuses(t.s) }
