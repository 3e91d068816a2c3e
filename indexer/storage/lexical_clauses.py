"""A read query as tantivy's queries: what ranks, and what must hold."""

import math
from collections.abc import Iterable
from typing import Any

from indexer.storage.analysis import compound_prefixes, query_terms
from indexer.storage.lexical_entries import BODY, COMPOUNDS, EXACT, HEAD, NAME
from indexer.storage.lexical_query import Constraints, LexicalQuery, Phrase

# benchmarks/store/lexical_boosts.py: nDCG@10 on cranfield, xquad-en, xquad-zh.
BOOSTS = {BODY: 1.0, HEAD: 0.5, NAME: 0.5}
_TIE_BREAKER = 0.2
_MAX_WORDS = 256  # distinct words of a query that count; more is a pasted document
# A compound counts this share of the word's idf, however rare it is itself: less than the word.
_COMPOUND_SHARE = 0.3
_MOST_COMPOUNDS = 50  # of a word, the commonest
_COMPOUNDS_SEEN = 500  # of each end of a word, in order of the alphabet
_LEAST_REST = 3  # letters of the other part; fewer are an inflection

Clause = tuple[Any, Any]  # tantivy's Occur and Query
Words = list[tuple[str, ...]]


class Clauses:
    """Makes queries for one opened copy, on whose counts the weights depend."""

    def __init__(self, schema: Any, searcher: Any) -> None:
        self._schema = schema
        self._searcher = searcher
        self._stored = int(searcher.num_docs)

    def of(self, query: LexicalQuery, languages: Iterable[str]) -> list[Clause]:
        """Ranking by the words, limited to what holds the constraints; [] if nothing is asked."""
        languages = frozenset(languages)
        words = words_of(query, languages)
        if not words:
            return []
        ranking = [clause for forms in words for clause in self._ranking(forms, languages)]
        return [*ranking, *self.limits(query.constraints)]

    def limits(self, constraints: Constraints) -> list[Clause]:
        """What must hold, adding nothing to any score."""
        import tantivy

        must, must_not = tantivy.Occur.Must, tantivy.Occur.MustNot
        needed = [(must, weightless(self.exactly(phrase))) for phrase in constraints.phrases]
        return needed + [(must_not, self.exactly(phrase)) for phrase in constraints.excluded]

    def exactly(self, phrase: Phrase) -> Any:
        """Chunks with these words in this order and nothing between them."""
        import tantivy

        if len(phrase) == 1:  # tantivy panics at a phrase of one
            return tantivy.Query.term_query(self._schema, EXACT, phrase[0], "basic")
        return tantivy.Query.phrase_query(self._schema, EXACT, list(phrase))

    def idf(self, forms: tuple[str, ...]) -> float:
        """A word's inverse document frequency, 0 or more."""
        held_by = max(self._searcher.doc_freq(BODY, form) for form in forms)
        held_by = min(held_by, self._stored)  # tantivy still counts removed entries
        # BM25's own idf (Robertson and Zaragoza 2009), as tantivy computes it.
        return math.log1p((self._stored - held_by + 0.5) / (held_by + 0.5))

    def _ranking(self, forms: tuple[str, ...], languages: frozenset[str]) -> list[Clause]:
        import tantivy

        should = tantivy.Occur.Should
        clauses = []
        for field, boost in BOOSTS.items():
            terms = [tantivy.Query.term_query(self._schema, field, form, "freq") for form in forms]
            one = (
                terms[0]
                if len(terms) == 1
                else tantivy.Query.disjunction_max_query(terms, _TIE_BREAKER)
            )
            clauses.append((should, tantivy.Query.boost_query(one, boost)))
        compounds = self._compounds(forms[0], languages)
        if compounds:
            each = [
                (should, tantivy.Query.term_query(self._schema, COMPOUNDS, term, "basic"))
                for term in compounds
            ]  # a set of terms would take ten times as long
            share = _COMPOUND_SHARE * self.idf(forms)
            any_of_them = tantivy.Query.boolean_query(each)
            clauses.append((should, tantivy.Query.const_score_query(any_of_them, share)))
        return clauses

    def _compounds(self, word: str, languages: frozenset[str]) -> list[str]:
        """The commonest terms of compounds that begin or end with a word."""
        found = [
            (-count, term)
            for prefix in compound_prefixes(word, languages)
            for term, count in self._searcher.terms_with_prefix(
                COMPOUNDS, prefix, limit=_COMPOUNDS_SEEN
            )
            if len(term) >= len(prefix) + _LEAST_REST
        ]
        return [term for _, term in sorted(found)[:_MOST_COMPOUNDS]]


def words_of(query: LexicalQuery, languages: Iterable[str]) -> Words:
    """The words that count, each as a group of alternatives."""
    return query_terms(query.text, languages)[:_MAX_WORDS]


def weightless(query: Any) -> Any:
    """A query that limits but adds nothing to the score."""
    import tantivy

    return tantivy.Query.boost_query(query, 0.0)
