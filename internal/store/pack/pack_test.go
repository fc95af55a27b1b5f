package pack

import (
	"strings"
	"testing"
)

func FuzzUnpack(f *testing.F) {
	p := New()
	f.Add([]byte{}, true)
	f.Add([]byte{1, 0x28, 0xb5, 0x2f, 0xfd}, false)
	f.Add([]byte(strings.Repeat("abc", 500)), true)
	f.Fuzz(func(t *testing.T, b []byte, whole bool) {
		if whole {
			got, err := p.Unpack(p.Pack(b))
			if err != nil || string(got) != string(b) {
				t.Errorf("%d bytes came back as %d, %v", len(b), len(got), err)
			}
			return
		}
		if got, err := p.Unpack(b); err == nil && len(got) > MaxUnpacked {
			t.Errorf("%d bytes became %d", len(b), len(got))
		}
	})
}
