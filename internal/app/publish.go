package app

import (
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/govern"
)

// Publishable refuses to publish a release that the terms of its data forbid to publish on that day, and gives a note where nobody has said.
// Inside the house nothing is published; a retention that has passed counts there too.
func Publishable(r *rung.Release, day time.Time, inside bool) (note string, err error) {
	var parties []govern.Party
	for i := range r.Data {
		parties = append(parties, govern.Party{Name: "the dataset " + r.Data[i].Name, Terms: r.Data[i].Terms})
	}
	ruling := govern.Permit(rung.UsePublish, day, parties...)
	if ruling.Verdict != govern.Forbidden { // the task's own terms are among those of all of it
		ruling = govern.Permit(rung.UsePublish, day, govern.Party{Name: "the data of " + r.Name(), Terms: r.Terms})
	}
	switch {
	case ruling.Expired:
		return "", &rung.Error{Code: rung.CodeInput, Place: r.Name(), What: "the terms of its data forbid to keep it: " + ruling.Reason(), Do: "climb and release again without these data, or have their owner allow longer (retention)"}
	case inside:
		return "", nil
	case ruling.Verdict == govern.Forbidden:
		return "", &rung.Error{Code: rung.CodeInput, Place: r.Name(), What: "the terms of its data forbid to publish it: " + ruling.Reason(),
			Do: "have the data's owner allow it (uses: publish), or say with --inside that nobody outside reads this registry"}
	case ruling.Verdict == govern.Unsaid:
		return ruling.Reason() + "; if the registry is read outside your house, ask the data's owner first", nil
	}
	return "", nil
}
