"""From a shop's products to pairs: exports, feeds, tables and folders of pictures, put together with people."""
