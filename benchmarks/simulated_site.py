"""Articles of an invented site, with what is news and what is residue: the same site every time for the same seed.

Every text is put together from the sentences below. Residue behaves as it does on sites: menus and footers stay the same,
teasers are headlines of other recent stories, appeals count down, bylines and captions change with the article. Some stories are
published twice, and a running story repeats its background.
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

FIRST = (
    "Ada Bram Carla Dario Edda Farid Greta Hamid Ines Jonas Kaya Lorenz Mira Nils Oona Pavel Rosa Sven Tamar Ulf Vera Wim".split()
)
LAST = (
    "Aldous Brandt Corvi Delacroix Engel Farrow Gallin Holm Ibarra Jansky Keller Lund Marlow Novak Orsini Pell Quist Rasmus "
    "Sorel Tarn Umber Voss Wexler Yarrow Zander"
).split()
PLACE = (
    "Lundbay Corrin Westmark Hallow Ostrava Pellworth Dunmere Kirkford Alderwick Stonehythe Marrick Trevane Solvay Brackwater "
    "Eastleigh Norden Ravenholm Thistledown Carrowmore Vellbridge"
).split()
THING = (
    "the harbour bridge|the county library|the night ferry|the old mill|the tram depot|the water board|the grammar school|the "
    "quarry road|the coal pier|the fish market|the sports hall|the town archive|the fire station|the rail tunnel|the bus garage|"
    "the dairy co-operative|the lighthouse|the hospital wing|the allotments|the swimming pool"
).split("|")
BODY = (
    "the council|the county court|the transport authority|the teachers' union|the health board|the port operator|the police|"
    "the auditor|the regional assembly|the residents' association|the housing trust|the chamber of commerce"
).split("|")
VERB = "closed sold repaired surveyed leased rebuilt inspected extended abandoned insured".split()
ADJECTIVE = "careless overdue costly welcome hasty careful generous doubtful lawful reckless modest ambitious".split()
NOUN = "decision plan survey contract inquiry budget dispute report petition ruling delay merger".split()
SENTENCES = (
    "{body} voted on {day} to have {thing} in {place} {verb} before the winter, after a debate that ran past midnight.",
    "{person}, who chairs the committee, called the {noun} {adjective} and said that {place} had waited long enough.",
    "“Nobody asked the people who use {thing} every morning,” {person} said outside the hall in {place}.",
    "According to {body}, the {noun} will cost about {number} million a year, twice what was expected in {place}.",
    "{person} told the hearing that {thing} had not been {verb} since {person2} took office.",
    "The {noun} followed a {adjective} year for {place}, where {number} families have left since {month}.",
    "Engineers hired by {body} found cracks in the north wall of {thing} and advised that it be {verb} at once.",
    "A spokeswoman for {body} would not say whether the {noun} had been read by {person}.",
    "Neighbours in {place} have collected {number} signatures against the {adjective} {noun}.",
    "{person2} resigned on {day}, two weeks after {body} published a {adjective} {noun} about {thing}.",
    "The judge gave {body} until {month} to explain why {thing} was {verb} without a tender.",
    "In {place}, shopkeepers said that trade fell by {number} per cent while {thing} was being {verb}.",
    "{person} and {person2} have disagreed about {thing} for years, and the {noun} did not bring them closer.",
    "The money was meant for {thing}, but {body} spent it on a {adjective} {noun} in {place}.",
    "“It is a {adjective} {noun}, and we shall appeal,” {person2} told reporters on {day}.",
)
HEADLINES = (
    "{body} to have {thing} {verb} after {adjective} {noun}",
    "{place} counts the cost of a {adjective} {noun}",
    "{person} defends {noun} over {thing}",
    "Why {place} fears for {thing}",
    "{adjective} {noun}: {person2} leaves {body}",
)
CAPTIONS = (
    "{person} at {thing} in {place}. Photograph: {person2}",
    "Photo: {person2}. Workers near {thing} in {place} on {day}.",
    "{person} speaks to residents of {place}. Image by {person2}/{place} Press Agency",
)
APPEALS = (
    "We are {number} gifts short of our goal for {month}. If you value reporting on {site}, please give what you can today.",
    "{number} readers have given to {site} this week. Will you join them? A gift from {small} a month keeps our newsroom going.",
    "Before you go: {site} has no owner and no paywall. Donate by {day} and your gift will be doubled, up to {number} in all.",
)


class Layout(NamedTuple):
    """What stands above, within and below a story, how many teasers follow it, and how many of them have a summary."""

    head: tuple[str, ...]
    middle: tuple[str, ...]
    foot: tuple[str, ...]
    teasers: int
    summaries: int


PLAIN = Layout(
    ("{site}", "Section: Local news"),
    ("Sign up to our morning letter and never miss a story from {site}.", "Follow {site} for more on this story."),
    (
        "This article may be shared under the terms set out on our rights page.",
        "Got a story for {site}? Write to the desk and leave a number we can reach you on.",
        "All rights reserved, {site} Media {year}.",
    ),
    3,
    0,
)
BUSY = Layout(
    ("Listen to this page", "Save for later", "Text size", "Share by mail", "Print this page", "Comments ({small})"),
    (
        "Download the {site} app to get alerts as they happen, and read without waiting for pages to load.",
        "More from this section",
        "Trending now on {site}",
        "Editors' picks for you this morning",
        "You have read {small} of your free articles this month. Subscribe to go on reading without limits.",
        "Recommended for you by our partners",
        "Watch: the day in pictures",
        "Most commented this week",
    ),
    (
        "Join the conversation: comments are open to subscribers and are moderated. Please keep to the house rules.",
        "Terms of use | Privacy | Cookies | Contact | Careers at {site}",
        "Manage my alerts",
        "Back to top",
        "Our standards: how {site} checks what it publishes, and how to ask for a correction.",
    ),
    3,
    0,
)
CROWDED = BUSY._replace(teasers=8, summaries=8)


class SimulatedArticle(NamedTuple):
    """Paragraphs with their labels; `twin` is the number of the article whose story this one has again."""

    paragraphs: list[str]
    labels: list[str]
    twin: int | None

    @property
    def is_news(self) -> list[bool]:
        return [label == "news" for label in self.labels]


def simulate(
    site: str, articles: int, seed: int, *, changes_at: int | None = None, new: Layout = CROWDED, varied: bool = False
) -> Iterator[SimulatedArticle]:
    """Yield the articles of a site in order of publication; from `changes_at` on they have the new layout.

    Stories have 4 to 11 paragraphs, `varied` ones from 2 to a hundred (log-normal, median 12).
    """
    rng = random.Random(f"{site}{seed}")
    recent: deque[tuple[str, str]] = deque((_teaser(rng, _headline(rng, site), site) for _ in range(8)), maxlen=8)
    stories: list[list[str]] = []
    background = _story_paragraph(rng, site)
    for number in range(articles):
        layout = new if changes_at is not None and number >= changes_at else PLAIN
        twin = rng.randrange(max(0, number - 60), number) if number > 10 and rng.random() < 0.04 else None
        if twin is None:
            headline = _headline(rng, site)
            length = int(rng.lognormvariate(math.log(12), 0.8)) + 2 if varied else rng.randint(4, 11)
            story = [headline, *(_story_paragraph(rng, site) for _ in range(length))]
            if rng.random() < 0.03:
                story.insert(3, background)
        else:  # published again: another headline, at times a line more
            story = [_headline(rng, site), *stories[twin][1:]]
            if rng.random() < 0.5:
                story.append(_story_paragraph(rng, site))
        stories.append(story)
        parts = [(_made(rng, text, site), "navigation") for text in layout.head]
        parts += [(story[0], "news"), (_made(rng, "By {person}, {day} {month} {small}", site), "navigation")]
        if rng.random() < 0.8:
            parts.append((_made(rng, rng.choice(CAPTIONS), site), "caption"))
        body = [(text, "news") for text in story[1:]]
        extra = [(_made(rng, text, site), "navigation") for text in layout.middle]
        extra += [(f"Read more: {text}", "navigation") for text, _ in rng.sample(list(recent), 2)]
        if rng.random() < 0.5:
            extra.append((_made(rng, rng.choice(APPEALS), site), "fundraising"))
        for item in extra:
            body.insert(rng.randint(2, len(body)), item)
        parts += body
        for place, teased in enumerate(rng.sample(list(recent), layout.teasers)):
            parts += [(text, "navigation") for text in teased[: 1 + (place < layout.summaries)]]
        parts += [(_made(rng, text, site), "navigation") for text in layout.foot]
        if number % 3 == 0:
            recent.append(_teaser(rng, story[0], site))
        yield SimulatedArticle([text for text, _ in parts], [label for _, label in parts], twin)


def _headline(rng: random.Random, site: str) -> str:
    return _made(rng, rng.choice(HEADLINES), site)


def _teaser(rng: random.Random, headline: str, site: str) -> tuple[str, str]:
    return headline, _made(rng, rng.choice(SENTENCES), site)


def _story_paragraph(rng: random.Random, site: str) -> str:
    return " ".join(_made(rng, text, site) for text in rng.sample(SENTENCES, rng.randint(1, 3)))


def _made(rng: random.Random, template: str, site: str) -> str:
    text = template.format(
        site=site.partition(".")[0].capitalize(),
        person=f"{rng.choice(FIRST)} {rng.choice(LAST)}",
        person2=f"{rng.choice(FIRST)} {rng.choice(LAST)}",
        place=rng.choice(PLACE),
        thing=rng.choice(THING),
        body=rng.choice(BODY),
        verb=rng.choice(VERB),
        adjective=rng.choice(ADJECTIVE),
        noun=rng.choice(NOUN),
        day=rng.choice("Monday Tuesday Wednesday Thursday Friday Saturday".split()),
        month=rng.choice("January March April June August October December".split()),
        number=f"{rng.randint(2, 900) * 11:,}",
        small=rng.randint(2, 28),
        year=2024,
    )
    return text[0].upper() + text[1:]
