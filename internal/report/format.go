package report

import (
	"maps"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/rung-dev/rung"
)

// figures writes numbers for one document: scores with just enough digits to tell them from the bar.
type figures struct {
	digits int
	fine   map[string]bool // metrics that need one digit more
	large  map[string]bool // metrics on a scale to 100
	whole  bool            // this metric is one of large
	ascii  bool
}

// figuresFor takes two digits, and three for a metric where two would hide on which side of the bar or of a guard it lies.
func figuresFor(doc *rung.Document, ascii bool) figures {
	f := figures{digits: 2, fine: map[string]bool{}, large: map[string]bool{}, ascii: ascii}
	limits := map[string]float64{}
	maps.Copy(limits, doc.Bar.Guards)
	limits[doc.Bar.Metric] = doc.Bar.AtLeast
	for _, o := range doc.Rungs {
		for name, m := range o.Metrics {
			f.large[name] = f.large[name] || m.High > 1.5
		}
		for name, limit := range limits {
			m, ok := o.Metrics[name]
			if ok && (f.hides(m.Value, limit) || f.hides(m.Low, limit) || f.hides(m.High, limit)) {
				f.fine[name] = true
			}
		}
	}
	return f
}

// hides reports whether v would be written like the limit although it differs.
func (f figures) hides(v, limit float64) bool { return v != limit && f.score(v) == f.score(limit) }

// of is how figures of a metric are written.
func (f figures) of(metric string) figures {
	f.whole = f.large[metric]
	if f.fine[metric] {
		f.digits = 3
	}
	return f
}

// score writes a score: .72 between 0 and 1, 34.2 above.
func (f figures) score(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return f.none()
	}
	if f.whole || math.Abs(v) > 1.5 {
		return strconv.FormatFloat(v, 'f', max(f.digits-1, 1), 64)
	}
	s := strconv.FormatFloat(v, 'f', max(f.digits, 2), 64)
	if t := strings.TrimLeft(s, "-0."); t == "" {
		s = strings.TrimPrefix(s, "-")
	}
	if strings.HasPrefix(s, "0.") {
		return s[1:]
	}
	if strings.HasPrefix(s, "-0.") {
		return "-" + s[2:]
	}
	return s
}

// wide is how the three figures of an interval are written alike, also where only one of them is large.
func (f figures) wide(iv rung.Interval) figures {
	f.whole = f.whole || math.Abs(iv.Value) > 1.5 || math.Abs(iv.Low) > 1.5 || math.Abs(iv.High) > 1.5
	return f
}

// signed writes a difference with its sign.
func (f figures) signed(v float64) string {
	s := f.score(v)
	if v > 0 && strings.Trim(s, "0.") != "" {
		s = "+" + s
	}
	if !f.ascii {
		s = strings.Replace(s, "-", "−", 1)
	}
	return s
}

// interval writes ".72 [.63–.80]".
func (f figures) interval(iv rung.Interval) string {
	return f.value(iv) + " [" + f.ends(iv) + "]"
}

// value and ends write the two parts of an interval for columns of their own.
func (f figures) value(iv rung.Interval) string { return f.wide(iv).score(iv.Value) }

func (f figures) ends(iv rung.Interval) string {
	f = f.wide(iv)
	return f.score(iv.Low) + f.dash() + f.score(iv.High)
}

// change writes "+.31 [+.22, +.40]"; a dash between two signs would be hard to read.
func (f figures) change(iv rung.Interval) string {
	f = f.wide(iv)
	return f.signed(iv.Value) + " [" + f.signed(iv.Low) + ", " + f.signed(iv.High) + "]"
}

// Up writes a score rounded up to three digits.
func Up(v float64) string { return figures{digits: 3}.score(math.Ceil(v*1000-1e-9) / 1000) }

func (f figures) dash() string {
	if f.ascii {
		return "-"
	}
	return "–"
}

// none stands for a figure that does not exist.
func (f figures) none() string { return f.dash() }

// at least and at most signs.
func (f figures) atLeast() string {
	if f.ascii {
		return ">="
	}
	return "≥"
}

func (f figures) atMost() string {
	if f.ascii {
		return "<="
	}
	return "≤"
}

// pvalue writes p as "p = .012" or "p < .001".
func (f figures) pvalue(p float64) string {
	switch {
	case math.IsNaN(p):
		return "p " + f.none()
	case p < .001:
		return "p < .001"
	default:
		return "p = " + strings.TrimPrefix(strings.TrimSuffix(strconv.FormatFloat(p, 'f', 3, 64), ".000"), "0")
	}
}

// usd writes dollars: two digits that mean something below one dollar, cents above.
func usd(v float64) string {
	switch {
	case v == 0:
		return "$0"
	case math.Abs(v) >= .995:
		return "$" + strconv.FormatFloat(v, 'f', 2, 64)
	case math.Abs(v) < 1e-7:
		return "$" + strconv.FormatFloat(v, 'g', 2, 64)
	}
	digits := 1 - int(math.Floor(math.Log10(math.Abs(v))))
	return "$" + strconv.FormatFloat(v, 'f', max(2, digits), 64)
}

// usdOr writes the cost of one success, none when nothing succeeded.
func usdOr(v *float64, none string) string {
	if v == nil {
		return none
	}
	return usd(*v)
}

// millis writes a latency given in milliseconds.
func millis(ms float64) string {
	switch {
	case ms == 0:
		return "0 s"
	case ms < 1:
		return strconv.FormatFloat(ms, 'f', 2, 64) + " ms"
	case ms < 999.5:
		return strconv.FormatFloat(ms, 'f', 0, 64) + " ms"
	case ms < 9950:
		return strings.TrimSuffix(strconv.FormatFloat(ms/1000, 'f', 1, 64), ".0") + " s"
	default:
		return span(time.Duration(ms * float64(time.Millisecond)))
	}
}

// span writes a duration in the two units that matter: 42 s, 3 min 20 s, 2 h 5 min.
func span(d time.Duration) string {
	s := int64(d.Round(time.Second) / time.Second)
	switch {
	case s < 60:
		return strconv.FormatInt(s, 10) + " s"
	case s < 3600:
		return pairOf(s/60, "min", s%60, "s")
	default:
		return pairOf(s/3600, "h", s%3600/60, "min")
	}
}

func pairOf(a int64, unitA string, b int64, unitB string) string {
	out := strconv.FormatInt(a, 10) + " " + unitA
	if b != 0 {
		out += " " + strconv.FormatInt(b, 10) + " " + unitB
	}
	return out
}

// count writes an integer with thousands separated.
func count(n int) string {
	s := strconv.Itoa(n)
	neg := strings.HasPrefix(s, "-")
	s = strings.TrimPrefix(s, "-")
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	if neg {
		return "-" + s
	}
	return s
}

// plural writes "1 example", "12 examples".
func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return count(n) + " " + one + "s"
}

// perCall is tokens in per model call, 0 when there was none.
func perCall(tokens rung.Tokens, calls rung.Calls) int {
	n := calls.Made + calls.Cached + calls.Failed
	if n == 0 {
		return 0
	}
	return int(math.Round(float64(tokens.In) / float64(n)))
}

// seconds writes a duration given in seconds.
func seconds(s float64) string {
	if s < 10 {
		return millis(s * 1000)
	}
	return span(time.Duration(s * float64(time.Second)))
}
