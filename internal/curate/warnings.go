package curate

import "encoding/json"

// warnOfItems says when much went because it holds items of an evaluation set: more often than not the rows are those of that set's own task.
func (s *Summary) warnOfItems(say func(string, ...any)) {
	for i := range s.d.Steps {
		x := &s.d.Steps[i]
		var r AgainstReport
		if x.Name != StepAgainst || 10*x.Removed <= x.Rows || json.Unmarshal(x.Report, &r) != nil {
			continue
		}
		most := FoundSet{}
		for _, set := range r.Sets {
			if set.Found > most.Found {
				most = set
			}
		}
		say("Rows that hold items of evaluation sets are %s of those that came to decontaminate, and they were removed; most of the items are of %s (%d of %d found). If the dataset is for that very task, name it in the description (task:); its held-out rows then come to held-out again.", share(x.Removed, x.Rows), most.Name, most.Found, most.Items)
	}
}
