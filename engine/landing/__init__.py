"""Landing pages: blocks and their texts, versions, what is published, visits and their figures."""
