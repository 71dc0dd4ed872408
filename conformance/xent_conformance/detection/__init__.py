"""What the suite is worth: which requirement finds which wrong backend, how near correct ones come to a bound."""
