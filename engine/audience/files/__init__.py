"""Files of contacts as spreadsheets, address books and CRMs write them: encoding, records, layout, columns, cells."""
