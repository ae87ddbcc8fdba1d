"""What the report stage is made of: inputs (typed), words and charts, the page's parts, its template."""
