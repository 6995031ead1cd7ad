"""Calls taken away as a file: history's rows, as CSV or XLSX, at once or in the background."""
