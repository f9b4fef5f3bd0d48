"""What only a replay needs to know of a method: a file is named like the part that makes it, and has `RECORDS`."""
