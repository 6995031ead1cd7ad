"""The filters of history, reports and exports, as they stand in an address."""
