package pii

import "strings"

// The checks of numbers, each by the rule of who issues it. Arguments hold digits, or capitals and digits, of the right length.

// luhn is the check of ISO/IEC 7812-1.
func luhn(digits []byte) bool {
	sum := 0
	for i := range digits {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

// luhn0 is luhn of a number that is not all zeros.
func luhn0(d []byte) bool { return strings.Trim(string(d), "0") != "" && luhn(d) }

// mod is the remainder of a number in decimal digits.
func mod(digits []byte, by int) int {
	rem := 0
	for _, c := range digits {
		rem = (rem*10 + int(c-'0')) % by
	}
	return rem
}

// weighted is the sum of digits times weights.
func weighted(digits []byte, weights ...int) int {
	sum := 0
	for i, w := range weights {
		sum += int(digits[i]-'0') * w
	}
	return sum
}

func two(d []byte) int { return int(d[0]-'0')*10 + int(d[1]-'0') }

// dated says whether the digits start with a date, year month day; the month may carry a century and the day what is added for
// numbers that are not those of residents.
func dated(d []byte) bool {
	m, day := two(d[2:]), two(d[4:])
	return m%20 >= 1 && m%20 <= 12 && (day >= 1 && day <= 31 || day >= 61 && day <= 91)
}

// dayFirst is the same of a date that starts with the day.
func dayFirst(d []byte) bool {
	day, m := two(d), two(d[2:])
	return (day >= 1 && day <= 31 || day >= 41 && day <= 71) && (m >= 1 && m <= 12 || m >= 41 && m <= 52)
}

// ean is the check of GS1 over 13 digits.
func ean(d []byte) bool { return weighted(d, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1)%10 == 0 }

// nir is the French number: sex, year, month, place, order, and 97 less the remainder by 97. Corsica's 2A and 2B count as 19 and 18.
func nir(s []byte) bool {
	d := append([]byte(nil), s...)
	if s[6] == 'A' || s[6] == 'B' {
		d[5], d[6] = '1', '9'-(s[6]-'A')
	}
	m := two(d[3:])
	if d[0] < '1' || d[0] > '8' || !(m >= 1 && m <= 12 || m >= 20 && m <= 42 || m >= 50) {
		return false
	}
	return 97-mod(d[:13], 97) == two(d[13:])
}

// chinese is GB 11643: ISO 7064 mod 11-2 after the date of birth.
func chinese(s []byte) bool {
	m, day, century := two(s[10:]), two(s[12:]), two(s[6:])
	if m < 1 || m > 12 || day < 1 || day > 31 || century < 18 || century > 21 {
		return false
	}
	rem := 0
	for _, c := range s[:17] {
		rem = (rem + int(c-'0')) * 2 % 11
	}
	return s[17] == "10X98765432"[rem]
}

// cpf has two digits, each 11 less the weighted sum's remainder.
func cpf(d []byte) bool {
	return strings.Trim(string(d), string(d[:1])) != "" &&
		eleven(weighted(d, 10, 9, 8, 7, 6, 5, 4, 3, 2)) == int(d[9]-'0') && eleven(weighted(d, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2)) == int(d[10]-'0')
}

func eleven(sum int) int {
	if r := sum % 11; r >= 2 {
		return 11 - r
	}
	return 0
}

func cnpj(d []byte) bool {
	return strings.Trim(string(d), string(d[:1])) != "" && eleven(weighted(d, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)) == int(d[12]-'0') &&
		eleven(weighted(d, 6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)) == int(d[13]-'0')
}

// belgian is 97 less the remainder by 97; a 2 stands before the numbers of those born from 2000.
func belgian(d []byte) bool {
	check := two(d[9:])
	old := 97 - mod(d[:9], 97)
	young := 97 - mod(append([]byte{'2'}, d[:9]...), 97)
	m := two(d[2:])
	return (check == old || check == young) && (m <= 12 || m >= 20 && m <= 32 || m >= 40 && m <= 52)
}

// steuerID is ISO 7064 mod 11,10, with no leading zero, and of the first ten digits one stands twice or three times.
func steuerID(d []byte) bool {
	var counts [10]int
	p := 10
	for _, c := range d[:10] {
		counts[c-'0']++
		s := (int(c-'0') + p) % 10
		if s == 0 {
			s = 10
		}
		p = s * 2 % 11
	}
	repeated := 0
	for _, n := range counts {
		if n > 3 {
			return false
		}
		if n > 1 {
			repeated++
		}
	}
	return d[0] != '0' && repeated == 1 && (11-p)%10 == int(d[10]-'0')
}

func norwegian(d []byte) bool {
	return dayFirst(d) && weighted(d, 3, 7, 6, 1, 8, 9, 4, 5, 2, 1)%11 == 0 && weighted(d, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)%11 == 0
}

func pesel(d []byte) bool {
	return dated(d) && weighted(d, 1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)%10 == 0
}

func turkish(d []byte) bool {
	odd, even := weighted(d, 1, 0, 1, 0, 1, 0, 1, 0, 1), weighted(d, 0, 1, 0, 1, 0, 1, 0, 1, 0)
	return d[0] != '0' && ((odd*7-even)%10+10)%10 == int(d[9]-'0') && (odd+even+int(d[9]-'0'))%10 == int(d[10]-'0')
}

// baltic is the check of Estonia and Lithuania: a second row of weights where the first leaves ten.
func baltic(d []byte) bool {
	r := weighted(d, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1) % 11
	if r == 10 {
		r = weighted(d, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3) % 11 % 10
	}
	return d[0] >= '1' && d[0] <= '8' && dated(d[1:]) && r == int(d[10]-'0')
}

func cnp(d []byte) bool {
	r := weighted(d, 2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9) % 11
	return d[0] != '0' && dated(d[1:]) && (r == int(d[12]-'0') || r == 10 && d[12] == '1')
}

func korean(d []byte) bool {
	return dated(d) && (11-weighted(d, 2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)%11)%10 == int(d[12]-'0')
}

func egn(d []byte) bool {
	m := two(d[2:])
	return (m >= 1 && m <= 12 || m >= 21 && m <= 32 || m >= 41 && m <= 52) && weighted(d, 2, 4, 8, 5, 10, 9, 7, 3, 6)%11%10 == int(d[9]-'0')
}

func nhs(d []byte) bool {
	c := 11 - weighted(d, 10, 9, 8, 7, 6, 5, 4, 3, 2)%11
	return c != 10 && c%11 == int(d[9]-'0')
}

func bsn(d []byte) bool {
	s := weighted(d, 9, 8, 7, 6, 5, 4, 3, 2, -1)
	return s != 0 && s%11 == 0
}

func nif(d []byte) bool {
	return strings.IndexByte("1235689", d[0]) >= 0 && eleven(weighted(d, 9, 8, 7, 6, 5, 4, 3, 2)) == int(d[8]-'0')
}

func tfn(d []byte) bool { return weighted(d, 1, 4, 3, 7, 5, 8, 6, 9, 10)%11 == 0 }

func myNumber(d []byte) bool {
	r := weighted(d, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2) % 11
	return (r <= 1 && d[11] == '0') || (r > 1 && 11-r == int(d[11]-'0'))
}

// verhoeff is the check of Verhoeff (1969) in the dihedral group of ten elements.
func verhoeff(d []byte) bool {
	c := 0
	for i := range d {
		c = dihedral(c, permuted(i%8, int(d[len(d)-1-i]-'0')))
	}
	return c == 0
}

// dihedral multiplies in the group of the turns (0 to 4) and flips (5 to 9) of a pentagon.
func dihedral(a, b int) int {
	switch {
	case a < 5 && b < 5:
		return (a + b) % 5
	case a < 5:
		return 5 + (a+b)%5
	case b < 5:
		return 5 + (a-b+5)%5
	}
	return (a - b + 5) % 5
}

func permuted(times, d int) int {
	for range times {
		d = int("1576283094"[d] - '0')
	}
	return d
}

func nie(s []byte) bool {
	d := append([]byte(nil), s[:8]...)
	switch s[0] {
	case 'X', 'Y', 'Z':
		d[0] = '0' + s[0] - 'X'
	default:
		return false
	}
	return s[8] == "TRWAGMYFPDXBNJZSQVHLCKE"[mod(d, 23)]
}

// codiceFiscale adds values of characters at odd places and other ones at even places; L to V stand for digits in numbers that
// would else be given out twice.
func codiceFiscale(s []byte) bool {
	const odd = "BAKPLCQDREVOSFTGUHMINJWZYX" // value of a letter: its place here
	sum := 0
	for i, c := range s[:15] {
		v := int(c - 'A')
		if digit(c) {
			v = int(c - '0')
		}
		if i%2 == 0 {
			v = strings.IndexByte(odd, byte('A'+v))
		}
		sum += v
	}
	for _, i := range []int{6, 7, 9, 10, 12, 13, 14} {
		if !digit(s[i]) && strings.IndexByte("LMNPQRSTUV", s[i]) < 0 {
			return false
		}
	}
	return strings.IndexByte("ABCDEHLMPRST", s[8]) >= 0 && s[15] == byte('A'+sum%26)
}

func curp(s []byte) bool {
	const values = "0123456789ABCDEFGHIJKLMN&OPQRSTUVWXYZ" // & stands for Ñ
	sum := 0
	for i, c := range s[:17] {
		sum += strings.IndexByte(values, c) * (18 - i)
	}
	return dated(s[4:10]) && strings.IndexByte("HMX", s[10]) >= 0 && (10-sum%10)%10 == int(s[17]-'0')
}

func hetu(s []byte) bool {
	if strings.IndexByte("+-ABCDEFYXWVU", s[6]) < 0 || !dayFirst(s) {
		return false
	}
	return s[10] == "0123456789ABCDEFHJKLMNPRSTUVWXY"[mod(append(append([]byte(nil), s[:6]...), s[7:10]...), 31)]
}

// nino has no checksum; some letters and pairs are never given out.
func nino(s []byte) bool {
	if strings.IndexByte("DFIQUV", s[0]) >= 0 || strings.IndexByte("DFIQUVO", s[1]) >= 0 || s[8] > 'D' {
		return false
	}
	return !strings.Contains("BG GB KN NK NT TN ZZ", string(s[:2]))
}

func nric(s []byte) bool {
	sum := weighted(s[1:], 2, 7, 6, 5, 4, 3, 2)
	switch s[0] {
	case 'S':
		return s[8] == "JZIHGFEDCBA"[sum%11]
	case 'T':
		return s[8] == "JZIHGFEDCBA"[(sum+4)%11]
	case 'F':
		return s[8] == "XWUTRQPNMLK"[sum%11]
	case 'G':
		return s[8] == "XWUTRQPNMLK"[(sum+4)%11]
	}
	return false
}

// rut is Chile's: weights 2 to 7 from the right, K for ten.
func rut(s []byte) bool {
	var d []byte
	for _, c := range s[:len(s)-2] {
		if digit(c) {
			d = append(d, c)
		}
	}
	sum := 0
	for i := range d {
		sum += int(d[len(d)-1-i]-'0') * (2 + i%6)
	}
	return s[len(s)-1] == "0K987654321"[sum%11]
}

// mod97 is the remainder of an IBAN with its first four characters moved to the end, letters counting from 10 (ISO 13616).
func mod97(iban []byte) int {
	rem := 0
	for k := range iban {
		c := iban[(k+4)%len(iban)]
		if digit(c) {
			rem = (rem*10 + int(c-'0')) % 97
		} else {
			rem = (rem*100 + int(c-'A') + 10) % 97
		}
	}
	return rem
}
