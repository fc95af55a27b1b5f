package app

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/guard"
)

func TestTracesLoseWhatAnyReleaseOfTheTaskHides(t *testing.T) {
	pii := func(entities ...string) []rung.GuardSpec {
		return []rung.GuardSpec{{Kind: "injection"}, {Kind: "pii", Entities: entities}}
	}
	var k kept
	redact := guard.Redactor(k.entities)
	const text = "Ann Miller, ann@example.com, card 4111 1111 1111 1111"
	for _, step := range []struct {
		learn []rung.GuardSpec
		want  string
	}{
		{nil, "<PERSON_1>, <EMAIL_1>, card <CREDIT_CARD_1>"},
		{pii("EMAIL"), "Ann Miller, <EMAIL_1>, card 4111 1111 1111 1111"},
		{pii("CREDIT_CARD"), "Ann Miller, <EMAIL_1>, card <CREDIT_CARD_1>"},
		{pii(), "<PERSON_1>, <EMAIL_1>, card <CREDIT_CARD_1>"},
		{pii("EMAIL"), "<PERSON_1>, <EMAIL_1>, card <CREDIT_CARD_1>"},
	} {
		if step.learn != nil {
			k.learn("travel", step.learn)
		}
		got, err := redact("travel", text)
		if diff := cmp.Diff(step.want, got); diff != "" || err != nil {
			t.Error(diff, err)
		}
	}
	if got, _ := redact("another", "ann@example.com"); got != "<EMAIL_1>" {
		t.Error(got)
	}
}
