"""From a text to the terms by which texts are compared: words without endings, and without those that say nothing."""

import re
import unicodedata
from itertools import chain, pairwise

# Combining marks are no letters to Python; the scripts of South and South-East Asia write vowels with them.
_WORD = re.compile("[^\\W\\d_][\\w\u0300-\u036f\u0591-\u05c7\u0610-\u0670\u0900-\u0963\u0966-\u109f\u1780-\u17d3]*")
_MARKS = re.compile("[\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670]")
_CJK = re.compile("[\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\U00020000-\U0003ffff]")

# Numbers, times and what reports are written with say nothing about a subject either, however rare they are. What is a
# word of substance in another of the three languages is left out: 'war', 'sea', 'son'.
_STOPPED = frozenset(
    """
a about above after again against all almost already also although always am among an and another any are around as at
away back be became because become been before began being below better between both but by called came can come comes
could day days did do does doing done down during each eight either else enough even ever every far few fewer fifth
first five for found four from full gave get gets give given gives go goes gone got had half hardly has have having he
help helped helps her here high higher him his hour hours how however hundred if in into is it its itself just keep
kept know known last late later least less let like little long longer lot low lower made make makes many may me might
million mind minute minutes month months more most much must my near nearly need needed needs neither never new next
nine no nor not now of off often old older on once one only onto or other others our out over own per percent put
question questions quite rather really same saw say says second see seen set seven several shall she should show showed
shown shows since six small so some soon still such take taken takes tell ten than that the their them then there these
they third thirty this those thousand though three through thus time times to today together told too took tried try
twelve twenty twice two under until up upon us use used uses very want was way we week weeks well went were what when
where whether which while who whom whose why will with within without work worked works would year years yes yet you
your

ab aber acht alle allem allen aller alles als also am an andere anderen auch auf aus bei beim bereits besser bin bis
bisher da dabei damit dann daran das dass davon dazu dein dem den denn der deren des dessen deshalb die dies diese
diesem diesen dieser dieses doch dort drei dritte du durch ein eine einem einen einer eines einmal er erst es etwa
etwas euch fast fünf für gab ganz gegen gehen geht gibt haben halb hat hatte hatten hier hinter ihm ihn ihnen ihr ihre
ihren immer in indem ins ist ja jahr jahre jahren jahres jede jedem jeden jeder jedes jedoch jetzt kann kein keine
keinen können könnte lange länger machen macht man mehr meist mit monat monate monaten muss müssen nach neu neue neuen
neuer neun nicht nichts noch nun nur ob oder oft ohne prozent schon sechs sehr seien seit sein seine seinen seiner
selbst sich sie sieben sind so sogar solche soll sollen sollte sondern sowie statt tag tage tagen trotz trotzdem über
um und uns unter viel viele vielen vier vom von vor vorher wann waren warum was weil weniger wenn wer werden wie
wieder will wir wird wo woche wochen wohl wurde wurden zehn zu zum zur zwei zwischen

al algo algunas algunos años año ante antes aquel aquí así aun aunque bien cada casi cinco como con contra cual cuando
cuatro cuya de del desde después dicen dieciséis diez donde dos durante el ella ellas ello ellos en entre eran
es esa ese eso esos esta estaba están estas este esto estos está fue fueron ha hace hacia han hasta hay la las le les lo
los más me mejor menos mes meses mi mientras mil mismo mitad mucho muchos muy nada ni no nos nosotros nuestra nuestro
nueve nuevo nueva o ocho otra otras otro otros para parte pero poco por porque pueden puede que quien quienes qué se
según seis semana semanas ser si sido siempre siete siguen sobre solo su sus sólo tan tanto también tercera
tiene tienen todas todavía todo todos tras tres tu un una unas uno unos veinte vez y ya
""".split()  # noqa: SIM905 a list of words is read as a text
)

# English, German and Spanish in one: which language a text is in is often unknown or told wrong.
_ENDINGS = frozenset(
    """
    ation ating ated ational ative ion ional ing ed er or ly y e ic ical ity ive al ous ious is ment
    ung ungen en ern em lich isch ische ischen
    a o acion acione cion cione ico ica mente ado ada
    """.split()  # noqa: SIM905 the same
)
_LONGEST_FIRST = tuple(range(max(map(len, _ENDINGS)), 0, -1))
_SHORTEST = 4  # letters that an ending must leave
_ARABIC = re.compile("[\u0621-\u064a]")
_ARABIC_ARTICLE = re.compile("\\A(?:[\u0648\u0628\u0643\u0641]?\u0627\u0644|\u0644\u0644)(?=.{3})")
_ARABIC_ENDING = re.compile("(?<=.{3})(?:\u0627\u062a|\u0648\u0646|\u064a\u0646|\u064a\u0629|\u0629|\u0647\u0627)\\Z")


def words_of(text: str) -> list[str]:
    """The words in lower case, in order; numbers are none. Scripts without spaces give whole runs."""
    return _WORD.findall(text.lower())


def terms_of_word(word: str) -> tuple[str, ...]:
    """What a word of `words_of` is compared by: none where it says nothing, pairs of characters where it is CJK."""
    if word in _STOPPED:
        return ()
    bare = word if word.isascii() else _MARKS.sub("", unicodedata.normalize("NFKD", word.casefold()))
    if bare.isascii():
        return (_without_ending(bare),) if len(bare) > 1 else ()
    bare = unicodedata.normalize("NFC", bare)
    if _CJK.search(bare):
        return tuple(f"{one}{two}" for one, two in pairwise(bare)) or (bare,)
    if _ARABIC.search(bare):
        return (_ARABIC_ENDING.sub("", _ARABIC_ARTICLE.sub("", bare)),)
    return (_without_ending(bare),) if len(bare) > 1 else ()


def terms_of(text: str) -> frozenset[str]:
    """All terms of a text."""
    return frozenset(chain.from_iterable(map(terms_of_word, words_of(text))))


def _without_ending(word: str) -> str:
    """A light stem: the s of a plural goes first, then one ending, where at least four letters stay."""
    stem = word
    if len(stem) > _SHORTEST:
        if stem.endswith("ies"):
            stem = f"{stem[:-3]}y"
        elif stem.endswith("s") and stem[-2] not in "sui":
            stem = stem[:-1]
    for size in _LONGEST_FIRST:
        if len(stem) - size >= _SHORTEST and stem[-size:] in _ENDINGS:
            return stem[:-size]
    return stem
