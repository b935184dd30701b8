"""What texts of each encoding are like: which letters people write often, and where letters stand oddly."""

import re
from dataclasses import dataclass, field
from functools import lru_cache

UTF8 = "utf-8"

# What is written often in lists of clothes, and anywhere.
_SIMPLIFIED = (
    "的一是不了人我在有他这中大来上个国到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可里后小么心多天而能好都然没日于起还发成事只作当想看文无开手十用主行方又如前所本见经头面公同三已老从动两长"
    "衣裤裙衫袖领款女男装模特号图片色红黄蓝绿白黑灰粉紫棕米杏驼季春夏秋冬新品牌码尺寸大中小宽松修身显瘦高腰短长半连身外套毛针织牛仔纯棉麻丝雪纺碎花印格条纹韩版休闲时尚气质优雅商编类目别名称备注服饰连衣二四五六七八九"
)
_TRADITIONAL = (
    "的一是不了人我在有他這中大來上個國到說們為子和你地出道也時年得就那要下以生會自著去之過家學對可里後小麼心多天而能好都然沒日於起還發成事只作當想看文無開手十用主行方又如前所本見經頭面公同三已老從動兩長"
    "衣褲裙衫袖領款女男裝模特兒號圖片色紅黃藍綠白黑灰粉紫棕米杏駝季春夏秋冬新品牌碼尺寸寬鬆修身顯瘦高腰短半連身外套毛針織牛仔純棉麻絲雪紡碎花印格條紋韓版休閒時尚氣質優雅商編類目別名稱備註服飾洋貨二四五六七八九"
)
_KANJI = (
    "日一国人年大十二本中長出三時行見月後前生五間上東四今金九入学高円子外八六下来気小七山話女北午百書先名川千水半男西電校語土木聞食車何南万毎白天母火右読友左休父雨"
    "衣服袖丈着袴襟花柄綿麻絹黒赤青緑黄紫茶灰紺色春夏秋冬新作品番商画像写真素材形型無地総丸首裏付送料込税価格在庫"
)
_HANGUL = (
    "이다의가는에을로하고한지서도기리사어자를시대나스있그인아전정수일상부으장주여원만해공제라은적유조들국보과경동구비선계성관및소회년용모치미면바할중신반마드화실안재방생결위오개제당요등작내무우"
    "옷피스하의상품번호델긴팔짧은색빨간파란검흰노회분홍꽃무늬여남셔츠청치마지코트니트블라우즈린넨면봄가을겨름사이즈이미"
)
_WESTERN = "äöüßéèêàâçñóíáúãõåøæôîûëïÄÖÜÉÈÀÇÑÅØÆœ"
_CENTRAL = "äöüßáéíóúýčďěňřšťůžłąęćńśźżőűţăîâşôľĺĄĆĘŁŃÓŚŹŻČŠŽÁÉÍÚÝÖÜÄ"
_MARKS = "\u2018\u2019“”\u2013—…€£¥¢®™©°½¼²³\u00d7·«»¿¡\u00a0§•"
_TURKISH = "ğışçöüİŞĞÇÖÜâî"
_GREEK = "αοιετσνηυρπκμλς"
_GREEK_LESS = "δγωθφχβξζψάέήίόύώ"
_CYRILLIC = "оеаинтсрвлкмд"
_CYRILLIC_LESS = "пуяыьгбзчйхжшюцщъэфіїєґ"

#: A pattern of places where letters stand oddly → bits for each.
_Odd = tuple[tuple[re.Pattern[str], float], ...]
_FOREIGN = r"[^\x00-\x7f]"
_BESIDE_LATIN: _Odd = ((re.compile(rf"[A-Za-z](?={_FOREIGN})|{_FOREIGN}(?=[A-Za-z])"), 3),)
_WITHIN_LATIN: _Odd = (
    (re.compile(r"(?<![A-Za-z])[^\W\x00-\x7f](?![A-Za-z])"), 4),  # a sign such as € often stands alone
    (re.compile(rf"{_FOREIGN}(?={_FOREIGN})"), 4),
    (re.compile(r"(?<=[^\W\d_])[^\w\x00-\x7f\u2019\u00b7](?=[^\W\d_])|[²³¹¼½¾¿](?=[a-zß-ÿ])"), 10),
    (re.compile(r"[a-z][À-ÞĀĂĄĆČĎĐĒĖĘĚĞĢĪĮŁŃŇŐŒŘŚŞŠŤŢŪŮŰŸŹŻŽ]"), 8),
)
_JAPANESE_ODD: _Odd = (
    (re.compile(rf"(?<!{_FOREIGN})[\uff61-\uff9f](?!{_FOREIGN})"), 8),  # a narrow letter is never alone
    *_BESIDE_LATIN,
)
_ALONE_ODD: _Odd = (
    (
        re.compile(
            "[\u0430-\u044f](?=[\u0410-\u042f])|[\u03ac-\u03ce](?=[\u0388-\u03ab])|\u03c2(?=[\u03ac-\u03ce])"
        ),
        8,
    ),
    (re.compile(rf"(?<!{_FOREIGN}){_FOREIGN}(?!{_FOREIGN})"), 5),
    *_BESIDE_LATIN,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An encoding and what its texts are like."""

    name: str
    #: Whose it is, for a person.
    languages: str
    #: Letters that are written often → bits of each.
    often: dict[str, float]
    #: First byte from, to, second byte from, bits: of letters of two bytes (or of one, whose second is 0).
    blocks: tuple[tuple[int, int, int, float], ...]
    #: Bits of any other letter.
    rare: float
    odd: _Odd
    #: Bits a letter of a text that is likely enough.
    most: float
    #: Bits for being this encoding at all.
    prior: float = 0
    bits: dict[str, float] = field(default_factory=dict)

    def of(self, letter: str) -> float:
        """Bits of a letter that is not ASCII."""
        if letter not in self.bits:
            self.bits[letter] = self.often.get(letter) or self._by_block(letter)
        return self.bits[letter]

    def _by_block(self, letter: str) -> float:
        code = letter.encode(self.name)
        if len(code) > 2 and self.name != UTF8:  # noqa: PLR2004 of four bytes are those that hardly anybody writes
            return self.rare
        second = code[1] if len(code) > 1 else 0
        fitting = (
            bits for low, high, least, bits in self.blocks if low <= code[0] <= high and second >= least
        )
        return next(fitting, self.rare)


def _cased(letters: str, bits: float) -> dict[str, float]:
    """Bits of small letters, and of their capitals, which are written less."""
    return {**dict.fromkeys(letters.upper(), bits + 2), **dict.fromkeys(letters, bits)}


@lru_cache(maxsize=1)
def candidates() -> tuple[Candidate, ...]:
    """In the order in which equal ones are taken."""
    return (
        Candidate(
            name=UTF8, languages="", odd=(), most=16, rare=16, prior=-3,
            often={**dict.fromkeys(_MARKS, 8), **dict.fromkeys(_WESTERN + _CENTRAL, 6)},
            blocks=((0xE0, 0xF4, 0, 10), (0xC2, 0xC2, 0, 10), (0xC3, 0xC5, 0, 8), (0xCE, 0xD1, 0, 6), (0xD7, 0xD9, 0, 7)),
        ),
        Candidate(
            name="cp1252", languages="Windows, Western European", odd=_WITHIN_LATIN, most=11, rare=15, blocks=(),
            often={**dict.fromkeys("ìòùýþðÁÂÃÊËÍÎÓÔÕÚŠšŽžŸ", 9), **dict.fromkeys(_MARKS, 8), **dict.fromkeys(_WESTERN, 5)},
        ),
        Candidate(
            name="cp1250", languages="Windows, Central European", odd=_WITHIN_LATIN, most=11, rare=15, blocks=(), prior=8,
            often={**dict.fromkeys(_MARKS, 9), **dict.fromkeys(_CENTRAL, 5)},
        ),
        Candidate(
            name="cp1251", languages="Windows, Cyrillic", odd=_ALONE_ODD, most=8, rare=15, blocks=(),
            often={**dict.fromkeys(_MARKS, 9), **_cased(_CYRILLIC, 4.5), **_cased(_CYRILLIC_LESS, 6)},
        ),
        Candidate(
            name="cp1253", languages="Windows, Greek", odd=_ALONE_ODD, most=8, rare=15, blocks=(), prior=6,
            often={**dict.fromkeys(_MARKS, 9), **_cased(_GREEK, 4.5), **_cased(_GREEK_LESS, 6)},
        ),
        Candidate(
            name="cp1254", languages="Windows, Turkish", odd=_WITHIN_LATIN, most=11, rare=15, blocks=(), prior=8,
            often={**dict.fromkeys(_MARKS, 9), **dict.fromkeys(_WESTERN, 6), **dict.fromkeys(_TURKISH, 4)},
        ),
        Candidate(
            name="mac_roman", languages="old Macintosh", odd=_WITHIN_LATIN, most=9, rare=15, blocks=(), prior=12,
            often={**dict.fromkeys(_MARKS, 9), **dict.fromkeys(_WESTERN, 5)},
        ),
        Candidate(
            name="gb18030", languages="Chinese, simplified", odd=_BESIDE_LATIN, most=17, rare=24,
            often=dict.fromkeys(_SIMPLIFIED, 8.5),
            blocks=((0xB0, 0xD7, 0xA1, 12.2), (0xD8, 0xF7, 0xA1, 17), (0xA1, 0xA1, 0xA1, 10), (0xA3, 0xA3, 0xA1, 10)),
        ),
        Candidate(
            name="big5", languages="Chinese, traditional", odd=_BESIDE_LATIN, most=17, rare=24,
            often=dict.fromkeys(_TRADITIONAL, 8.5),
            blocks=((0xA4, 0xC6, 0x40, 12.7), (0xC9, 0xF9, 0x40, 18), (0xA1, 0xA2, 0x40, 11)),
        ),
        Candidate(
            name="cp932", languages="Shift_JIS, Japanese", odd=_JAPANESE_ODD, most=15, rare=24,
            often=dict.fromkeys(_KANJI, 9),
            blocks=(
                (0x82, 0x82, 0x4F, 7.5), (0x83, 0x83, 0x40, 7.5), (0x81, 0x81, 0x5B, 8), (0x81, 0x81, 0x40, 10),
                (0x88, 0x97, 0x40, 12.3), (0x98, 0x9F, 0x40, 18), (0xE0, 0xEA, 0x40, 18), (0xA1, 0xDF, 0, 9),
            ),
        ),
        Candidate(
            name="euc_jp", languages="EUC-JP, Japanese", odd=_BESIDE_LATIN, most=15, rare=24, prior=8,
            often=dict.fromkeys(_KANJI, 9),
            blocks=(
                (0xA4, 0xA5, 0xA1, 7.5), (0xA1, 0xA1, 0xA1, 10), (0xA3, 0xA3, 0xA1, 10),
                (0xB0, 0xCF, 0xA1, 12.3), (0xD0, 0xF4, 0xA1, 18), (0x8E, 0x8E, 0xA1, 9),
            ),
        ),
        Candidate(
            name="cp949", languages="EUC-KR, Korean", odd=_BESIDE_LATIN, most=15, rare=20,
            often=dict.fromkeys(_HANGUL, 7.8),
            blocks=((0xB0, 0xC8, 0xA1, 11.6), (0xA1, 0xA1, 0xA1, 11), (0xA3, 0xA3, 0xA1, 11), (0xCA, 0xFD, 0xA1, 18)),
        ),
    )  # fmt: skip
