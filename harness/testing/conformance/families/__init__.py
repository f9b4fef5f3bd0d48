"""The families of records: a module has `takes(record)` and `replay(record)`."""
