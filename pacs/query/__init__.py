"""One query: C-FIND, QIDO and the pages all parse into it and get the same answer."""
