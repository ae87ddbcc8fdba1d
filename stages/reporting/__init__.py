"""The parts of the report stage: typed inputs, words and charts, the page's parts, its template."""
