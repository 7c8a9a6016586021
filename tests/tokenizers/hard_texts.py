"""Texts on which tokenizers tend to differ, the same on every run: all scripts, emoji, combining marks, control characters,
odd whitespace, long runs, random code points, and bytes that are no UTF-8.

    hard_texts(seed)          strings: about a thousand, of which the longest has some ten thousand characters
    hard_bytes(seed)          the same kind as bytes, many of them invalid UTF-8
    training_corpus(seed)     lines of ordinary text in several scripts, to train small vocabularies on
    all_code_points()         every code point that can stand in a string
"""
import random
import unicodedata

SAMPLES = [
    "", " ", "  ", "\n", "\t", "a", " a", "a ", "Hello, world!", "hello world", "The quick brown fox jumps over the lazy dog.",
    "I'm you're he'd they'll we've it's don't DON'T I'M 'S 'LL 'ſ ’s o'clock 'tis rock'n'roll",
    "x = foo(bar[0], \"baz\");  // 100% done\n\n\n\tif (a && b) { return c->d; }\r\n\r\n", "def f(x):\n    return x ** 2  # ok\n",
    "3.14159 1,000,000 0xFF 1e-9 ½ ¾ ² ³ ¹ Ⅷ ⅷ ① ٣٤٥ १२३ 〇一二三 ১২৩ 12345678901234567890", "2024-02-29T23:59:59Z v1.2.3-rc4+5",
    "https://example.org/a/b?c=d&e=%20f#g user@example.org C:\\Windows\\x", "<s>[INST] <<SYS>> </s> <|endoftext|> <|im_start|>user\n [CLS] [SEP] [MASK] <unk> <0x0A> <0xFF>",
    "Ça va? Où êtes-vous, garçon? naïve façade œuvre ŒUVRE", "Straße GROSSE STRASSE ẞ ß İstanbul ısı DİYARBAKIR ΣΊΣΥΦΟΣ σς ΑΣ ΑΣ. Ά",
    "Привет, мир! Съешь ещё этих мягких французских булок, да выпей чаю.", "Ελληνικά: Γαζίες καὶ μυρτιὲς δὲν θὰ βρῶ πιὰ στὸ χρυσαφὶ ξέφωτο",
    "שלום עולם. נִקּוּד עִבְרִי מָלֵא", "مرحبا بالعالم، كيف حالك؟ الْعَرَبِيَّةُ لغة‌ی فارسی‌ها ۱۲۳", "नमस्ते दुनिया, क्षत्रिय ज्ञान श्री र्‍य", "বাংলা ভাষা তামিল தமிழ் తెలుగు ಕನ್ನಡ മലയാളം සිංහල",
    "ภาษาไทยไม่มีช่องว่างระหว่างคำ ลาว ພາສາລາວ မြန်မာဘာသာ ភាសាខ្មែរ བོད་ཡིག", "汉字与漢字，全角标点。「引号」《书名》！？；：、…—～", "日本語のテキスト、カタカナとひらがな。ー々〆ヶ ｶﾀｶﾅ ﾊﾟ ﾞ", "한국어 문장입니다. 각 ᄀ각 한글 자모 ㄱㄴㄷ",
    "Tiếng Việt có dấu: Nguyễn, phở, đường", "ქართული Հայերեն አማርኛ ᏣᎳᎩ ᓀᐦᐃᔭᐍᐏᐣ ᚠᚢᚦᚨᚱᚲ 𐌰𐌱𐌲 𒀀𒁀 𓀀𓀁", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝕳𝖊𝖑𝖑𝖔 ＦＵＬＬＷＩＤＴＨ ｆｕｌｌ ﬁﬂﬀﬃ ℌ ℵ K Å ™ ℡ ㎏ ㍿ ﷺ",
    "👍 👍🏽 👩‍👩‍👧‍👦 🏳️‍🌈 🏴󠁧󠁢󠁥󠁮󠁧󠁿 🇩🇪🇫🇷🇺 ❤️ ❤ ☎️ 1️⃣ #️⃣ 🧑🏿‍🚀 🫠🪿🩷 😀😀😀", "e\u0301 é ȩ̈ a\u0323\u0302 ậ q\u0307\u0323 \u0301 alone  x\u0338\u20d2 \u1e9b\u0323 \u0344 \u0958 \u2126 \uf900 \ufb1d",
    "a\u0300\u0301\u0302\u0303\u0304\u0305\u0306\u0307\u0308\u0309\u030a\u030b\u030c Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘!",
    "\u00a0nbsp\u00a0 \u2003em\u2009thin\u200azero\u200bwidth\u200cnon\u200djoin\u200e\u200f \u2028line\u2029para \u3000ideographic \u180e\u1680\u205f\u202f\ufeff\u2060",
    "\x00nul\x01\x02\x07bell\x08\x0bvt\x0cff\x1besc\x1f\x7fdel\x80\x85nel\x9f\xad soft", "a\r\nb\rc\n\rd\x85e\u2028f", "tab\tseparated\t\tvalues\t", "   leading", "trailing   ", " \n \n\n  \t \n x",
    "camelCaseAndPascalCase snake_case kebab-case SCREAMING_CASE a_b__c iPhone15Pro x86_64", "«guillemets» “quotes” ‘single’ „low‟ ‹a› — – ‐ ‑ − · • … ¿? ¡!", "$100 €200 £300 ¥400 ₹500 ₿1 ¢ ¤ + = < > ^ ` | ~ ± × ÷ ∀∃∈∉∞≠≤≥",
    "▁under▁score ▁▁ two  ▁", "Ġgpt Ċnewline âĢĻ Ã©", "##wordpiece ##ing @@bpe </w> <w>", "\ud7ff\ue000\uf8ff\ufffd\ufffe\uffff\U0001fffe\U0010ffff\U000e0001", "\u0378\u0530\u2fe0\U0002fffe\U000e0fff unassigned",
    "ｄｅ ﬀ ŉ ǰ ΐ ﬗ ẖ ǅ ǆ Ǆ ᾳ ᾼ", "\u0130\u0131\u017f\u212a\u1e9e", "..., !!! ??? --- ___ *** ### === (((", "don 't do not it 's I 'm we 've they 're n't , . ! ?",
]
ALPHABETS = [
    "ab", "abc ", "aA1 .,!", " \n\t\r", "\u0300\u0301\u0323\u0327aeo", "漢字かなカナ。ー", "абвгдЖЩ ,", "אבגדה ְִֵ", "ابتثج ًٌٍ١٢", "कखगिीु् ", "กขคงเแ่้", "가나다각", "😀👍🏽\u200d\ufe0f🇩🇪👩",
    "0123456789", "0123456789,.-", "'sStTmMdDlLvVrReE ", "<>|/sendoftxt_[]INSCLEP ", "▁ Ġa", "\u00a0\u2003\u200b\u3000 x", "xX_-+=$^~`",
]
BLOCKS = [
    (0x20, 0x7F), (0x80, 0x250), (0x250, 0x370), (0x370, 0x530), (0x530, 0x700), (0x700, 0x900), (0x900, 0xE00), (0xE00, 0x1000), (0x1000, 0x1400), (0x1400, 0x1800),
    (0x1800, 0x2000), (0x2000, 0x2200), (0x2200, 0x2800), (0x2800, 0x3000), (0x3000, 0x3400), (0x3400, 0xA000), (0xA000, 0xAC00), (0xAC00, 0xD7FF), (0xE000, 0xFB00), (0xFB00, 0x10000),
    (0x10000, 0x11000), (0x11000, 0x12000), (0x12000, 0x17000), (0x17000, 0x1D000), (0x1D000, 0x1F000), (0x1F000, 0x20000), (0x20000, 0x33480), (0xE0000, 0xE01F0), (0xF0000, 0x110000),
]
INVALID = [b"\x80", b"\xbf\xbf", b"\xc0\xaf", b"\xc1", b"\xc3", b"\xe2\x82", b"\xe0\x80\xaf", b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xf0\x9f\x98", b"\xf0\x80\x80\xaf", b"\xf4\x90\x80\x80", b"\xf5", b"\xff\xfe", b"\xfe\xfe\xff\xff"]


def all_code_points():
    return [*range(0xD800), *range(0xE000, 0x110000)]


def _scalar(rng, low, high):
    point = rng.randrange(low, high)
    return chr(point if not 0xD800 <= point < 0xE000 else point - 0xD800 + 0x4E00)


def _long_runs():
    for unit in ["a", " ", "\n", "é", "e\u0301", "\u0301", "漢", "😀", "👩\u200d", "0", "'", "<", "ab", "a ", " \n", "\u200b", "▁", "\x00"]:
        for count in (2, 3, 7, 64, 1000):
            yield unit * count
            yield "x" + unit * count + "y"


def hard_texts(seed=7):
    rng = random.Random(seed)
    texts = list(SAMPLES)
    words = [word for sample in SAMPLES for word in sample.split(" ")]
    texts += _long_runs()
    texts += [sample.upper() for sample in SAMPLES] + [unicodedata.normalize("NFD", sample) for sample in SAMPLES]
    texts += [" ".join(rng.choices(words, k=rng.randrange(1, 30))) for _ in range(150)]
    texts += ["".join(rng.choices(words, k=rng.randrange(1, 12))) for _ in range(50)]
    texts += ["".join(rng.choices(alphabet, k=rng.randrange(1, 60))) for alphabet in ALPHABETS for _ in range(12)]
    texts += ["".join(rng.choices("".join(ALPHABETS), k=rng.randrange(1, 80))) for _ in range(100)]
    texts += ["".join(_scalar(rng, *block) for _ in range(rng.randrange(1, 50))) for block in BLOCKS for _ in range(4)]
    texts += ["".join(_scalar(rng, *rng.choice(BLOCKS)) for _ in range(rng.randrange(1, 50))) for _ in range(100)]
    texts += ["".join(_scalar(rng, 0, 0x110000) for _ in range(rng.randrange(1, 40))) for _ in range(50)]
    texts.append("\n".join(SAMPLES))
    return texts


def hard_bytes(seed=7):
    rng = random.Random(seed + 1)
    out = [bad for bad in INVALID] + [b"a" + bad + b"b" for bad in INVALID]
    for text in hard_texts(seed)[::5]:
        data = bytearray(text.encode())
        for _ in range(rng.randrange(1, 4)):
            at = rng.randrange(len(data) + 1)
            kind = rng.randrange(3)
            if kind == 0:
                data[at:at] = rng.choice(INVALID)
            elif kind == 1 and at < len(data):
                data[at] = rng.randrange(256)
            else:
                del data[at : at + 1]
        out.append(bytes(data))
    out += [rng.randbytes(rng.randrange(1, 60)) for _ in range(100)]
    return out


def training_corpus(seed=7, lines=3000):
    rng = random.Random(seed + 2)
    words = [word for sample in SAMPLES[8:-6] for word in sample.split(" ")]
    weights = [1 / (1 + i % 97) for i in range(len(words))]
    return [" ".join(rng.choices(words, weights, k=rng.randrange(3, 25))) for _ in range(lines)]
