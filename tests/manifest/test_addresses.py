"""What a picture's cell may say: one address, of a host that HiDream can reach."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.config.settings import PictureSettings
from jobs.manifest import addresses
from jobs.manifest.addresses import other_kind, picture_fault, unreachable
from jobs.pictures.check import LocalPictures, PictureError
from jobs.records import Url

#: What spreadsheets in other languages, and other programs, write where a value would be.
ERRORS = (
    "#NV #BEZUG! #WERT! #ZAHL! #ÜBERLAUF! #NOM? #VALEUR! #N/D #¡REF! #¿NOMBRE? #RIF! #VALORE! #N/B #VERW! #I/T #Н/Д "  # noqa: RUF001
    "#ССЫЛКА! #ДЕЛ/0! #N/D! #ADR! #YOK #BAŞV! #PYTHON! #EXTERNAL! Err:502 Err:508"
)
ONE, TWO = "https://cdn.example.com/u/1.jpg", "http://cdn.example.com/u/2.jpg"


@pytest.mark.parametrize(
    "between",
    [
        *(", ", ",", " ", ";", "; ", "|", " | ", "\n", "\r\n", "\t", '","', "<br>", "^", "`"),
        *("，", "、", "；", "｜", "\u3000", "”“", "\\n", "\\t", "", "&", "+", "#", "*", "//"),  # noqa: RUF001
    ],
)
def test_two_addresses_in_one_cell_are_refused(between):
    assert picture_fault(f"{ONE}{between}{TWO}").startswith("two addresses in one cell")
    assert picture_fault(f'["{ONE}{between}{TWO.upper()}"]').startswith("two addresses in one cell")


def test_many_addresses_in_one_cell_are_counted():
    assert picture_fault(",".join([ONE] * 7)).startswith("7 addresses in one cell")


@pytest.mark.parametrize(
    "url",
    [
        "https://cdn.example.com/a,b/u.jpg",
        "https://cdn.example.com/a;v=1|2/u.jpg",
        f"https://img.example.com/fetch/w_300,h_200/{ONE}",
        f"https://img.example.com/resize?w=8&src={ONE}",
        f"https://img.example.com/resize?{ONE}",
        "https://img.example.com/webp/https://cdn.example.com/1.jpg",
        f"https://img.example.com/g.jpg?from={ONE}",
        "https://web.example.com/jpg:https://cdn.example.com/1",
        "https://web.example.com/2026/https://cdn.example.com/1.jpg",
    ],
)
def test_commas_and_addresses_within_an_address_are_part_of_it(url):
    assert not picture_fault(url)


@pytest.mark.parametrize(
    "host",
    [
        *(
            "192.168.1.20",
            "10.0.0.5",
            "172.16.0.1",
            "172.31.255.255",
            "127.0.0.1",
            "169.254.169.254",
            "100.64.0.1",
        ),
        *("127.1", "2130706433", "0x7f.0.0.1", "0.0.0.0", "224.0.0.1"),
        *("[::1]", "[fc00::1]", "[fd12::1]", "[fe80::1]", "[::ffff:10.0.0.1]"),
        *(
            "localhost",
            "LOCALHOST",
            "localhost.",
            "shop.localhost",
            "nas",
            "pim.internal",
            "fileserver.local",
            "a.b.lan",
        ),
    ],
)
def test_a_host_that_only_this_network_knows_is_refused(tmp_path, host):
    assert "HiDream cannot reach it" in unreachable(f"http://{host}:8000/p.jpg")
    assert unreachable(f"https://{host}?p.jpg")
    url = f"https://{host}/p.jpg"
    with pytest.raises(PictureError, match="cannot reach"):
        LocalPictures(PictureSettings(), tmp_path).source(url)
    assert LocalPictures(PictureSettings(private_hosts="allow"), tmp_path).source(url) == Url(url=url)


@pytest.mark.parametrize(
    "host",
    [
        "cdn.example.com",
        "8.8.8.8",
        "[2606:4700::1111]",
        "172.32.0.1",
        "1.2.3.4.5",
        "模特.公司",
        "local.example.com",
        "a.b.",
    ],
)
def test_any_other_host_may_be_there(host):
    assert not unreachable(f"https://{host}/p.jpg")


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("https://c.example/p.mp4", ".mp4"),
        ("https://c.example/p.HEIC?w=8", ".heic"),
        ("https://c.example/p.svg#a", ".svg"),
        ("https://c.example/p.jpg", ""),
        ("https://c.example/p.jpg_.webp", ""),
        ("https://c.example/p", ""),
        ("https://c.example/.mp4", ""),
        ("https://c.mov/p", ""),
        ("https://c.example/p.php?f=a.mp4", ""),
    ],
)
def test_an_address_that_names_another_kind_of_file_is_known_by_its_end(url, kind):
    assert other_kind(url) == kind


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('=DISPIMG("ID_8A6F2C1B9D3E4F5A8B7C6D5E4F3A2B1C",1)', "stands in a cell of the workbook"),
        ('=_xlfn.DISPIMG("ID_8A6F",1)', "stands in a cell of the workbook"),
        ('=IMAGE("https://cdn.example.com/p/1.jpg")', "holds a formula (=IMAGE…)"),
        ('=HYPERLINK("https://cdn.example.com/u/1.jpg","tee")', "holds a formula (=HYPERLINK…)"),
        ("#N/A", "is an error in the spreadsheet (#N/A)"),
        ("#REF!", "is an error in the spreadsheet (#REF!)"),
        *((each, f"is an error in the spreadsheet ({each})") for each in ERRORS.split()),
        ("=A2", "holds a formula (=A2)"),
        ("='Look book'!$A$2", "holds a formula (='Look book'!$A$2)"),
        ('="https://cdn.example.com/"&A2&".jpg"', "holds a formula"),
        ("#1 look.jpg", ""),
        ("#1 look", ""),
        ("#12/3", ""),
        ("=look.jpg", ""),
        ("=looks/1.HEIC", ""),
        ("Err:or.jpg", ""),
    ],
)
def test_what_a_spreadsheet_writes_for_no_value_is_no_picture(text, why):
    fault = picture_fault(text)
    assert why in fault if why else not fault


@given(
    st.sampled_from(["https://", "http://", "HTTPS://", "ftp://", "//", ""]),
    st.sampled_from(["cdn.example.com", "a", "1.2.3.4", "x:80", "u@x", "", "[::1]", "x_y"]),
    st.text(st.sampled_from("ab/.:?#=&%,; |\u00fc\u3000\t~@"), max_size=12),
)
def test_the_look_at_usual_addresses_finds_what_the_whole_look_finds(scheme, host, rest):
    text = f"{scheme}{host}{rest}".strip()
    if text:
        quick = picture_fault(text)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(addresses, "_PLAIN", lambda _text: None)
            assert quick == picture_fault(text)


@given(st.lists(st.sampled_from(["https://a.example/1.jpg", "https://a.example/1?w=2", "http://10.0.0.1/x", "https://nas/1",
    "http://a.example", "HTTPS://a.example/2", "a.jpg", "https://10.0.0.1.nip.example/y"]), max_size=20))  # fmt: skip
@pytest.mark.parametrize("hosts", ["refuse", "allow"])
def test_a_plain_address_is_one_that_is_taken_as_it_is(tmp_path_factory, hosts, texts):
    local = LocalPictures(PictureSettings(private_hosts=hosts), tmp_path_factory.getbasetemp())
    for text in texts:
        reached = hosts == "allow" or not unreachable(text)
        assert local.is_plain(text) == (text.lower().startswith("http") and "?" not in text and reached)
