"""Commands whose only work is to show something end when nobody looks."""

import os

from tests.runs.test_output import started


def test_a_watch_ends_when_nobody_looks_any_more(shop, driver, elsewhere):
    driver.admit("b", ["a"], seal=True)
    reader, writer = os.pipe()
    process = started(shop, "status", "b", "--watch", stdout=writer, stderr=writer, **elsewhere.env())
    os.close(writer)
    assert os.read(reader, 1)
    os.close(reader)
    assert process.wait(60) == 0
