"""Which language a text is in, where nobody says, and how long it takes to read."""

import re
from collections import Counter

# The small words that every text is held together by; those of languages that are easily taken for one another stand
# beside each other, so that Slovak is not called Czech for want of a better name. No library is asked: see
# docs/decisions/0007.
_SMALL_WORDS = {
    "en": """
        the of and to in is that for it was on are as with his they at be this from have or by not but what all were
        when we there can an your which their said if do will how about them then these so some would into has more
        her two like him see could no than been now my did its who may after before over only most why our out up us
        you he she any also between during through while people new
    """,
    "de": """
        der die das und in den von zu mit sich des auf für ist im dem nicht ein eine als auch es an werden aus er
        hat dass sie nach wird bei einer um am sind noch wie einem über einen so zum war haben nur oder aber vor zur
        bis mehr durch man sein wurde wenn können ab gegen vom schon was wer unter beim seine ihre ihr wir kein
        keine immer wann warum weniger sehr besonders
    """,
    "es": """
        de la que el en y a los se del las un por con no una su para es al lo como más o pero sus le ha me si sin
        sobre este ya entre cuando todo esta ser son dos también fue había era muy años hasta desde está mi porque
        qué sólo han yo hay vez puede todos así nos ni parte tiene él uno donde bien tiempo mismo ese ahora cada e
        vida otro después te otros aunque esa eso hace otra gobierno tan durante siempre día tanto ella tres sí dijo
        sido gran país según menos cuánta contra
    """,
    "fr": """
        de la le et les des en un du une que est pour qui dans a par plus pas au sur ne se ce il sont son avec ou
        ses mais comme nous sa leur aux on été deux ces cette même si vous lui ont peut tout fait ils où être bien
        sans entre aussi dont elle je leurs y non encore depuis quand après avant très moins trop déjà reste
        pourquoi comment chez contre sous c d l n qu s j
    """,
    "it": """
        di e il la che in un a per è una sono del con non si i le da al dei nel della come più ma gli lo ha anche o
        alla delle se su questo ci hanno quando dal sul nella ai loro era tra essere suo tutti cui prima dopo dalla
        perché fra può molto sia degli due lei lui stato quello questa nelle dell l ogni senza già solo sua
    """,
    "pt": """
        de a o que e do da em um para é com não uma os no se na por mais as dos como mas foi ao ele das tem à seu
        sua ou ser quando muito há nos já está eu também só pelo pela até isso ela entre era depois sem mesmo aos
        ter seus quem nas me esse eles estão você tinha foram essa num nem suas meu às minha têm numa pelos elas
        havia seja qual será nós sobre são pode daquilo devemos
    """,
    "nl": """
        de het een van en in is dat op te zijn voor met die niet aan er om ook als maar door bij dan uit nog naar
        wordt over werd tot meer hij ze was had heeft hebben worden of geen wat zo zich deze dit je kan onder na
        veel we wel zonder vooral tegen omdat hun haar al toen moet twee
    """,
    "sv": """
        och i att det som en på är av för med den till inte om ett han men var sig från vi så kan man när år säger
        hon under också efter eller nu sin där vid mot ska skulle kommer ut får finns vara hade alla andra mycket än
        här då sedan över bara in blir upp även vad få två vill ha många hur mer framför allt utan
    """,
    "da": """
        og i at det er en af til på for med den der de ikke som et har fra var men om sig han kan vi så bliver ved
        efter også eller jeg blev hun nu hvor over ud skal sin alle være når meget end her havde mod ind op mere år
        næsten hvad uden mellem to får
    """,
    "nb": """
        og i det er en på som at av til for med den de ikke har fra et om var men han seg kan vi så blir ved etter
        også eller jeg ble hun nå hvor over ut skal sin alle være når mye enn her hadde mot inn opp mer år nesten
        hva uten mellom to får sier dette
    """,
    "pl": """
        w i na z do nie się że to jest o jak od po za przez a dla przy ale są co tym był oraz tego ich może jego lub
        tylko który które która by już czy tak jej ze być było pod gdy ma więcej bardzo jeszcze przed także między
        bez u niż
    """,
    "cs": """
        v a na se je že z s do o to i pro za ve by jako po si tak podle ale k od jsou při byl nebo jeho který které
        která jen až už bylo před není u než co jak být své ze však více také ještě má mezi bez
    """,
    "tr": """
        ve bir bu da de için ile çok daha olarak o gibi en ne kadar sonra olan var ama mi ya her ki olduğu göre
        değil ise yeni iki veya ben neden nasıl arasında
    """,
    "fi": """
        ja on ei se että oli hän mutta ovat myös kun kuin ole joka jos niin sen vain tai sekä mukaan nyt voi hänen
        jo ollut olla ne jotka vielä sitä mitä kanssa noin yli lähes
    """,
    "hu": """
        a az és hogy nem is egy van ez de meg már csak azt még mint ha volt el vagy lehet után szerint amely minden
        több mert kell nagyon így
    """,
    "ro": """
        de și în la a cu pe nu o din un că se mai este sunt pentru care ce au fi prin după sau fost cum dar dacă
        către între fără această acest lui
    """,
    "id": """
        yang dan di dengan untuk dari ini dalam pada itu tidak adalah akan ke juga oleh sebagai ada karena atau
        mereka dapat lebih telah bisa kata saat para
    """,
    "ca": """
        de la i el que a les en per un del una els amb es no al l d són com més o pel però dels s ha aquest aquesta
        també hi ser fins entre molt sense
    """,
    "af": """
        die en van in is het nie wat dat om vir met te op as was sy aan hulle hy ook kan deur maar sal by word baie
        meer ons tot daar oor jou hierdie moet uit so nog slegs kon
    """,
    "gl": """
        de a o que e do da en un para é con non unha os as dos das se por máis como pero foi ao ou cando moi hai nos
        xa está tamén pola polo ata isto entre sen ser seus súa seu ten teñen este esta estes poden dunha cun unhas
        á ás onde
    """,
    "ms": """
        yang dan di dengan untuk dari ini dalam pada itu tidak adalah akan ke juga oleh sebagai ada kerana atau
        mereka boleh lebih telah anda sila ialah bagi satu sahaja perlu hendaklah tiada
    """,
    "sk": """
        a v na sa je že z s do o to i pri za vo by ako po si tak podľa ale k od sú bol alebo jeho ktorý ktorá ktoré
        keď už bolo pred nie u než čo byť svoje zo viac tiež ešte má medzi bez pre môže prosím
    """,
    "nn": """
        og i det er ein på som at av til for med den dei ikkje har frå eit om var men han seg kan vi så blir ved
        etter også eller eg vart ho no kvar over ut skal sin alle vere når mykje enn her hadde mot inn opp meir år
        nesten kva utan mellom to får seier dette kunne
    """,
    "hr": """
        i u na je da se za su od s o ne to koji koja koje kao ili iz po bio biti će može nije sve više samo ali
        nakon prije između zbog što kako već još bez vrlo kod sa treba ovaj ova ovo
    """,
    "sl": """
        in v na je da se za so od z s o ne to ki kot ali iz po bil biti bo lahko ni vse več samo pa nad pred med
        zaradi kaj kako že še brez zelo pri ta tega te mora imajo vendar
    """,
    "ar": """
        في من على إلى أن التي الذي هذا هذه عن ما مع أو لا كان كانت بعد قبل بين كل حتى لم قد هو هي ذلك تلك كما عند
        غير إذا وقد ولا دون ثم أكثر خلال ومن
    """,
    "fa": """
        و در به از که این را با است برای آن یک تا هم می یا بر شد بود کرد خود ها های شود باید نیست بیش پس هر اما اگر
        دارد شده کنند کنید چه نیز
    """,
    "ur": """
        کے میں کی ہے سے کو اور کا نے پر ہیں یہ کہ بھی ایک تھا نہیں جو اس ہو تو کر گیا لیے وہ ان تک یا جا کوئی
    """,
    "ru": """
        и в на не что с по как это к из у за от для же но о бы так все его он если или до при более уже только было
        быть чем может после также во когда где есть их её я мы вы она они этого который которые нет
    """,
    "uk": """
        і в на не що з по як це до та у за від для але про б так усі його він якщо або при більше вже тільки було
        бути ніж може після також коли де є їх її я ми ви вона вони цього який які немає під зі ще й
    """,
    "bg": """
        и в на не че с по как това към из у за от но о би така все му той ако или до при повече вече само беше е ще
        да са със се във след също когато където има ги й аз ние вие тя те който които няма
    """,
    "sr": """
        и у на не да с по као то ка из за од али о би тако све га он ако или до при више већ само је ће су са се
        након такође када где има их ја ми ви она они који које нема може
    """,
    "be": """
        і ў на не што з па як гэта да у за ад для але пра б так усе яго ён калі або пры больш ужо толькі было быць
        чым можа пасля таксама дзе ёсць іх яе я мы вы яна яны які якія няма
    """,
    "mk": """
        и во на не дека со по како ова кон од за но о би така сите го тој ако или до при повеќе веќе само беше е ќе
        да се после исто кога каде има ги ја јас ние вие таа тие кој кои нема може
    """,
}
_LANGUAGES_OF: dict[str, tuple[str, ...]] = {}
for _tag, _words in _SMALL_WORDS.items():
    for _word in _words.split():
        _LANGUAGES_OF[_word] = (*_LANGUAGES_OF.get(_word, ()), _tag)

_LOOKED_AT = 2_000  # characters
_LETTERS = re.compile(r"[^\W\d_]+")
_FEWEST = 3  # small words of a language
_LEAD = 2  # more of them than of any other language
_SHARE = 0.2  # of all words
_FEWEST_LETTERS = 6  # of a script that one language writes
_SCRIPTS = {  # those that one language alone writes, or nearly
    "ja": re.compile("[\u3041-\u30ff]"),
    "ko": re.compile("[\u1100-\u11ff\uac00-\ud7a3]"),
    "zh": re.compile("[\u3400-\u4dbf\u4e00-\u9fff]"),
    "el": re.compile("[\u0370-\u03ff\u1f00-\u1fff]"),
    "he": re.compile("[\u0590-\u05ff]"),
    "th": re.compile("[\u0e00-\u0e7f]"),
}


def detect_language(text: str) -> str:
    """The language's primary tag ('de'), or '' where the text is too short or too odd to be sure."""
    looked_at = text[:_LOOKED_AT]
    words = _LETTERS.findall(looked_at.lower())
    letters = sum(map(len, words))
    if not looked_at.isascii():
        counts = {tag: len(script.findall(looked_at)) for tag, script in _SCRIPTS.items()}
        if counts["ja"]:
            counts["ja"] += counts.pop("zh")  # Japanese is written in both
        tag = max(counts, key=lambda each: counts[each])
        if counts[tag] >= _FEWEST_LETTERS and counts[tag] * 2 > letters:
            return tag
    votes = Counter(tag for word in words for tag in _LANGUAGES_OF.get(word, ()))
    (first, most), (_, next_most) = (*votes.most_common(2), ("", 0), ("", 0))[:2]
    sure = most >= max(_FEWEST, next_most + _LEAD) and most >= _SHARE * len(words)
    return first if sure else ""


# Words a minute in 17 languages, 25 or more adults each: Trauzettel-Klosinski and Dietz, 'Standardized Assessment of
# Reading Performance: The New International Reading Speed Texts IReST', IOVS 53 (2012), doi 10.1167/iovs.11-8284.
# They read aloud; silent reading is somewhat faster, scanning a newsletter's article somewhat more careful than that.
_WORDS_A_MINUTE = {
    "ar": 138,
    "de": 179,
    "en": 228,
    "es": 218,
    "fi": 161,
    "fr": 195,
    "he": 187,
    "it": 188,
    "nl": 202,
    "pl": 166,
    "pt": 181,
    "ru": 184,
    "sl": 180,
    "sv": 199,
    "tr": 166,
}
_MEAN = 184  # of the seventeen
_CHARACTERS_A_MINUTE = {"zh": 255, "ja": 357}
_CJK = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_KANA = _SCRIPTS["ja"]
_FEW_WORDS = 10


def reading_minutes(text: str, language: str = "") -> int:
    """Whole minutes to read a text, by words, Chinese and Japanese by characters; 0 where it is only a few words.

    `language`: a BCP 47 tag, or '' for the mean of all languages.
    """
    primary = language.partition("-")[0].lower()
    cjk = 0 if text.isascii() else len(_CJK.findall(text))
    words = len((_CJK.sub(" ", text) if cjk else text).split())
    if words + cjk / 2 <= _FEW_WORDS:
        return 0
    pace = _CHARACTERS_A_MINUTE.get(primary, _CHARACTERS_A_MINUTE["ja" if _KANA.search(text) else "zh"])
    return max(1, round(words / _WORDS_A_MINUTE.get(primary, _MEAN) + cjk / pace))
