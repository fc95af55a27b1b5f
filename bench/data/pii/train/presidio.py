"""Reads texts as JSON strings, one per line, and prints what presidio-analyzer finds, one JSON list of [type, start, end] per line.

With en_core_web_md installed it is used; it comes from no package registry, so otherwise a blank pipeline that only cuts words stands
in for it, and what is compared are the recognisers that rest on the form of the data.
The last line is {"seconds": time of the analysis alone, "model": what was used}.
"""

import json
import sys
import time

import spacy
from presidio_analyzer import AnalyzerEngine
from presidio_analyzer.nlp_engine import NlpArtifacts, NlpEngine, NlpEngineProvider

MODEL = "en_core_web_md"


class Blank(NlpEngine):
    """Cuts words and knows no entities."""

    def __init__(self) -> None:
        self.nlp = {}

    def load(self) -> None:
        self.nlp = {"en": spacy.blank("en")}

    def is_loaded(self) -> bool:
        return bool(self.nlp)

    def process_text(self, text: str, language: str) -> NlpArtifacts:
        doc = self.nlp[language](text)
        return NlpArtifacts([], doc, [t.idx for t in doc], [t.lower_ for t in doc], self, language)

    def process_batch(self, texts, language, **_):
        for text in texts:
            yield text, self.process_text(text, language)

    def is_stopword(self, word: str, language: str) -> bool:
        return self.nlp[language].vocab[word].is_stop

    def is_punct(self, word: str, language: str) -> bool:
        return self.nlp[language].vocab[word].is_punct

    def get_supported_entities(self) -> list[str]:
        return []

    def get_supported_languages(self) -> list[str]:
        return ["en"]


def main() -> None:
    if spacy.util.is_package(MODEL):
        config = {"nlp_engine_name": "spacy", "models": [{"lang_code": "en", "model_name": MODEL}]}
        engine, used = NlpEngineProvider(nlp_configuration=config).create_engine(), MODEL
    else:
        engine, used = Blank(), "no model"
        engine.load()
    analyzer = AnalyzerEngine(nlp_engine=engine, supported_languages=["en"])
    texts = [json.loads(line) for line in sys.stdin]
    analyzer.analyze(texts[0], "en")
    seconds = 0.0
    for text in texts:
        start = time.perf_counter()
        found = analyzer.analyze(text, "en")
        seconds += time.perf_counter() - start
        print(json.dumps([[r.entity_type, r.start, r.end] for r in found]))
    print(json.dumps({"seconds": seconds, "model": used}))


main()
