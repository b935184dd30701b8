"""Workbooks: .xlsx, .xlsm, .xls, .xlsb and .ods, with the pictures that stand in them."""
