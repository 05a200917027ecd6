"""Language tags (BCP 47), as the models' loose names are turned into them and as a request's tag is matched."""

from __future__ import annotations

import re


def canonical_tag(name: str) -> str:
    """`en_us` → `en-US`, `zh-cn` → `zh-CN`, `sr-latn` → `sr-Latn`; `und` for what cannot be a tag."""
    subtags = re.split(r"[-_]", name.strip())
    if not re.fullmatch(r"[A-Za-z]{2,8}", subtags[0]) or not all(re.fullmatch(r"\w{1,8}", s) for s in subtags):
        return "und"
    cased = [subtags[0].lower()]
    for subtag in subtags[1:]:
        if len(subtag) == 4 and subtag.isalpha():
            cased.append(subtag.title())
        elif len(subtag) == 2 and subtag.isalpha():
            cased.append(subtag.upper())
        else:
            cased.append(subtag.lower())
    return "-".join(cased)


def tags_match(one: str, other: str) -> bool:
    """Whether one tag is a prefix of the other, in whole subtags: `en` ~ `en-US`, but not `en-GB` ~ `en-US`."""
    a, b = one.lower().replace("_", "-").split("-"), other.lower().replace("_", "-").split("-")
    shorter = min(len(a), len(b))
    return a[:shorter] == b[:shorter]
