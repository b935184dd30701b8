"""Shop systems' own exports are known by their columns and read as products."""

import io
from pathlib import Path

import pytest
import xlsxwriter
from PIL import Image

from jobs.errors import ManifestError
from jobs.manifest.aliases import COLUMNS
from jobs.products.categories import Categories
from jobs.products.layouts import Layout
from jobs.products.records import LeftOut, Product
from jobs.products.shopify import SHARED
from jobs.products.sources import Reading, open_source
from jobs.records import Slot
from tests.products.conftest import seen

CDN = "https://cdn.shop.example"


def slots(found: list[Product | LeftOut]) -> list[object]:
    return [Categories().slot(each.categories) for each in found if isinstance(each, Product)]


def test_shopifys_lines_of_one_product_are_one_and_its_pictures_stand_in_their_order(read):
    found = read(
        "Handle,Title,Type,Variant SKU,Option1 Value,Image Src,Image Position,Variant Image\n"
        f"shirt,Shirt,Shirts,SH-S,S,{CDN}/back.jpg,2,\n"
        f"shirt,,,SH-M,M,{CDN}/front.jpg,1,\n"
        "shirt,,,SH-L,L,,,\n"
        f"gown,Gown,Dresses,G-1,,{CDN}/gown.jpg,1,{CDN}/gown.jpg\n"
    )
    assert seen(found) == [
        ("2", "SH-S", f"{CDN}/front.jpg", f"{CDN}/back.jpg"),
        ("3", "SH-M", SHARED),
        ("4", "SH-L", SHARED),
        ("5", "G-1", f"{CDN}/gown.jpg"),
    ]
    assert [each.group for each in found if isinstance(each, Product)] == ["shirt", "gown"]
    assert slots(found) == [Slot.UPPER_CLOTHES, Slot.DRESS]


def test_shopifys_lines_that_somebody_has_sorted_give_no_second_picture_for_the_first(read):
    head = "Handle,Type,Variant SKU,Option1 Value,Image Src,Image Position,Variant Image\n"
    found = read(
        f"{head}shirt,Shirts,SH-S,S,{CDN}/front.jpg,1,\n"
        f"gown,Dresses,G-1,,{CDN}/gown.jpg,1,\n"
        f"shirt,Shirts,SH-M,M,{CDN}/back.jpg,2,\n"
        f"shirt,Shirts,SH-R,Red,{CDN}/side.jpg,3,{CDN}/red.jpg\n"
    )
    why = "its first picture (position 1) is not among its lines: those of one product must stand together, as exported"
    assert seen(found) == [
        ("2", "SH-S", f"{CDN}/front.jpg"),
        ("3", "G-1", f"{CDN}/gown.jpg"),
        ("4", "SH-M", why),
        ("5", "SH-R", f"{CDN}/red.jpg"),
    ]


def test_shopifys_newer_names_are_read_and_a_colour_with_its_own_picture_is_a_row_of_its_own(read):
    found = read(
        "Title,URL handle,Product category,Type,SKU,Option1 value,Product image URL,Image position,Variant image URL,"
        "Price / Germany,Google Shopping / Google product category\n"
        f"Pants,pants,Apparel & Accessories > Clothing > Pants,,P-1,Blue,{CDN}/blue.jpg,1,{CDN}/blue.jpg,9,204\n"
        f",pants,,,P-2,Red,{CDN}/red.jpg,2,{CDN}/red.jpg,,\n"
        ",pants,,,P-3,Blue,,,,,\n"
    )
    assert seen(found) == [
        ("2", "P-1", f"{CDN}/blue.jpg", f"{CDN}/red.jpg"),
        ("3", "P-2", f"{CDN}/red.jpg"),
        ("4", "P-3", SHARED),
    ]
    red = found[1]
    assert isinstance(red, Product)
    assert (red.group, red.fields["Title"], red.fields["Option1 value"]) == ("pants", "Pants", "Red")
    assert slots(found) == [Slot.LOWER_CLOTHES, Slot.LOWER_CLOTHES]


def test_a_woocommerce_variation_has_its_parents_categories_by_sku_or_by_number(read):
    found = read(
        "ID,Type,SKU,Categories,Images,Parent\n"
        f'46,variation,V-G,,"{CDN}/green.jpg",id:44\n'
        f'44,variable,V,"Clothing > Tshirts, Sale","{CDN}/red.jpg, {CDN}/blue.jpg",\n'
        f"45,variation,V-B,,{CDN}/blue.jpg,V\n"
        "47,variation,V-X,,,V\n"
        f"48,variation,LOST,,{CDN}/x.jpg,NO\n"
        f'49,"simple, downloadable",S,Clothing > Skirts,{CDN}/s.jpg,\n'
    )
    assert seen(found) == [
        ("2", "V-G", f"{CDN}/green.jpg"),
        ("3", "V", f"{CDN}/red.jpg", f"{CDN}/blue.jpg"),
        ("4", "V-B", f"{CDN}/blue.jpg"),
        ("5", "V-X", SHARED),
        ("6", "LOST", "its parent is not in the file"),
        ("7", "S", f"{CDN}/s.jpg"),
    ]
    assert [each.group for each in found if isinstance(each, Product)] == ["V", "V", "V", "S"]
    assert slots(found) == [Slot.UPPER_CLOTHES] * 3 + [Slot.LOWER_CLOTHES]


def test_magentos_additional_images_stand_in_one_cell(read):
    found = read(
        "sku,attribute_set_code,product_type,categories,base_image,additional_images\n"
        'WS-1,Top,simple,"Default Category/Women/Tops,Default Category/Sale",/w/s/ws-1.jpg,"/w/s/a.jpg,/w/s/b.jpg"\n'
    )
    assert seen(found) == [("2", "WS-1", "/w/s/ws-1.jpg", "/w/s/a.jpg", "/w/s/b.jpg")]
    assert slots(found) == [Slot.UPPER_CLOTHES]


def test_magentos_lines_for_views_of_a_shop_are_no_products_of_their_own(read):
    found = read(
        "sku,store_view_code,categories,name,base_image\n"
        "WS-1,,Default Category/Women/Tops,Top,/w/s/ws-1.jpg\n"
        "WS-1,de,,Oberteil,\n"
        "WS-1,zh_cn,,上衣,/w/s/zh.jpg\n"
        "WS-2,default,Default Category/Women/Skirts,Skirt,/w/s/ws-2.jpg\n"
    )
    assert seen(found) == [("2", "WS-1", "/w/s/ws-1.jpg"), ("5", "WS-2", "/w/s/ws-2.jpg")]


def test_names_for_people_above_an_exports_own_are_passed_over(read):
    found = read(
        "TemplateType=Clothing\tVersion=2015\n"
        "SKU\tType\tImage\n"
        "item_sku\tfeed_product_type\tmain_image_url\n"
        f"AZ-1\tdress\t{CDN}/1.jpg\n"
    )
    assert seen(found) == [("4", "AZ-1", f"{CDN}/1.jpg")]
    assert slots(found) == [Slot.DRESS]


AKENEO = "sku;categories;enabled;family;front_view-en_US;back_view\nA-1;women,dresses;1;clothing;files/a.jpg;files/b.jpg\n"


def test_akeneos_pictures_stand_under_codes_of_the_shops_own_which_must_be_said(read):
    with pytest.raises(ManifestError, match=r"say with --picture which column .*front_view-en_US, back_view"):
        read(AKENEO)
    (product,) = read(AKENEO, picture_column="back_view")
    assert product.fields["back_view"] == "files/b.jpg"
    assert slots([product]) == [Slot.DRESS]


def test_a_merchant_table_has_its_further_pictures_in_one_cell_with_commas_escaped(read):
    found = read(
        "id\ttitle\timage link\tadditional image link\tgoogle product category\titem group id\n"
        f'D-1\t5" dress\t{CDN}/d(1).jpg\t{CDN}/a%2C1.jpg,{CDN}/b.jpg\t2271\tD\n',
        "feed.tsv",
    )
    assert seen(found) == [("2", "D-1", f"{CDN}/d(1).jpg", f"{CDN}/a%2C1.jpg", f"{CDN}/b.jpg")]
    assert [found[0].group, slots(found)] == ["D", [Slot.DRESS]]


OWN_COMMAS = "https://cdn.example/upload/w_600,h_800/a.jpg"


@pytest.mark.parametrize(
    ("head", "row"),
    [
        ("id\timage_link\tadditional_image_link\tproduct_type", f"D-1\t{OWN_COMMAS}\t{CDN}/b.jpg, {OWN_COMMAS}\tDresses"),
        ("ID,Type,SKU,Categories,Images", f'1,simple,D-1,Dresses,"{OWN_COMMAS}, {CDN}/b.jpg,{OWN_COMMAS}, "'),
        ("sku;base_image;additional_images;categories", f"D-1;{OWN_COMMAS};{CDN}/b.jpg,{OWN_COMMAS};Dresses"),
    ],
)  # fmt: skip
def test_commas_of_an_addresss_own_do_not_end_it(read, head, row):
    assert seen(read(f"{head}\n{row}\n")) == [("2", "D-1", OWN_COMMAS, f"{CDN}/b.jpg", OWN_COMMAS)]


def test_amazons_parents_are_told_from_what_kind_of_child_an_article_is(read):
    relation = "child_parent_sku_relationship[marketplace_id=A]#1"
    found = read(
        "settings=attributeRow=2&dataRow=3&x=1\n"
        f"contribution_sku#1.value\t{relation}.child_relationship_type\t{relation}.parent_sku\t"
        "main_product_image_locator[marketplace_id=A]#1.media_location\n"
        f"Z-1\tVariation\tP-1\t{CDN}/1.jpg\nZ-2\tVariation\tP-2\t{CDN}/2.jpg\n",
        "template.txt",
    )
    assert [each.group for each in found if isinstance(each, Product)] == ["P-1", "P-2"]


def test_amazons_older_template_has_three_lines_of_names(read):
    found = read(
        "TemplateType=fptcustom\tVersion=2023.1116\tThe top 3 rows are for Amazon.com use only.\t\n"
        "Seller SKU\tProduct Type\tMain Image URL\tOther Image URL1\n"
        "item_sku\tfeed_product_type\tmain_image_url\tother_image_url1\n"
        f"AZ-1\tshirt\t{CDN}/1.jpg\t{CDN}/2.jpg\n"
    )
    assert seen(found) == [("4", "AZ-1", f"{CDN}/1.jpg", f"{CDN}/2.jpg")]
    assert slots(found) == [Slot.UPPER_CLOTHES]


def test_amazons_newer_template_tells_in_its_first_line_where_the_products_begin(read):
    market = "[marketplace_id=ATVPDKIKX0DER]"
    found = read(
        "\t\t\tsettings=attributeRow=5&contentLanguageTag=en_US&dataRow=7&labelRow=4&templateType=x\n"
        "Notes\n"
        "Groups\n"
        "SKU\tProduct Type\tMain Image URL\tOther Image URL\n"
        f"contribution_sku#1.value\tproduct_type#1.value\tmain_product_image_locator{market}#1.media_location\t"
        f"other_product_image_locator_1{market}#1.media_location\n"
        f"ABC123\tDRESS\t{CDN}/example.jpg\t\n"
        f"AZ-1\tPANTS\t{CDN}/1.jpg\t{CDN}/2.jpg\n",
        "template.txt",
    )
    assert seen(found) == [("7", "AZ-1", f"{CDN}/1.jpg", f"{CDN}/2.jpg")]
    assert slots(found) == [Slot.LOWER_CLOTHES]


TAOBAO = (
    "version 1.00\r\n"
    "title\tcid\tprice\tpicture\touter_id\r\n"
    "宝贝名称\t宝贝类目\t宝贝价格\t新图片\t商家编码\r\n"
    f"连衣裙\t50010850\t99\tbb:1:1:|{CDN}/2.jpg;aa:1:0:|{CDN}/1.jpg;cc:2:0:1627207:28320|{CDN}/red.jpg;\tD-1\r\n"
    "裤\t1622\t99\tdd:1:0:|;\tD-2\r\n"
)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "gb18030", "utf-8-sig"])
def test_a_taobao_assistants_table_is_read_in_every_encoding_it_comes_in(read, encoding):
    content = b"\xfe\xff" * (encoding == "utf-16-be") + TAOBAO.encode(encoding)
    found = read(content, "shop.csv")
    assert seen(found) == [
        ("4", "D-1", f"{CDN}/1.jpg", f"{CDN}/2.jpg"),
        ("5", "D-2", "shop/dd.tbi"),
    ]
    assert found[0].fields["title"] == "连衣裙"
    assert slots(found) == [Slot.DRESS, Slot.LOWER_CLOTHES]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("sku", COLUMNS["sku"])
def test_a_plain_table_needs_no_map_whatever_stands_between_its_cells(read, delimiter, sku):
    lines = [
        (sku, "Image", "category", "note"),
        ("A", f"{CDN}/a.jpg", "upper", "x"),
        ("B", "b.jpg", "连衣裙"),
    ]
    found = read("\n".join(map(delimiter.join, lines)))
    assert seen(found) == [("2", "A", f"{CDN}/a.jpg"), ("3", "B", "b.jpg")]
    assert slots(found) == [Slot.UPPER_CLOTHES, Slot.DRESS]
    assert found[1].fields["note"] == "", "a line that ends early has nothing there"


def test_names_below_title_lines_are_found_and_lines_keep_their_numbers(read):
    assert seen(read(f"Autumn,,\n\nour list,,\nsku,image,category\n\nA,{CDN}/a.jpg,top\n")) == [
        ("6", "A", f"{CDN}/a.jpg")
    ]


def test_other_columns_are_named_by_a_map(read):
    layout = Layout(
        name="map", known_by=(), sku=("Artikelnr.",), pictures=("Bild 1", "Bild 2"), categories=("Gruppe",), group=("Form",),
        between_pictures="|",
    )  # fmt: skip
    found = read(
        "Artikelnr.;Form;Bild 1;Bild 2;Gruppe\n7001;ST-1;a.jpg|b.jpg;c.jpg;Hemden\n".encode("cp1252"),
        layout=layout,
    )
    assert seen(found) == [("2", "7001", "a.jpg", "b.jpg", "c.jpg")]
    assert (found[0].group, found[0].categories) == ("ST-1", (("Hemden",),))
    with pytest.raises(
        ManifestError, match=r"has not the columns that the map names \(Artikelnr., Bild 1.*it has sku"
    ):
        read("sku;image\n1;a.jpg\n", layout=layout)


def test_an_encoding_that_is_said_is_taken_or_refused_by_name(read):
    text = "sku,image,category,Größe\nÄ-1,a.jpg,top,größer\n"
    (product,) = read(text.encode("cp1252"), encoding="cp1252")
    assert (product.sku, product.fields["Größe"]) == ("Ä-1", "größer")
    for encoding, why in (
        ("klingon", "no encoding"),
        ("zlib_codec", "no encoding"),
        ("ascii", "is no ascii text"),
    ):
        with pytest.raises(ManifestError, match=why):
            read(text.encode("cp1252"), encoding=encoding)


def test_a_table_whose_encoding_is_not_sure_is_refused_until_it_is_named(read):
    """What is written of it is UTF-8: wrong letters of an address would be bought."""
    text = "sku,image,category\nA,https://x.example/sukně.jpg,top\n".encode("cp1250")
    with pytest.raises(ManifestError, match="its text may be cp1252 or cp1250; save it as"):
        read(text)
    (product,) = read(text, encoding="cp1250")
    assert product.fields["image"] == "https://x.example/sukně.jpg"


def test_broken_lines_are_left_out_by_themselves(read):
    found = read(
        f'sku,image,category\nA,"open,top\nB,{CDN}/b.jpg,top\nC,c.jpg,top,too,many\nD,{CDN}/d.jpg,top,,\n'
    )
    assert seen(found) == [
        ("2", "", "a quotation mark is opened here and never closed"),
        ("3", "B", f"{CDN}/b.jpg"),
        ("4", "", "the line has more cells than there are columns"),
        ("5", "D", f"{CDN}/d.jpg"),
    ]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("sku,person,upper\nA,b,c\n", "it is a manifest: vton plan"),
        ("a,b\n1,2\n", "is no export that is known.*--map.*it has a, b"),
        ('[{"sku": "A", "image": "a.jpg"}]', "is JSON or YAML.*as CSV"),
        ('{"sku": "A", "image": "a.jpg"}\n{"sku": "B", "image": "b.jpg"}\n', "is JSON or YAML.*as CSV"),
        ("jobs:\n- person: a.jpg\n  dress: b.jpg\n", "is JSON or YAML.*vton plan"),
        ("1_0.jpg 2_1.jpg\n3_0.jpg 4_1.jpg\n", "is a list of pairs.*vton plan, with --root"),
        ("", "is empty"),
        (b"PK\x03\x04rest", "workbook"),
        (b"sku,\0\0\0image\n" * 100, "binary"),
        (b"\xff\xfe" + "sku,image,category\n".encode("utf-16-le") + b"\0", "is no utf-16-le text"),
    ],
)
def test_what_is_no_list_of_products_is_refused_in_words(read, content, why):
    with pytest.raises(ManifestError, match=why):
        read(content)


def test_a_product_of_endless_lines_is_cut(tmp_path):
    path = tmp_path / "endless.csv"
    path.write_text("Handle,Variant SKU,Image Src\n" + "".join(f"one,S-{n},\n" for n in range(6_000)))
    found = list(open_source(str(path), Reading()).products())
    assert sum("more than 5,000 lines" in each.why for each in found if isinstance(each, LeftOut)) == 1_000


def test_columns_of_one_name_keep_both_their_cells(read):
    (product,) = read("sku,image,category,note,note,\nA,a.jpg,top,1,2,3\n")
    assert dict(product.fields) == {
        "sku": "A", "image": "a.jpg", "category": "top", "note": "1", "note (2)": "2",
    }  # fmt: skip


def test_a_workbook_of_products_has_its_pictures_in_the_cells(read, tmp_path):
    made = io.BytesIO()
    Image.new("RGB", (64, 96), "navy").save(made, "JPEG")
    book = xlsxwriter.Workbook(tmp_path / "made.xlsx")
    sheet = book.add_worksheet("Autumn")
    sheet.write_row("A1", ["Autumn catalog"])
    sheet.write_row("A3", ["SKU", "Image", "Category"])
    sheet.write_number("A4", 123, book.add_format({"num_format": "00000"}))
    sheet.embed_image("B4", "a.jpg", {"image_data": io.BytesIO(made.getvalue())})
    sheet.write("C4", "Dress")
    sheet.write_row("A5", ["B-2", f"{CDN}/b.jpg", "Top"])
    book.close()
    there = tmp_path / "extracted"
    first, second = read((tmp_path / "made.xlsx").read_bytes(), "shop.xlsx", extracted=there)
    assert (first.place, first.sku, first.categories) == ("4", "00123", (("Dress",),))
    assert Path(first.pictures[0]).read_bytes() == made.getvalue()
    assert Path(first.pictures[0]).is_relative_to(there)
    assert seen([second]) == [("5", "B-2", f"{CDN}/b.jpg")]
