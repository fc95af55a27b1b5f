package retrieve

import (
	"bufio"
	"context"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rung-dev/rung"
)

// sharedData is the folder of a public data set, which is not part of the repository.
func sharedData(t testing.TB, set string) string {
	t.Helper()
	root := os.Getenv("RUNG_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared")
	}
	dir := filepath.Join(root, "data", set)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("the data set %s is not here; set RUNG_SHARED to the folder that holds data/%s", set, set)
	}
	return dir
}

type row struct {
	DocID   string `json:"doc_id"`
	QueryID string `json:"query_id"`
	Title   string `json:"title"`
	Text    string `json:"text"`
}

func rows(t testing.TB, path string) []row {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	var out []row
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r row
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// judged is a data set: passages, queries and which passages answer them.
type judged struct {
	passages []rung.Passage
	queries  map[string]string
	relevant map[string]map[string]bool
}

func judgedSet(t testing.TB, set, queries, qrels string, titled bool) judged {
	dir := sharedData(t, set)
	j := judged{queries: map[string]string{}, relevant: map[string]map[string]bool{}}
	for _, r := range rows(t, filepath.Join(dir, "corpus.jsonl")) {
		p := rung.Passage{ID: r.DocID, Doc: r.DocID, Text: r.Text}
		if titled {
			p.Heading = r.Title
		}
		j.passages = append(j.passages, p)
	}
	for _, r := range rows(t, filepath.Join(dir, queries)) {
		j.queries[r.QueryID] = r.Text
	}
	for _, r := range rows(t, filepath.Join(dir, qrels)) {
		if j.relevant[r.QueryID] == nil {
			j.relevant[r.QueryID] = map[string]bool{}
		}
		j.relevant[r.QueryID][r.DocID] = true
	}
	return j
}

// quality is nDCG@10, recall@10 and hit@1 over the judged queries, relevance being yes or no.
func (j judged) quality(search func(query string) []rung.Passage) (ndcg, recall, hit float64) {
	for id, relevant := range j.relevant {
		found, gain, ideal := 0, 0.0, 0.0
		for i, p := range search(j.queries[id]) {
			if relevant[p.ID] {
				found++
				gain += 1 / math.Log2(float64(i+2))
				if i == 0 {
					hit++
				}
			}
		}
		for i := range min(10, len(relevant)) {
			ideal += 1 / math.Log2(float64(i+2))
		}
		ndcg += gain / ideal
		recall += float64(found) / float64(len(relevant))
	}
	n := float64(len(j.relevant))
	return ndcg / n, recall / n, hit / n
}

// The floors are a little under what was measured; the published BM25 figure for SciFact is nDCG@10 .665 (BEIR) to .679 (Anserini).
func TestQualityOfBM25(t *testing.T) {
	for _, c := range []struct {
		set, queries, qrels string
		titled              bool
		ndcg, recall, hit   float64
	}{
		{"scifact", "queries_test.jsonl", "qrels_test.jsonl", true, .67, .78, .5},
		{"squad2_dev_half", "queries.jsonl", "qrels.jsonl", false, .87, .95, .79},
	} {
		t.Run(c.set, func(t *testing.T) {
			j := judgedSet(t, c.set, c.queries, c.qrels, c.titled)
			start := time.Now()
			x, err := Build(context.Background(), j.passages, Settings{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			built := time.Since(start)
			start = time.Now()
			ndcg, recall, hit := j.quality(func(q string) []rung.Passage { return x.SearchWords(q, 10) })
			t.Logf("%d passages built in %s; %d queries, %s each; nDCG@10 %.4f, recall@10 %.4f, hit@1 %.4f", x.Len(), built.Round(time.Millisecond),
				len(j.relevant), (time.Since(start) / time.Duration(len(j.relevant))).Round(time.Microsecond), ndcg, recall, hit)
			if ndcg < c.ndcg || recall < c.recall || hit < c.hit {
				t.Errorf("below the floors nDCG@10 %.2f, recall@10 %.2f, hit@1 %.2f", c.ndcg, c.recall, c.hit)
			}
		})
	}
}

// BenchmarkScan is one query against 50,000 vectors of 384 numbers.
func BenchmarkScan(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 1))
	vectors := make([][]float32, 50_000)
	for i := range vectors {
		vectors[i] = make([]float32, 384)
		for k := range vectors[i] {
			vectors[i][k] = float32(random.NormFloat64())
		}
	}
	x, err := newDense(vectors)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := x.search(vectors[7], 10, nil); err != nil {
			b.Fatal(err)
		}
	}
}
