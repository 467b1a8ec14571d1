"""What the API takes and gives: one module per resource, with the same names as in web.api."""
