"""Facts in, reports out: documents in English or French, as HTML and as PDF. No database, no clock."""
