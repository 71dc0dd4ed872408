"""How good the suite is: which requirement kills which mutant, and how close correct backends come to the bounds."""
