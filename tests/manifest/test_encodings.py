"""Text in other encodings than UTF-8: named, marked, or weighed as a whole."""

import gzip
import hashlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.errors import ManifestError
from jobs.manifest import Reading, open_manifest
from jobs.manifest.encodings import weigh

TABLE = "货号,模特,上衣\n一,模特/一.jpg,衣.jpg\nB,https://x.example/p.jpg,grün.jpg\n"
PLAIN = "sku,person,dress\nA,p.jpg,grün.jpg\n"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("packed", [False, True])
def test_utf16_is_read_with_and_without_a_mark(opened, encoding, *, packed):
    text = PLAIN.encode(encoding)
    manifest = opened(gzip.compress(text) if packed else text, "night.csv.gz" if packed else "night.csv")
    [row] = manifest.rows()
    assert (row.line, row.inputs) == (2, {"person": "p.jpg", "dress": "grün.jpg"})


def test_utf16_with_chinese_names_is_read_by_its_mark(opened):
    first, second = opened(TABLE.encode("utf-16")).rows()
    assert first.inputs == {"person": "模特/一.jpg", "upper_clothes": "衣.jpg"}
    assert (second.line, second.inputs["upper_clothes"]) == (3, "grün.jpg")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("night.yaml", "- {person: p.jpg, dress: grün.jpg}\n"),
        ("night.jsonl", '{"person": "p.jpg", "dress": "grün.jpg"}\n'),
    ],
)
def test_utf16_of_yaml_and_jsonl_is_read(opened, name, text):
    assert [row.inputs["dress"] for row in opened(text.encode("utf-16"), name).rows()] == ["grün.jpg"]


@pytest.mark.parametrize(
    ("encoding", "text"),
    [("cp1252", PLAIN), ("shift_jis", PLAIN.replace("grün", "ビル")), ("utf-16-le", PLAIN)],
)
def test_an_encoding_that_is_named_is_taken_and_makes_another_list(write, encoding, text):
    manifest = open_manifest(str(write(text.encode(encoding))), Reading(encoding=encoding))
    assert [row.inputs["dress"] for row in manifest.rows()] == [text.split(",")[-1].strip()]
    assert manifest.digest != hashlib.sha256(text.encode(encoding)).hexdigest()


def test_text_that_is_not_of_its_encoding_is_refused(write):
    path = str(write(PLAIN.encode("cp1252")))
    with pytest.raises(ManifestError, match=r"catalog\.csv: is no ascii text"):
        open_manifest(path, Reading(encoding="ascii"))


#: Words of lists of clothes, as they are written in each encoding.
WORDS = {
    "cp1252": "grün Größe weiß Jäger Übergröße Mädchen Röcke crème été français élégant señora niño piñata São coração "
    "blå størrelse Ærø GRÜN GRÖSSE MÄDCHEN SEÑORA façade Straße Blüte",
    "cp932": "上衣 ワンピース スカート 花柄 長袖 白 黒 レディース メンズ シャツ モデル 画像 綿 春夏 新作 かわいい ﾜﾝﾋﾟｰｽ",
    "gb18030": "上衣 连衣裙 货号 模特 衣服 半身裙 红色 蓝色 春季新款 纯棉 女装 男装 衬衫 牛仔裤 一号 宽松 显瘦 碎花 外套",
    "big5": "上衣 連衣裙 貨號 模特兒 衣服 半身裙 紅色 藍色 春季新款 純棉 女裝 男裝 襯衫 牛仔褲 一號 寬鬆 顯瘦 碎花 外套",
    "cp949": "원피스 상의 하의 모델 치마 바지 빨간색 파란색 꽃무늬 여성 남성 신상품 셔츠 긴팔 반팔 상품코드 이미지 사이즈",
    "cp1251": "платье красный юбка брюки модель рубашка синий белый женский размер хлопок осень футболка",
    "cp1250": "żółty różowy łososiowy średni długi spódnica kwiaty šaty růžový dlouhé tričko černá piros kék nő hosszú ujjú",
    "cp1253": "κόκκινο φόρεμα μπλε φούστα άσπρο πουκάμισο μαύρο γυναικείο βαμβάκι καλοκαίρι παντελόνι μπλούζα",
    "cp1254": "kırmızı yeşil şık gömlek pantolon etek kadın çiçekli uzun kollu düğmeli yazlık açık koyu beyaz kışlık",  # noqa: RUF001
    "mac_roman": "grün Größe Mädchen Röcke crème français élégant señora niño blå Übergröße für weiße Blüte",
    "euc_jp": "上衣 ワンピース スカート 花柄 長袖 レディース メンズ シャツ モデル 画像 春夏 新作 かわいい 赤い 青い",
    "utf-8": "grün 连衣裙 платье 원피스 ワンピース été",
}

#: Encodings that others are like: that many rows until their letters differ enough.
ROWS_NEEDED = {"cp1250": 20, "cp1254": 20}


def table_of(encoding, rows, rng):
    words = WORDS[encoding].split()
    lines = [
        f"A{number},p{number}.jpg,d.jpg,{rng.choice(words)} {rng.choice(words)}" for number in range(rows)
    ]
    return "sku,person,dress,note\n" + "\n".join(lines) + "\n"


@pytest.mark.parametrize("encoding", WORDS)
@pytest.mark.parametrize("rows", [3, 40])
def test_a_table_is_read_as_what_its_letters_are(encoding, rows):
    rng = random.Random(rows)
    for _ in range(25):
        text = table_of(encoding, max(rows, ROWS_NEEDED.get(encoding, 0)), rng)
        found = weigh([line for line in text.encode(encoding).split(b"\n") if not line.isascii()])
        assert text.encode(encoding).decode(found.encoding) == text, found
        assert (found.said == "") == (encoding == "utf-8")


@given(
    st.lists(st.sampled_from(WORDS["cp1252"].split()), min_size=1, max_size=6),
    st.sampled_from([",", ";", ""]),
)
def test_umlauts_are_never_read_as_letters_of_asia(words, sign):
    lines = [f"A{sign}{word}{sign}x".encode("cp1252") for word in words]
    found = weigh([line for line in lines if not line.isascii()])
    assert found.encoding in {"", "utf-8", "cp1252", "cp1250"} or all(line.isascii() for line in lines), found


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
@pytest.mark.parametrize("note", ["49 €", "5 £", "30°", "100 ¥", "5¢", "a™", "…", "M²", "Levi\u2019s"])
def test_a_single_sign_is_enough(encoding, note):
    found = weigh([f"A,p.jpg,d.jpg,{note}".encode(encoding)])
    assert note.encode(encoding).decode(found.encoding) == note, found


def test_what_was_decided_is_said_and_reaches_every_row(opened):
    manifest = opened("sku,person,dress\nGRÜN-1,Mädchen.jpg,Röcke/grün.jpg\n".encode("cp1252"))
    [row] = manifest.rows()
    assert (row.sku, row.inputs) == ("GRÜN-1", {"person": "Mädchen.jpg", "dress": "Röcke/grün.jpg"})
    assert manifest.remarks == ("read as cp1252 (Windows, Western European); --encoding names another",)
    assert manifest.dialect.bom


def test_letters_behind_a_megabyte_of_ascii_decide_for_the_whole_file(opened):
    filler = b"A,p.jpg,d.jpg,x\n" * 70_000
    manifest = opened(b"sku,person,dress,note\n" + filler + "B,p.jpg,d.jpg,grüne Röcke\n".encode("cp1252"))
    *_, last = manifest.rows()
    assert last.fields["note"] == "grüne Röcke"


def test_a_line_that_is_not_of_the_encoding_costs_itself_only(opened):
    table = table_of("gb18030", 9, random.Random(1)).encode("gb18030") + b"B,p.jpg,d.jpg,\xff\xff\n"
    *good, bad = opened(table).rows()
    assert {row.file for row in good} == {""}
    assert (bad.sku, bad.why) == ("B", "the line is no gb18030 text; save the file as “CSV UTF-8”")


@pytest.mark.parametrize("encoding", ["cp437", "cp850"])
def test_letters_that_nobody_writes_refuse_the_file_and_name_the_way_out(opened, encoding):
    with pytest.raises(ManifestError, match=r"--encoding cp"):
        opened(
            table_of("cp1252", 30, random.Random(2))
            .replace("ã", "a")
            .replace("õ", "o")
            .replace("ø", "o")
            .replace("Æ", "A")
            .replace("Ø", "O")
            .encode(encoding)
        )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.yaml", "- {sku: grün, person: p.jpg, dress: Röcke.jpg}\n"),
        ("a.jsonl", '{"sku": "grün", "person": "p", "dress": "Röcke"}\n'),
    ],
)
def test_yaml_and_jsonl_are_weighed_alike(rows, name, text):
    assert [row.sku for row in rows(text.encode("cp1252"), name)] == ["grün"]


def test_a_mark_is_written_when_a_cell_is_not_ascii(opened):
    assert not opened("sku,person,dress\nA,p.jpg,d.jpg\n").dialect.bom
    assert opened("sku,person,dress\nÄ,p.jpg,d.jpg\n").dialect.bom
    assert opened('{"sku": "\\u7ea2", "person": "p", "dress": "d"}\n', "a.jsonl").dialect.bom
    assert opened('{"sku": "红色", "person": "p", "dress": "d"}\n', "a.jsonl").dialect.bom


@pytest.mark.parametrize("text", ["sku,person,dress\nA,p.jpg,d.jpg\n", "sku,person,dress\nÄ,p.jpg,d.jpg\n"])
@pytest.mark.parametrize("mark", [True, False])
def test_whether_there_is_a_mark_may_be_said(write, text, mark):
    assert open_manifest(str(write(text)), Reading(mark=mark)).dialect.bom is mark


@pytest.mark.parametrize("encoding", [name for name in WORDS if name != "utf-8"])
@pytest.mark.parametrize("rows", [1, 2, 3, 5, 10])
def test_a_table_that_is_read_wrongly_is_never_called_sure(encoding, rows):
    rng = random.Random(rows)
    for _ in range(25):
        words = rng.choices(WORDS[encoding].split(), k=rows)
        text = "\n".join(f"A,p.jpg,d/{word}.jpg" for word in words if not word.isascii())
        found = weigh(text.encode(encoding).splitlines())
        right = bool(found.encoding) and text.encode(encoding).decode(found.encoding) == text
        assert right or found.rival or not found.encoding, (found, text)


def test_an_address_whose_letters_may_be_others_is_not_bought_until_the_encoding_is_named(write):
    address = "https://x.example/sukně.jpg"
    path = str(write(f"sku,person,dress\nA,p.jpg,{address}\nB,p.jpg,d.jpg\n".encode("cp1250")))
    wrong = address.replace("ě", "ì")
    manifest = open_manifest(path)
    bad, local = manifest.rows()
    (remark,) = manifest.remarks
    assert remark == (
        "read as cp1252 (Windows, Western European), which is not sure: it may be cp1250 (Windows, Central European);"
        " --encoding says which"
    )
    assert (bad.column, bad.fields["dress"], local.inputs["dress"]) == ("dress", wrong, "d.jpg")
    assert bad.why == (
        "letters of the address may be others: the encoding of the file is not sure (cp1252 or cp1250);"
        " --encoding says which"
    )
    named = open_manifest(path, Reading(encoding="cp1250"))
    assert [row.inputs["dress"] for row in named.rows()] == [address, "d.jpg"]
    assert named.remarks == ()
