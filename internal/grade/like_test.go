package grade_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/form"
	"github.com/rung-dev/rung/internal/grade"
)

func TestLike(t *testing.T) {
	var ours, theirs []string
	for i := range 30 {
		ours = append(ours, fmt.Sprintf("Dear customer, we have looked into matter %d and it is settled. Kind regards.", i))
		theirs = append(theirs, fmt.Sprintf("hey, matter %d is done, no worries lol", i))
	}
	spec := rung.MetricSpec{Name: "voice", Kind: "like", Like: &rung.LikeSpec{Examples: ours, Others: theirs}}
	tk := task(plain, rung.Bar{Metric: "voice", AtLeast: .5}, spec)
	g := grader(t, tk)
	if v := g.Voices()["voice"]; v == nil || v.AUC < .99 || v.N != 30 || v.M != 30 {
		t.Errorf("%+v", v)
	}
	good, bad := g.Score(example(`"x"`), said(`"Dear customer, we have sent it. Kind regards."`)), g.Score(example(`"x"`), said(`"hey it's sent, no worries"`))
	if good.Values["voice"] < .7 || !good.Success || bad.Values["voice"] > .3 || bad.Mistake != "sounds like the others" {
		t.Errorf("%v and %v (%s)", good.Values["voice"], bad.Values["voice"], bad.Mistake)
	}
	spec.Like.Others = ours // nothing to tell apart
	f, err := form.New(plain)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := grade.New(task(plain, rung.Bar{Metric: "voice", AtLeast: .5}, spec), f); err == nil || !strings.Contains(err.Error(), "cannot tell the examples from the others") {
		t.Errorf("a classifier that can tell nothing is a metric: %v", err)
	}
}
