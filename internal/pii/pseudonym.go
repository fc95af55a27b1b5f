package pii

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rung-dev/rung"
)

// Pseudonyms gives stand-ins for values: the same for the same value under one key, of the same form, so that what a model learns
// from them stays. Without the key nobody can say which value a stand-in is of, or test a guess. Names are replaced word by word:
// "Ann Miller" and "Ms Miller" stay one person. It is safe for concurrent use.
type Pseudonyms struct {
	key  []byte
	days int // by which dates move
}

// MinKey is the fewest bytes of a user's key.
const MinKey = 32

// keyFor derives a key for one use from the user's (HKDF, RFC 5869).
func keyFor(user []byte, use string) ([]byte, error) {
	if len(user) < MinKey {
		return nil, &rung.Error{Code: rung.CodeInput, What: fmt.Sprintf("the key has %d bytes, of at least %d", len(user), MinKey),
			Do: "make one with: head -c 32 /dev/urandom > key"}
	}
	return hkdf.Key(sha256.New, user, nil, "rung data pii "+use, 32)
}

// NewPseudonyms makes the stand-ins of a key of at least MinKey bytes.
func NewPseudonyms(user []byte) (*Pseudonyms, error) {
	key, err := keyFor(user, "pseudonyms")
	if err != nil {
		return nil, err
	}
	p := &Pseudonyms{key: key}
	d := p.draw("days", "")
	p.days = 30 + d.below(700)
	if d.below(2) == 0 {
		p.days = -p.days
	}
	return p, nil
}

// draw is a stream of numbers that a value decides.
type draw struct {
	key  []byte
	name string
	sum  []byte
	n    uint32
}

func (p *Pseudonyms) draw(use, value string) *draw {
	return &draw{key: p.key, name: use + "\x00" + value}
}

// below gives a number from 0 to n-1.
func (d *draw) below(n int) int {
	if len(d.sum) < 4 {
		h := hmac.New(sha256.New, d.key)
		h.Write(binary.BigEndian.AppendUint32([]byte(d.name), d.n))
		d.sum = h.Sum(nil)
		d.n++
	}
	v := binary.BigEndian.Uint32(d.sum)
	d.sum = d.sum[4:]
	return int(uint64(v) * uint64(n) >> 32)
}

// For gives the stand-in of a finding. Secrets, and what has no form to keep, become placeholders.
func (p *Pseudonyms) For(f In) string {
	v := f.value
	switch f.Type {
	case Email:
		return p.word("email", v, 3) + "@example." + []string{"com", "org", "net"}[p.draw("host", host(v)).below(3)]
	case URL:
		scheme, _, ok := strings.Cut(v, "://")
		if !ok {
			return "www.example.com/" + p.word("url", v, 3)
		}
		return scheme + "://www.example.com/" + p.word("url", v, 3)
	case IP:
		return p.address(v)
	case Card, SSN, NationalID, Phone, Postcode, IBAN:
		return p.number(f)
	case Person, Location, Organization, Address:
		return p.words(f.Type, v)
	case Date, BirthDate:
		if s := p.date(v); s != "" {
			return s
		}
	case Age:
		if n, rest := leading(v); n > 0 && n < 120 {
			return fmt.Sprint(n/5*5+p.draw("age", v).below(5)) + rest
		}
	case Title:
		return v
	case Nationality:
		return []string{"Norwegian", "Chilean", "Kenyan", "Korean", "Polish", "Canadian", "Thai", "Greek"}[p.draw("nation", strings.ToLower(v)).below(8)]
	}
	return Placeholder(f)
}

func host(email string) string { return strings.ToLower(email[strings.LastIndexByte(email, '@')+1:]) }

// leading is the number that a text starts with.
func leading(s string) (n int, rest string) {
	for s != "" && digit(s[0]) && n < 1000 {
		n, s = 10*n+int(s[0]-'0'), s[1:]
	}
	return n, s
}

// word makes a word that can be said, of so many syllables: 3 make some 300,000 different ones.
func (p *Pseudonyms) word(use, value string, syllables int) string {
	d := p.draw(use, strings.ToLower(value))
	var b strings.Builder
	for range syllables {
		b.WriteByte("bdfghklmnprstvz"[d.below(15)])
		b.WriteByte("aeiou"[d.below(5)])
	}
	b.WriteByte("lnrst"[d.below(5)])
	return b.String()
}

// words replaces the words of a name one by one, in their case, and digits by others. What says of what kind the thing is stays:
// Street, Apt, Inc, University, de, van.
func (p *Pseudonyms) words(kind Type, v string) string {
	var b strings.Builder
	for i := 0; i < len(v); {
		r, n := utf8.DecodeRuneInString(v[i:])
		if !wordRune(r) {
			b.WriteString(v[i : i+n])
			i += n
			continue
		}
		end := i
		for end < len(v) {
			r, n := utf8.DecodeRuneInString(v[end:])
			if !wordRune(r) {
				break
			}
			end += n
		}
		b.WriteString(p.part(kind, v[i:end]))
		i = end
	}
	return b.String()
}

// kept are the lists of words.txt whose words stay, for each type.
var (
	flagOrganization = listed["gmbh"]
	flagStreet       = listed["strasse"]
	flagUnit         = listed["apartment"]
)

func (p *Pseudonyms) part(kind Type, w string) string {
	flags, lower := listed[strings.ToLower(w)], strings.ToLower(w)
	switch {
	case digit(w[0]):
		return p.digits(kind, w)
	case kind == Organization && flags&flagOrganization != 0, kind == Address && flags&(flagStreet|flagUnit) != 0,
		lower == "de", lower == "van", lower == "von", lower == "der", lower == "of", lower == "and", lower == "the", lower == "la":
		return w
	}
	first, n := utf8.DecodeRuneInString(w)
	if n == len(w) {
		return strings.ToUpper(p.word("letter", w, 1)[:1])
	}
	use := "name"
	if kind == Location || kind == Address {
		use = "place"
	}
	s := p.word(use, w, 2+p.draw("size", lower).below(2))
	switch {
	case strings.ToUpper(w) == w:
		return strings.ToUpper(s)
	case unicode.IsUpper(first):
		return strings.ToUpper(s[:1]) + s[1:]
	}
	return s
}

// digits replaces digits by others, the first of a run by none that is zero.
func (p *Pseudonyms) digits(use, v string) string {
	d := p.draw("digits "+use, v)
	b := []byte(v)
	for i, c := range b {
		switch {
		case digit(c) && (i == 0 || !digit(b[i-1])) && c != '0':
			b[i] = '1' + byte(d.below(9))
		case digit(c):
			b[i] = '0' + byte(d.below(10))
		}
	}
	return string(b)
}

// number replaces the digits of a number and makes its check right again. Of a card the issuer's first digit stays, of a phone number
// what stands before the last seven digits, of an IBAN the country.
func (p *Pseudonyms) number(f In) string {
	v := []byte(f.value)
	var at []int
	var d []byte
	for i, c := range v {
		if digit(c) {
			at, d = append(at, i), append(d, c)
		}
	}
	keep := 0
	switch f.Type {
	case Card:
		keep = 1
	case Phone:
		keep = max(0, len(d)-7)
	case IBAN:
		keep = 2
	}
	from := p.draw("digits "+f.Type, string(d)) // however it is written, it is one number
	for i := keep; i < len(d); i++ {
		d[i] = '0' + byte(from.below(10))
	}
	switch f.Type {
	case Card:
		fix(d, len(d)-1, luhn)
	case SSN: // an area that was never given out: nobody has the stand-in
		d[0] = '9'
	}
	for i, place := range at {
		v[place] = d[i]
	}
	if f.Type == IBAN {
		return fixIBAN(string(v))
	}
	return string(v)
}

// fix finds the digit at i that makes a check right.
func fix(d []byte, i int, check func([]byte) bool) {
	for c := byte('0'); c <= '9'; c++ {
		if d[i] = c; check(d) {
			return
		}
	}
}

// fixIBAN sets the two check digits (ISO 13616).
func fixIBAN(v string) string {
	var compact []byte
	for i := range len(v) {
		if c := v[i]; digit(c) {
			compact = append(compact, c)
		} else if alnum(c) {
			compact = append(compact, c&^0x20)
		}
	}
	compact[2], compact[3] = '0', '0'
	check := 98 - mod97(compact)
	b, n := []byte(v), 0
	for i, c := range b {
		if !alnum(c) {
			continue
		}
		switch n {
		case 2:
			b[i] = '0' + byte(check/10)
		case 3:
			b[i] = '0' + byte(check%10)
		}
		n++
	}
	return string(b)
}

// address gives an address of the networks that are set aside (RFC 1918, RFC 3849).
func (p *Pseudonyms) address(v string) string {
	d := p.draw("ip", strings.ToLower(v))
	if strings.Contains(v, ":") {
		return fmt.Sprintf("2001:db8::%x:%x", d.below(1<<16), d.below(1<<16))
	}
	return fmt.Sprintf("10.%d.%d.%d", d.below(256), d.below(256), 1+d.below(254))
}

// layouts are the forms of dates that can be moved; days before months are told by their value.
var layouts = []string{"2006-01-02 15:04:05", "2006-01-02T15:04:05Z", "2006-01-02", "1/2/2006", "01/02/2006", "2/1/2006", "02.01.2006", "2.1.2006", "2 January 2006",
	"January 2, 2006", "January 2 2006", "2 Jan 2006", "Jan 2, 2006", "January 2006", "2006"}

// date moves a date by the key's days, all dates by the same, so that the time between two stays; "" when its form is not known.
func (p *Pseudonyms) date(v string) string {
	for _, l := range layouts {
		if t, err := time.Parse(l, v); err == nil {
			return t.AddDate(0, 0, p.days).Format(l)
		}
	}
	return ""
}
