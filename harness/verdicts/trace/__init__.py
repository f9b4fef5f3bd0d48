"""What stands behind printed numbers: the cells, trials and means of a table that round to them."""
