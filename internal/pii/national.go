package pii

import (
	"strings"
)

// National identity numbers are held to their published forms and checksums. One that is digits only, with a check that one number
// in ten or so passes, counts when it is written in its country's own groups or after a word that says what it is.

// nationalID is a kind of number made of digits.
type nationalID struct {
	rule   string
	size   int
	check  func(d []byte) bool
	alone  bool     // the check is enough: no form or word is needed
	form   string   // digits and separators as they are printed, 9 for each digit; "": none of its own
	words  []string // what may stand before it
	weaker bool     // the form is too common to be enough: a word is needed
}

// nationalIDs by their number of digits, tried in this order.
var nationalIDs = []nationalID{
	{rule: "FR_NIR", size: 15, check: nir, alone: true},
	{rule: "CN_ID", size: 18, check: chinese, alone: true},
	{rule: "CH_AHV", size: 13, check: func(d []byte) bool { return string(d[:3]) == "756" && ean(d) }, alone: true},
	{rule: "BR_CPF", size: 11, check: cpf, form: "999.999.999-99", words: []string{"cpf"}},
	{rule: "BR_CNPJ", size: 14, check: cnpj, form: "99.999.999/9999-99", words: []string{"cnpj"}},
	{rule: "BE_NN", size: 11, check: belgian, form: "99.99.99-999.99", words: []string{"rijksregister", "registre national", "national number", "nrn", "niss", "insz"}},
	{rule: "DE_STEUER_ID", size: 11, check: steuerID, form: "99 999 999 999", words: []string{"steuer", "idnr", "tin", "tax id"}},
	{rule: "NO_FNR", size: 11, check: norwegian, form: "999999 99999", words: []string{"fødselsnummer", "fodselsnummer", "personnummer", "fnr"}},
	{rule: "PL_PESEL", size: 11, check: pesel, words: []string{"pesel"}},
	{rule: "TR_TCKN", size: 11, check: turkish, words: []string{"kimlik", "t.c.", "tckn", "tc no"}},
	{rule: "EE_LT_ID", size: 11, check: baltic, words: []string{"isikukood", "asmens kod", "personal code"}},
	{rule: "ZA_ID", size: 13, check: func(d []byte) bool { return dated(d) && luhn(d) }, form: "999999 9999 999", words: []string{"id number", "identity", "said"}},
	{rule: "RO_CNP", size: 13, check: cnp, words: []string{"cnp", "cod numeric"}},
	{rule: "KR_RRN", size: 13, check: korean, form: "999999-9999999", words: []string{"rrn", "주민"}},
	{rule: "IN_AADHAAR", size: 12, check: func(d []byte) bool { return d[0] >= '2' && verhoeff(d) }, form: "9999 9999 9999", words: []string{"aadhaar", "aadhar", "uidai"}},
	{rule: "SE_PNR", size: 10, check: func(d []byte) bool { return dated(d) && luhn(d) }, form: "999999-9999", words: []string{"personnummer", "pnr"}},
	{rule: "SE_PNR", size: 12, check: func(d []byte) bool { return dated(d[2:]) && luhn(d[2:]) }, form: "99999999-9999", words: []string{"personnummer", "pnr"}},
	{rule: "DK_CPR", size: 10, check: func(d []byte) bool { return dayFirst(d) }, form: "999999-9999", words: []string{"cpr", "personnummer"}},
	{rule: "CZ_SK_RC", size: 10, check: func(d []byte) bool { return mod(d, 11) == 0 }, form: "999999/9999", words: []string{"rodné", "rodne"}},
	{rule: "BG_EGN", size: 10, check: egn, words: []string{"егн", "egn"}},
	{rule: "GB_NHS", size: 10, check: nhs, form: "999 999 9999", weaker: true, words: []string{"nhs"}},
	{rule: "NL_BSN", size: 9, check: bsn, words: []string{"bsn", "burgerservice", "sofinummer"}},
	{rule: "PT_NIF", size: 9, check: nif, words: []string{"nif", "contribuinte"}},
	{rule: "CA_SIN", size: 9, check: luhn, form: "999-999-999", words: []string{"sin", "social insurance", "assurance sociale"}},
	{rule: "AU_TFN", size: 9, check: tfn, words: []string{"tfn", "tax file"}},
	{rule: "IL_ID", size: 9, check: luhn0, words: []string{"teudat", "israeli id", "id number"}},
	{rule: "JP_MY_NUMBER", size: 12, check: myNumber, words: []string{"my number", "mynumber", "マイナンバー", "個人番号"}},
}

// nationalSeparators hold the groups of such a number together.
const nationalSeparators = " .-/"

// national gives the rule that a number of the text fits, "" when none.
func (n *number) national(text string) string {
	if n.size > 18 || !n.alone(text) {
		return ""
	}
	if n.size <= 14 && near(text, n.start, 40, driverWords) {
		return "US_DRIVER_LICENSE"
	}
	for i := range nationalIDs {
		id := &nationalIDs[i]
		if id.size != n.size || !id.check(n.digits[:n.size]) {
			continue
		}
		if id.alone || !id.weaker && id.form != "" && n.formed(text, id.form) || near(text, n.start, 40, id.words) {
			return id.rule
		}
	}
	return ""
}

// formed says whether the number stands in the text as the form has it.
func (n *number) formed(text, form string) bool {
	s := text[n.start:n.end]
	if len(s) != len(form) {
		return false
	}
	for i := range len(s) {
		if digit(s[i]) != (form[i] == '9') || form[i] != '9' && form[i] != s[i] {
			return false
		}
	}
	return true
}

// lettered is a kind of number with letters at places of their own: A for a letter, 9 for a digit, X for either.
type lettered struct {
	rule  string
	form  string
	check func(s []byte) bool
	words []string // needed when there is no check to speak of
}

var letteredIDs = []lettered{
	{"ES_DNI", "99999999A", func(s []byte) bool { return s[8] == "TRWAGMYFPDXBNJZSQVHLCKE"[mod(s[:8], 23)] }, nil},
	{"ES_NIE", "A9999999A", nie, nil},
	{"IT_CF", "AAAAAAXXAXXAXXXA", codiceFiscale, nil},
	{"MX_CURP", "AAAA999999AAAAAAX9", curp, nil},
	{"FI_HETU", "999999-999X", hetu, nil},
	{"FI_HETU", "999999A999X", hetu, nil},
	{"GB_NINO", "AA999999A", nino, nil},
	{"SG_NRIC", "A9999999A", nric, nil},
	{"FR_NIR", "999999A99999999", func(s []byte) bool { return s[5] == '2' && nir(s) }, nil},
	{"CN_ID", "99999999999999999A", chinese, nil},
	{"CL_RUT", "99999999-X", rut, []string{"rut", "run"}},
	{"CL_RUT", "99.999.999-X", rut, nil},
	{"US_DRIVER_LICENSE", "A99999999", nil, licenceWords},
	{"US_DRIVER_LICENSE", "A999999999999", nil, licenceWords},
	{"US_DRIVER_LICENSE", "A99999999999999", nil, licenceWords},
	{"US_DRIVER_LICENSE", "A9999999", nil, licenceWords},
}

// driverWords make a licence's number of bare digits, which has no form or check that all states share.
var driverWords = []string{"driver's licen", "drivers licen", "driver licen", "driving licen", "driver’s licen"}

var licenceWords = []string{"driver", "licence", "license", "permit"}

// findLettered finds national numbers that have letters.
func findLettered(text string, found []span) []span {
	for i := 0; i < len(text); {
		if !alnum(text[i]) || i > 0 && (alnum(text[i-1]) || text[i-1] >= 0x80) {
			i++
			continue
		}
		end, digits := i, 0
		for end < len(text) && end-i < 24 && (alnum(text[end]) || (text[end] == '-' || text[end] == '.') && end+1 < len(text) && alnum(text[end+1])) {
			if digit(text[end]) {
				digits++
			}
			end++
		}
		if digits >= 6 && end-i >= 8 && (end == len(text) || !alnum(text[end])) {
			if rule := letteredRule(text, i, end); rule != "" {
				found = append(found, span{start: i, end: end, kind: NationalID, rule: rule})
			}
		}
		for end < len(text) && alnum(text[end]) {
			end++
		}
		i = max(end, i+1)
	}
	return found
}

func letteredRule(text string, start, end int) string {
	var buf [24]byte
	s := buf[:copy(buf[:], text[start:end])]
	for i, c := range s {
		if c >= 'a' && c <= 'z' {
			s[i] = c &^ 0x20
		}
	}
	for i := range letteredIDs {
		id := &letteredIDs[i]
		if !fits(s, id.form) || id.check != nil && !id.check(s) {
			continue
		}
		if id.words == nil || near(text, start, 40, id.words) {
			return id.rule
		}
	}
	return ""
}

func fits(s []byte, form string) bool {
	if len(s) != len(form) {
		return false
	}
	for i, c := range s {
		ok := false
		switch form[i] {
		case 'A':
			ok = c >= 'A' && c <= 'Z'
		case '9':
			ok = digit(c)
		case 'X':
			ok = alnum(c)
		default:
			ok = c == form[i]
		}
		if !ok {
			return false
		}
	}
	return true
}

// findNINO finds British national insurance numbers written in pairs: QQ 12 34 56 C.
func findSpacedNINO(text string, found []span) []span {
	for i := 0; i+13 <= len(text); i++ {
		if text[i+2] != ' ' || text[i+5] != ' ' || text[i+8] != ' ' || text[i+11] != ' ' || i > 0 && alnum(text[i-1]) || i+13 < len(text) && alnum(text[i+13]) {
			continue
		}
		s := []byte(strings.ToUpper(strings.ReplaceAll(text[i:i+13], " ", "")))
		if fits(s, "AA999999A") && nino(s) {
			found = append(found, span{start: i, end: i + 13, kind: NationalID, rule: "GB_NINO"})
		}
	}
	return found
}
