"""What tells languages apart: the script, or some of the commonest words."""

STOPWORDS: dict[str, str] = {
    "danish": (
        "og det at en den til er som på de med han af for ikke der var mig sig men et har om vi"
    ),
    "dutch": (
        "de en van ik te dat die in een hij het niet zijn is was op aan met als voor had er maar om"
    ),
    "english": (
        "the of and to in is that it for was on are as with his they at be this from have or by"
    ),
    "finnish": "ja on ei se että oli hän mutta ovat kun niin kuin mitä sen ole myös joka tämä jos",
    "french": (
        "le la les de des et un une du en que est pour qui dans ce il au sur pas plus ne se par"
    ),
    "german": (
        "der die und das den von zu mit sich des auf für ist im dem nicht ein eine als auch es an"
    ),
    "hungarian": "a az és hogy nem is egy van volt ezt csak már még meg ha de mint el kell vagy",
    "indonesian": "yang dan di itu dengan untuk tidak ini dari dalam akan pada juga saya ke karena",
    "italian": (
        "di che e la il un a per in una sono mi ho non si le lo ha con ma ti del della gli i"
    ),
    "norwegian": (
        "og i det at en den til er som på de med han av for ikke der var jeg men et har om vi"
    ),
    "portuguese": (
        "de a o que e do da em um para com não uma os no se na por mais as dos como mas foi"
    ),
    "romanian": "și în de la a cu pe nu este un o din care să mai pentru ca sau fi au",
    "spanish": "de la que el en y a los se del las un por con no una su para es al lo como más o",
    "swedish": (
        "och det att i en jag hon som han på den med var sig för så till är men ett om hade de"
    ),
    "turkish": "ve bir bu da de için ile çok ne gibi daha o ben değil var mı ama en kadar olarak",
}

# (first letter, last letter, stemmer): a script that mostly serves one of our stemmers.
SCRIPTS: tuple[tuple[str, str, str], ...] = (
    ("\u0400", "\u04ff", "russian"),
    ("\u0370", "\u03ff", "greek"),
    ("\u0600", "\u06ff", "arabic"),
    ("\u0530", "\u058f", "armenian"),
    ("\u0900", "\u097f", "hindi"),
    ("\u0b80", "\u0bff", "tamil"),
)

STEMMERS = frozenset(STOPWORDS) | {language for _, _, language in SCRIPTS}

# Languages that write compounds as one word.
COMPOUNDING = frozenset(
    {"danish", "dutch", "finnish", "german", "hungarian", "norwegian", "swedish"}
)


def _by_word() -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for language, words in STOPWORDS.items():
        for word in words.split():
            found[word] = (*found.get(word, ()), language)
    return found


WORD_LANGUAGES = _by_word()
