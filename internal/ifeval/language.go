package ifeval

import (
	"strings"
	"unicode"
)

// A language is told by its script and, where several languages share one, by their commonest words and by letters that only some
// of them have. That is enough for answers of a sentence or more in one language. Limits: a few words, names alone, mixed texts
// and languages that are not in the table are told wrongly; Latin text without any known word is taken for English.

// scripts that one language of the table has to itself.
var scripts = []struct {
	table    *unicode.RangeTable
	language string
}{
	{unicode.Hangul, "ko"}, {unicode.Thai, "th"}, {unicode.Hebrew, "he"}, {unicode.Greek, "el"}, {unicode.Bengali, "bn"},
	{unicode.Gurmukhi, "pa"}, {unicode.Gujarati, "gu"}, {unicode.Tamil, "ta"}, {unicode.Telugu, "te"}, {unicode.Kannada, "kn"},
	{unicode.Malayalam, "ml"},
	{unicode.Hiragana, "ja"}, {unicode.Katakana, "ja"}, {unicode.Han, "zh"},
	{unicode.Latin, "latin"}, {unicode.Cyrillic, "cyrillic"}, {unicode.Arabic, "arabic"}, {unicode.Devanagari, "devanagari"},
}

// sharing are the languages of each script that several share, with their commonest words.
var sharing = map[string]map[string]map[string]bool{
	"latin": {
		"en": wordSet("the be to of and a in that have i it for not on with he as you do at this but his by from they we say her she or an will my one all would there their what so is are was were your can has been our its if more when who which"),
		"de": wordSet("der die das und ist ich nicht ein eine zu den mit sich auf für dem von es im sie wir haben auch werden wird sind oder aber wie bei als nach um am des einer eines kann ihr zum zur durch war noch nur"),
		"fr": wordSet("le la les de des et est un une que qui dans pour pas sur avec ce il elle je vous nous au aux du en sont par plus ne se mais ou leur cette être été comme son sa ses votre"),
		"es": wordSet("el la los las de y que en un una es por con no para su se lo como más pero sus le ya o este sí porque esta entre cuando muy sin sobre también me hasta hay del al nuestro está son"),
		"it": wordSet("il lo la i gli le di e che è un una per non in con del della dei delle sono si come più ma anche questo questa al alla nel nella suo sua ha da io ci cui quando dal essere"),
		"pt": wordSet("o a os as de e que em um uma é por com não para se do da dos das no na mais como mas foi ao ele seu sua ou ser quando muito há nos já está eu também só pelo pela até isso são você"),
		"nl": wordSet("de het een en van ik te dat die in is niet op aan met als voor zijn er maar om hem dan zou of wat mijn men dit zo door over ze zich bij ook tot je mij uit worden naar heeft hebben wordt"),
		"fi": wordSet("ja on ei se että hän oli ovat myös mutta kun niin kuin tai joka mitä tämä sitä ole olla minä sinä me te he hänen voi vain sen siitä ne jos jotka nyt kaikki olen olet voit sinun minun ovat"),
		"sv": wordSet("och i att det som en på är av för med till den har de inte om ett han men var jag sig från vi så kan när år under också efter eller nu sin där vid mot ska skulle hon du min"),
		"da": wordSet("og i at det som en på er af for med til den har de ikke om et han men var jeg sig fra vi så kan når også efter eller nu sin hvor ved mod skal hun du min være"),
		"no": wordSet("og i å det som en på er av for med til den har de ikke om et han men var jeg seg fra vi så kan når også etter eller nå sin der ved mot skal hun du min være"),
		"pl": wordSet("i w nie na się z do to że jest o jak ale po co tak za od jego czy przez już dla był być tylko które który oraz może są ze ich jej przy gdy lub tego"),
		"cs": wordSet("a se v na je že s z do to o i jako za ale pro jsou by po tak které který od jsem si jeho podle nebo být jen až při už co"),
		"ro": wordSet("și de la în a cu pe este că nu un o se din pentru mai care ce sunt sau ca au fost fi lui dar al ale prin după dacă"),
		"hu": wordSet("a az és hogy nem is egy de van meg ez csak volt mint már el ha vagy még azt ki minden ezt lesz nagyon kell"),
		"tr": wordSet("ve bir bu için ile da de çok daha ne gibi olarak olan var ama ben o kadar sonra en her ya mi değil olduğu şey"),
		"id": wordSet("yang dan di ini itu dengan untuk tidak dari dalam akan pada juga saya ke karena tersebut bisa ada mereka lebih kami anda oleh atau sudah telah"),
		"tl": wordSet("ang ng sa na mga at ay ko mo si ni kung hindi para ako siya ito nang may niya lang"),
		"vi": wordSet("và của là có không được cho một các người trong với này để những đã tôi bạn khi từ về cũng như ở đến sẽ nhiều ra năm vào hơn làm lại"),
		"sw": wordSet("na ya wa kwa ni katika za la kuwa hii cha yako wako yangu kama au lakini hiyo pia mimi wewe yeye sisi kila watu hivyo sana ili huo hayo ambayo wangu zaidi baada kutoka si moja"),
		"so": wordSet("waa iyo oo ka ku in la uu ay u ah soo ayaa aan ee leh waxa"),
		"et": wordSet("ja on ei et see ta kui oli mis ka oma ning aga või kes seda mida nii siis veel"),
		"lt": wordSet("ir yra kad į su ne tai iš kaip bet jis o už buvo apie nuo dar gali taip"),
		"lv": wordSet("un ir ka no uz ar par bet tas kas lai nav es arī vai kā viņš līdz"),
		"hr": wordSet("i je u se na da su za od što kao ali s o koji iz ne bi sam ili biti može"),
	},
	"cyrillic": {
		"ru": wordSet("и в не на я быть он с что а по это она этот к но они мы как из у который то за свой от так для все его же или бы было был уже есть"),
		"uk": wordSet("і в не на я бути він з що а по це вона цей до але вони ми як із у який то за свій від так для все його же або би було є та ти"),
		"bg": wordSet("и в не на аз съм той с че а по това тя този към но те ние как от у който то за си са да се ще е като или бъде беше има ли при"),
		"mk": wordSet("и во не на јас сум тој со што а по ова таа овој кон но тие ние како од кој тоа за си се да ќе е или беше има при"),
		"sr": wordSet("и у не на ја сам он са што а по ово она овај ка али они ми како из који то за се да ће је или био има при"),
	},
	"arabic": {
		"ar": wordSet("في من على أن إلى عن مع هذا هذه التي الذي كان ما لا هو هي أو كل بعد قد ذلك لم بين ثم يكون كما و إن حتى لقد أنا يمكن"),
		"fa": wordSet("و در به از که این را با است برای آن یک خود تا بر هم نیز شده شود کرد می ما او باید اما یا های بود دارد کند ها هر من شما"),
		"ur": wordSet("کے کی ہے میں کا کو اور سے نے پر ہیں کہ یہ اس بھی ایک نہیں کر تھا ہو لیے وہ جو کیا ان تو گیا آپ ہوں اپنے تھے"),
	},
	"devanagari": {
		"hi": wordSet("के है में की से और का को पर यह नहीं एक हैं भी कि जो कर इस था वह ने हो तो अपने लिए या साथ हम आप मैं ही गया किया होता"),
		"mr": wordSet("आहे आणि या तो ती हे ते मी तुम्ही आम्ही नाही एक आहेत होते की का च पण केला केले असे त्या साठी काही मध्ये करून आपण होता तर ही"),
		"ne": wordSet("छ र को मा यो हो लाई छन् गर्न पनि भने एक तथा थियो हुन्छ गरेको भएको त्यो तर म हामी तपाईं लागि सँग बाट गर्नुहोस् छु हुनुहुन्छ"),
	},
}

// letters that, among the languages of a script, only one has. Each occurrence counts as a word of the language.
var telling = map[rune]string{
	'ß': "de", 'ñ': "es", '¿': "es", '¡': "es", 'ã': "pt", 'õ': "pt", 'ł': "pl", 'ę': "pl", 'ř': "cs", 'ě': "cs", 'ů': "cs", 'ș': "ro", 'ț': "ro",
	'ő': "hu", 'ű': "hu", 'ğ': "tr", 'ı': "tr", 'ơ': "vi", 'ư': "vi", 'ạ': "vi", 'ế': "vi", 'ộ': "vi", 'ề': "vi", 'ệ': "vi", 'ấ': "vi", 'ả': "vi",
	'ы': "ru", 'э': "ru", 'ё': "ru", 'і': "uk", 'ї': "uk", 'є': "uk", 'ґ': "uk", 'ђ': "sr", 'ћ': "sr", 'ќ': "mk", 'ѓ': "mk",
	'پ': "fa", 'گ': "fa", 'ژ': "fa", 'ٹ': "ur", 'ڈ': "ur", 'ڑ': "ur", 'ے': "ur", 'ں': "ur", 'ہ': "ur", 'ھ': "ur", 'ة': "ar", 'ي': "ar", 'ك': "ar",
	'ळ': "mr",
}

// known are the languages that can be told.
var known = func() map[string]bool {
	out := map[string]bool{}
	for _, s := range scripts {
		if sharing[s.language] == nil {
			out[s.language] = true
		}
	}
	for _, group := range sharing {
		for code := range group {
			out[code] = true
		}
	}
	return out
}()

// maxTold bounds how much of an answer is looked at.
const maxTold = 20_000

// speaks reports whether a text is in a language. A text without a letter is in none and breaks no instruction.
func speaks(text, language string) bool {
	told := tell(text)
	return told == "" || told == language
}

// tell gives the language of a text: ISO 639-1, empty when there is no letter in it.
func tell(text string) string {
	if len(text) > maxTold {
		text = strings.ToValidUTF8(text[:maxTold], "")
	}
	script := mainScript(text)
	group := sharing[script]
	if group == nil {
		return script
	}
	low := strings.ToLower(text)
	points := map[string]int{}
	for _, w := range strings.FieldsFunc(low, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsMark(r) }) {
		for code, words := range group {
			if words[w] {
				points[code]++
			}
		}
	}
	for _, r := range low {
		if code := telling[r]; group[code] != nil {
			points[code]++
		}
	}
	best, most := fallback[script], points[fallback[script]]
	for code := range group {
		if n := points[code]; n > most || n == most && n > 0 && best != fallback[script] && code < best {
			best, most = code, n
		}
	}
	return best
}

// fallback is taken where nothing tells the languages of a script apart.
var fallback = map[string]string{"latin": "en", "cyrillic": "ru", "arabic": "ar", "devanagari": "hi"}

// mainScript is the script of most letters: a language, or the name of a script that languages share. Kana make a text Japanese
// however many Han characters stand beside them.
func mainScript(text string) string {
	counts := map[string]int{}
	for _, r := range text {
		if !unicode.IsLetter(r) {
			continue
		}
		for _, s := range scripts {
			if unicode.Is(s.table, r) {
				counts[s.language]++
				break
			}
		}
	}
	if counts["ja"]*10 > counts["zh"] && counts["ja"] > 0 {
		counts["ja"] += counts["zh"]
	}
	best, most := "", 0
	for _, s := range scripts { // in their order, so that ties are told the same way every time
		if counts[s.language] > most {
			best, most = s.language, counts[s.language]
		}
	}
	return best
}
