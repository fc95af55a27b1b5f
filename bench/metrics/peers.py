"""sacrebleu and rouge-score on pairs of texts, one at a time, as rung scores them.

Usage: peers.py PAIRS.jsonl SECONDS. Each line of PAIRS holds {"hyp", "ref"}. For each metric the pairs are scored in turns
for SECONDS at least, and once more for the sum. Prints {"metric": {"pairs_per_s": ..., "sum": ...}}.
"""

import json
import sys
import time

from rouge_score import rouge_scorer
from sacrebleu.metrics import BLEU, CHRF, TER


def main(path: str, seconds: float) -> dict:
    with open(path, encoding="utf-8") as file:
        pairs = [(row["hyp"], row["ref"]) for row in map(json.loads, file)]
    bleu, chrf, chrfpp, ter = BLEU(effective_order=True), CHRF(), CHRF(word_order=2), TER()
    rouge = rouge_scorer.RougeScorer(["rouge1", "rouge2", "rougeL"])

    def rouges(hyp: str, ref: str) -> float:
        return sum(s.fmeasure for s in rouge.score(ref, hyp).values())

    scorers = {
        "bleu": lambda hyp, ref: bleu.sentence_score(hyp, [ref]).score,
        "chrf": lambda hyp, ref: chrf.sentence_score(hyp, [ref]).score,
        "chrf++": lambda hyp, ref: chrfpp.sentence_score(hyp, [ref]).score,
        "ter": lambda hyp, ref: ter.sentence_score(hyp, [ref]).score,
        "rouge": rouges,
    }
    out = {}
    for name, score in scorers.items():
        total = sum(score(hyp, ref) for hyp, ref in pairs)
        done, start = 0, time.process_time()
        while time.process_time() - start < seconds:
            for hyp, ref in pairs[:200]:
                score(hyp, ref)
            done += len(pairs[:200])
        out[name] = {"pairs_per_s": done / (time.process_time() - start), "sum": total}
    return out


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], float(sys.argv[2]))))
