"""What a file of columns is made of, whatever its format."""

#: Line where the record begins, its cells as far as they can be read, what is wrong with it ("": nothing).
Record = tuple[int, list[str], str]
