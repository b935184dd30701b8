"""Where the names of a table's columns stand, and what they may be called."""

import pytest
import xlsxwriter

from jobs.errors import ManifestError
from jobs.manifest import open_manifest
from jobs.manifest.aliases import column_of, slot_of
from jobs.records import Row

ROW = "A,p.jpg,d.jpg\n"


def test_names_below_titles_are_found_and_lines_are_the_files_own(rows):
    found = rows(f"Autumn catalog,,\nmade by,Mei,\n\nsku,person,dress\n{ROW}B,,d.jpg\n")
    assert [(row.number, row.line, row.sku) for row in found] == [(1, 5, "A"), (2, 6, "B")]
    assert found[0].fields == {"sku": "A", "person": "p.jpg", "dress": "d.jpg"}


def test_a_title_line_does_not_choose_the_delimiter(opened):
    manifest = opened("Herbst, Winter, und mehr\nsku;person;dress\nA;p,1.jpg;d.jpg\n")
    assert manifest.dialect.delimiter == ";"
    assert [row.inputs["person"] for row in manifest.rows()] == ["p,1.jpg"]


def test_bars_stand_between_cells(opened):
    manifest = opened("sku|person|dress|note\nA|p.jpg|d.jpg|a,b;c\n")
    assert (manifest.dialect.delimiter, [row.fields["note"] for row in manifest.rows()]) == ("|", ["a,b;c"])


def test_three_lines_of_names_are_one(rows):
    table = "version 1.00\t\t\t\nouter_id\ttitle\tmodel\tdress\n商家编码\t宝贝名称\t模特\t连衣裙\n1\tGown\tp.jpg\td.jpg\n"
    [row] = rows(table, "catalog.tsv")
    assert (row.line, row.inputs, row.fields["title"]) == (4, {"person": "p.jpg", "dress": "d.jpg"}, "Gown")


AMAZON = [
    ["settings=attributeRow=4&labelRow=3&dataRow=6&primaryMarketplaceId=x", "", ""],
    ["Fill in below", "", ""],
    ["SKU", "Person", "Dress"],
    ["sku", "person", "dress"],
    ["ABC123", "example.jpg", "example.jpg"],
    ["A", "p.jpg", "d.jpg"],
    ["B", "q.jpg", "e.jpg"],
]


def test_a_template_that_tells_its_rows_is_believed(rows):
    found = rows("".join("\t".join(line) + "\n" for line in AMAZON), "catalog.txt")
    assert [(row.line, row.sku, row.inputs["person"]) for row in found] == [
        (6, "A", "p.jpg"),
        (7, "B", "q.jpg"),
    ]


def test_a_template_that_tells_its_rows_is_believed_in_a_workbook(tmp_path):
    path = tmp_path / "catalog.xlsx"
    with xlsxwriter.Workbook(path) as workbook:
        sheet = workbook.add_worksheet("Template")
        for number, cells in enumerate(AMAZON):
            sheet.write_row(number, 0, cells)
    found = list(open_manifest(str(path)).rows())
    assert [(row.line, row.sku, row.inputs["person"]) for row in found] == [
        (6, "A", "p.jpg"),
        (7, "B", "q.jpg"),
    ]


def test_columns_without_a_name_are_left_out(opened):
    manifest = opened(",sku,,person,,dress,\n0,A,x,p.jpg,,d.jpg,y\n1,B,,p.jpg\n")
    first, second = manifest.rows()
    assert manifest.columns == ("sku", "person", "dress")
    assert first.fields == {"sku": "A", "person": "p.jpg", "dress": "d.jpg"}
    assert (second.fields, second.why) == ({"sku": "B", "person": "p.jpg"}, "the row has no garment")


@pytest.mark.parametrize(
    "mark", ["*", " *", "\uff0a", "(必填)", "\uff08必填\uff09", " [required]", "【必填】", " (optional)"]
)
def test_marks_of_what_must_be_filled_do_not_count(mark):
    assert [column_of(f"{name}{mark}") for name in ("sku", "模特", "dress")] == ["sku", "person", "dress"]


@pytest.mark.parametrize(
    ("heading", "column"),
    [
        ("model_image", "person"), ("garment_image", "garment"), ("person_image_url", "person"), ("human_img", "person"),
        ("top_garment_url", "upper_clothes"), ("bottom_garment_url", "lower_clothes"), ("garm_img", "garment"),
        ("cloth_image", "garment"), ("cloth_type", "category"), ("ClothesType", "category"), ("garmentClass", "category"),
        ("模特照片", "person"), ("SKU Code", "sku"), ("商家编码", "sku"), ("模特图片链接", "person"),
        ("连衣裙图片", "dress"), ("sku url", None), ("image", None), ("url", None), ("模特图片链接链接链接链接" * 9, None),
    ],
)  # fmt: skip
def test_names_of_other_services_are_known(heading, column):
    assert column_of(heading) == column


@pytest.mark.parametrize(
    ("word", "slot"),
    [("tops", "upper_clothes"), ("bottoms", "lower_clothes"), ("one-pieces", "dress"), ("overall", "dress"),
     ("upper_body", "upper_clothes"), ("lower_body", "lower_clothes"),
     ("dresses", "dress"), ("裙子", "dress"), ("FULL_BODY", "dress"), ("全身", "dress"), ("下半身", "lower_clothes"),
     ("jumpsuit", "dress"), ("T恤", "upper_clothes"), ("T-Shirt", "upper_clothes"), ("外套", "upper_clothes"),
     ("shirt", "upper_clothes"), ("Jeans", "lower_clothes"), ("shorts", "lower_clothes"), ("hat", None), ("auto", None),
     ("footwear", None), ("Shoes", None), ("套装", None)],
)  # fmt: skip
def test_kinds_of_other_services_are_known(word, slot):
    assert slot_of(word) == slot


def test_of_two_names_of_a_person_the_better_one_wins_and_it_is_said(opened):
    manifest = opened("sku,model,person,dress\nA,MX-2041,p.jpg,d.jpg\n")
    [row] = manifest.rows()
    assert isinstance(row, Row)
    assert (row.inputs["person"], row.fields["model"]) == ("p.jpg", "MX-2041")
    assert manifest.remarks == ("the column “model” is not read: “person” is the person",)


def test_an_address_column_beside_a_picture_column_passes_through(opened):
    manifest = opened("sku,person,dress,dress_url\nA,p.jpg,d.jpg,https://shop.example/gown.html\n")
    [row] = manifest.rows()
    assert row.inputs == {"person": "p.jpg", "dress": "d.jpg"}


def test_a_table_without_names_is_refused_by_its_first_line(opened):
    with pytest.raises(ManifestError, match=r":1: the first line names no known column"):
        opened("1,2,3\n4,5,top\n")


@pytest.mark.parametrize(
    "text",
    [
        "version 1.00\ntitle\tcid\tpicture\touter_id\n宝贝名称\t宝贝类目\t新图片\t商家编码\nGown\t50010850\ta:1:0:|https://c.example/x.jpg;\tD-1\n",
        "TemplateType=fptcustom\tVersion=2023\nSeller SKU\tMain Image URL\nitem_sku\tmain_image_url\nA\thttps://c.example/1.jpg\n",
        "Handle,Title,Image Src\ngown,Gown,https://c.example/1.jpg\n",
        "sku,image,category\nA,https://c.example/1.jpg,dress\n",
    ],
)  # fmt: skip
def test_a_list_of_products_is_shown_the_way_to_a_manifest(opened, text):
    with pytest.raises(ManifestError, match="becomes a manifest by vton pairs"):
        opened(text)


@pytest.mark.parametrize("mark", ["\ufeff", "\u200b", "\u200e", "\u2060", "\u00ad", "\u00a0"])
def test_invisible_signs_in_a_name_do_not_count(mark):
    assert [column_of(f"{mark}{name}{mark}") for name in ("sku", "模特", "upper_clothes")] == [
        "sku", "person", "upper_clothes",
    ]  # fmt: skip
