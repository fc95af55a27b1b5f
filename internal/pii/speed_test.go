package pii_test

import (
	"testing"

	"github.com/rung-dev/rung/internal/pii"
)

const sentence = "Dear Mr. Miller, the parcel for Anna Kowalska was sent to 12 Main Street, San Francisco, CA 94107 on 3 May 2021; call 555-123-4567."

func BenchmarkFind(b *testing.B) {
	forms := []pii.Type{pii.Email, pii.Phone, pii.Card, pii.IBAN, pii.SSN, pii.NationalID, pii.IP, pii.URL, pii.BirthDate}
	for name, types := range map[string][]pii.Type{"forms": forms, "all": nil} {
		e := engine(b, pii.Options{Types: types})
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(sentence)))
			for b.Loop() {
				e.Find(sentence)
			}
		})
	}
}
