"""The families of records: a module has `can_replay(record)` and `replay(record)`."""
