package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// lists are the values that templates are filled with, and the names that the gazetteer knows.
type lists struct {
	given, family, places, streets, streetWords, companies, companyWords, jobs []string
	nationalities                                                              []string
}

func readList(dir, name string) []string {
	text, err := os.ReadFile(filepath.Join(dir, name+".txt"))
	if err != nil {
		fatal("the lists of names are made by lists.py: ", err)
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

func readLists(dir string) *lists {
	l := &lists{given: readList(dir, "given"), family: readList(dir, "family"), places: readList(dir, "places"), streets: readList(dir, "streets"),
		streetWords: readList(dir, "streetwords"), companies: readList(dir, "companies"), companyWords: readList(dir, "companywords"), jobs: readList(dir, "jobs")}
	l.nationalities = strings.Fields(`Dutch German French Spanish Italian British American Canadian Australian Irish Scottish Welsh Polish Czech Slovak Hungarian
 Romanian Bulgarian Greek Turkish Russian Ukrainian Swedish Norwegian Danish Finnish Icelandic Estonian Latvian Lithuanian Portuguese Brazilian Mexican
 Argentinian Chilean Peruvian Colombian Chinese Japanese Korean Vietnamese Thai Indian Pakistani Bangladeshi Indonesian Malaysian Filipino Israeli Arab
 Egyptian Moroccan Nigerian Kenyan Ethiopian Ghanaian Iranian Iraqi Syrian Lebanese Saudi Afghan Swiss Austrian Belgian Croatian Serbian Slovenian Cuban
 Jewish Muslim Christian Catholic Hindu Buddhist Hispanic Latino African Asian European Cambodian Bruneian Greenlander`)
	return l
}

// maker fills templates. What it makes depends on its seed alone.
type maker struct {
	*lists
	r *rand.Rand
}

func (m *maker) of(list []string) string { return list[m.r.IntN(len(list))] }

func (m *maker) chance(p float64) bool { return m.r.Float64() < p }

// digits replaces each # by a digit.
func (m *maker) digits(form string) string {
	b := []byte(form)
	for i, c := range b {
		if c == '#' {
			b[i] = '0' + byte(m.r.IntN(10))
		}
	}
	return string(b)
}

func (m *maker) person() string {
	given, family := m.of(m.given), m.of(m.family)
	switch m.r.IntN(10) {
	case 0, 1:
		return given + " " + string(rune('A'+m.r.IntN(26))) + m.of([]string{"", "."}) + " " + family
	case 2:
		return given
	case 3:
		return family
	case 4:
		return given + " " + m.of([]string{"de ", "van ", "von ", "van der ", "", "", ""}) + family
	case 5:
		return given + " " + m.of(m.given) + " " + family
	}
	return given + " " + family
}

var orgWords = strings.Fields(`Alpha Apex Bright Blue Cedar Clear Cloud Core Data Delta Digital Dynamic Eagle Earth Echo Edge Elite Ember Equity Ever Fair Fast
 First Flex Forge Fusion Future Global Golden Grand Green Grid Harbor Health Helio Home Hyper Inno Insight Inter Iron Key Labs Lake Lead Legal Life Light
 Link Logic Loop Lumen Market Master Meta Metro Micro Mind Mobile Money Motion Nano Net Next Nimbus North Nova Oak Ocean Open Optic Orbit Over Pace Path
 Pay Peak Pixel Planet Point Power Prime Pro Pulse Quest Quick Rapid Real Red Ridge River Road Rock Safe Scale Search Seed Share Signal Silver Simple
 Sky Smart Soft Solar Sonic Source Spark Spring Star Stone Storm Stream Summit Sun Swift Sync Talent Task Team Tech Tele Terra Think Tide Tower Trade
 Trans Tree Trend True Trust Union United Urban Value Vector Venture Verde Vision Vital Wave Way Web West Wise Works World Yield Zen Zero`)

var orgEnds = strings.Fields(`Inc. Inc LLC Ltd Ltd. Corp. Corporation GmbH AG PLC Group Holdings Partners Solutions Systems Technologies Labs Software Services
 Consulting Capital Ventures Bank Insurance Foundation Institute University College Hospital Association Energy Media Motors Airlines Foods Analytics`)

func (m *maker) org() string {
	switch m.r.IntN(11) {
	case 0:
		return m.of(m.companies)
	case 1:
		return m.of(m.family) + m.of([]string{" Inc", " Ltd", " LLC", " Group", " PLC", " and Sons", " Inc.", " GmbH"})
	case 2:
		return m.of(m.family) + "-" + m.of(m.family)
	case 3:
		return m.of(m.family) + ", " + m.of(m.family) + " and " + m.of(m.family)
	case 4, 5:
		return m.of(orgWords) + strings.ToLower(m.of(orgWords))
	case 6:
		return m.of(orgWords) + " " + m.of(orgWords)
	case 7:
		return m.of(orgWords) + " " + m.of(orgWords) + " " + m.of(orgEnds)
	case 8:
		return "University of " + m.of(m.places)
	case 9:
		return m.of(m.places) + " " + m.of(orgEnds)
	}
	return m.of(orgWords) + " " + m.of(orgEnds)
}

func (m *maker) number() string { return fmt.Sprint(1 + m.r.IntN(m.of2([]int{99, 999, 9999}))) }

func (m *maker) of2(list []int) int { return list[m.r.IntN(len(list))] }

// street is a street with a number, in the ways of several countries.
func (m *maker) street() string {
	name := m.of(m.streets)
	switch m.r.IntN(9) {
	case 0, 1, 2:
		return m.number() + " " + m.of(m.family) + " " + m.of([]string{"Street", "Road", "Avenue", "Lane", "Drive", "St", "Rd.", "Ave", "Way", "Court", "Close", "Place", "Boulevard", "Square", "Terrace", "Park"})
	case 3:
		return m.of(m.family) + m.of([]string{"straße ", "strasse ", "weg ", "gasse ", "straat ", "laan ", "gatan ", "vägen ", "vej ", "gade ", "katu ", "tie ", "kuja "}) + m.number()
	case 4:
		return m.of([]string{"Rue de ", "Rua ", "Calle ", "Via ", "Avenida ", "ul. ", "C/ ", "Avda. ", "Rue du ", "Chemin de "}) + m.of(m.family) + m.of([]string{" ", ", "}) + m.number()
	case 5:
		return name + " " + m.of(m.streetWords) + " " + m.number()
	case 6:
		return m.number() + " " + name + " " + m.of(m.streetWords)
	case 7:
		return m.of(m.family) + " " + m.of([]string{"út ", "utca ", "tér ", "nám. ", "allé ", "plads "}) + m.number() + m.of([]string{"", "."})
	}
	return name + " " + m.number()
}

func (m *maker) unit() string {
	return m.of([]string{"Apt. ", "Suite ", "Unit ", "Flat ", "Apt ", "Room "}) + m.number()
}

func (m *maker) zip() string {
	return m.digits(m.of([]string{"#####", "#####", "####", "####", "### ##", "##-###", "#####-###", "####-###", "#### AB", "#####-####", "AB# #CD", "A#B #C#"}))
}

func (m *maker) address() string {
	gap := m.of([]string{", ", ", ", "\n", " ", "\n "})
	s := m.street()
	if m.chance(.35) {
		s += m.of([]string{" ", gap}) + m.unit()
	}
	if m.chance(.05) {
		s = m.of([]string{"PO Box ", "P.O. Box ", "PSC ", "Postfach "}) + m.number()
	}
	city := m.of(m.places)
	if m.chance(.2) {
		city = strings.ToUpper(city)
	}
	switch m.r.IntN(5) {
	case 0:
		return s
	case 1:
		return s + gap + m.zip() + " " + city
	case 2:
		return s + gap + city + gap + m.zip()
	case 3:
		return s + gap + city + gap + m.of([]string{"CA", "NY", "TX", "LN", "CO", "WA", "IL"}) + " " + m.of([]string{m.of(m.places) + " ", ""}) + m.zip()
	}
	return s + gap + city + gap + m.of([]string{"United Kingdom", "Germany", "Spain", "France", "Italy", "Netherlands", "Sweden", "Canada", "Hungary", "Belgium", "Australia", "Uruguay", "Iceland"}) + m.of([]string{"", " " + m.zip()})
}

var monthNames = strings.Fields("January February March April May June July August September October November December")

func (m *maker) date() string {
	y, mon, d := 1930+m.r.IntN(95), 1+m.r.IntN(12), 1+m.r.IntN(28)
	switch m.r.IntN(7) {
	case 0, 1:
		return fmt.Sprintf("%d/%d/%d", mon, d, y)
	case 2:
		return fmt.Sprintf("%d-%02d-%02d", y, mon, d)
	case 3:
		return fmt.Sprintf("%d-%02d-%02d %02d:%02d:%02d", y, mon, d, m.r.IntN(24), m.r.IntN(60), m.r.IntN(60))
	case 4:
		return fmt.Sprintf("%d %s %d", d, m.of(monthNames), y)
	case 5:
		return fmt.Sprintf("%s %d, %d", m.of(monthNames), d, y)
	}
	return fmt.Sprintf("%02d.%02d.%d", d, mon, y)
}

func (m *maker) phone() string {
	return m.digits(m.of([]string{"###-###-####", "(###) ###-####", "###.###.####", "+1 ### ### ####", "+## ## ### ## ##", "+## (0)## ### ## ##", "0#.##.##.##.##", "0### #######",
		"0### ## ## ##", "### ####", "### ## ###", "## ### ###", "0## #### ####", "##-##-##-##", "#### ####", "001-###-###-####", "(###)###-####x###", "### ### ###", "07### ######"}))
}

func (m *maker) title() string {
	return m.of([]string{"Mr.", "Mrs.", "Ms.", "Dr.", "Mr", "Mrs", "Ms", "Dr", "Miss", "Prof.", "Sir", "Judge", "Captain", "Professor", "Sister", "Father"})
}

// job is a job; some of the list are made up of two.
func (m *maker) job() string {
	j := m.of(m.jobs)
	if m.chance(.4) {
		j = strings.ToLower(j)
	}
	if m.chance(.15) {
		j = m.of([]string{"soldier", "teacher", "President", "CEO", "nurse", "Senior manager", "Head of sales", "judge", "farmer", "Prime Minister", "baker", "cashier", "Assistant director"})
	}
	return j
}

// value makes a value of a slot; "" for slots that do not exist.
func (m *maker) value(slot string) string {
	switch slot {
	case "person":
		return m.person()
	case "first":
		return m.of(m.given)
	case "last":
		return m.of(m.family)
	case "org":
		return m.org()
	case "address":
		return m.address()
	case "street":
		return m.street()
	case "city", "country":
		return m.of(m.places)
	case "zip":
		return m.zip()
	case "date":
		return m.date()
	case "year":
		return fmt.Sprint(1930 + m.r.IntN(95))
	case "day":
		return m.of([]string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"})
	case "age":
		return fmt.Sprint(1 + m.r.IntN(98))
	case "mr":
		return m.title()
	case "job":
		return m.job()
	case "nat":
		return m.of(m.nationalities)
	case "phone":
		return m.phone()
	case "email":
		return strings.ToLower(m.of(m.given)) + "@example.com"
	case "url":
		return "https://www." + strings.ToLower(m.of(orgWords)) + ".com/"
	case "num":
		return m.digits(m.of([]string{"#", "##", "###", "####", "#####", "######", "#### #### #### ####", "#### ####", "##.##", "#,###", "## ####", "#### ## ##", "##-####", "########", "####-####"}))
	case "card":
		return m.of([]string{"4111111111111111", "378282246310005", "5555555555554444", "6011111111111117"})
	}
	return ""
}

// names gives the words of lists in small letters, without the shortest, sorted.
func names(values ...[]string) []string {
	seen := map[string]bool{}
	for _, list := range values {
		for _, v := range list {
			for _, w := range strings.Fields(strings.ToLower(v)) {
				if w = strings.Trim(w, ".,()'"); len(w) >= 3 {
					seen[w] = true
				}
			}
		}
	}
	var out []string
	for w := range seen {
		out = append(out, w)
	}
	slices.Sort(out)
	return out
}
